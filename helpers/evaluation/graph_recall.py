"""What a graph loses against exact search, on perturbed vectors and on real photos."""

import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.building.hnsw import new_graph
from helpers.evaluation.labelled_photos import Heard, known_as
from helpers.index.card_index import CardIndex, Hit
from helpers.index.exact_search import exact_top, perturbed, recall
from helpers.index.rows import BLOCK
from helpers.report import Reporter

QUERIES = 1000
NEIGHBOURS = 10
GRID_EF_SEARCH = (16, 64)  # where pairs differ most, and the default
#: Rows of a candidate that count: the search compares the scans of that many with the photo.
COMPARED = 8
_TIMED = 200  # queries asked one at a time for the median

Ask = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.int64]]]


def measure(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Ask graphs and exact search for the neighbours of perturbed vectors.

    Returns:
        `graph`: what all share; and where wanted `recall`: recall and median time in ms of the
        index for each efSearch of the ladder; `grid`: those of graphs built anew with each M and
        efConstruction.
    """
    index = CardIndex(args.index)
    # Each distinct vector is in the graph once; with copies the true best 10 would be a lottery.
    vectors = index.graph.vectors
    queries = perturbed(vectors, QUERIES, args.seed)
    exact: Ask = partial(exact_top, vectors, k=NEIGHBOURS)
    search = partial(_search, queries, exact(queries)[1])
    found: dict[str, Any] = {"graph": {"queries": QUERIES, "exact_ms": _median_ms(exact, queries)}}
    if "recall" in args.parts:
        found["recall"] = [search(index.graph.hnsw, each) for each in args.ladder]
    if "grid" in args.parts:
        found["grid"] = []
        with report.progress(len(args.grid), "Building other graphs", "graphs") as progress:
            for m, ef_construction in args.grid:
                graph, about = _built(vectors, m, ef_construction)
                about["search"] = [search(graph, ef_search) for ef_search in GRID_EF_SEARCH]
                found["grid"].append(about)
                progress.advance()
    return found


def _search(
    queries: NDArray[np.float32], truth: NDArray[np.int64], graph: Any, ef_search: int
) -> dict[str, Any]:
    import faiss

    parameters = faiss.SearchParametersHNSW(efSearch=ef_search)
    ask: Ask = partial(graph.search, k=truth.shape[1], params=parameters)
    _, found = ask(queries)
    return {
        "ef_search": ef_search,
        "recall_at_1": recall(found, truth, 1),
        "recall_at_10": recall(found, truth, NEIGHBOURS),
        "ms": _median_ms(ask, queries),
    }


def _built(
    vectors: NDArray[np.float32], m: int, ef_construction: int
) -> tuple[Any, dict[str, Any]]:
    """Build another graph over the vectors, in memory."""
    import faiss

    start = time.perf_counter()
    graph = new_graph(vectors.shape[1], m, ef_construction)
    for begin in range(0, len(vectors), BLOCK):
        graph.add(vectors[begin : begin + BLOCK])
    seconds = time.perf_counter() - start
    written: list[int] = []

    def count(data: bytes) -> int:  # so that there is no second copy of the graph in memory
        written.append(len(data))
        return len(data)

    faiss.write_index(graph, faiss.PyCallbackIOWriter(count))
    about = {"m": m, "ef_construction": ef_construction}
    return graph, {**about, "seconds": seconds, "bytes": sum(written)}


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
    shown = [label.keys for label, parts in heard for part in parts for _ in part]
    if not shown:
        return []
    vectors = np.concatenate([part for _, parts in heard for part in parts])
    truth = _rows(index.search_exactly(vectors, COMPARED))
    right = [
        {row for row in rows if keys & known_as([index.card(row)])}
        for keys, rows in zip(shown, truth.tolist(), strict=True)
    ]
    measured = []
    for ef_search in ladder:
        found = _rows(index.search(vectors, COMPARED, ef_search))
        pairs = zip(right, found.tolist(), strict=True)
        measured.append(
            {
                "ef_search": ef_search,
                "candidates": len(shown),
                "recall_at_1": recall(found, truth, 1),
                "recall_at_8": recall(found, truth, COMPARED),
                "right": sum(map(bool, right)),
                "lost": sum(bool(wanted) and wanted.isdisjoint(rows) for wanted, rows in pairs),
            }
        )
    return measured


def _rows(answers: Sequence[Sequence[Hit]]) -> NDArray[np.int64]:
    """Return the rows of each answer, int64 [n, most], with -1 where the graph found too few."""
    lists = ([hit.row for hit in hits] for hits in answers)
    return np.array(list(zip_longest(*lists, fillvalue=-1))).T
