"""Which model is asked for, as far as that can be known without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.errors import DataError, UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

LOCAL_DIR = "local-dir:"
RANDOM = "random"
DEFAULT_PRETRAINED = "openai"


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which model sees which square. `pretrained` is a tag, a file, `random`, or empty."""

    model: str
    pretrained: str
    device: str
    precision: str
    size: int
    fit: str

    @classmethod
    def from_args(cls, args: Namespace) -> ModelOptions:
        """Read the flags of the group "build"; a local directory names its own weights."""
        pretrained = args.pretrained
        if args.model.startswith(LOCAL_DIR):
            if pretrained is not None:
                raise UsageError(
                    f"--pretrained {pretrained} makes no sense with --model {args.model}",
                    suggestion="a model directory holds its own weights: leave --pretrained out",
                )
            model = LOCAL_DIR + str(Path(args.model.removeprefix(LOCAL_DIR)).absolute())
            pretrained = ""
        else:
            model = args.model
            pretrained = DEFAULT_PRETRAINED if pretrained is None else pretrained
            if Path(pretrained).is_file():
                pretrained = str(Path(pretrained).absolute())
        return cls(model, pretrained, args.device, args.precision, args.size, args.fit)

    @property
    def trained(self) -> bool:
        """False for weights that were never trained."""
        return self.pretrained != RANDOM

    def check_files(self) -> None:
        """Raise `DataError` if a model directory is none; open_clip would use random weights."""
        if self.model.startswith(LOCAL_DIR):
            _check_directory(Path(self.model.removeprefix(LOCAL_DIR)))

    def files(self) -> Iterator[Path]:
        """Yield the local files that the weights come from, if any."""
        if self.model.startswith(LOCAL_DIR):
            yield from sorted(Path(self.model.removeprefix(LOCAL_DIR)).glob("open_clip_*"))
        elif Path(self.pretrained).is_file():
            yield Path(self.pretrained)


def _check_directory(directory: Path) -> None:
    weights = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    missing = [] if (directory / "open_clip_config.json").is_file() else ["open_clip_config.json"]
    if not any((directory / name).is_file() for name in weights):
        missing.append(" or ".join(weights))
    if missing:
        raise DataError(
            f"not an open_clip model directory: {directory}",
            details=f"missing: {'; '.join(missing)}",
            suggestion="choose a directory that holds the configuration and the weights",
        )
