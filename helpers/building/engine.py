"""Which engine embeds a build, and the encoder that its index takes along.

ONNX Runtime is the faster one on a CPU, torch the one that needs no export and knows GPUs. Each
works without the other, as far as possible: an index without an encoder is asked through torch.
"""

import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
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
from helpers.model.embedder import Embedder
from helpers.model.encoder_cache import (
    Encoder,
    EncoderStore,
    memo_path,
    recall,
    remember,
    source_key,
)
from helpers.model.options import ModelOptions
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
_MEASURED = ({"engine": "onnx"}, {"engine": "torch"})  # what may have been remembered
_GPU_FILES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


@dataclass(frozen=True, slots=True)
class Engine:
    """What a build embeds with (`onnx` or `torch`), and the encoder to publish, if any."""

    name: str
    options: ModelOptions
    encoder: Encoder | None

    def open(self) -> Embedder:
        """Load the model.

        Raises:
            UsageError, SourceError, DataError: it cannot be had.
        """
        if self.name == "onnx" and self.encoder is not None:
            from helpers.model.onnx_embedder import OnnxEmbedder

            return OnnxEmbedder(self.encoder.path, self.encoder.fingerprint(self.options), 1)
        from helpers.model.torch_embedder import OpenClipEmbedder

        embedder = OpenClipEmbedder(self.options)
        self._check_weights(embedder)
        return embedder

    def _check_weights(self, embedder: Embedder) -> None:
        """Raise `DataError` if queries would be embedded with other weights than the index."""
        if self.encoder is None:
            return
        found, kept = embedder.fingerprint["weights_sha256"], self.encoder.about["model"]
        if found != kept["weights_sha256"]:
            raise DataError(
                "the weights have changed since the encoder was exported",
                details=f"weights_sha256: was {kept['weights_sha256']!r}, is now {found!r}",
                suggestion=f"rm {self.encoder.path}\nthen type the same command again",
            )


def prepare_engine(options: ModelOptions, out: Path, sample: Sample, report: Reporter) -> Engine:
    """Choose the engine and get the encoder: from the store, from `out`, or by an export.

    Raises:
        UsageError, SourceError, DataError: the model cannot be had, or `--engine` or `--precision`
            asks for what is not possible.
        WriteError: the disk is full.
    """
    if options.is_own_encoder:
        return _own_encoder(options, report)
    name = _choose(options, out)
    if name == "torch":
        _require_model(options, report)
    found: Encoder | str = "onnxruntime is not installed"
    if is_here("onnxruntime"):
        found = _Encoders(options, out, sample, report).get()
    if isinstance(found, Encoder):
        from helpers.model.weights import are_here

        # To compare with torch is not worth a download of weights.
        if name or not_installed("torch", "open_clip") or not are_here(options):
            return Engine(name or "onnx", options, found)
        return Engine(_fastest(options, found, sample, report), options, found)
    if options.engine == "onnx" or options.precision == "int8":
        raise DataError(
            f"--{'engine onnx' if options.precision != 'int8' else 'precision int8'}"
            " is not possible here",
            details=found,
            suggestion=f"{_INSTALL}, or leave the flag out",
        )
    if name != "torch":
        _require_model(options, report)
    report.info(f"The index takes no encoder along and is asked through torch: {found}")
    return Engine("torch", options, None)


def require_model(
    options: ModelOptions, out: Path, report: Reporter, announce: Callable[[int], object]
) -> None:
    """Find out, before a download of hours, whether the model can be had and fits its weights.

    What an index in `out` was built with is known to work. `announce` is told how many bytes the
    weights have, before they are fetched.

    Raises:
        UsageError, SourceError, DataError, WriteError: as a build would, but without its images.
    """
    options.check_files()
    if options.is_own_encoder:
        _own_encoder(options, report)
        return
    encoders = _Encoders(options, out, lambda _: [], report)
    is_exported = is_here("onnxruntime") and encoders.are_known()
    if is_exported and _choose(options, out) != "torch":
        return
    _require_model(options, report, announce)
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
    kept = store.find(key, "fp32")
    if kept is None:
        part = store.new_part(key, "fp32")
        try:
            with disk_errors(part):
                shutil.copyfile(options.directory / own_encoder.MODEL_FILE, part)
            kept = store.add(part, {"key": key, **own_encoder.describe(options, part)})
        finally:
            part.unlink(missing_ok=True)
    return Engine("onnx", options, kept)


def _require_model(
    options: ModelOptions, report: Reporter, announce: Callable[[int], object] = lambda _: None
) -> None:
    from helpers.model.weights import check_choice, fetch_weights

    check_choice(options)
    fetch_weights(options, report, announce)


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
    may_be = sys.platform == "darwin" or any(map(Path.exists, map(Path, _GPU_FILES)))
    if not may_be or not is_here("torch"):
        return False
    from helpers.model.weights import torch_device

    return torch_device(device) != "cpu"


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
    memo = memo_path("engine", [encoder.about["sha256"], cpu_name()])
    known = recall(memo)
    if known not in _MEASURED:
        report.info("Measuring onnx and torch on this machine (once)")
        known = {"engine": _measured(options, encoder, report)}
        remember(memo, known)
    return str(known["engine"])


def _measured(options: ModelOptions, encoder: Encoder, report: Reporter) -> str:
    encoder = replace(encoder, path=encoder.path.absolute())
    onnx = worker_process.call(rate_in_child, Engine("onnx", options, encoder))
    try:
        torch = worker_process.call(rate_in_child, Engine("torch", options, encoder))
    except DataError as error:
        report.detail(f"torch cannot be measured: {error.message}")
        return "onnx"
    report.info(f"onnx {onnx:.1f}, torch {torch:.1f} images/s")
    return "torch" if torch > _CLEARLY * onnx else "onnx"


