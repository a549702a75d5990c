"""Vectors → FAISS index, as a child process (`helpers.worker_process`) of the build."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from helpers import worker_process
from helpers.atomic_io import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCK = 4096  # rows between two looks at the clock and at signals
EF_SEARCH = 64  # contract: the default at query time, so the self-check uses it, too
EF_SEARCH_AGAIN = 512
MIN_SELF_SCORE = 0.99
NEIGHBOURS = 10


def distinct_rows(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the rows that are equal to the bit.

    Exact duplicates break HNSW for other vectors: among 10,000 rows with 20 groups of 100 copies,
    963 no longer find themselves. So each distinct vector enters the graph once.

    Returns:
        int64 [m] the first row of each distinct vector, ascending, and int64 [n] for every row the
        first row with the same vector.
    """
    hashes = np.empty(len(vectors), dtype="S17")
    for row, vector in enumerate(vectors):
        # The 17th byte keeps numpy from dropping zero bytes at the end of the hash.
        hashes[row] = hashlib.blake2b(vector.tobytes(), digest_size=16).digest() + b"\1"
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    return np.sort(first), first[group]


def new_graph(dimension: int, m: int, ef_construction: int) -> faiss.IndexHNSWFlat:
    """Return an empty graph for inner products."""
    graph = faiss.IndexHNSWFlat(dimension, m, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = ef_construction
    # Pruning can leave an outlier with no link that leads to it: 1 of 300 drawn cards was never
    # found again. With the lowest level's lists kept full none was lost; adding takes twice as
    # long (10,000 rows: 15 s instead of 7 s of CPU).
    graph.keep_max_size_level0 = True
    return graph


def build(options: dict[str, Any]) -> dict[str, Any]:
    """Build, write, read back and check the index.

    Args:
        options: `vectors` (path of a float32 [n, D] `.npy`), `target` (path), `hnsw_m`,
            `hnsw_ef_construction`, `check_seconds` (how long the self-check may take).

    Returns:
        `{"distinct", "first_rows" (only of duplicates: row → first row), "self_check", "seconds"}`.
    """
    start = time.monotonic()
    vectors = np.load(options["vectors"], mmap_mode="r")
    rows, first_of = distinct_rows(vectors)
    graph = new_graph(vectors.shape[1], options["hnsw_m"], options["hnsw_ef_construction"])
    index = faiss.IndexIDMap(graph)
    for begin in range(0, len(rows), BLOCK):
        block = rows[begin : begin + BLOCK]
        index.add_with_ids(np.ascontiguousarray(vectors[block]), block)
    target = Path(options["target"])
    _write(index, target)
    del index, graph
    again = faiss.read_index(str(target))
    check = self_check(again, vectors, rows, options["check_seconds"])
    duplicates = np.flatnonzero(first_of != np.arange(len(first_of)))
    return {
        "distinct": len(rows),
        "first_rows": {int(row): int(first_of[row]) for row in duplicates},
        "self_check": check,
        "seconds": round(time.monotonic() - start, 3),
    }


def _write(index: faiss.Index, target: Path) -> None:
    """Write the index and compare what is on the disk with what was to be written.

    `faiss.write_index` has no checksum and returned OK on a full disk; through a callback every
    byte is counted, and no second copy of the index is held in memory.
    """
    digest = hashlib.sha256()
    failures: list[OSError] = []

    def write(data: bytes) -> int:
        digest.update(data)
        try:
            return file.write(data)
        except OSError as error:  # an exception cannot cross FAISS
            failures.append(error)
            return 0

    with target.open("wb") as file:
        with contextlib.suppress(RuntimeError):  # FAISS's own complaint about a short write
            faiss.write_index(index, faiss.PyCallbackIOWriter(write))
        if failures:
            raise failures[0]
        file.flush()
        os.fsync(file.fileno())
    with target.open("rb") as written:
        if hashlib.file_digest(written, "sha256").digest() != digest.digest():
            raise OSError(f"{target} reads back differently from what was written")


def self_check(
    index: faiss.Index, vectors: NDArray[np.float32], rows: NDArray[np.int64], seconds: float
) -> dict[str, Any]:
    """Ask the index for its own rows, in random order, until all are done or the time is up.

    Returns:
        `{"asked", "of", "found_at_64", "found"}`: the last counts rows that were found with a
        score >= 0.99, those missed at efSearch 64 being asked again at 512.
    """
    start = time.monotonic()
    order = np.random.default_rng(0).permutation(rows)
    asked, missed = 0, []
    while asked < len(order) and (asked == 0 or time.monotonic() - start < seconds):
        block = order[asked : asked + BLOCK // 4]
        missed.append(block[~_finds(index, vectors, block, EF_SEARCH)])
        asked += len(block)
    misses = np.concatenate(missed)
    lost = misses[~_finds(index, vectors, misses, EF_SEARCH_AGAIN)] if len(misses) else misses
    return {
        "asked": asked,
        "of": len(rows),
        "found_at_64": asked - len(misses),
        "found": asked - len(lost),
    }


def _finds(
    index: faiss.Index, vectors: NDArray[np.float32], rows: NDArray[np.int64], ef_search: int
) -> NDArray[np.bool_]:
    parameters = faiss.SearchParametersHNSW(efSearch=ef_search)
    queries = np.ascontiguousarray(vectors[rows])
    scores, ids = index.search(queries, min(NEIGHBOURS, index.ntotal), params=parameters)
    own = ids == rows[:, None]
    # Near copies may come before the row itself by the last digit of the score.
    found: NDArray[np.bool_] = (own & (scores >= MIN_SELF_SCORE)).any(axis=1)
    return found


def work(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the one answer: the statistics of `build`.

    Raises:
        WriteError: the disk refuses.
    """
    with disk_errors(Path(options["target"])):
        yield build(options)


if __name__ == "__main__":
    raise SystemExit(worker_process.serve(work))
