"""The parts of `scripts/benchmark.py`, put together."""

from __future__ import annotations

import random
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks import bulk, decode, download, index, model, pipeline, query, startup
from devtools.benchmarks.compare import Rounds, compare
from devtools.benchmarks.engines import model_options
from devtools.benchmarks.machine import describe_machine
from devtools.benchmarks.material import Material
from helpers.report import DOCUMENT_VERSION, byte_size

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from devtools.benchmarks.compare import Contender
    from helpers.report import Reporter

_PARTS: dict[str, Callable[[Material], list[Contender]]] = {
    "startup": startup.contenders,
    "decode": decode.contenders,
    "model": model.contenders,
    "pipeline": pipeline.contenders,
    "download": download.contenders,
    "bulk": bulk.contenders,
    "index": index.contenders,
    "query": query.contenders,
}
_PARAMETERS = ("parts", "engines", "images", "vectors", "cards", "repeats", "seed", "cache")
#: What is compared takes turns; a pipeline is compared with the model alone.
_COMPARISONS = (
    *(("startup",), ("decode",), ("model", "pipeline")),
    *(("download",), ("bulk",), ("index",), ("query",)),
)


def measure(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Measure the parts that were asked for.

    Returns:
        The `--json` document.

    Raises:
        UsageError, DataError: the model or the cache cannot be used.
    """
    model, machine = model_options(args), describe_machine()
    report.info(
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {byte_size(machine['ram_bytes'])},"
        f" load {machine['load_average'][0]}"
    )
    if not model.trained:
        report.info("The weights are random: the model is as fast as with trained ones")
    document: dict[str, Any] = {
        "version": DOCUMENT_VERSION,
        "machine": machine,
        "parameters": {name: getattr(args, name) for name in _PARAMETERS},
        "model": {"name": model.model, "pretrained": model.pretrained, "trained": model.trained},
        "measurements": [],
    }
    with tempfile.TemporaryDirectory(prefix="mtg-benchmark-") as folder, ExitStack() as closing:
        material = Material(args, Path(folder), closing, report)
        rounds = Rounds(args.repeats, random.Random(args.seed), Path(folder))
        for parts in _COMPARISONS:
            wanted = [part for part in parts if part in args.parts]
            contenders = [each for part in wanted for each in _PARTS[part](material)]
            if contenders:
                label = "Measuring " + ", ".join(wanted)
                with report.progress(rounds.repeats * len(contenders), label, "runs") as progress:
                    document["measurements"] += compare(contenders, rounds, progress)
    return document
