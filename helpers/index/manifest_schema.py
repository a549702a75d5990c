"""What a manifest must hold to be believed; fields that nothing here reads may be anything.

A damaged manifest would make every answer wrong without an error: other preprocessing, other rows.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from helpers.model.options import FITS

SEAL = "sha256"  # of the manifest without this field
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: The name of a file in the index's own directory: no path, nothing hidden.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
INTERPOLATIONS = ("bicubic", "bilinear")  # what `helpers.images.preprocess` knows
_LARGEST = 65_536  # dimension of a vector, side of a picture
_CHANNELS = 3


class SchemaError(ValueError):
    """A manifest is not what it should be; `str()` says where."""


def seal(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own digest, whatever its layout."""
    rest = {key: value for key, value in document.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Part:
    """Reads its own fields from a JSON object, by type and then by `check`."""

    @classmethod
    def read(cls, value: Any, where: str) -> None:
        """Raise `SchemaError` unless `value` has every field of the class, as the class has it."""
        if not isinstance(value, dict):
            raise SchemaError(f"{where} is no object")
        known = {}
        for field in fields(cls):
            if field.name in value:
                known[field.name] = value[field.name]
            elif field.default is MISSING:
                raise SchemaError(f"{where}.{field.name} is missing")
        part = cls(**known)
        for field in fields(cls):
            kinds = cls.KINDS[str(field.type)]
            found = getattr(part, field.name)
            if field.name in value and (
                not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds)
            ):
                raise SchemaError(f"{where}.{field.name} is {found!r:.60}")
        for name, good in part.rules().items():
            if not good:
                raise SchemaError(f"{where}.{name} is {getattr(part, name)!r:.60}")
        part.read_parts(where)

    KINDS: ClassVar[dict[str, tuple[type, ...]]] = {
        "str": (str,),
        "int": (int,),
        "bool": (bool,),
        "list[Any]": (list,),
        "dict[str, Any]": (dict,),
    }

    def rules(self) -> dict[str, bool]:
        """Return, by field, whether its value makes sense; all types are right by then."""
        return {}

    def read_parts(self, where: str) -> None:
        """Read the objects inside this one."""


@dataclass(frozen=True)
class _Input(_Part):
    """What an encoder sees."""

    side: int
    mean: list[Any]
    std: list[Any]
    interpolation: str

    def rules(self) -> dict[str, bool]:
        return {
            "side": 0 < self.side <= _LARGEST,
            "mean": _are_numbers(self.mean),
            "std": _are_numbers(self.std) and 0 not in self.std,
            "interpolation": self.interpolation in INTERPOLATIONS,
        }


@dataclass(frozen=True)
class _Preprocessing(_Input):
    fit: str
    size: int
    resizes: int = 2

    def rules(self) -> dict[str, bool]:
        fit, size = self.fit in FITS, 0 < self.size <= _LARGEST
        resizes = self.resizes in {1, 2}
        return {**super().rules(), "fit": fit, "size": size, "resizes": resizes}


@dataclass(frozen=True)
class _Model(_Part):
    model: str
    preprocessing: dict[str, Any]
    trained: bool = True
    precision: str = ""

    def read_parts(self, where: str) -> None:
        _Preprocessing.read(self.preprocessing, f"{where}.preprocessing")


@dataclass(frozen=True)
class _Index(_Part):
    type: str
    metric: str
    vectors: int
    dimension: int
    distinct: int

    def rules(self) -> dict[str, bool]:
        return {
            "vectors": self.vectors > 0,
            "dimension": 0 < self.dimension <= _LARGEST,
            "distinct": 0 < self.distinct <= self.vectors,
        }


@dataclass(frozen=True)
class _Output(_Part):
    bytes: int
    sha256: str

    def rules(self) -> dict[str, bool]:
        return {"bytes": self.bytes >= 0, "sha256": _DIGEST.fullmatch(self.sha256) is not None}


@dataclass(frozen=True)
class _Encoder(_Part):
    key: str
    precision: str
    input: dict[str, Any]

    def read_parts(self, where: str) -> None:
        _Input.read(self.input, f"{where}.input")


@dataclass(frozen=True)
class _Parameters(_Part):
    cache: str
    fit: str = ""
    size: int = 0


@dataclass(frozen=True)
class _Manifest(_Part):
    version: str
    build_id: str
    parameters: dict[str, Any]
    outputs: dict[str, Any]
    model: dict[str, Any]
    index: dict[str, Any]
    source: dict[str, Any]
    statistics: dict[str, Any]
    sha256: str = ""

    def read_parts(self, where: str) -> None:
        _Parameters.read(self.parameters, f"{where}.parameters")
        _Model.read(self.model, f"{where}.model")
        _Index.read(self.index, f"{where}.index")
        for name, output in self.outputs.items():
            if _FILE_NAME.fullmatch(name) is None:
                raise SchemaError(f"{where}.outputs names {name!r:.60}, which is no file of it")
            _Output.read(output, f"{where}.outputs.{name}")


def check_manifest(document: Any) -> None:
    """Raise `SchemaError` unless `document` is a manifest that can be believed.

    One without a digest, as version 1.1 wrote them, is judged by its fields and by whether they
    agree with each other.
    """
    _Manifest.read(document, "manifest")
    if "encoder" in document:
        _Encoder.read(document["encoder"], "manifest.encoder")
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


def _are_numbers(values: list[Any]) -> bool:
    numbers = (isinstance(value, (int, float)) and math.isfinite(value) for value in values)
    return len(values) == _CHANNELS and all(numbers)
