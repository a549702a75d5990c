"""Building an index and its whitening, and asking it about pictures and photos."""

import json
import time
from functools import partial
from operator import attrgetter
from pathlib import Path

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.material import DIMENSION, TORCH, Material, build_arguments
from devtools.benchmarks.processes import script, task_command
from helpers.building.whiten import LEAST

_SECONDS = attrgetter("seconds")  # of a whole run
_CHECK_SECONDS = 5.0  # what a build of this size gives the self-check


def building(material: Material) -> list[Contender]:
    """Return the step of a build (build, write, read back, check), and the graph in bare FAISS."""
    ours, bare = "the index as a build makes it", "FAISS: the graph alone, one thread"
    vectors, size = material.vectors, f"{material.args.vectors:,} × {DIMENSION}"
    whole, graph = (partial(task_command, task, vectors) for task in (build_index, build_graph))
    return [
        Contender("index", ours, "s", whole, to=bare, note=size),
        Contender("index", bare, "s", graph, note=size),
    ]


def whitening(material: Material) -> list[Contender]:
    """Return what a build of the pictures takes to learn its whitening, without torch."""
    return [
        Contender(
            *("whiten", f"{engine}: whitening learned", "s"),
            partial(_learning, material, engine),
            lambda run: float(json.loads(run.output)["whitening"]["seconds"]),
            missing=problem or f"needs --images {LEAST}" * (material.args.images < LEAST),
        )
        for engine, problem in material.engines.items()
        if engine != TORCH  # nobody learns with it where another engine is at hand
    ][:1]


def _learning(material: Material, engine: str, scratch: Path) -> list[str]:
    flags = (*material.build_flags(engine), "--cache", material.cache, "--out", scratch / "index")
    return script("build_embeddings.py", *flags, "--json", "--quiet")


def asking(material: Material) -> list[Contender]:
    """Return a query for one upright picture with every engine."""
    return [_query(material, *each) for each in material.engines.items()]


def _query(material: Material, engine: str, missing: str) -> Contender:
    picture, name = min(material.cache.glob("*.jpg")), "{}: start to end, --whole, one picture"
    flags = ("--index", material.index(engine), "--k", 1, "--quiet", "--whole")
    command = script("query_index.py", picture, *flags)
    return Contender(
        *("query", name.format(engine), "s", lambda _: command, _SECONDS),
        to="" if engine == TORCH else name.format(TORCH),
        missing=missing,
    )


def listing(material: Material) -> list[Contender]:
    """Return a list of the cards in photos, found by the demo's encoder, which is no CLIP."""
    model, folder = material.folder / "lite0", material.folder / "photos"
    material.run("scripts/make_demo_model.py", "--out", model)
    material.build("lite0", ["--model", f"local-dir:{model}"])
    material.task(prepare_photos, material.cache, folder, material.args.photos)
    flags = ("--index", material.index("lite0"), "--quiet", "--csv")
    command = script("query_index.py", folder, *flags)
    return [
        Contender(
            *("list", f"query_index.py --csv, {material.args.photos} photos", "s"),
            lambda scratch: [*command, str(scratch / "cards.csv")],
            _SECONDS,
            note="1 to 9 cards in each, EfficientNet-lite0",
        )
    ]


# --- in a process of its own -----------------------------------------------------------------


def build_index(vectors: str, folder: str) -> float:
    """Build, write and check `index.faiss` with the default flags of a build; return seconds."""
    import numpy as np

    from helpers.building import hnsw
    from helpers.model.whitening import Whitening

    args, paths = build_arguments([]), (Path(vectors).absolute(), Path(folder) / "index.faiss")
    start = time.perf_counter()
    plain = Whitening(np.eye(DIMENSION, dtype=np.float32), np.zeros(DIMENSION, dtype=np.float32))
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
        photo, _ = compose(scans[: 1 + number % len(scans)], number)
        photo.save(Path(folder, f"{number:04}.jpg"), quality=90)
