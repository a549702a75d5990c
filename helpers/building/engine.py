"""Which engine embeds a build, and the encoder that its index takes along.

ONNX Runtime is the faster one on a CPU, torch the one that needs no export and knows GPUs. Each
works without the other, as far as possible: an index without an encoder is asked through torch.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helpers import worker_process
from helpers.atomic_io import disk_errors, sha256_file
from helpers.errors import DataError
from helpers.index.manifest import last_manifest
from helpers.index.publish import ENCODER, open_published
from helpers.lock import scratch_directory
from helpers.model import own_encoder
from helpers.model.agreement import LEAST_AGREEMENT
from helpers.model.cpu_layout import best_rate
from helpers.model.embedder import Embedder
from helpers.model.encoder_cache import (
    Encoder,
    EncoderStore,
    describe_own,
    remembered,
    source_key,
)
from helpers.model.int8 import quantize_and_compare
from helpers.model.onnx_export import NoEncoderError, export_encoder
from helpers.model.options import ModelOptions
from helpers.model.torch_embedder import OpenClipEmbedder
from helpers.model.weights import are_here, fetch_weights, torch_device
from helpers.packages import is_here, not_installed
from helpers.parallel import cpu_name
from helpers.report import Reporter, safe_percentage

#: Returns the paths of that many pictures of cards, or fewer.
Sample = Callable[[int], list[Path]]

#: Pictures that an export is checked on, and those that int8 is judged on.
_CHECKED, _JUDGED = 32, 200
#: What an export needs; int8 then needs onnx alone.
_EXPORTERS = ("torch", "open_clip", "onnx", "onnxscript")
_INSTALL = "pip install -r requirements.txt"
_LONG = 20_000  # pictures: 5 minutes and more; measuring both engines takes about 20 s
_CLEARLY = 1.05  # smaller differences are noise
_GPU_FILES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


@dataclass(frozen=True, slots=True)
class Engine:
    """What a build embeds with (`onnx` or `torch`), and the encoder to publish, if any."""

    name: str
    options: ModelOptions
    encoder: Encoder | None

    def open(self) -> Embedder:
        """Load the model; `DataError` if queries would be embedded with other weights."""
        if self.name == "onnx" and self.encoder is not None:
            return self.encoder.open(self.options)
        embedder = OpenClipEmbedder(self.options)
        found = embedder.fingerprint["weights_sha256"]
        kept = found if self.encoder is None else self.encoder.about["model"]["weights_sha256"]
        if self.encoder is not None and found != kept:
            raise DataError(
                "the weights have changed since the encoder was exported",
                details=f"weights_sha256: was {kept!r}, is now {found!r}",
                suggestion=f"rm {self.encoder.path}\nthen type the same command again",
            )
        return embedder


def prepare_engine(options: ModelOptions, out: Path, sample: Sample, report: Reporter) -> Engine:
    """Choose the engine and get the encoder: from the store, from `out`, or by an export.

    `UsageError`, `SourceError` or `DataError` if the model cannot be had, or if `--engine` or
    `--precision` asks for what is not possible; `WriteError` if the disk is full.
    """
    if options.is_own_encoder:
        return _own_encoder(options, report)
    name = _choose(options, out)
    if name == "torch":
        fetch_weights(options, report)
    try:
        encoder = _Encoders(options, out, sample, report).get()
    except (NoEncoderError, worker_process.ChildDiedError) as error:
        reason = f"{error.message} {error.details}".rstrip()
        if options.engine == "onnx" or options.precision == "int8":
            raise DataError(
                f"--{'precision int8' if options.precision == 'int8' else 'engine onnx'}"
                " is not possible here",
                details=reason,
                suggestion=f"{_INSTALL}, or leave the flag out",
            ) from error
        if name != "torch":
            fetch_weights(options, report)
        report.info(f"The index takes no encoder along and is asked through torch: {reason}")
        return Engine("torch", options, None)
    # To compare with torch is not worth a download of weights.
    if not name and not not_installed("torch", "open_clip") and are_here(options):
        name = _fastest(options, encoder, sample, report)
    return Engine(name or "onnx", options, encoder)


def require_model(
    options: ModelOptions, out: Path, report: Reporter, announce: Callable[[int], object]
) -> None:
    """Find out, before a download of hours, whether the model can be had and fits its weights.

    It raises what a build would. What an index in `out` was built with is known to work.
    `announce` is told how many bytes the weights have, before they are fetched.
    """
    if options.is_own_encoder:
        _own_encoder(options, report)
        return
    encoders = _Encoders(options, out, lambda _: [], report)
    is_exported = is_here("onnxruntime") and encoders.are_known()
    if is_exported and _choose(options, out) != "torch":
        return
    fetch_weights(options, report, announce)
    # What a hub has for a tag fits; of a person's own file nothing is known until it is loaded.
    if not is_exported and any(options.files()) and _last_engine(options, out) is None:
        report.info(f"Trying whether {options.model} loads")
        worker_process.call(load_in_child, options)


def _own_encoder(options: ModelOptions, report: Reporter) -> Engine:
    """Keep a copy of somebody's exported encoder, which may change later, and build with it."""
    missing = not_installed("onnxruntime")
    if missing:
        raise DataError(f"{options.model} cannot run here", details=missing, suggestion=_INSTALL)
    store, key = EncoderStore(report), source_key(options)

    def copy(part: Path) -> dict[str, Any]:
        with disk_errors(part):
            shutil.copyfile(options.directory / own_encoder.MODEL_FILE, part)
        return describe_own(options, part)

    return Engine("onnx", options, store.find(key, "fp32") or store.make(key, "fp32", copy))


