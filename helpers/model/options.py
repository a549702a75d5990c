"""Which model is asked for, as far as that can be known without loading it."""

import functools
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
from typing import Any, Self

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
_DIRECTORIES = (LOCAL_DIR, ONNX_DIR)
_FOR_ONNX = {"engine": ("auto", "onnx"), "device": ("auto", "cpu"), "precision": ("fp32",)}


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
        """Read the flags of the group "model"; a directory holds its own weights."""
        model, pretrained = args.model, args.pretrained
        if model.startswith(_DIRECTORIES):
            kind, _, directory = model.partition(":")
            model, pretrained = f"{kind}:{Path(directory).absolute()}", ""
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
    def is_tag(self) -> bool:
        """True for weights that open_clip knows by a tag, and that a model hub has."""
        is_local = self.is_own_encoder or self.is_local_dir or Path(self.pretrained).is_file()
        return self.trained and not is_local

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
        """Raise what can be said without importing open_clip, see `description`."""
        self.description()

    def description(self) -> dict[str, Any]:
        """Return what is said of the image tower and how it is built.

        `DataError` for a model directory that is none, of which open_clip would make a model with
        random weights; `UsageError` for a name that it does not know.
        """
        if self.is_own_encoder:
            return own_encoder.read_description(self.directory)
        return _read_directory(self.directory) if self.is_local_dir else _read_config(self.model)

    def architecture_digest(self) -> str:
        """Return the SHA-256 of the image tower's description: its activation is in no weight."""
        tower = {key: value for key, value in self.description().items() if key != "text_cfg"}
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


def known_weights(model: str) -> dict[str, dict[str, Any]]:
    """Return what open_clip says of the weights that it knows for a model, by their tags."""
    table = _table_of_weights()
    tags = table.list_pretrained_tags_by_model(model)
    return {tag: table.get_pretrained_cfg(model, tag) for tag in tags}


@functools.cache
def _table_of_weights() -> ModuleType:
    """Load open_clip's table alone, without torch, which it needs for nothing here."""
    package = ModuleType("open_clip_alone")
    package.__path__ = [str(_config_folder().parent)]
    sys.modules[package.__name__] = package
    loaded = sys.modules.get("safetensors.torch")
    sys.modules["safetensors.torch"] = loaded  # type: ignore[assignment] # None: not installed
    try:
        return importlib.import_module("open_clip_alone.pretrained")
    finally:
        if loaded is None:
            del sys.modules["safetensors.torch"]


def _config_folder() -> Path:
    """Return where open_clip keeps its models' descriptions: importing it takes seconds."""
    package = importlib.util.find_spec("open_clip")
    places = package.submodule_search_locations if package is not None else None
    return Path(places[0] if places else "/nowhere") / "model_configs"


def _read_config(model: str) -> dict[str, Any]:
    """Return open_clip's description of a model; an empty one where it is not installed."""
    files = {path.stem: path for path in sorted(_config_folder().glob("*.json"))}
    if not files:
        return {}
    if model not in files:
        raise UsageError(
            f"open_clip knows no model {model!r}{did_you_mean(model, files)}",
            suggestion="python -c 'import open_clip; print(*open_clip.list_models())' lists them",
        )
    found: dict[str, Any] = json.loads(files[model].read_bytes())
    return found


def _read_directory(directory: Path) -> dict[str, Any]:
    problem = "it holds no weights"
    try:
        found: dict[str, Any] = json.loads((directory / CONFIG_FILE).read_bytes())["model_cfg"]
        if any((directory / name).is_file() for name in WEIGHT_FILES):
            return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{CONFIG_FILE}: {error!r}"
    raise DataError(
        f"not an open_clip model directory: {directory}",
        details=problem,
        suggestion=f"it needs {CONFIG_FILE}, and {' or '.join(WEIGHT_FILES)}",
    )


def _contradictions(args: Namespace) -> Iterator[str]:
    names = ("precision", "engine", "device", "pretrained")
    precision, engine, device, pretrained = (getattr(args, name, None) for name in names)
    model = getattr(args, "model", None) or ""
    if device in {"cuda", "mps"} and engine == "onnx":
        yield f"--engine onnx runs on the CPU, not on {device}: use --engine torch"
    if precision == "int8" and (engine == "torch" or device in {"cuda", "mps"}):
        yield "--precision int8 needs --engine onnx on the CPU (leave --engine and --device out)"
    if precision == "fp16" and (engine == "onnx" or device == "cpu"):
        yield "--precision fp16 needs a GPU and --engine torch (leave --engine and --device out)"
    if model.startswith(_DIRECTORIES) and pretrained is not None:
        yield f"--pretrained {pretrained} makes no sense with --model {model}: it has its weights"
    fixed = _FOR_ONNX if model.startswith(ONNX_DIR) else {}
    for flag, possible in fixed.items():
        value = getattr(args, flag, None)
        if value not in (None, *possible):
            yield f"--{flag} {value} makes no sense with --model {model}: it runs as it is"


FLAGS = FlagGroup(
    "model",
    (
        Flag(
            "--model", None, "ViT-B-32-quickgelu", "NAME", "open_clip name, local-dir:DIR, onnx:DIR"
        ),
        Flag("--pretrained", None, None, "TAG", "weights: tag, file, `random` for tests (openai)"),
        Flag("--size", Number(int, 64, 4096), 384, "PX", "side of the square in pixels, >= 64"),
        Flag("--fit", OneOf(FITS), "pad", "HOW", f"how images become squares: {', '.join(FITS)}"),
        Flag("--device", OneOf(DEVICES), "auto", "DEV", ", ".join(DEVICES)),
        Flag("--engine", OneOf(ENGINES), "auto", "E", f"{', '.join(ENGINES)}: onnx is for CPUs"),
        Flag("--precision", OneOf(PRECISIONS), "fp32", "P", "fp32, int8 (CPUs), fp16 (GPUs)"),
    ),
    _contradictions,
)
