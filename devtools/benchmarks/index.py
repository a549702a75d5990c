"""Building an index and its whitening, and asking it about pictures and photos."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.material import TORCH, build_arguments
from devtools.benchmarks.processes import task_command
from devtools.scryfall.process import ROOT
from helpers.building.whiten import LEAST

if TYPE_CHECKING:
    from devtools.benchmarks.material import Material

_DIMENSION = 512  # of ViT-B/32
_CHECK_SECONDS = 5.0  # what a build of this size gives the self-check


def building(material: Material) -> list[Contender]:
    """Return the step of a build (build, write, read back, check), and the graph in bare FAISS."""
    ours, bare = "the index as a build makes it", "FAISS: the graph alone, one thread"
    vectors, size = material.vectors(_DIMENSION), f"{material.args.vectors:,} × {_DIMENSION}"
    whole, graph = (partial(task_command, task, vectors) for task in (build_index, build_graph))
    return [
        Contender("index", ours, "s", whole, to=bare, note=size),
        Contender("index", bare, "s", graph, note=size),
    ]


def whitening(material: Material) -> list[Contender]:
    """Return what a build of the pictures takes to learn its whitening, without torch."""
    found = []
    few = "" if material.args.images >= LEAST else f"needs --images {LEAST}"
    for engine, problem in material.engines.items():
        if engine == TORCH:
            continue  # nobody learns with it where another engine is at hand
        flags = (*material.build_flags(engine), "--cache", material.cache, "--json", "--quiet")
        command = [sys.executable, str(ROOT / "build_embeddings.py"), *map(str, flags), "--out"]
        found.append(
            Contender(
                *("whiten", f"{engine}: whitening learned", "s"),
                lambda scratch, command=command: [*command, str(scratch / "index")],  # type: ignore[misc]
                lambda run: float(json.loads(run.output)["whitening"]["seconds"]),
                missing=problem or few,
            )
        )
    return found


def asking(material: Material) -> list[Contender]:
    """Return a query for one upright picture with every engine."""
    picture = min(str(path) for path in material.cache.glob("*.jpg"))
    found = []
    for engine, problem in material.engines.items():
        index = "" if problem else str(_index(material, engine, *material.build_flags(engine)))
        found.append(_query(material, engine, index, picture))
    return found


def _query(material: Material, engine: str, index: str, picture: str) -> Contender:
    name = "{}: start to end, --whole, one picture"
    flags = ("--index", index, "--k", "1", "--group", "none", "--quiet", "--whole")
    command = [sys.executable, str(ROOT / "query_index.py"), picture, *flags]
    return Contender(
        *("query", name.format(engine), "s", lambda _: command, lambda run: run.seconds),
        to="" if engine == TORCH else name.format(TORCH),
        missing=material.engines[engine],
    )


def listing(material: Material) -> list[Contender]:
    """Return a list of the cards in photos, found by the demo's encoder, which is no CLIP."""
    model, folder = material.folder / "lite0", material.folder / "photos"
    material.run("scripts/make_demo_model.py", "--out", model)
    index = _index(material, "lite0", "--model", f"local-dir:{model}")
    material.task(prepare_photos, material.cache, folder, material.args.photos)
    flags = ("--index", str(index), "--quiet", "--csv")
    command = [sys.executable, str(ROOT / "query_index.py"), str(folder), *flags]
    return [
        Contender(
            *("list", f"query_index.py --csv, photos: {material.args.photos}", "s"),
            lambda scratch: [*command, str(scratch / "cards.csv")],
            lambda run: run.seconds,
            note="1 to 9 drawn cards in each, EfficientNet-lite0",
        )
    ]


def _index(material: Material, name: str, *flags: str) -> Path:
    out = material.folder / f"index-{name}"
    words = ("--cache", material.cache, "--out", out, "--no-whiten", "--quiet")
    material.run("build_embeddings.py", *flags, *words)
    return out


# --- in a process of its own -----------------------------------------------------------------


def build_index(vectors: str, folder: str) -> float:
    """Build, write and check `index.faiss` with the default flags of a build; return seconds."""
    import numpy as np

    from helpers.building import hnsw
    from helpers.model.whitening import Whitening

    args, paths = build_arguments([]), (Path(vectors).absolute(), Path(folder) / "index.faiss")
    start = time.perf_counter()
    plain = Whitening(np.eye(_DIMENSION, dtype=np.float32), np.zeros(_DIMENSION, dtype=np.float32))
    options = (*paths, args.hnsw_m, args.hnsw_ef_construction, _CHECK_SECONDS, plain)
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


def prepare_photos(cache: str, folder: str, count: int) -> None:
    """Take photos of 1 to 9 cards of a cache."""
    from helpers.evaluation.scenes import compose
    from helpers.images.preprocess import load_image_rgb

    Path(folder).mkdir()
    scans = [load_image_rgb(path) for path in sorted(Path(cache).glob("*.jpg"))[:9]]
    for number in range(count):
        photo = compose(scans[: 1 + number % len(scans)], number).photo
        photo.save(Path(folder, f"{number:04}.jpg"), quality=90)
