"""An image encoder that somebody exported: `--model onnx:DIR`, with two files in the directory.

`encoder.onnx` has one input, a batch of square pictures, and its first output is a batch of
vectors. `encoder.json` says what the pictures must be:

    {"size": 224, "dtype": "float32", "layout": "NCHW", "mean": [0.485, 0.456, 0.406],
     "std": [0.229, 0.224, 0.225], "interpolation": "bicubic"}

`uint8` pixels go in as they are, without `mean` and `std`. `interpolation` may be left out.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.errors import DataError

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


#: Whether a value can be that of a field of `encoder.json`.
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "size": lambda value: isinstance(value, int) and value >= _LEAST_SIZE,
    "dtype": lambda value: value in ("float32", "uint8"),
    "layout": lambda value: value in ("NCHW", "NHWC"),
    "mean": _are_channels,
    "std": lambda value: _are_channels(value) and min(value) > 0,
    "interpolation": lambda value: value in INTERPOLATIONS,
}


def read_description(directory: Path) -> dict[str, Any]:
    """Return `encoder.json` with the fields that may be left out, or raise `DataError`."""
    problems = [] if (directory / MODEL_FILE).is_file() else [f"there is no {MODEL_FILE}"]
    found: dict[str, Any] = {}
    try:
        given = json.loads((directory / DESCRIPTION_FILE).read_bytes())
        found = {**_PLAIN, "interpolation": INTERPOLATIONS[0], **given}
        problems += [
            f"{name} cannot be {found.get(name)!r}"
            for name, is_right in _FIELDS.items()
            if not is_right(found.get(name))
        ]
        problems += [f"it knows no {name}" for name in found.keys() - _FIELDS.keys()]
        if found.get("dtype") == "uint8" and any(found[name] != _PLAIN[name] for name in _PLAIN):
            problems.append("uint8 pixels have no mean and std")
    except (OSError, ValueError, TypeError) as error:
        problems.append(str(error))
    if problems:
        raise DataError(
            f"not a directory of an exported encoder: {directory}",
            details="; ".join(problems),
            suggestion=f"it needs {MODEL_FILE}, and {DESCRIPTION_FILE} such as"
            ' {"size": 224, "dtype": "float32" or "uint8", "layout": "NCHW" or "NHWC",'
            ' "mean": [.5, .5, .5], "std": [.2, .2, .2], "interpolation": "bicubic" or "bilinear"}',
        )
    return found
