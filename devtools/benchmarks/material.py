"""What the measurements need, made once in a directory that is removed: pictures, cards, vectors.

A cache of real size comes into being as a user's does: a Scryfall of our own serves the cards, and
`download_images.py` fetches them.
"""

import gzip
import json
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.processes import Run, RunFailedError, run_command, script, task_command
from devtools.drawn_cards.cards import deck
from devtools.scryfall.process import quiet_scryfall
from helpers import cli
from helpers.building import options as building
from helpers.building.engine import Engine
from helpers.cli_validation import validate_args
from helpers.errors import DataError
from helpers.model import options as model
from helpers.model.options import LOCAL_DIR, RANDOM, ModelOptions
from helpers.model.own_encoder import ONNX_DIR
from helpers.report import Reporter

TORCH = "torch-fp32"
#: The words of `--engines`, with the flags of a build that choose them.
ENGINES = {
    TORCH: ("--engine", "torch"),
    "onnx-fp32": ("--engine", "onnx"),
    "onnx-int8": ("--precision", "int8"),
}
_FEW = 16  # pictures that an export is checked on
KIND, VERSION = "unique_artwork", "normal"
_CARD_BYTES = 4900  # of a card object of Scryfall's, on average
DIMENSION = 512  # of the synthetic vectors, as of ViT-B/32
_FREEDOM = 24  # their degrees of freedom: as few as pictures of cards have


class Material:
    """What the measurements share; every piece is made when it is first asked for.

    Args:
        args: the flags, already validated.
        folder: an empty directory that is removed afterwards.
        report: hears what is being made.

    Raises:
        DataError: of every property and method: something could not be made.
    """

    def __init__(self, args: Namespace, folder: Path, report: Reporter) -> None:
        self.args = args
        self.folder = folder
        self.variables = {"MTG_ENCODER_CACHE": str(folder / "encoders")}  # of all that is run
        self._report = report

    @cached_property
    def cache(self) -> Path:
        """An image cache of `--images` drawn cards, as a download leaves it."""
        self._report.info(f"Preparing {self.args.images:,} pictures")
        folder = self.folder / "cache"
        with quiet_scryfall("--draw", self.args.images, "--seed", self.args.seed) as url:
            self.run("download_images.py", "--cache", folder, "--scryfall-api", url, "--quiet")
        return folder

    @cached_property
    def bulk(self) -> Path:
        """A gzipped JSONL of `--cards` cards, each as long as Scryfall's."""
        self._report.info(f"Preparing {self.args.cards:,} cards")
        path = self.folder / "bulk.jsonl.gz"
        self.task(prepare_bulk, path, self.args.cards, self.args.seed)
        return path

    @cached_property
    def engines(self) -> dict[str, str]:
        """The engines that were asked for, and why one cannot run here; empty where it can."""
        return {name: self._prepared(name) for name in ENGINES if name in self.args.engines}

    def _prepared(self, engine: str) -> str:
        """Let an engine make what it makes only once; return what goes wrong, if anything."""
        self._report.info(f"Preparing {engine}")
        try:
            self.build(engine, [*self.build_flags(engine), "--limit", str(_FEW)])
        except DataError as error:
            return f"cannot be used: {error.details}"
        return ""

    def build_flags(self, engine: str) -> list[str]:
        """Return the flags of a build with this engine."""
        return [*model_flags(self.args.model), *ENGINES[engine]]

    def build(self, name: str, flags: Sequence[str]) -> None:
        """Build `index(name)` of the cache, without whitening."""
        words = ("--cache", self.cache, "--out", self.index(name), "--no-whiten", "--quiet")
        self.run("build_embeddings.py", *flags, *words)

    def index(self, name: str) -> Path:
        """Return where the index of that name is."""
        return self.folder / f"index-{name}"

    @cached_property
    def vectors(self) -> Path:
        """A file of `--vectors` unit vectors, float32 [n, 512]."""
        path = self.folder / "vectors.npy"
        self.task(prepare_vectors, path, self.args.vectors, self.args.seed)
        return path

    def run(self, name: str, *arguments: object) -> None:
        """Run a script of the project, untimed."""
        self._prepare(name, script(name, *arguments))

    def task(self, task: Callable[..., None], *options: Any) -> None:
        """Call a function in a process of its own, untimed.

        A process starts with the peak memory of the one that started it. So this one stays small,
        or its own peak would be shown for theirs.
        """
        self._prepare(task.__name__, task_command(task, *options))

    def measured(self, contender: Contender) -> Run:
        """Run a contender once, in a scratch directory of its own."""
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.folder) as scratch:
            variables = {**self.variables, "TMPDIR": scratch}
            return run_command(contender.command(Path(scratch)), variables)

    def _prepare(self, name: str, command: list[str]) -> None:
        try:
            run_command(command, self.variables)
        except RunFailedError as error:
            raise DataError(
                "the measurements cannot be prepared",
                details=f"{name}: {error}",
                suggestion="look at what is named above; --parts leaves parts out",
            ) from error


def model_flags(name: str) -> list[str]:
    """Return the flags of a build with this model: random weights are as fast as trained ones."""
    own = name.startswith((LOCAL_DIR, ONNX_DIR))
    return ["--model", name] if own else ["--model", name, "--pretrained", RANDOM]


def build_arguments(flags: Sequence[str]) -> Namespace:
    """Return what a build makes of these flags, with all its defaults."""
    args = cli.parser(None, building.FLAGS, model.FLAGS).read(flags)
    validate_args(args)
    return args


# --- in a process of its own -----------------------------------------------------------------


def engine_of(flags: Sequence[str], cache: str) -> Engine:
    """Return the engine that a build of a cache with these flags would use."""
    from helpers.building.engine import EngineChoice
    from helpers.report import Reporter

    return EngineChoice(
        ModelOptions.from_args(build_arguments(flags)),
        Path(cache) / "no-index",
        lambda count: sorted(Path(cache).absolute().glob("*.jpg"))[: min(count, _FEW)],
        Reporter(quiet=True),
    ).prepare()


def prepare_bulk(path: str, count: int, seed: int) -> None:
    """Write a gzipped JSONL of so many cards, each with as many values as one of Scryfall's."""
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
        for number, card in enumerate(deck(count, seed)[:count]):
            room = max(0, _CARD_BYTES - len(json.dumps(card))) // 55
            shops = {f"shop_{n}": f"https://shop.invalid/{number * n:030}" for n in range(room)}
            file.write(json.dumps({**card, "purchase_uris": shops}) + "\n")


def prepare_vectors(path: str, count: int, seed: int) -> None:
    """Write unit vectors with few degrees of freedom."""
    import numpy as np

    from helpers.model.unit_vectors import normalize

    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((_FREEDOM, DIMENSION), dtype=np.float32)
    points = rng.standard_normal((count, _FREEDOM), dtype=np.float32)
    np.save(path, normalize(points @ basis))
