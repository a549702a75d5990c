"""What a manifest must hold to be believed; fields that nothing here reads may be anything.

A damaged manifest would make every answer wrong without an error: other preprocessing, other rows.
"""

import hashlib
import json
import re
from typing import Any

from helpers.model.options import FITS
from helpers.model.own_encoder import INTERPOLATIONS

_VERSIONS = re.compile(r"1\..*")  # that this program reads
SEAL = "sha256"  # of the manifest without this field
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: The name of a file in the index's own directory: no path, nothing hidden.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LARGEST = 65_536  # dimension of a vector, side of a picture, size of a channel's mean
_CHANNELS = 3
_SIDE = range(1, _LARGEST + 1)
_COUNT, _AT_LEAST_1 = range(1 << 63), range(1, 1 << 63)


def seal(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own digest, whatever its layout."""
    rest = {key: value for key, value in document.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _are_channels(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == _CHANNELS
        and all(isinstance(each, int | float) and abs(each) <= _LARGEST for each in value)
    )


def _are_divisors(value: Any) -> bool:
    return _are_channels(value) and 0 not in value


#: Field → what its value must be: of a type, a whole number of a range, one of some words, text of
#: a pattern, what a function says, or an object with fields. One with `?` may be missing.
Fields = dict[str, Any]
_INPUT: Fields = {
    "side": _SIDE,
    "mean": _are_channels,
    "std": _are_divisors,
    "interpolation": INTERPOLATIONS,
}
_OUTPUT: Fields = {"bytes": _COUNT, "sha256": _DIGEST}
_MANIFEST: Fields = {
    "version": _VERSIONS,
    "build_id": str,
    "parameters": {"cache": str, "fit?": str, "size?": _COUNT},
    "outputs": dict,
    "model": {
        "model": str,
        "preprocessing": {**_INPUT, "fit": FITS, "size": _SIDE, "resizes?": range(1, 3)},
        "trained?": bool,
        "precision?": str,
    },
    "index": {
        "type": str,
        "metric": str,
        "vectors": _AT_LEAST_1,
        "dimension": _SIDE,
        "distinct": _AT_LEAST_1,
    },
    "source": dict,
    "statistics": dict,
    "encoder?": {"key": str, "precision": str, "sha256": _DIGEST, "input": _INPUT},
    f"{SEAL}?": str,
}


def _fits(value: Any, rule: Any) -> bool:
    match rule:
        case dict():
            return isinstance(value, dict)
        case type():
            return isinstance(value, rule)
        case range():
            return type(value) is int and value in rule
        case tuple():
            return value in rule
        case re.Pattern():
            return isinstance(value, str) and rule.fullmatch(value) is not None
    return bool(rule(value))


def _check(value: Any, rule: Any, where: str) -> None:
    """Raise `ValueError` unless `value` is what a rule says."""
    if not _fits(value, rule):
        raise ValueError(f"{where} is {value!r:.60}")
    for field, inner in rule.items() if isinstance(rule, dict) else ():
        name = field.removesuffix("?")
        if name in value:
            _check(value[name], inner, f"{where}.{name}")
        elif name == field:
            raise ValueError(f"{where}.{name} is missing")


def check_manifest(document: Any) -> None:
    """Raise `ValueError` unless `document` is a manifest that can be believed.

    One without a digest, as version 1.1 wrote them, is judged by its fields alone.
    """
    _check(document, _MANIFEST, "manifest")
    if document["index"]["distinct"] > document["index"]["vectors"]:
        raise ValueError("manifest.index.distinct is more than its vectors")
    for name, output in document["outputs"].items():
        if _FILE_NAME.fullmatch(name) is None:
            raise ValueError(f"manifest.outputs names {name!r:.60}, which is no file of it")
        _check(output, _OUTPUT, f"manifest.outputs.{name}")
    if SEAL in document and document[SEAL] != seal(document):
        raise ValueError("its own SHA-256 differs: it has been changed")
