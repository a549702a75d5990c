"""From the images of a cache to vectors: how much of the model's ceiling is left."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks import model
from devtools.benchmarks.compare import Contender, Series
from devtools.benchmarks.engines import TORCH, EngineFlags, build_arguments, open_embedder
from devtools.benchmarks.material import read_faces
from devtools.benchmarks.processes import task_command
from devtools.scryfall.process import ROOT
from helpers.parallel import cpu_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from devtools.benchmarks.material import Material
    from helpers.images.preprocess import Preprocessing
    from helpers.model.embedder import Embedder
    from helpers.report import Reporter

_BATCH = 16  # of a build that is too short to measure it (helpers.model.cpu_layout)
_LOADERS = 2  # worker processes of the DataLoader, as clip-retrieval starts them by default


def contenders(material: Material) -> list[Contender]:
    """Return the pipeline of every engine, two other ways to feed torch, and whole builds."""
    engines = list(material.engines)
    found = [] if "model" in material.args.parts else model.ceilings(material)
    found += [_task(material, f"{each.name}: pipeline", each, embed_cache) for each in engines]
    if TORCH in engines:
        found += _other_ways(material)
    return [*found, *(_build(material, engine) for engine in engines)]


def _other_ways(material: Material) -> list[Contender]:
    loop, loader = (f"{TORCH.name}: {way}" for way in ("naive loop", "DataLoader with 2 workers"))
    clip_retrieval = "as clip-retrieval does, with this project's preprocessing"
    return [
        _task(material, loop, TORCH, naive_loop, "decodes a batch, then embeds it"),
        _task(material, loader, TORCH, data_loader, clip_retrieval),
    ]


def _task(
    material: Material, name: str, engine: EngineFlags, task: Callable[..., Any], note: str = ""
) -> Contender:
    flags = [*material.model, *engine.flags, "--batch", str(even_batch(material.args.images))]
    reference = model.ceiling_name(engine)
    series = Series(name, "images/s", lambda run: float(run.answer()["rate"]), reference, note)
    cache, problem = material.cache, material.engines[engine]
    return Contender(
        "pipeline",
        lambda scratch: task_command(task, flags, cache, scratch),
        (series,),
        problem,
        variables=material.variables,
    )


def _build(material: Material, engine: EngineFlags) -> Contender:
    images, batch = material.args.images, even_batch(material.args.images)
    name = "{}: build_embeddings.py as a whole"
    series = Series(
        name.format(engine.name),
        "images/s",
        lambda run: images / run.seconds,
        "" if engine is TORCH else name.format(TORCH.name),
        f"{images} images, start-up and index included, the encoder exported before",
    )

    def command(scratch: Path) -> list[str]:
        paths = ("--cache", material.cache, "--out", scratch / "out")
        flags = (*material.model, *engine.flags, "--batch", batch, "--quiet")
        return [sys.executable, str(ROOT / "build_embeddings.py"), *map(str, (*paths, *flags))]

    problem, variables = material.engines[engine], material.variables
    return Contender("pipeline", command, (series,), problem, variables=variables)


def even_batch(images: int) -> int:
    """Return a batch size, at most what a build takes, that keeps every core busy to the end.

    A forward pass is always of a whole batch: 100 images in batches of 16 would be 112.
    """
    cores = cpu_count()
    rounds = math.ceil(images / (cores * _BATCH))
    return max(1, math.ceil(images / (cores * rounds)))


# --- in a process of its own -----------------------------------------------------------------


def embed_cache(flags: list[str], cache: str, scratch: str) -> dict[str, Any]:
    """Embed a cache the way a build does, its validation included; return `rate` in images/s."""
    from helpers.building.checkpoint import VectorStore
    from helpers.building.embed import Plan, embed_all, unfinished
    from helpers.building.row_keys import row_keys
    from helpers.images.cache import ImageCache
    from helpers.images.scan import scan_cache
    from helpers.model.cpu_layout import choose_layout

    args, embedder, report = build_arguments(flags), open_embedder(flags, cache), _quiet()
    images, faces = ImageCache(cache), read_faces(Path(cache))
    layout = choose_layout(embedder, len(faces), args.batch, args.threads, report)
    embedder.use_threads(layout.threads)
    _warm(embedder, layout.batch)
    start = time.perf_counter()
    scan = scan_cache(faces, images, report, validate=args.validate_cache)
    keys = row_keys(faces, scan)
    store = VectorStore.create(Path(scratch), keys, embedder.dim, embedder.fingerprint)
    items = unfinished(store, faces, scan, images, validate=args.validate_cache)
    plan = Plan(layout.batch, layout.workers, args.checkpoint_frequency)
    embed_all(items, store, embedder, plan, report)
    return {"rate": int(store.done.sum()) / (time.perf_counter() - start)}


def _quiet() -> Reporter:
    from helpers.report import Reporter

    return Reporter(quiet=True)


def naive_loop(flags: list[str], cache: str, scratch: str) -> dict[str, Any]:  # noqa: ARG001
    """Decode a batch, embed it, decode the next one; return `rate` in images/s."""
    import numpy as np

    embedder, batch = _open(flags, cache)
    pictures = _Pictures(cache, embedder.preprocessing)
    places = range(len(pictures))
    groups = (
        np.stack([pictures[place] for place in places[start : start + batch]])
        for start in places[::batch]
    )
    return _timed(embedder, batch, groups)


def data_loader(flags: list[str], cache: str, scratch: str) -> dict[str, Any]:  # noqa: ARG001
    """Decode in two worker processes, embed in this one; return `rate` in images/s."""
    from torch.utils.data import DataLoader

    embedder, batch = _open(flags, cache)
    pictures = _Pictures(cache, embedder.preprocessing)
    loader: Iterable[Any] = DataLoader(pictures, batch_size=batch, num_workers=_LOADERS)  # type: ignore[arg-type] # it only needs len() and []
    return _timed(embedder, batch, (group.numpy() for group in loader))


def _open(flags: list[str], cache: str) -> tuple[Embedder, int]:
    """Return one model on all cores, and the batch size."""
    embedder = open_embedder(flags, cache)
    embedder.use_threads(cpu_count())
    return embedder, int(build_arguments(flags).batch)


def _timed(embedder: Embedder, batch: int, groups: Iterable[NDArray[Any]]) -> dict[str, Any]:
    _warm(embedder, batch)
    start = time.perf_counter()
    images = sum(len(embedder.embed(pixels)) for pixels in groups)
    return {"rate": images / (time.perf_counter() - start)}


def _warm(embedder: Embedder, batch: int) -> None:
    """Make a first pass, which allocates memory."""
    import numpy as np

    side = embedder.preprocessing.side
    embedder.embed(np.zeros((batch, 3, side, side), dtype=np.float32))


class _Pictures:
    """The images of a cache, each as the model's input."""

    def __init__(self, cache: str, how: Preprocessing) -> None:
        from helpers.images.cache import ImageCache

        self._paths = list(ImageCache(cache).images())
        self._how = how

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: int) -> NDArray[Any]:
        from helpers.images.preprocess import load_image_rgb, prepare

        return prepare(load_image_rgb(self._paths[place]), self._how)
