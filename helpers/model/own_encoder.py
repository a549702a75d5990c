"""An image encoder that somebody exported: `--model onnx:DIR`, with two files in the directory.

`encoder.onnx` has one input, a batch of square pictures, and its first output is a batch of
vectors. `encoder.json` says what the pictures must be:

    {"size": 224, "dtype": "float32", "layout": "NCHW", "mean": [0.485, 0.456, 0.406],
     "std": [0.229, 0.224, 0.225], "interpolation": "bicubic"}

`uint8` pixels go in as they are, without `mean` and `std`. `interpolation` may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import sha256_file
from helpers.errors import DataError, UsageError

if TYPE_CHECKING:
    from helpers.model.options import ModelOptions

ONNX_DIR = "onnx:"
MODEL_FILE, DESCRIPTION_FILE = "encoder.onnx", "encoder.json"
INTERPOLATIONS = ("bicubic", "bilinear")
_CHANNELS, _LEAST_SIZE = 3, 16
_PLAIN = {"mean": [0.0] * _CHANNELS, "std": [1.0] * _CHANNELS}


def _are_channels(values: object) -> bool:
    return (
        isinstance(values, list)
        and len(values) == _CHANNELS
        and all(isinstance(value, int | float) for value in values)
    )


#: Each field of `encoder.json`: what it must be, and whether a value is that.
_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "size": (
        f"a whole number >= {_LEAST_SIZE}",
        lambda value: isinstance(value, int) and value >= _LEAST_SIZE,
    ),
    "dtype": ("float32 or uint8", lambda value: value in ("float32", "uint8")),
    "layout": ("NCHW or NHWC", lambda value: value in ("NCHW", "NHWC")),
    "mean": ("three numbers", _are_channels),
    "std": ("three numbers above 0", lambda value: _are_channels(value) and min(value) > 0),
    "interpolation": (" or ".join(INTERPOLATIONS), lambda value: value in INTERPOLATIONS),
}


def read_description(directory: Path) -> dict[str, Any]:
    """Return `encoder.json` with the fields that may be left out, or raise `DataError`."""
    missing = [name for name in (MODEL_FILE, DESCRIPTION_FILE) if not (directory / name).is_file()]
    if missing:
        raise _unusable(directory, f"missing: {', '.join(missing)}")
    try:
        given = json.loads((directory / DESCRIPTION_FILE).read_bytes())
        found = {**_PLAIN, "interpolation": INTERPOLATIONS[0], **given}
        problems = [
            f"{name} must be {words}"
            for name, (words, is_right) in _FIELDS.items()
            if not is_right(found.get(name))
        ]
        problems += [f"it knows no {name}" for name in found.keys() - _FIELDS.keys()]
        if found.get("dtype") == "uint8" and any(found[name] != _PLAIN[name] for name in _PLAIN):
            problems.append("uint8 pixels have no mean and std")
    except (OSError, ValueError, TypeError) as error:
        problems = [str(error)]
    if problems:
        raise _unusable(directory, f"{DESCRIPTION_FILE}: {'; '.join(problems)}")
    return found


def _unusable(directory: Path, details: str) -> DataError:
    return DataError(
        f"not a directory of an exported encoder: {directory}",
        details=details,
        suggestion=f"it needs {MODEL_FILE} and {DESCRIPTION_FILE}, such as"
        ' {"size": 224, "dtype": "float32", "layout": "NCHW", "mean": […], "std": […]}',
    )


def check_options(options: ModelOptions) -> None:
    """Check flags that an exported encoder cannot follow (`UsageError`), and its two files."""
    possible = {"engine": ("auto", "onnx"), "device": ("auto", "cpu"), "precision": ("fp32",)}
    for flag, values in possible.items():
        if getattr(options, flag) not in values:
            raise UsageError(
                f"--{flag} {getattr(options, flag)} makes no sense with --model {options.model}",
                suggestion="an exported encoder runs as it is, with ONNX Runtime: leave it out",
            )
    read_description(options.directory)


def describe(options: ModelOptions, path: Path) -> dict[str, Any]:
    """Return what is known of an encoder (`helpers.model.encoder_cache.Encoder`), or `DataError`.

    `path` is a copy of its `encoder.onnx`.
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
        "input": {"dtype": found["dtype"], "layout": found["layout"]},
    }
    shape = {"side": found["size"], **{key: found[key] for key in ("mean", "std", "interpolation")}}
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
