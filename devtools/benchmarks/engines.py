"""The engines that can run a model: which flags choose them, and what they need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import cli
from helpers.building import options as building
from helpers.cli_validation import validate_args
from helpers.model import options as model
from helpers.model.options import LOCAL_DIR, RANDOM, ModelOptions

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from helpers.building import engine
    from helpers.model.embedder import Embedder

#: Exporting an encoder needs torch, too.
_EXPORT = ("onnxruntime", "onnx", "onnxscript", "torch", "open_clip")


@dataclass(frozen=True, slots=True)
class EngineFlags:
    """One way to run the model.

    Args:
        name: a word of `--engines`.
        flags: of `build_embeddings.py` that choose it.
        needs: modules that must be installed.
    """

    name: str
    flags: tuple[str, ...]
    needs: tuple[str, ...]


TORCH = EngineFlags("torch-fp32", ("--engine", "torch"), ("torch", "open_clip"))
ENGINES = (
    TORCH,
    EngineFlags("onnx-fp32", ("--engine", "onnx"), _EXPORT),
    EngineFlags("onnx-int8", ("--precision", "int8"), _EXPORT),
)


def model_flags(args: Namespace) -> list[str]:
    """Return the flags that tell a build which model is meant; its weights may be random."""
    if args.pretrained is None and args.model.startswith(LOCAL_DIR):
        return ["--model", args.model]
    return ["--model", args.model, "--pretrained", args.pretrained or RANDOM]


def model_options(args: Namespace) -> ModelOptions:
    """Return the model that is meant.

    Raises:
        UsageError: the flags contradict each other, or open_clip knows no such model.
        DataError: a model directory is none.
    """
    options = ModelOptions.from_args(build_arguments(model_flags(args)))
    options.check_files()
    return options


def build_arguments(flags: Sequence[str]) -> Namespace:
    """Return what a build makes of these flags, with all its defaults."""
    args = cli.parser(None, building.FLAGS, model.FLAGS).read(flags)
    validate_args(args)
    return args


# --- in a process of its own -----------------------------------------------------------------


def open_embedder(flags: Sequence[str], cache: str) -> Embedder:
    """Return the embedder that a build of a cache with these flags would use.

    Raises:
        DataError: there is none.
    """
    options = ModelOptions.from_args(build_arguments(flags))
    if options.engine == "torch":
        from helpers.model.torch_embedder import OpenClipEmbedder

        return OpenClipEmbedder(options)
    return _engine(options, cache).open()


def prepare(flags: list[str], cache: str) -> dict[str, Any]:
    """Export the encoder that a build with these flags leaves; return the `engine`."""
    return {"engine": _engine(ModelOptions.from_args(build_arguments(flags)), cache).name}


def _engine(options: ModelOptions, cache: str) -> engine.Engine:
    from helpers.building.engine import prepare_engine
    from helpers.images.cache import ImageCache
    from helpers.report import Reporter

    images = ImageCache(cache)
    return prepare_engine(
        options,
        Path(cache) / "no-index",
        lambda count: list(images.images())[:count],
        Reporter(quiet=True),
    )
