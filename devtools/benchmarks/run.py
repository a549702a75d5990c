"""The parts of `scripts/benchmark.py`, put together; and on which machine they were measured."""

from __future__ import annotations

import os
import platform
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks import embedding, index, photos, reading
from devtools.benchmarks.compare import NAMES, Comparison, print_row
from devtools.benchmarks.material import Material, build_arguments, model_flags
from helpers.index.manifest import describe_environment
from helpers.model.options import ModelOptions
from helpers.parallel import cpu_count
from helpers.report import DOCUMENT_VERSION, byte_size

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from devtools.benchmarks.compare import Contender
    from helpers.report import Reporter

#: A new part: its module here, its word in `options.PARTS`, its place in `_COMPARISONS`.
_PARTS: dict[str, Callable[[Material], list[Contender]]] = {
    "decode": reading.decode,
    "model": embedding.model,
    "pipeline": embedding.pipeline,
    "bulk": reading.bulk,
    "index": index.building,
    "photo": photos.photos,
    "list": index.listing,
    "whiten": index.whitening,
    "query": index.asking,
}
#: The parts whose contenders take turns (a pipeline is compared with the model alone).
_COMPARISONS = (
    *(("decode",), ("bulk",), ("index",), ("photo",)),
    *(("model", "pipeline"), ("list",), ("whiten",), ("query",)),
)
#: A round of these takes 5 to 60 s: one is the default.
_WITH_MODEL = {"photo", "model", "pipeline", "list", "whiten", "query"}
_PARAMETERS = ("parts", "engines", "images", "photos", "vectors", "cards", "repeats", "seed")
_PACKAGES = ("torch", "open_clip_torch", "onnxruntime", "numpy", "pillow", "faiss-cpu")


def new_document(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Return the `--json` document without measurements: the machine, the flags, the model.

    Raises:
        UsageError, DataError: the model cannot be used.
    """
    model, machine = ModelOptions.from_args(build_arguments(model_flags(args))), describe_machine()
    model.check_files()
    report.info(
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {byte_size(machine['ram_bytes'])},"
        f" load {machine['load_average'][0]}"
    )
    if not model.trained:
        report.info("The weights are random: the model is as fast as with trained ones")
    return {
        "version": DOCUMENT_VERSION,
        "machine": machine,
        "parameters": {name: getattr(args, name) for name in _PARAMETERS},
        "model": {"name": model.model, "pretrained": model.pretrained, "trained": model.trained},
        "measurements": [],
    }


def measure(args: Namespace, report: Reporter, document: dict[str, Any]) -> None:
    """Measure the parts that were asked for and add their entries to the document.

    If this is interrupted, the rows and the entries of what has been measured are there.

    Raises:
        DataError: the pictures cannot be used, or something cannot be prepared.
    """
    if sys.stdout.isatty():
        print_row(NAMES, report)
    with tempfile.TemporaryDirectory(prefix="mtg-benchmark-") as folder:
        material = Material(args, Path(folder), report)
        rng = random.Random(args.seed)
        for parts in _COMPARISONS:
            wanted = [part for part in parts if part in args.parts]
            contenders = [each for part in wanted for each in _PARTS[part](material)]
            repeats = args.repeats or (1 if _WITH_MODEL & set(wanted) else 3)
            comparison = Comparison(contenders, repeats, report)
            try:
                comparison.measure(material.measured, rng)
            finally:
                comparison.show(unfinished=True)
                document["measurements"] += comparison.entries()


def describe_machine() -> dict[str, Any]:
    """Return CPU, cores, memory (bytes), load, and the versions of all that is compared."""
    return {
        "cpu": _cpu(),
        "cores": cpu_count(),
        "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "versions": describe_environment(_PACKAGES),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