def _choose(options: ModelOptions, out: Path) -> str:
    """Return the engine that `auto` means, "" where only measuring can tell.

    Vectors of the last build should stay reusable, so its engine stays.
    """
    if options.engine != "auto":
        return options.engine
    if options.precision == "int8":
        return "onnx"
    if options.precision == "fp16" or not is_here("onnxruntime") or _gpu(options.device):
        return "torch"
    last = _last_engine(options, out)
    return "onnx" if last == "torch" and not is_here("torch") else last or ""


def _gpu(device: str) -> bool:
    """Tell whether torch would run on a GPU; it is only asked where there may be one."""
    if device != "auto":
        return device != "cpu"
    may_be = sys.platform == "darwin" or any(Path(file).exists() for file in _GPU_FILES)
    return may_be and is_here("torch") and torch_device(device) != "cpu"


def _last_engine(options: ModelOptions, out: Path) -> str | None:
    last, fields = last_manifest(out), ("model", "pretrained", "precision")
    if last and all(last["parameters"].get(each) == getattr(options, each) for each in fields):
        return str(last["model"].get("engine", "torch"))
    return None


def _fastest(options: ModelOptions, encoder: Encoder, sample: Sample, report: Reporter) -> str:
    """Return the engine that embeds more pictures a second here; it is measured once a machine.

    On one CPU ONNX Runtime was twice as fast as torch, on another 1.06 times. A short build takes
    it without measuring.
    """
    if len(sample(_LONG)) < _LONG:
        return "onnx"

    def measure() -> str:
        report.info("Measuring onnx and torch on this machine (once)")
        onnx = worker_process.call(rate_in_child, Engine("onnx", options, encoder))
        try:
            torch = worker_process.call(rate_in_child, Engine("torch", options, encoder))
        except DataError as error:
            report.detail(f"torch cannot be measured: {error.message}")
            return "onnx"
        report.info(f"onnx {onnx:.1f}, torch {torch:.1f} images/s")
        return "torch" if torch > _CLEARLY * onnx else "onnx"

    machine = [encoder.about["sha256"], cpu_name()]
    return remembered("engine", machine, ("onnx", "torch"), measure)


def rate_in_child(engine: Engine) -> float:
    """Return images/s of an engine: only a child process may load both."""
    return best_rate(engine.open())


def load_in_child(options: ModelOptions) -> None:
    """Load a model with torch and forget it."""
    OpenClipEmbedder(options)


