"""Which model is asked for, as far as that can be known without loading it."""

import hashlib
import importlib
import importlib.util
import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self, cast

from helpers.cli_validation import Flag, FlagGroup, Number, OneOf, did_you_mean, options_of
from helpers.errors import DataError, UsageError
from helpers.model import own_encoder
from helpers.model.own_encoder import ONNX_DIR

LOCAL_DIR = "local-dir:"
RANDOM = "random"
CONFIG_FILE = "open_clip_config.json"
WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
DEFAULT_PRETRAINED = "openai"
FITS = ("pad", "crop", "squash")
DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = ("auto", "onnx", "torch")
PRECISIONS = ("fp32", "int8", "fp16")


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which model sees which square. `pretrained` is a tag, a file, `random`, or empty.

    `resizes` is no flag: see `helpers.images.preprocess.Preprocessing`.
    """

    model: str
    pretrained: str
    device: str
    precision: str
    size: int
    fit: str
    engine: str = "auto"
    resizes: int = 1

    @classmethod
    def from_args(cls, args: Namespace) -> Self:
        """Read the flags of the group "build"; a local directory names its own weights."""
        model, pretrained = args.model, args.pretrained
        kind = next((kind for kind in (LOCAL_DIR, ONNX_DIR) if model.startswith(kind)), None)
        if kind is not None:
            if pretrained is not None:
                raise UsageError(
                    f"--pretrained {pretrained} makes no sense with --model {model}",
                    suggestion="a model directory holds its own weights: leave --pretrained out",
                )
            model, pretrained = kind + str(Path(model.removeprefix(kind)).absolute()), ""
        elif pretrained is None:
            pretrained = DEFAULT_PRETRAINED
        elif Path(pretrained).is_file():
            pretrained = str(Path(pretrained).absolute())
        return options_of(cls, args, model=model, pretrained=pretrained)

    @property
    def trained(self) -> bool:
        """False for weights that were never trained."""
        return self.pretrained != RANDOM

    @property
    def is_own_encoder(self) -> bool:
        """True for an exported encoder instead of an open_clip model."""
        return self.model.startswith(ONNX_DIR)

    @property
    def is_local_dir(self) -> bool:
        """True for an open_clip model in a directory."""
        return self.model.startswith(LOCAL_DIR)

    @property
    def directory(self) -> Path:
        """The directory of a model that is one of these two."""
        return Path(self.model.partition(":")[2])

    def check_files(self) -> None:
        """Raise what can be said without importing open_clip.

        `DataError` for a model directory that is none, of which open_clip would make a model with
        random weights; `UsageError` for a name that it does not know.
        """
        if self.is_own_encoder:
            own_encoder.check_options(self)
        elif self.is_local_dir:
            _check_directory(self.directory)
        else:
            _check_name(self.model)

    def architecture_digest(self) -> str:
        """Return the SHA-256 of the image tower's description: its activation is in no weight."""
        if self.is_own_encoder:
            description = own_encoder.read_description(self.directory)
        elif self.is_local_dir:
            path = self.directory / CONFIG_FILE
            try:
                description = json.loads(path.read_bytes())["model_cfg"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DataError(f"it describes no model: {path}", details=repr(error)) from error
        else:
            description = model_config(self.model) or {}
        tower = {key: value for key, value in description.items() if key != "text_cfg"}
        return hashlib.sha256(json.dumps(tower, sort_keys=True).encode()).hexdigest()

    def files(self) -> Iterator[Path]:
        """Yield the local files that the weights come from, if any."""
        if self.is_own_encoder:
            yield self.directory / own_encoder.MODEL_FILE
            yield self.directory / own_encoder.DESCRIPTION_FILE
        elif self.is_local_dir:
            yield from sorted(self.directory.glob("open_clip_*"))
        elif Path(self.pretrained).is_file():
            yield Path(self.pretrained)


def model_config(name: str) -> dict[str, Any] | None:
    """Return open_clip's description of a model without importing it; None if it knows none."""
    path = _config_folder() / f"{name}.json"
    return cast("dict[str, Any]", json.loads(path.read_bytes())) if path.is_file() else None


def known_weights(model: str) -> dict[str, dict[str, Any]]:
    """Return what open_clip says of the weights that it knows for a model, by their tags.

    Its table is loaded without torch, which it needs for nothing here and which takes seconds.
    """
    table = sys.modules.get("open_clip.pretrained") or _table_alone()
    tags = table.list_pretrained_tags_by_model(model)
    return {tag: table.get_pretrained_cfg(model, tag) for tag in tags}


def _table_alone() -> ModuleType:
    package = ModuleType("open_clip")
    package.__path__ = [str(_config_folder().parent)]
    stand_ins = {"open_clip": package, "safetensors.torch": None}
    stand_ins = {name: value for name, value in stand_ins.items() if name not in sys.modules}
    sys.modules.update(stand_ins)  # type: ignore[arg-type] # None: as if it were not installed
    try:
        return importlib.import_module("open_clip.pretrained")
    finally:
        for name in [*stand_ins, *(name for name in sys.modules if name.startswith("open_clip."))]:
            sys.modules.pop(name, None)


def _config_folder() -> Path:
    """Return where open_clip keeps its models' descriptions: importing it takes seconds."""
    package = importlib.util.find_spec("open_clip")
    places = package.submodule_search_locations if package is not None else None
    return Path(places[0] if places else "/nowhere") / "model_configs"


def _check_name(model: str) -> None:
    names = sorted(path.stem for path in _config_folder().glob("*.json"))
    if names and model not in names:
        raise UsageError(
            f"open_clip knows no model {model!r}{did_you_mean(model, names)}",
            suggestion="python -c 'import open_clip; print(*open_clip.list_models())' lists them",
        )


def _check_directory(directory: Path) -> None:
    missing = [] if (directory / CONFIG_FILE).is_file() else [CONFIG_FILE]
    if not any((directory / name).is_file() for name in WEIGHT_FILES):
        missing.append(" or ".join(WEIGHT_FILES))
    if missing:
        raise DataError(
            f"not an open_clip model directory: {directory}",
            details=f"missing: {'; '.join(missing)}",
            suggestion="choose a directory that holds the configuration and the weights",
        )


def _contradictions(args: Namespace) -> Iterator[str]:
    names = ("precision", "engine", "device")
    precision, engine, device = (getattr(args, name, None) for name in names)
    if device in {"cuda", "mps"} and engine == "onnx":
        yield f"--engine onnx runs on the CPU, not on {device}: use --engine torch"
    if precision == "int8" and (engine == "torch" or device in {"cuda", "mps"}):
        yield "--precision int8 needs --engine onnx on the CPU (leave --engine and --device out)"
    if precision == "fp16" and (engine == "onnx" or device == "cpu"):
        yield "--precision fp16 needs a GPU and --engine torch (leave --engine and --device out)"


FLAGS = FlagGroup(
    "model",
    (
        Flag(
            "--model", None, "ViT-B-32-quickgelu", "NAME", "open_clip name, local-dir:DIR, onnx:DIR"
        ),
        Flag(
            "--pretrained", None, None, "TAG", "weights: tag, file, or `random` for tests (openai)"
        ),
        Flag("--size", Number(int, 64, 4096), 384, "PX", "side of the square in pixels, >= 64"),
        Flag("--fit", OneOf(FITS), "pad", "HOW", f"how images become squares: {', '.join(FITS)}"),
        Flag("--device", OneOf(DEVICES), "auto", "DEV", ", ".join(DEVICES)),
        Flag("--engine", OneOf(ENGINES), "auto", "E", f"{', '.join(ENGINES)}: onnx is for CPUs"),
        Flag(
            "--precision", OneOf(PRECISIONS), "fp32", "P", "fp32, int8 (for CPUs), fp16 (for GPUs)"
        ),
    ),
    _contradictions,
)