def rate_in_child(engine: Engine) -> float:
    """Return images/s of an engine: only a child process may load both."""
    from helpers.model.cpu_layout import best_rate

    return best_rate(engine.open())


class _Encoders:
    """Gets the encoder of one build."""

    def __init__(self, options: ModelOptions, out: Path, sample: Sample, report: Reporter) -> None:
        self._options, self._out, self._sample, self._report = options, out, sample, report
        self._store = EncoderStore(report)
        self._key = source_key(options)

    def get(self) -> Encoder | str:
        """Return the encoder, or why there is none."""
        if self._options.precision != "int8":
            return self._find("fp32") or self._export()
        small = self._find("int8")
        if small is not None and _judged_enough(small, self._sample):
            return self._judge(small)
        full = self._find("fp32") or self._export()
        missing = full if isinstance(full, str) else not_installed("onnx")
        if isinstance(full, Encoder) and not missing:
            return self._quantize(full)
        return self._judge(small) if small is not None else missing

    def are_known(self) -> bool:
        """Tell whether nothing has to be loaded to get the encoder."""
        return any(map(self._find, {self._options.precision, "fp32"}))

    def _find(self, precision: str) -> Encoder | None:
        return self._store.find(self._key, precision) or published_encoder(
            self._out, self._key, precision
        )

    def _export(self) -> Encoder | str:
        missing = not_installed(*_EXPORTERS)
        if missing:
            return missing
        name = f"{self._options.model} {self._options.pretrained}".rstrip()
        _require_model(self._options, self._report)
        self._report.info(f"Exporting the image encoder of {name} (once) to {self._store.folder}")
        part = self._store.new_part(self._key, "fp32")
        plain = replace(self._options, device="cpu", precision="fp32", engine="torch")
        try:
            about = worker_process.call(export_in_child, plain, part, self._pictures(_CHECKED))
            if isinstance(about, str):
                return about
            encoder = self._store.add(part, {"key": self._key, **about})
        except worker_process.ChildDiedError as error:
            return f"{error.message} ({error.details})"
        finally:
            part.unlink(missing_ok=True)
        checks = encoder.about["checks"]
        self._report.info(
            f"Checked on {checks['pictures']} pictures against torch:"
            f" cosine at least {checks['least_cosine']:.7f}"
        )
        return encoder

    def _quantize(self, full: Encoder) -> Encoder:
        self._report.info("Quantising the encoder to int8 (once)")
        part = self._store.new_part(self._key, "int8")
        pictures = self._pictures(_JUDGED)
        source = replace(full, path=full.path.absolute())
        about = {key: full.about[key] for key in ("key", "dimension", "model", "input")}
        try:
            with scratch_directory("mtg-int8-") as folder:
                cases = worker_process.stream(
                    quantize_in_child, self._options, source, part, folder, pictures
                )
                checks = {"pictures": len(pictures), **self._follow(cases)}
            added = self._store.add(part, {**about, "precision": "int8", "checks": checks})
        finally:
            part.unlink(missing_ok=True)
        return self._judge(added)

    def _follow(self, cases: Generator[tuple[int, dict[str, Any] | None]]) -> dict[str, Any]:
        """Show how far the comparison is, and return what came of it."""
        with closing(cases):
            total, checks = next(cases)
            label = "Comparing int8 with fp32"
            with self._report.progress(total, label, "pictures") as progress:
                progress.advance()
                for _, checks in cases:  # noqa: B007 - the last one says what came of it
                    progress.advance()
        return checks or {}

    def _pictures(self, count: int) -> list[Path]:
        return list(map(Path.absolute, self._sample(count)))

    def _judge(self, encoder: Encoder) -> Encoder:
        """Return the int8 encoder if its answers are those of fp32.

        Raises:
            DataError: they are not.
        """
        from helpers.model.agreement import LEAST_AGREEMENT

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


def load_in_child(options: ModelOptions) -> None:
    """Load a model with torch and forget it."""
    from helpers.model.torch_embedder import OpenClipEmbedder

    OpenClipEmbedder(options)


def export_in_child(
    options: ModelOptions, target: Path, pictures: list[Path]
) -> dict[str, Any] | str:
    """Call `export_encoder`, whose module loads torch and onnx: only a child process may."""
    from helpers.model.onnx_export import export_encoder

    return export_encoder(options, target, pictures)


def quantize_in_child(
    options: ModelOptions, source: Encoder, target: Path, folder: Path, pictures: list[Path]
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Call `quantize_and_compare`, whose module loads onnx: only a child process may."""
    from helpers.model.int8 import quantize_and_compare

    return quantize_and_compare(options, source, target, folder, pictures)


def _judged_enough(encoder: Encoder, sample: Sample) -> bool:
    """Tell whether int8 was judged on as many pictures as there are now, up to the wanted number.

    Those that could not be read count, too: it makes no difference to ask for them again.
    """
    pictures: int = encoder.about["checks"].get("pictures", 0)
    return pictures >= _JUDGED or pictures >= len(sample(_JUDGED))


def published_encoder(out: Path, key: str, precision: str) -> Encoder | None:
    """Return the encoder of the index in `out` if it is of these weights, and whole."""
    about = (last_manifest(out) or {}).get("encoder")
    if about is None or (about["key"], about["precision"]) != (key, precision):
        return None
    try:
        with open_published(out, ENCODER) as file:
            path = Path(file.name)
            return Encoder(path, about) if sha256_file(path) == about["sha256"] else None
    except (OSError, KeyError):
        return None
