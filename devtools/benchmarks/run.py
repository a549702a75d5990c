"""The parts of `scripts/benchmark.py`, put together; and on which machine they were measured."""

import os
import random
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devtools.benchmarks import embedding, index, reading
from devtools.benchmarks.compare import NAMES, Comparison, Contender, print_row
from devtools.benchmarks.material import Material, build_arguments, model_flags
from helpers.index.manifest import describe_environment
from helpers.model.options import ModelOptions
from helpers.parallel import cpu_count, cpu_name
from helpers.report import DOCUMENT_VERSION, Reporter, byte_size

#: What is compared with each other, in this order, and how often by default: a round with a model
#: takes 5 to 60 s. A new part needs its word in `options.PARTS`, too.
_COMPARISONS: tuple[tuple[int, dict[str, Callable[[Material], list[Contender]]]], ...] = (
    (3, {"decode": reading.decode}),
    (3, {"bulk": reading.bulk}),
    (3, {"index": index.building}),
    (1, {"photo": reading.photos}),
    (1, {"model": embedding.model, "pipeline": embedding.pipeline}),
    (1, {"list": index.listing}),
    (1, {"whiten": index.whitening}),
    (1, {"query": index.asking}),
)
_PARAMETERS = ("parts", "engines", "images", "photos", "vectors", "cards", "repeats", "seed")
_PACKAGES = ("torch", "open_clip_torch", "onnxruntime", "numpy", "pillow", "faiss-cpu")


def new_document(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Return the `--json` document without measurements: the machine, the flags, the model.

    Raises:
        UsageError, DataError: the model cannot be used.
    """
    model = ModelOptions.from_args(build_arguments(model_flags(args.model)))
    model.check_files()
    machine = describe_machine()
    report.info(
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {byte_size(machine['ram_bytes'])},"
        f" load {machine['load_average'][0]}"
    )
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
        for usual, parts in _COMPARISONS:
            wanted = [parts[part] for part in parts if part in args.parts]
            contenders = [contender for part in wanted for contender in part(material)]
            comparison = Comparison(contenders, args.repeats or usual, report)
            try:
                comparison.measure(material.measured, rng)
            finally:
                comparison.show(unfinished=True)
                document["measurements"] += comparison.entries()


def describe_machine() -> dict[str, Any]:
    """Return CPU, cores, memory (bytes), load, and the versions of all that is compared."""
    return {
        "cpu": cpu_name(),
        "cores": cpu_count(),
        "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "versions": describe_environment(_PACKAGES),
    }
