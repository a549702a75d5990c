"""Which engine embeds a build, and the encoder that its index takes along.

ONNX Runtime is the faster one on a CPU, torch the one that needs no export and knows GPUs. Each
works without the other, as far as possible: an index without an encoder is asked through torch.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from helpers import worker_process
from helpers.atomic_io import disk_errors
from helpers.errors import DataError
from helpers.index.manifest import damage, last_manifest
from helpers.index.publish import ENCODER
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

#: Returns the absolute paths of that many pictures of cards, or fewer.
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
        if self.encoder is None:
            return embedder
        found = embedder.fingerprint["weights_sha256"]
        kept = self.encoder.about["model"]["weights_sha256"]
        if found != kept:
            raise DataError(
                "the weights have changed since the encoder was exported",
                details=f"weights_sha256: was {kept!r}, is now {found!r}",
                suggestion=f"rm {self.encoder.path}\nthen type the same command again",
            )
        return embedder


def rate_in_child(engine: Engine) -> float:
    """Return images/s of an engine: only a child process may load both."""
    return best_rate(engine.open())


def load_in_child(options: ModelOptions) -> None:
    """Load a model with torch and forget it."""
    OpenClipEmbedder(options)


class EngineChoice:
    """What there is to choose from for one build; `sample` shows its pictures."""

    def __init__(self, options: ModelOptions, out: Path, sample: Sample, report: Reporter) -> None:
        self._options, self._out, self._sample, self._report = options, out, sample, report
        self._last = last_manifest(out) or {}
        self._store = EncoderStore(report)

    @cached_property
    def _key(self) -> str:
        return source_key(self._options)

    def prepare(self) -> Engine:
        """Choose the engine and get the encoder: from the store, from `out`, or by an export.

        `UsageError`, `SourceError` or `DataError` if the model cannot be had, or if `--engine` or
        `--precision` asks for what is not possible; `WriteError` if the disk is full.
        """
        options, report, name = self._options, self._report, self._wanted()
        if name == "torch":
            fetch_weights(options, report)
        try:
            _require("onnxruntime")
            encoder = self._int8() if options.precision == "int8" else self._fp32()
        except (NoEncoderError, worker_process.ChildDiedError) as error:
            reason = f"{error.message} {error.details}".rstrip()
            if self._onnx_only:
                raise DataError(
                    f"{self._onnx_only} is not possible here",
                    details=reason,
                    suggestion=f"{_INSTALL}, or leave the flag out",
                ) from error
            fetch_weights(options, report)
            report.info(f"The index takes no encoder along and is asked through torch: {reason}")
            return Engine("torch", options, None)
        # To compare with torch is not worth a download of weights.
        if not name and not not_installed("torch", "open_clip") and are_here(options):
            name = self._fastest(encoder)
        return Engine(name or "onnx", options, encoder)

    def require(self, announce: Callable[[int], object]) -> None:
        """Find out, before a download of hours, whether the model can be had and fits its weights.

        It raises what a build would. What an index in `out` was built with is known to work.
        `announce` is told how many bytes the weights have, before they are fetched.
        """
        options, report = self._options, self._report
        if options.is_own_encoder:
            self.prepare()
            return
        is_exported = is_here("onnxruntime") and any(map(self._find, {options.precision, "fp32"}))
        if is_exported and self._wanted() != "torch":
            return
        fetch_weights(options, report, announce)
        # What a hub has for a tag fits; of a person's own file nothing is known until it is loaded.
        if not is_exported and any(options.files()) and not self._last_engine:
            report.info(f"Trying whether {options.model} loads")
            worker_process.call(load_in_child, options)

    def _wanted(self) -> str:
        """Return the engine that `auto` means, "" where only measuring can tell.

        Vectors of the last build should stay reusable, so its engine stays.
        """
        options, last = self._options, self._last_engine
        if self._onnx_only:
            return "onnx"
        if options.engine == "torch" or not is_here("onnxruntime"):
            return "torch"
        if options.precision == "fp16" or _gpu(options.device):
            return "torch"
        return "onnx" if last == "torch" and not is_here("torch") else last

    @property
    def _onnx_only(self) -> str:
        """What is asked for that only ONNX Runtime can do, "" if there is nothing."""
        if self._options.is_own_encoder:
            return self._options.model
        if self._options.precision == "int8":
            return "--precision int8"
        return "--engine onnx" if self._options.engine == "onnx" else ""

    @property
    def _last_engine(self) -> str:
        """The engine of the index in `out` if that is of this model, else ""."""
        for flag in ("model", "pretrained", "precision"):
            if self._last.get("parameters", {}).get(flag) != getattr(self._options, flag):
                return ""
        return str(self._last["model"].get("engine", "torch"))

    def _fastest(self, encoder: Encoder) -> str:
        """Return the engine that embeds more pictures a second here; it is measured once a machine.

        On one CPU ONNX Runtime was twice as fast as torch, on another 1.06 times. A short build
        takes it without measuring.
        """
        if len(self._sample(_LONG)) < _LONG:
            return "onnx"
        engines = [Engine(name, self._options, encoder) for name in ("onnx", "torch")]

        def measure() -> str:
            self._report.info("Measuring onnx and torch on this machine (once)")
            try:
                onnx, torch = (worker_process.call(rate_in_child, each) for each in engines)
            except DataError as error:
                self._report.detail(f"they cannot be compared: {error.message}")
                return "onnx"
            self._report.info(f"onnx {onnx:.1f}, torch {torch:.1f} images/s")
            return "torch" if torch > _CLEARLY * onnx else "onnx"

        machine = [encoder.about["sha256"], cpu_name()]
        return remembered("engine", machine, ["onnx", "torch"], measure)

    def _fp32(self) -> Encoder:
        """Return the encoder; `NoEncoderError` or `ChildDiedError` if there can be none."""
        make = self._adopted if self._options.is_own_encoder else self._exported
        return self._find("fp32") or make()

    def _adopted(self) -> Encoder:
        """Return a copy of somebody's exported encoder, which may change later."""

        def copy(part: Path) -> dict[str, Any]:
            with disk_errors(part):
                shutil.copyfile(self._options.directory / own_encoder.MODEL_FILE, part)
            return describe_own(self._options, part)

        return self._store.make(self._key, "fp32", copy)

    def _int8(self) -> Encoder:
        """Return the same in int8; `DataError` if its answers are not those of fp32."""
        small = self._find("int8")
        # Those that could not be read count, too: it makes no difference to ask for them again.
        if small is None or small.about["checks"].get("pictures", 0) < len(self._sample(_JUDGED)):
            try:
                small = self._quantized(self._fp32())
            except NoEncoderError:
                if small is None:
                    raise
        self._judge(small.about["checks"])
        return small

    def _find(self, precision: str) -> Encoder | None:
        """Return the encoder of these weights in the store, or in the index in `out`."""
        found, about = self._store.find(self._key, precision), self._last.get("encoder", {})
        if found or (about.get("key"), about.get("precision")) != (self._key, precision):
            return found
        whole = damage(self._out, self._last, (ENCODER,)) is None
        return Encoder((self._out / ENCODER).absolute(), about) if whole else None

    def _exported(self) -> Encoder:
        _require(*_EXPORTERS)
        options, report = self._options, self._report
        name = f"{options.model} {options.pretrained}".rstrip()
        fetch_weights(options, report)
        report.info(f"Exporting the image encoder of {name} (once) to {self._store.folder}")
        plain = replace(options, device="cpu", precision="fp32", engine="torch")
        pictures = self._sample(_CHECKED)

        def export(part: Path) -> dict[str, Any]:
            return worker_process.call(export_encoder, plain, part, pictures)

        encoder = self._store.make(self._key, "fp32", export)
        checks = encoder.about["checks"]
        report.info(
            f"Checked on {checks['pictures']} pictures against torch:"
            f" cosine at least {checks['least_cosine']:.7f}"
        )
        return encoder

    def _quantized(self, full: Encoder) -> Encoder:
        _require("onnx")
        self._report.info("Quantising the encoder to int8 and comparing the two (once, a minute)")
        pictures = self._sample(_JUDGED)

        def quantize(part: Path) -> dict[str, Any]:
            with scratch_directory("mtg-int8-") as folder:
                found = worker_process.call(
                    quantize_and_compare, self._options, full, part, folder, pictures
                )
            return {**full.about, "checks": {"pictures": len(pictures), **found}}

        return self._store.make(self._key, "int8", quantize)

    def _judge(self, checks: dict[str, Any]) -> None:
        """Raise `DataError` unless the answers of the int8 encoder are those of fp32."""
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


def _gpu(device: str) -> bool:
    """Tell whether torch would run on a GPU; it is only asked where there may be one."""
    if device != "auto":
        return device != "cpu"
    may_be = sys.platform == "darwin" or any(Path(file).exists() for file in _GPU_FILES)
    return may_be and is_here("torch") and torch_device(device) != "cpu"


def _require(*packages: str) -> None:
    missing = not_installed(*packages)
    if missing:
        raise NoEncoderError(missing)