def _require(*packages: str) -> None:
    missing = not_installed(*packages)
    if missing:
        raise NoEncoderError(missing)


class _Encoders:
    """Gets the encoder of one build."""

    def __init__(self, options: ModelOptions, out: Path, sample: Sample, report: Reporter) -> None:
        self._options, self._out, self._sample, self._report = options, out, sample, report
        self._store = EncoderStore(report)
        self._key = source_key(options)

    def get(self) -> Encoder:
        """Return the encoder; `NoEncoderError` or `ChildDiedError` if there can be none."""
        _require("onnxruntime")
        if self._options.precision != "int8":
            return self._find("fp32") or self._export()
        small = self._find("int8")
        # Those that could not be read count, too: it makes no difference to ask for them again.
        if small and small.about["checks"].get("pictures", 0) >= len(self._sample(_JUDGED)):
            return self._judge(small)
        try:
            return self._quantize(self._find("fp32") or self._export())
        except NoEncoderError:
            if small is None:
                raise
            return self._judge(small)

    def are_known(self) -> bool:
        """Tell whether nothing has to be loaded to get the encoder."""
        return any(map(self._find, {self._options.precision, "fp32"}))

    def _find(self, precision: str) -> Encoder | None:
        return self._store.find(self._key, precision) or _published_encoder(
            self._out, self._key, precision
        )

    def _export(self) -> Encoder:
        _require(*_EXPORTERS)
        name = f"{self._options.model} {self._options.pretrained}".rstrip()
        fetch_weights(self._options, self._report)
        self._report.info(f"Exporting the image encoder of {name} (once) to {self._store.folder}")
        plain = replace(self._options, device="cpu", precision="fp32", engine="torch")
        pictures = self._pictures(_CHECKED)

        def export(part: Path) -> dict[str, Any]:
            return worker_process.call(export_encoder, plain, part, pictures)

        encoder = self._store.make(self._key, "fp32", export)
        checks = encoder.about["checks"]
        self._report.info(
            f"Checked on {checks['pictures']} pictures against torch:"
            f" cosine at least {checks['least_cosine']:.7f}"
        )
        return encoder

    def _quantize(self, full: Encoder) -> Encoder:
        _require("onnx")
        self._report.info("Quantising the encoder to int8 and comparing the two (once, a minute)")
        pictures = self._pictures(_JUDGED)

        def quantize(part: Path) -> dict[str, Any]:
            with scratch_directory("mtg-int8-") as folder:
                found = worker_process.call(
                    quantize_and_compare, self._options, full, part, folder, pictures
                )
            return {**full.about, "checks": {"pictures": len(pictures), **found}}

        return self._judge(self._store.make(self._key, "int8", quantize))

    def _pictures(self, count: int) -> list[Path]:
        return [path.absolute() for path in self._sample(count)]

    def _judge(self, encoder: Encoder) -> Encoder:
        """Return the int8 encoder if its answers are those of fp32, else raise `DataError`."""
        checks = encoder.about["checks"]
        said = (
            f"same best card in {safe_percentage(checks['same'], checks['cases'])} of"
            f" {checks['cases']:,} cases, cosine {checks['mean_cosine']:.5f}"
            f" (least {checks['least_cosine']:.5f})"
        )
        self._report.info(f"int8 against fp32 on {checks['cards']} cards: {said}")
        if checks["agreement"] < LEAST_AGREEMENT and self._options.trained:
            raise DataError(
                "int8 gives other answers than fp32",
                details=f"{said}; {LEAST_AGREEMENT:.1%} needed",
                suggestion="build with --precision fp32",
            )
        return encoder


def _published_encoder(out: Path, key: str, precision: str) -> Encoder | None:
    """Return the encoder of the index in `out` if it is of these weights, and whole."""
    about: dict[str, Any] = (last_manifest(out) or {}).get("encoder", {})
    if (about.get("key"), about.get("precision")) != (key, precision):
        return None
    try:
        with open_published(out, ENCODER) as file:
            path = Path(file.name).absolute()
            return Encoder(path, about) if sha256_file(path) == about["sha256"] else None
    except (OSError, KeyError):
        return None
