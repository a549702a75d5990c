"""Images to vectors: how fast the model can be, and how much of that a build keeps."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.material import KIND, TORCH, VERSION, build_arguments, engine_of
from devtools.benchmarks.processes import task_command
from helpers.network.clock import TIME_FACTOR
from helpers.parallel import cpu_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import torch
    from numpy.typing import NDArray

    from devtools.benchmarks.material import Material
    from helpers.images.preprocess import Preprocessing
    from helpers.model.embedder import Embedder

_ONE = "{}: one model on all cores"
_CEILING = "{}: model and preparation, each measured alone"
_BATCHES = (8, 16)  # of the model alone; larger ones were not faster wherever we measured
_SECONDS = 0.5  # per batch size, at least
_PASSES = 4  # over the pictures, for preparing them


def model(material: Material) -> list[Contender]:
    """Return the model alone, on batches that lie in memory, in both ways to use the cores."""
    names, per_core = material.engines, "{}: one single-threaded model per core"
    one = [_contender(material, "model", _ONE, each, one_model) for each in names]
    others = [each for each in names if each != TORCH]  # it is as fast in one piece
    return one + [_contender(material, "model", per_core, each, model_per_core) for each in others]


def pipeline(material: Material) -> list[Contender]:
    """Return the pipeline of every engine, and what clip-retrieval does with torch."""
    names, loader = material.engines, "{}: DataLoader with 2 workers, as clip-retrieval"
    found = [_contender(material, "pipeline", _CEILING, each, ceiling) for each in names]
    found += [_contender(material, "pipeline", "{}: pipeline", each, embed_cache) for each in names]
    if TORCH in names:
        found.append(_contender(material, "pipeline", loader, TORCH, data_loader))
    return found


def _contender(
    material: Material, part: str, name: str, engine: str, task: Callable[..., float]
) -> Contender:
    """Return a task; a pipeline's ratio is to what model and preparation together allow.

    That of the others is to one model on all cores, and that one's to torch.
    """
    piped = part == "pipeline" and name != _CEILING
    to = _CEILING.format(engine) if piped else _ONE.format(TORCH if name == _ONE else engine)
    mine = name.format(engine)
    return Contender(
        *(part, mine, "images/s"),
        partial(task_command, task, material.build_flags(engine), material.cache),
        to="" if to == mine else to,
        missing=material.engines[engine],
    )


# --- in a process of its own: each returns images/s ------------------------------------------


def one_model(flags: list[str], cache: str, _scratch: str) -> float:
    """Embed random pixels with all cores."""
    return _best_rate(flags, cache, models=1)


def model_per_core(flags: list[str], cache: str, _scratch: str) -> float:
    """Embed random pixels on every core for itself."""
    return _best_rate(flags, cache, models=cpu_count())


def ceiling(flags: list[str], cache: str, _scratch: str) -> float:
    """Return what all cores can do if one after the other prepares a picture and embeds it."""
    from helpers.images.cache import ImageCache
    from helpers.images.preprocess import load_checked_rgb, prepare

    how, paths = engine_of(flags, cache).open().preprocessing, list(ImageCache(cache).images())
    files = [path.read_bytes() for path in paths] * _PASSES
    with ThreadPoolExecutor(cpu_count()) as pool:
        start = time.perf_counter()
        list(pool.map(lambda data: prepare(load_checked_rgb(data, ""), how), files))
        preparing = (time.perf_counter() - start) / len(files)
    best = max(_best_rate(flags, cache, models) for models in (1, cpu_count()))
    return 1 / (1 / best + preparing)


def _best_rate(flags: list[str], cache: str, models: int) -> float:
    """Return the rate with the better batch size."""
    embedder = engine_of(flags, cache).open()
    embedder.use_threads(cpu_count() // models)
    with ThreadPoolExecutor(models) as pool:
        rates = (pool.map(_rate, [embedder] * models, [size] * models) for size in _BATCHES)
        return max(map(sum, rates))


def _rate(embedder: Embedder, size: int) -> float:
    pixels = _warm(embedder, size)
    start, passes, seconds = time.perf_counter(), 0, 0.0
    while seconds < _SECONDS * TIME_FACTOR:
        embedder.embed(pixels)
        passes += 1
        seconds = time.perf_counter() - start
    return passes * size / seconds


def _warm(embedder: Embedder, batch: int) -> NDArray[Any]:
    """Make a first pass, which allocates memory; return its random pixels."""
    import numpy as np

    shape = (batch, 3, embedder.preprocessing.side, embedder.preprocessing.side)
    pixels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    embedder.embed(pixels)
    return pixels


def embed_cache(flags: list[str], cache: str, scratch: str) -> float:
    """Embed a cache the way a build does, its validation included."""
    from helpers.building.checkpoint import VectorStore
    from helpers.building.embed import Plan, embed_all, unfinished
    from helpers.building.row_keys import row_keys
    from helpers.cards.face_list import list_path, read_list
    from helpers.images.cache import ImageCache
    from helpers.images.scan import scan_cache
    from helpers.model.cpu_layout import choose_layout
    from helpers.report import Reporter

    args, embedder = build_arguments(flags), engine_of(flags, cache).open()
    report, images = Reporter(quiet=True), ImageCache(cache)
    faces = read_list(list_path(Path(cache), KIND, VERSION))
    assert faces is not None  # noqa: S101 - for mypy: the download has just written it
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
    return int(store.done.sum()) / (time.perf_counter() - start)


def data_loader(flags: list[str], cache: str, _scratch: str) -> float:
    """Decode in two worker processes, embed in this one on all cores."""
    from torch.utils.data import DataLoader

    from helpers.images.cache import ImageCache

    embedder, batch = engine_of(flags, cache).open(), max(_BATCHES)
    embedder.use_threads(cpu_count())
    paths = list(ImageCache(cache).images())
    prepared = partial(_prepared, how=embedder.preprocessing)
    loader: Iterable[torch.Tensor] = DataLoader(paths, batch, num_workers=2, collate_fn=prepared)  # type: ignore[arg-type] # it only needs len() and []
    _warm(embedder, batch)
    start = time.perf_counter()
    images = sum(len(embedder.embed(pixels.numpy())) for pixels in loader)
    return images / (time.perf_counter() - start)


def _prepared(paths: list[Path], how: Preprocessing) -> torch.Tensor:
    import numpy as np
    import torch

    from helpers.images.preprocess import load_image_rgb, prepare

    return torch.from_numpy(np.stack([prepare(load_image_rgb(path), how) for path in paths]))
