"""Vectors → FAISS index, in a child process of the build: FAISS is only loaded there."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from helpers import worker_process
from helpers.atomic_io import fsync_file
from helpers.errors import DataError, WriteError
from helpers.index.graph import EF_SEARCH_AGAIN, lost_rows, with_whitening
from helpers.index.rows import BLOCK
from helpers.model.whitening import Whitening

if TYPE_CHECKING:
    import faiss

EF_SEARCH = 64  # contract: the default at query time, so the self-check uses it, too
_EF_SEARCH_FIRST = 4


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What to build: `vectors` is an absolute path of float32 [n, D] (`.npy`), `target` one, too.

    `check_seconds` is how long the index may be asked for its own rows; `whitening` goes in front
    of the graph.
    """

    vectors: Path
    target: Path
    hnsw_m: int
    hnsw_ef_construction: int
    check_seconds: float
    whitening: Whitening | None = None


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """What was built: its distinct vectors, the first row of each duplicate row, and how long.

    `self_check`, for the manifest, says how many rows were `asked` for, `of` how many, `found`,
    and `found_at_64`, that is at this efSearch; the others are found only at 512.
    """

    distinct: int
    first_rows: dict[int, int]
    self_check: dict[str, int]
    seconds: float


def build_index(options: IndexOptions) -> BuiltIndex:
    """Build the index of a file of vectors in a child process and let it find its own rows.

    `WriteError` if the disk refuses; `DataError` if it does not find them, or FAISS fails.
    """
    built = worker_process.call(build, options)
    found, asked = built.self_check["found"], built.self_check["asked"]
    if found < asked:
        raise DataError(
            "the index does not find its own rows",
            details=f"{asked - found:,} of {asked:,} rows are lost",
            suggestion="build with more links: --hnsw-m 48 --hnsw-ef-construction 400",
        )
    return built


# --- in the child process --------------------------------------------------------------------


def distinct_rows(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], dict[int, int]]:
    """Return int64 [m], the first row of each distinct vector, and that of each further row.

    Exact duplicates break HNSW for other vectors: among 10,000 rows with 20 groups of 100 copies,
    963 no longer find themselves. So each distinct vector enters the graph once.
    """
    rows: dict[bytes, int] = {}
    first_rows: dict[int, int] = {}
    for row, vector in enumerate(vectors):
        first = rows.setdefault(hashlib.blake2b(vector, digest_size=16).digest(), row)
        if first != row:
            first_rows[row] = first
    return np.array(list(rows.values()), dtype=np.int64), first_rows


def new_graph(
    dimension: int, m: int, ef_construction: int, *, full_lists: bool = False
) -> faiss.IndexHNSWFlat:
    """Return an empty graph for inner products, of `m` links a vector (2 m on the lowest level).

    `full_lists` fills the lists of the lowest level with what pruning threw out. Adding takes two
    to three times as long, and no outlier is left without a link that leads to it.
    """
    import faiss

    graph = faiss.IndexHNSWFlat(dimension, m, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = ef_construction
    graph.keep_max_size_level0 = full_lists
    return graph


def build(options: IndexOptions) -> BuiltIndex:
    """Build, write, read back and check the index, or raise `WriteError`."""
    start = time.monotonic()
    vectors = np.asarray(np.load(options.vectors, mmap_mode="r"))  # np.memmap cuts slowly
    rows, first_rows = distinct_rows(vectors)
    # Plain vectors of 900 drawn cards lost one row without full lists. Whitened ones, of these and
    # of 2,518 real cards, lost none; should others do, the graph is built once more.
    for full_lists in [True] if options.whitening is None else [False, True]:
        check = _graph_checked(options, vectors, rows, full_lists=full_lists)
        if check["found"] == check["asked"]:
            break
    return BuiltIndex(len(rows), first_rows, check, round(time.monotonic() - start, 3))


def _graph_checked(
    options: IndexOptions,
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    *,
    full_lists: bool,
) -> dict[str, int]:
    """Build the index of these rows, write it, read it back, and let it find them."""
    import faiss

    shape = vectors.shape[1], options.hnsw_m, options.hnsw_ef_construction
    index = faiss.IndexIDMap(new_graph(*shape, full_lists=full_lists))
    if options.whitening is not None:
        index = with_whitening(index, options.whitening)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # several would link the vectors in another order each time
    for begin in range(0, len(rows), BLOCK):
        block = rows[begin : begin + BLOCK]
        index.add_with_ids(vectors[block], block)
    faiss.omp_set_num_threads(threads)
    try:
        faiss.write_index(index, str(options.target))
        fsync_file(options.target)
        del index  # it would be in memory twice
        # FAISS may call writing to a full disk a success.
        again = faiss.read_index(str(options.target))
    except (OSError, RuntimeError) as error:
        raise WriteError(
            f"the index cannot be written: {options.target}",
            details=str(error),
            suggestion="free some space, then type the same command again: it resumes",
        ) from error
    return self_check(again, vectors, rows, options.check_seconds)


def self_check(
    index: faiss.Index, vectors: NDArray[np.float32], rows: NDArray[np.int64], seconds: float
) -> dict[str, int]:
    """Ask the index for its own rows, in random order, until all are done or the time is up.

    A small efSearch takes an eighth of the time and finds nearly all; the few that it misses are
    asked for again at 64, and then at 512. What a search finds, a wider one finds, too: of
    108,000 rows of graphs built badly on purpose, all.
    """
    start = time.monotonic()
    order = np.random.default_rng(0).permutation(rows)
    asked, missed = 0, []
    while asked < len(order) and (asked == 0 or time.monotonic() - start < seconds):
        block = order[asked : asked + BLOCK]
        missed.append(lost_rows(index, vectors, block, _EF_SEARCH_FIRST))
        asked += len(block)
    misses = lost_rows(index, vectors, np.concatenate(missed), EF_SEARCH)
    lost = lost_rows(index, vectors, misses, EF_SEARCH_AGAIN)
    found_at_64, found = asked - len(misses), asked - len(lost)
    return {"asked": asked, "of": len(rows), "found_at_64": found_at_64, "found": found}
