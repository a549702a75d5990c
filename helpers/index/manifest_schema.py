"""What a manifest must hold to be believed; fields that nothing here reads may be anything.

A damaged manifest would make every answer wrong without an error: other preprocessing, other rows.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from helpers.model.options import FITS
from helpers.model.own_encoder import INTERPOLATIONS

SEAL = "sha256"  # of the manifest without this field
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: The name of a file in the index's own directory: no path, nothing hidden.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LARGEST = 65_536  # dimension of a vector, side of a picture, size of a channel's mean
_CHANNELS = 3

Rule = Callable[[Any], bool]


class SchemaError(ValueError):
    """A manifest is not what it should be; `str()` says where."""


def seal(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own digest, whatever its layout."""
    rest = {key: value for key, value in document.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _a(kind: type) -> Rule:
    return lambda value: isinstance(value, kind)


def _whole(least: int, most: float = math.inf) -> Rule:
    return lambda value: type(value) is int and least <= value <= most


def _among(words: tuple[str, ...]) -> Rule:
    return lambda value: value in words


def _like(pattern: re.Pattern[str]) -> Rule:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _are_channels(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == _CHANNELS
        and all(isinstance(each, int | float) and abs(each) <= _LARGEST for each in value)
    )


def _are_divisors(value: Any) -> bool:
    return _are_channels(value) and 0 not in value


#: Field → what its value must be: a rule, or the fields of an object. One with `?` may be missing.
Fields = Mapping[str, "Rule | Fields"]
_INPUT: Fields = {
    "side": _whole(1, _LARGEST),
    "mean": _are_channels,
    "std": _are_divisors,
    "interpolation": _among(INTERPOLATIONS),
}
_OUTPUT: Fields = {"bytes": _whole(0), "sha256": _like(_DIGEST)}
_MANIFEST: Fields = {
    "version": _a(str),
    "build_id": _a(str),
    "parameters": {"cache": _a(str), "fit?": _a(str), "size?": _whole(0)},
    "outputs": _a(dict),
    "model": {
        "model": _a(str),
        "preprocessing": {
            **_INPUT,
            "fit": _among(FITS),
            "size": _whole(1, _LARGEST),
            "resizes?": _whole(1, 2),
        },
        "trained?": _a(bool),
        "precision?": _a(str),
    },
    "index": {
        "type": _a(str),
        "metric": _a(str),
        "vectors": _whole(1),
        "dimension": _whole(1, _LARGEST),
        "distinct": _whole(1),
    },
    "source": _a(dict),
    "statistics": _a(dict),
    "encoder?": {"key": _a(str), "precision": _a(str), "input": _INPUT},
    f"{SEAL}?": _a(str),
}


def _read(value: Any, wanted: Fields, where: str) -> None:
    """Raise `SchemaError` unless `value` is an object with these fields."""
    if not isinstance(value, dict):
        raise SchemaError(f"{where} is no object")
    for field, rule in wanted.items():
        name = field.removesuffix("?")
        if name not in value:
            if name == field:
                raise SchemaError(f"{where}.{name} is missing")
        elif isinstance(rule, Mapping):
            _read(value[name], rule, f"{where}.{name}")
        elif not rule(value[name]):
            raise SchemaError(f"{where}.{name} is {value[name]!r:.60}")


def check_manifest(document: Any) -> None:
    """Raise `SchemaError` unless `document` is a manifest that can be believed.

    One without a digest, as version 1.1 wrote them, is judged by its fields and by whether they
    agree with each other.
    """
    _read(document, _MANIFEST, "manifest")
    if document["index"]["distinct"] > document["index"]["vectors"]:
        raise SchemaError("manifest.index.distinct is more than its vectors")
    for name, output in document["outputs"].items():
        if _FILE_NAME.fullmatch(name) is None:
            raise SchemaError(f"manifest.outputs names {name!r:.60}, which is no file of it")
        _read(output, _OUTPUT, f"manifest.outputs.{name}")
    if SEAL in document:
        if document[SEAL] != seal(document):
            raise SchemaError("its own SHA-256 differs: it has been changed")
        return
    shape, flags = document["model"]["preprocessing"], document["parameters"]
    saw = document.get("encoder", {}).get("input", {})
    for other in ({key: flags[key] for key in ("fit", "size") if key in flags}, saw):
        for key, value in other.items():
            if key in shape and shape[key] != value:
                raise SchemaError(f"model.preprocessing.{key} is {shape[key]!r}, not {value!r}")
