"""Building the graph of an index."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender, Series
from devtools.benchmarks.engines import build_arguments
from devtools.benchmarks.processes import task_command
from helpers.packages import not_installed

if TYPE_CHECKING:
    from collections.abc import Callable

    from devtools.benchmarks.material import Material

DIMENSION = 512  # of ViT-B/32
GRAPH = "FAISS: the graph alone"
_CHECK_SECONDS = 5.0  # what a build of this size gives the self-check


def contenders(material: Material) -> list[Contender]:
    """Return the step of a build, the same graph in bare FAISS, and in hnswlib."""
    whole = "written, read back, and asked for its own rows"
    return [
        _contender(material, "the index as a build makes it", build_index, whole),
        _contender(material, GRAPH, build_graph),
        _contender(material, "hnswlib", build_hnswlib, missing=not_installed("hnswlib")),
    ]


def _contender(
    material: Material,
    name: str,
    task: Callable[..., dict[str, Any]],
    note: str = "",
    missing: str = "",
) -> Contender:
    size = f"{material.args.vectors:,} × {DIMENSION}"
    series = Series(
        name,
        "s",
        lambda run: float(run.answer()["seconds"]),
        "" if name == GRAPH else GRAPH,
        ", ".join(filter(None, (size, note))),
    )
    vectors = material.vectors(DIMENSION)
    return Contender(
        "index", lambda scratch: task_command(task, vectors, scratch), (series,), missing
    )


# --- in a process of its own -----------------------------------------------------------------


def build_index(vectors: str, scratch: str) -> dict[str, Any]:
    """Build, write and check an index as a build does; return `seconds`."""
    start = time.perf_counter()
    make_index(Path(vectors), Path(scratch) / "index.faiss")
    return {"seconds": time.perf_counter() - start}


def make_index(vectors: Path, target: Path) -> None:
    """Build an index with the default flags of a build."""
    from helpers.building import hnsw

    args = build_arguments([])
    hnsw.build_index(
        hnsw.IndexOptions(
            vectors=vectors.absolute(),
            target=target.absolute(),
            hnsw_m=args.hnsw_m,
            hnsw_ef_construction=args.hnsw_ef_construction,
            check_seconds=_CHECK_SECONDS,
        )
    )


def build_graph(vectors: str, scratch: str) -> dict[str, Any]:  # noqa: ARG001
    """Build the graph in memory; return `seconds`."""
    import numpy as np

    from helpers.building.hnsw import new_graph

    args, rows = build_arguments([]), np.load(vectors)
    start = time.perf_counter()
    new_graph(rows.shape[1], args.hnsw_m, args.hnsw_ef_construction).add(rows)
    return {"seconds": time.perf_counter() - start}


def build_hnswlib(vectors: str, scratch: str) -> dict[str, Any]:  # noqa: ARG001
    """Build the same graph with hnswlib; return `seconds`."""
    import hnswlib
    import numpy as np

    args, rows = build_arguments([]), np.load(vectors)
    start = time.perf_counter()
    index = hnswlib.Index("ip", rows.shape[1])
    index.init_index(len(rows), M=args.hnsw_m, ef_construction=args.hnsw_ef_construction)
    index.add_items(rows)
    return {"seconds": time.perf_counter() - start}
