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
from helpers.parallel import cpu_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import torch
    from numpy.typing import NDArray

    from devtools.benchmarks.material import Material
    from helpers.images.preprocess import Preprocessing
    from helpers.model.embedder import Embedder

_CEILING = "{}: model and preparation, each measured alone"
_BATCH = 16
_PASSES = 4  # over the pictures, for preparing them


def model(material: Material) -> list[Contender]:
    """Return what model and preparation together allow, for every engine."""
    return [_contender(material, "model", _CEILING, each, ceiling) for each in material.engines]


def pipeline(material: Material) -> list[Contender]:
    """Return the pipeline of every engine, and what clip-retrieval does with torch."""
    names, loader = material.engines, "{}: DataLoader with 2 workers, as clip-retrieval"
    found = [_contender(material, "pipeline", "{}: pipeline", each, embed_cache) for each in names]
    if TORCH in names:
        found.append(_contender(material, "pipeline", loader, TORCH, data_loader))
    return found


def _contender(
    material: Material, part: str, name: str, engine: str, task: Callable[..., float]
) -> Contender:
    """Return a task; a pipeline is compared with its engine's ceiling, a ceiling with torch's."""
    mine, to = name.format(engine), _CEILING.format(TORCH if name == _CEILING else engine)
    return Contender(
        *(part, mine, "images/s"),
        partial(task_command, task, material.build_flags(engine), material.cache),
        to="" if to == mine else to,
        missing=material.engines[engine],
    )


# --- in a process of its own: each returns images/s ------------------------------------------


def ceiling(flags: list[str], cache: str, _scratch: str) -> float:
    """Return what all cores can do if each prepares a picture and then embeds it."""
    from helpers.images.preprocess import load_checked_rgb, prepare
    from helpers.model.cpu_layout import best_rate

    embedder = engine_of(flags, cache).open()
    files = [path.read_bytes() for path in Path(cache).glob("*.jpg")] * _PASSES
    with ThreadPoolExecutor(cpu_count()) as pool:
        how, start = embedder.preprocessing, time.perf_counter()
        list(pool.map(lambda data: prepare(load_checked_rgb(data, ""), how), files))
        preparing = (time.perf_counter() - start) / len(files)
    return 1 / (1 / best_rate(embedder) + preparing)


def _warm(embedder: Embedder, batch: int) -> NDArray[Any]:
    """Make a first pass, which allocates memory; return its random pixels."""
    import numpy as np

    shape = (batch, 3, embedder.preprocessing.side, embedder.preprocessing.side)
    pixels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    embedder.embed(pixels)
    return pixels


def embed_cache(flags: list[str], cache: str, scratch: str) -> float:
    """Embed a cache the way a build does, its validation included."""
    from helpers.building.checkpoint import VectorStore, row_keys
    from helpers.building.embed import embed_all, unfinished
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
    about = row_keys(faces, scan), embedder.dim, embedder.fingerprint
    store = VectorStore(Path(scratch), *about)
    store.create()
    items = unfinished(store, faces, scan, images, validate=args.validate_cache)
    embed_all(items, store, embedder, layout, args.checkpoint_frequency, report)
    return int(store.done.sum()) / (time.perf_counter() - start)


def data_loader(flags: list[str], cache: str, _scratch: str) -> float:
    """Decode in two worker processes, embed in this one on all cores."""
    from torch.utils.data import DataLoader

    embedder = engine_of(flags, cache).open()
    embedder.use_threads(cpu_count())
    paths = sorted(Path(cache).glob("*.jpg"))
    prepared = partial(_prepared, how=embedder.preprocessing)
    loader: Iterable[torch.Tensor] = DataLoader(paths, _BATCH, num_workers=2, collate_fn=prepared)
    _warm(embedder, _BATCH)
    start = time.perf_counter()
    images = sum(len(embedder.embed(pixels.numpy())) for pixels in loader)
    return images / (time.perf_counter() - start)


def _prepared(paths: list[Path], how: Preprocessing) -> torch.Tensor:
    import numpy as np
    import torch

    from helpers.images.preprocess import load_image_rgb, prepare

    return torch.from_numpy(np.stack([prepare(load_image_rgb(path), how) for path in paths]))
