"""Exact search: what a graph should find."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_BLOCK = 8192  # rows multiplied at a time: about 100 MB for 1,000 queries


def exact_top(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the largest dot products, best first, and their rows, each [q, min(k, n)].

    Args:
        vectors: float32 [n, D]; multiplied in blocks, so they may be mapped.
        queries: float32 [q, D].
        k: at least 1; equal products are in the order of their rows.
    """
    blocks = (
        (start, np.asarray(vectors[start : start + _BLOCK], dtype=np.float32))
        for start in range(0, len(vectors), _BLOCK)
    )
    return nearest(blocks, queries, min(k, len(vectors)))


def nearest(
    blocks: Iterable[tuple[int, NDArray[np.float32]]], queries: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Do what `exact_top` does, over blocks of rows.

    Args:
        blocks: first row number and float32 [m, D] of consecutive rows.
        queries: float32 [q, D].
        k: at least 1, at most the number of rows.
    """
    best_scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    best_rows = np.full((len(queries), k), -1, dtype=np.int64)
    numbers = np.arange(len(queries))
    for start, block in blocks:
        scores = queries @ block.T
        least = best_scores[:, -1:]
        if np.isinf(least).any():  # the first block: sorting all of it would take most of the time
            kth = max(len(block) - k, 0)
            least = np.partition(scores, kth, axis=1)[:, kth : kth + 1]
        query, place = np.nonzero(scores >= least)
        all_scores = np.concatenate([best_scores.ravel(), scores[query, place]])
        all_rows = np.concatenate([best_rows.ravel(), place + start])
        of = np.concatenate([np.repeat(numbers, k), query])
        order = np.lexsort((all_rows, -all_scores, of))
        best = order[np.searchsorted(of[order], numbers)[:, None] + np.arange(k)]
        best_scores, best_rows = all_scores[best], all_rows[best]
    return best_scores, best_rows
