"""Recall and speed of HNSW; runs in a `helpers.worker_process`, where alone FAISS is loaded."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from helpers.building.hnsw import new_graph
from helpers.index.card_index import open_set
from helpers.index.exact_search import exact_top, perturbed, recall
from helpers.index.graph import graph_of, read_graph, stored_vectors
from helpers.index.publish import INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import faiss
    import numpy as np
    from numpy.typing import NDArray

NEIGHBOURS = 10
QUERIES = 1000
GRID_EF_SEARCH = (16, 64)  # where pairs differ most, and the default
_TIMED = 200  # queries asked one at a time for the median
_BLOCK = 4096


class Trial:
    """Queries with their true answers among the distinct vectors of an index.

    Args:
        vectors: float32 [n, D], distinct rows of unit length, whitened if the index is.
        seed: of the queries.
    """

    def __init__(self, vectors: NDArray[np.float32], seed: int) -> None:
        self.vectors = vectors
        self.queries = perturbed(vectors, QUERIES, seed)
        _, self.truth = exact_top(vectors, self.queries, NEIGHBOURS)
        self._k = min(NEIGHBOURS, len(vectors))

    def search(self, graph: faiss.Index, ef_search: int) -> dict[str, Any]:
        """Return recall and latency of a graph over `vectors` at one efSearch."""
        import faiss

        parameters = faiss.SearchParametersHNSW(efSearch=ef_search)
        _, found = graph.search(self.queries, self._k, params=parameters)
        return {
            "ef_search": ef_search,
            "recall_at_1": recall(found, self.truth, 1),
            "recall_at_10": recall(found, self.truth, NEIGHBOURS),
            "ms": self._median_ms(lambda q: graph.search(q, self._k, params=parameters)),
        }

    def exact_ms(self) -> float:
        """Return the median time of one exact query, in milliseconds."""
        return self._median_ms(lambda query: exact_top(self.vectors, query, self._k))

    def build(self, m: int, ef_construction: int) -> dict[str, Any]:
        """Build another graph over `vectors` in memory and measure it."""
        start = time.perf_counter()
        graph = new_graph(self.vectors.shape[1], m, ef_construction)
        for begin in range(0, len(self.vectors), _BLOCK):
            graph.add(self.vectors[begin : begin + _BLOCK])
        return {
            "m": m,
            "ef_construction": ef_construction,
            "seconds": time.perf_counter() - start,
            "bytes": _written_size(graph),
            "search": [self.search(graph, ef_search) for ef_search in GRID_EF_SEARCH],
        }

    def _median_ms(self, ask: Callable[[NDArray[np.float32]], object]) -> float:
        seconds = []
        for place in range(_TIMED):
            start = time.perf_counter()
            ask(self.queries[place : place + 1])
            seconds.append(time.perf_counter() - start)
        return 1000 * statistics.median(seconds)


def _written_size(graph: faiss.Index) -> int:
    """Return the bytes of the graph's file, without holding a second copy of it in memory."""
    import faiss

    size = 0

    def count(data: bytes) -> int:
        nonlocal size
        size += len(data)
        return len(data)

    faiss.write_index(graph, faiss.PyCallbackIOWriter(count))
    return size


def measure(
    directory: Path, seed: int, ladder: Sequence[int], grid: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure an index at several efSearch (`ladder`), and graphs of other M and efConstruction.

    Yields:
        `"graph"` and what all measurements share, then each as `"recall"` or `"grid"` and its
        figures.

    Raises:
        DataError: the index cannot be used.
    """
    with open_set(directory, (INDEX,)) as (manifest, files):
        index = read_graph(files[INDEX], manifest["index"])
    # Each distinct vector is in the graph once; with copies the true best 10 would be a lottery.
    trial = Trial(stored_vectors(index), seed)
    yield "graph", {"queries": QUERIES, "exact_ms": trial.exact_ms()}
    graph = graph_of(index)
    for ef_search in ladder:
        yield "recall", trial.search(graph, ef_search)
    for m, ef_construction in grid:
        yield "grid", trial.build(m, ef_construction)
