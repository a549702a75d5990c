"""How fast a model can be at the most: batches that lie ready in memory, and nothing else to do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender, Series
from devtools.benchmarks.engines import TORCH, EngineFlags, open_embedder
from devtools.benchmarks.processes import task_command
from helpers.network.clock import TIME_FACTOR
from helpers.parallel import cpu_count

if TYPE_CHECKING:
    from devtools.benchmarks.material import Material
    from helpers.model.embedder import Embedder

BATCHES = (8, 16)  # larger ones were not faster wherever we measured
_SECONDS = 0.7  # per batch size, at least


def contenders(material: Material) -> list[Contender]:
    """Return both ways to use the cores, for every engine."""
    per_core = [_contender(material, engine, per_core=True) for engine in material.engines]
    return [*ceilings(material), *per_core]


def ceilings(material: Material) -> list[Contender]:
    """Return one model on all cores, for every engine: what a pipeline is compared with."""
    return [_contender(material, engine, per_core=False) for engine in material.engines]


def ceiling_name(engine: EngineFlags) -> str:
    """Return the name of the measurement of one model on all cores."""
    return f"{engine.name}: one model on all cores"


def _contender(material: Material, engine: EngineFlags, *, per_core: bool) -> Contender:
    one = ceiling_name(engine)
    reference = one if per_core else "" if engine is TORCH else ceiling_name(TORCH)
    series = Series(
        f"{engine.name}: one single-threaded model per core" if per_core else one,
        "images/s",
        lambda run: float(run.answer()["rate"]),
        reference,
        remark=lambda run: f"best batch {run.answer()['batch']}",
    )
    flags = [*material.model, *engine.flags]
    command = task_command(ceiling, flags, material.cache, per_core)
    problem, variables = material.engines[engine], material.variables
    return Contender("model", lambda _: command, (series,), problem, variables=variables)


# --- in a process of its own -----------------------------------------------------------------


def ceiling(flags: list[str], cache: str, per_core: bool) -> dict[str, Any]:  # noqa: FBT001 - JSON
    """Return the best `rate` in images/s over several batch sizes, and that `batch`."""
    embedder, cores = open_embedder(flags, cache), cpu_count()
    embedder.use_threads(1 if per_core else cores)
    models = cores if per_core else 1
    rates = {size: _rate(embedder, size, models) for size in BATCHES}
    best = max(rates, key=lambda size: rates[size])
    return {"rate": rates[best], "batch": best}


def _rate(embedder: Embedder, size: int, models: int) -> float:
    import numpy as np

    side = embedder.preprocessing.side
    pixels = np.random.default_rng(0).standard_normal((size, 3, side, side), dtype=np.float32)

    def work(_model: int) -> float:
        embedder.embed(pixels)  # the first pass allocates memory
        start, passes, seconds = time.perf_counter(), 0, 0.0
        while seconds < _SECONDS * TIME_FACTOR:
            embedder.embed(pixels)
            passes += 1
            seconds = time.perf_counter() - start
        return passes * size / seconds

    with ThreadPoolExecutor(models) as pool:
        return sum(pool.map(work, range(models)))
