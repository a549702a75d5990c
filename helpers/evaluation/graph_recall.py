"""What the graph loses against exact search, on perturbed vectors and on real photos."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.evaluation.labelled_photos import Heard
from helpers.index.card_index import CardIndex, Hit
from helpers.index.exact_search import exact_top
from helpers.index.graph import graph_of, stored_vectors
from helpers.report import Progress

QUERIES = 1000
NEIGHBOURS = 10
#: Cosine of a perturbed query to the row it was made from. A photo of a card is about as far from
#: its scan, so the right row is mostly, but not always, still the nearest.
CLOSENESS = 0.8
#: Rows of a candidate that count: the search compares the scans of that many with the photo.
COMPARED = 8
_TIMED = 200  # queries asked one at a time for the median

Ask = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.int64]]]


def measure(
    index: CardIndex, seed: int, ladder: Sequence[int], progress: Progress
) -> dict[str, Any]:
    """Ask the graph and exact search for the neighbours of perturbed vectors.

    Returns:
        `graph`: what all share; `recall`: recall and median time in ms for each efSearch.
    """
    import faiss

    # Each distinct vector is in the graph once; with copies the true best 10 would be a lottery.
    vectors = stored_vectors(index.graph)
    graph, k = graph_of(index.graph), min(NEIGHBOURS, len(vectors))
    queries = perturbed(vectors, QUERIES, seed)
    exact: Ask = partial(exact_top, vectors, k=k)
    _, truth = exact(queries)
    rows = []
    for ef_search in ladder:
        ask: Ask = partial(graph.search, k=k, params=faiss.SearchParametersHNSW(efSearch=ef_search))
        _, found = ask(queries)
        rows.append(
            {
                "ef_search": ef_search,
                "recall_at_1": recall(found, truth, 1),
                "recall_at_10": recall(found, truth, NEIGHBOURS),
                "ms": _median_ms(ask, queries),
            }
        )
        progress.advance()
    return {"graph": {"queries": QUERIES, "exact_ms": _median_ms(exact, queries)}, "recall": rows}


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


def recall(found: NDArray[np.int64], truth: NDArray[np.int64], k: int) -> float:
    """Return the share of the true best `k` rows of each query among its first `k` found rows.

    Both are int64 [q, k or more, or all rows there are]; a found -1 stands for nothing.
    """
    k = min(k, truth.shape[1])
    hits = (found[:, :k, None] == truth[:, None, :k]).any(axis=2)
    return float(hits.sum() / truth[:, :k].size)


def _median_ms(ask: Ask, queries: NDArray[np.float32]) -> float:
    seconds = []
    for place in range(_TIMED):
        start = time.perf_counter()
        ask(queries[place : place + 1])
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def losses(index: CardIndex, heard: Sequence[Heard], ladder: Sequence[int]) -> list[dict[str, Any]]:
    """Compare the graph with exact search on the candidates of photos.

    Returns:
        For each efSearch: `candidates`, the shares `recall_at_1` and `recall_at_8` of the true best
        rows that the graph finds, and `lost` of `right`: vectors among whose true best 8 rows is a
        card that the photo shows, and none is among those of the graph.
    """
    if not heard:
        return []
    vectors = np.stack([vector for _, vector in heard])
    exact = index.search_exactly(vectors, COMPARED)
    truth = _rows(exact, len(exact[0]))
    right = [
        {row for row in rows if label.fits(index.card(row))}
        for (label, _), rows in zip(heard, truth.tolist(), strict=True)
    ]
    measured = []
    for ef_search in ladder:
        found = _rows(index.search(vectors, COMPARED, ef_search), truth.shape[1])
        pairs = zip(right, found.tolist(), strict=True)
        measured.append(
            {
                "ef_search": ef_search,
                "candidates": len(heard),
                "recall_at_1": recall(found, truth, 1),
                "recall_at_8": recall(found, truth, COMPARED),
                "right": sum(map(bool, right)),
                "lost": sum(bool(wanted) and wanted.isdisjoint(rows) for wanted, rows in pairs),
            }
        )
    return measured


def _rows(answers: Sequence[Sequence[Hit]], width: int) -> NDArray[np.int64]:
    """Return the rows of each answer, int64 [n, width], with -1 where the graph found too few."""
    lists = ([hit.row for hit in hits] for hits in answers)
    return np.array([rows + [-1] * (width - len(rows)) for rows in lists])
