"""Building the graph of an index, and asking an index about pictures."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.material import TORCH, build_arguments
from devtools.benchmarks.processes import task_command
from devtools.scryfall.process import ROOT

if TYPE_CHECKING:
    from devtools.benchmarks.material import Material

_DIMENSION = 512  # of ViT-B/32
_CHECK_SECONDS = 5.0  # what a build of this size gives the self-check
_EMBEDDED = 8  # pictures that are really embedded


def building(material: Material) -> list[Contender]:
    """Return the step of a build (build, write, read back, check), and the graph in bare FAISS."""
    ours, bare = "the index as a build makes it", "FAISS: the graph alone, one thread"
    vectors, size = material.vectors(_DIMENSION), f"{material.args.vectors:,} × {_DIMENSION}"
    whole, graph = (partial(task_command, task, vectors) for task in (build_index, build_graph))
    return [
        Contender("index", ours, "s", whole, to=bare, note=size),
        Contender("index", bare, "s", graph, note=size),
    ]


def asking(material: Material) -> list[Contender]:
    """Return a query for one picture, and one for all, with every engine.

    Photos (find, rectify, verify), whitening and a CSV of many photos belong here, too.
    """
    pictures = sorted(str(path) for path in material.cache.glob("*.jpg"))
    found = []
    for engine, problem in material.engines.items():
        index = "" if problem else _index(material, engine)
        found += [_query(material, engine, index, asked) for asked in (pictures[:1], pictures)]
    return found


def _query(material: Material, engine: str, index: str, pictures: list[str]) -> Contender:
    name = f"{{}}: start to end, pictures: {len(pictures)}"
    flags = ("--index", index, "--k", "1", "--group", "none", "--quiet")
    command = [sys.executable, str(ROOT / "query_index.py"), *pictures, *flags]
    return Contender(
        *("query", name.format(engine), "s", lambda _: command, lambda run: run.seconds),
        to="" if engine == TORCH else name.format(TORCH),
        note=f"{material.args.vectors:,} vectors",
        missing=material.engines[engine],
    )


def _index(material: Material, engine: str) -> str:
    """Return an index of `--vectors` rows that was built with an engine.

    A build of so many images would take long. So a small build is enlarged: its model and its
    manifest are real, its further vectors are synthetic.
    """
    out = material.folder / f"index-{engine}"
    flags = (*material.build_flags(engine), "--limit", _EMBEDDED, "--quiet")
    material.run("build_embeddings.py", "--cache", material.cache, "--out", out, *flags)
    manifest = json.loads((out / "build_manifest.json").read_text(encoding="utf-8"))
    vectors = material.vectors(manifest["index"]["dimension"])
    material.task(enlarge, out, vectors, engine == TORCH)
    return str(out)


# --- in a process of its own -----------------------------------------------------------------


def build_index(vectors: str, folder: str) -> float:
    """Build, write and check `index.faiss` with the default flags of a build; return seconds."""
    from helpers.building import hnsw

    args, paths = build_arguments([]), (Path(vectors).absolute(), Path(folder) / "index.faiss")
    start = time.perf_counter()
    options = (*paths, args.hnsw_m, args.hnsw_ef_construction, _CHECK_SECONDS)
    hnsw.build_index(hnsw.IndexOptions(*options))
    return time.perf_counter() - start


def build_graph(vectors: str, _scratch: str) -> float:
    """Build the graph in memory; return seconds."""
    import faiss
    import numpy as np

    from helpers.building.hnsw import new_graph

    args, rows = build_arguments([]), np.load(vectors)
    faiss.omp_set_num_threads(1)  # several threads take less, and another graph comes out each time
    start = time.perf_counter()
    new_graph(rows.shape[1], args.hnsw_m, args.hnsw_ef_construction).add(rows)
    return time.perf_counter() - start


def enlarge(out: str, vectors: str, torch: bool) -> None:  # noqa: FBT001 - from JSON
    """Give the index in `out` these vectors and their graph, which is built once.

    With `torch` it loses its encoder: it is then asked through torch.
    """
    import numpy as np

    from helpers.index.manifest import describe_outputs, read_manifest, write_manifest
    from helpers.index.publish import ENCODER, INDEX, METADATA, VECTORS

    folder, count = Path(out), len(np.load(vectors, mmap_mode="r"))
    graph = folder.parent / "index.faiss"
    if not graph.exists():
        build_index(vectors, str(folder.parent))
    for source, name in ((vectors, VECTORS), (graph, INDEX)):
        (folder / name).unlink()
        os.link(source, folder / name)
    lines = (folder / METADATA).read_text(encoding="utf-8").splitlines(keepends=True)
    unique = [line for line in lines if '"same_as"' not in line]  # the others name a row's copy
    text = "".join(itertools.islice(itertools.cycle(unique), count))
    (folder / METADATA).write_text(text, encoding="utf-8")
    manifest = read_manifest(folder)
    if torch:
        (folder / ENCODER).unlink(missing_ok=True)
        manifest.pop("encoder", None)
    manifest["index"] |= {"vectors": count, "distinct": count}
    write_manifest(folder, {**manifest, "outputs": describe_outputs(folder)})
