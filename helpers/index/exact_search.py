"""Exact search: what a graph should find; and queries to ask, made from the vectors themselves."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

#: Cosine of a perturbed query to the row it was made from. A photo of a card is about as far from
#: its scan, so the right row is mostly, but not always, still the nearest.
CLOSENESS = 0.8
_BLOCK = 8192  # rows multiplied at a time: about 100 MB for 1,000 queries


def perturbed(vectors: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Return seeded queries, float32 [count, D], each at the cosine `CLOSENESS` from a random row.

    The noise is the difference of two other rows: it points where pictures of cards really differ.
    Plain Gaussian noise is at right angles to everything in 512 dimensions and would make every
    query easy. `vectors` are float32 [n > 0, D] of unit length.
    """
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(vectors), (3, count))
    base, plus, minus = (vectors[each].astype(np.float64) for each in rows)
    # The last term only matters where two drawn rows are the same.
    noise = plus - minus + 1e-3 * rng.standard_normal(base.shape)
    noise -= (noise * base).sum(axis=1, keepdims=True) * base
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(CLOSENESS * base + np.sqrt(1 - CLOSENESS**2) * noise, dtype=np.float32)


def exact_top(
    vectors: NDArray[np.float32] | NDArray[np.int8], queries: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the largest dot products, best first, and their rows, each [q, min(k, n)].

    Equal products are in the order of their rows. `vectors`, float32 or int8 [n, D], are multiplied
    in blocks, so they may be mapped; `queries` are float32 [q, D].
    """
    blocks = (
        (start, np.asarray(vectors[start : start + _BLOCK], dtype=np.float32))
        for start in range(0, len(vectors), _BLOCK)
    )
    return nearest(blocks, queries, min(k, len(vectors)))


def nearest(
    blocks: Iterable[tuple[int, NDArray[np.float32]]], queries: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Do what `exact_top` does, over blocks: first row number and float32 [m, D] of each.

    There are `k` rows at least.
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


def recall(found: NDArray[np.int64], truth: NDArray[np.int64], k: int) -> float:
    """Return the share of the true best `k` rows of each query among its first `k` found rows.

    Both are int64 [q, k or more, or all rows there are]; a found -1 stands for nothing.
    """
    k = min(k, truth.shape[1])
    hits = (found[:, :k, None] == truth[:, None, :k]).any(axis=2)
    return float(hits.sum() / truth[:, :k].size)
