"""How to share a CPU among decoding and the model: measured on this machine, then remembered."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from helpers.model.embedder import Embedder
from helpers.model.encoder_cache import remembered
from helpers.parallel import cpu_count, cpu_name
from helpers.report import Reporter

_BATCHES = (16, 8, 4, 32)  # the first one unless another is faster
_GPU_BATCH = 64
_MANY = 6000  # images, five minutes of ViT-B/32, from which on measuring's 20 s pay
_SECONDS, _ROUNDS = 0.7, 2
_FASTER = 1.05  # smaller differences are noise


class Layout(NamedTuple):
    """Images per forward pass, threads that decode and embed, and the model's own for each."""

    batch: int
    workers: int
    threads: int


def choose_layout(
    embedder: Embedder, todo: int, batch: int | None, threads: int | None, report: Reporter
) -> Layout:
    """Return the fastest layout for `todo` images; `batch` and `threads` decide where given."""
    cpus = threads or cpu_count()
    if embedder.device != "cpu":  # not measured: no machine with a GPU was at hand
        return Layout(batch or _GPU_BATCH, max(2, cpus), 1)
    batches = (batch,) if batch else _BATCHES[:1] if embedder.one_by_one else _BATCHES
    shapes = list(_shapes(cpus, free=threads is None))
    layouts = [Layout(size, *shape) for size in batches for shape in shapes]
    if len(layouts) == 1 or todo < _MANY:
        return layouts[0]  # the best one, or close to it, wherever we measured
    keys = ("engine", "precision", "weights_sha256")
    weights = [embedder.fingerprint.get(key) for key in keys]

    def measure() -> Layout:
        report.info("Measuring batch and threads on this machine (once)")
        return _fastest(embedder, layouts)

    what = [weights, [batch, threads, cpus], cpu_name()]
    return remembered("layout", what, layouts, measure)


def best_rate(embedder: Embedder) -> float:
    """Return images/s of the model alone, in whichever layout is faster."""
    layouts = [Layout(_BATCHES[0], *shape) for shape in _shapes(cpu_count(), free=False)]
    return max(_rate(embedder, layout) for layout in layouts)


def _shapes(cpus: int, *, free: bool) -> Iterator[tuple[int, int]]:
    """Yield workers and threads for each: one single-threaded model per core is mostly best."""
    yield cpus, 1
    if cpus > 1:
        yield 1, cpus
    if free and cpus >= 4:  # noqa: PLR2004 - two threads of one core share its multipliers
        yield cpus // 2, 1


def _fastest(embedder: Embedder, layouts: list[Layout]) -> Layout:
    """Return the first one unless another is clearly faster, in rounds against drifting load."""
    rates = dict.fromkeys(layouts, 0.0)
    for _ in range(_ROUNDS):
        for layout in layouts:
            rates[layout] = max(rates[layout], _rate(embedder, layout))
    best = max(layouts, key=lambda layout: rates[layout])
    return best if rates[best] > _FASTER * rates[layouts[0]] else layouts[0]


def _rate(embedder: Embedder, layout: Layout) -> float:
    """Return images/s of the model alone."""
    side = embedder.preprocessing.side
    shape = (layout.batch, 3, side, side)
    pixels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    embedder.use_threads(layout.threads)
    embedder.embed(pixels[:1])
    start = time.monotonic()

    def embed(_: int) -> int:
        passes = 0
        while passes == 0 or time.monotonic() - start < _SECONDS:
            embedder.embed(pixels)
            passes += 1
        return passes * len(pixels)

    with ThreadPoolExecutor(layout.workers) as pool:
        done = sum(pool.map(embed, range(layout.workers)))
    return done / (time.monotonic() - start)
