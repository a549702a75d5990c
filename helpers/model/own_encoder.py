"""An image encoder that somebody exported: `--model onnx:DIR`, with two files in the directory.

`encoder.onnx` has one input, a batch of square pictures, and its first output is a batch of
vectors. `encoder.json` says what the pictures must be:

    {"size": 224, "dtype": "float32", "layout": "NCHW", "mean": [0.485, 0.456, 0.406],
     "std": [0.229, 0.224, 0.225], "interpolation": "bicubic"}

`uint8` pixels go in as they are, without `mean` and `std`. `interpolation` may be left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import sha256_file
from helpers.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.model.options import ModelOptions

ONNX_DIR = "onnx:"
MODEL_FILE, DESCRIPTION_FILE = "encoder.onnx", "encoder.json"
DTYPES, LAYOUTS, INTERPOLATIONS = ("float32", "uint8"), ("NCHW", "NHWC"), ("bicubic", "bilinear")
_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Description:
    """The content of `encoder.json`.

    Args:
        size: side of the input in pixels.
        dtype: of the input, one of `DTYPES`.
        layout: of the input, one of `LAYOUTS`.
        mean: per channel, of pixel values 0 to 1.
        std: per channel.
        interpolation: how pictures are resized, one of `INTERPOLATIONS`.
    """

    size: int
    dtype: str
    layout: str
    mean: tuple[float, ...] = (0.0,) * _CHANNELS
    std: tuple[float, ...] = (1.0,) * _CHANNELS
    interpolation: str = "bicubic"

    def problem(self) -> str | None:
        """Return what is wrong with the values."""
        checks = {
            "size must be a whole number >= 16": isinstance(self.size, int) and self.size >= 16,  # noqa: PLR2004
            f"dtype must be one of {', '.join(DTYPES)}": self.dtype in DTYPES,
            f"layout must be one of {', '.join(LAYOUTS)}": self.layout in LAYOUTS,
            "mean must be three numbers": _is_triple(self.mean),
            "std must be three numbers above 0": _is_triple(self.std) and min(self.std) > 0,
            "uint8 pixels have no mean and std": self.dtype != "uint8" or self.is_plain,
            f"interpolation must be one of {', '.join(INTERPOLATIONS)}": (
                self.interpolation in INTERPOLATIONS
            ),
        }
        return next((message for message, holds in checks.items() if not holds), None)

    @property
    def is_plain(self) -> bool:
        """True if pixels are not normalised."""
        return (*self.mean, *self.std) == (0.0,) * _CHANNELS + (1.0,) * _CHANNELS


def _is_triple(values: object) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) == _CHANNELS
        and all(isinstance(value, int | float) for value in values)
    )


def read_description(directory: Path) -> Description:
    """Read `encoder.json`.

    Raises:
        DataError: a file is missing, or the description is wrong.
    """
    missing = [name for name in (MODEL_FILE, DESCRIPTION_FILE) if not (directory / name).is_file()]
    if missing:
        raise _unusable(directory, f"missing: {', '.join(missing)}")
    try:
        fields = json.loads((directory / DESCRIPTION_FILE).read_bytes())
        for name in ("mean", "std"):
            if name in fields:
                fields[name] = tuple(fields[name])
        found = Description(**fields)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(directory, f"{DESCRIPTION_FILE}: {error}") from error
    problem = found.problem()
    if problem is not None:
        raise _unusable(directory, f"{DESCRIPTION_FILE}: {problem}")
    return found


def _unusable(directory: Path, details: str) -> DataError:
    return DataError(
        f"not a directory of an exported encoder: {directory}",
        details=details,
        suggestion=f"it needs {MODEL_FILE} and {DESCRIPTION_FILE}, such as"
        ' {"size": 224, "dtype": "float32", "layout": "NCHW", "mean": […], "std": […]}',
    )


def check_options(options: ModelOptions) -> None:
    """Check flags that an exported encoder cannot follow, and its two files.

    Raises:
        UsageError: it only runs as it is, with ONNX Runtime on the CPU.
        DataError: see `read_description`.
    """
    unfit = {
        f"--engine {options.engine}": options.engine == "torch",
        f"--device {options.device}": options.device not in {"auto", "cpu"},
        f"--precision {options.precision}": options.precision != "fp32",
    }
    for flag, holds in unfit.items():
        if holds:
            raise UsageError(
                f"{flag} makes no sense with --model {options.model}",
                suggestion="an exported encoder runs as it is, with ONNX Runtime: leave it out",
            )
    read_description(options.directory)


def describe(options: ModelOptions, path: Path) -> dict[str, Any]:
    """Return what is known of the encoder, see `helpers.model.encoder_cache.Encoder`.

    Args:
        options: which directory.
        path: a copy of its `encoder.onnx`.

    Raises:
        DataError: it cannot be used.
    """
    import numpy as np

    from helpers.model.onnx_embedder import OnnxEmbedder

    found = read_description(options.directory)
    model = {
        "model": options.model,
        "pretrained": "",
        "trained": True,
        "architecture_sha256": options.architecture_digest(),
        "weights_sha256": sha256_file(path),
        "input": {"dtype": found.dtype, "layout": found.layout},
    }
    shape = {
        "side": found.size,
        "mean": list(found.mean),
        "std": list(found.std),
        "interpolation": found.interpolation,
    }
    seen = {**shape, "size": options.size, "fit": options.fit}
    fingerprint = {**model, "precision": "fp32", "preprocessing": seen}
    embedder = OnnxEmbedder(path, fingerprint, 1)
    side = embedder.preprocessing.side
    embedder.embed(np.full((2, 3, side, side), 0.5, np.float32))  # whatever is wrong, say it now
    return {
        "precision": "fp32",
        "dimension": embedder.dim,
        "model": model,
        "input": shape,
        "checks": {},
    }
