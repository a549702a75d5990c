"""A model's fingerprint: everything that decides the vectors, and how two of them differ."""

from dataclasses import asdict
from typing import Any

from helpers.errors import DataError
from helpers.images.preprocess import Preprocessing
from helpers.model.options import ModelOptions


def fingerprint_of(
    model: dict[str, Any], shape: dict[str, Any], options: ModelOptions, **arithmetic: str
) -> dict[str, Any]:
    """Return all that decides the vectors of a `model` with an input of a `shape`.

    See `encoder_cache.Encoder` for the two; `arithmetic` is what `ARITHMETIC` names.
    """
    how = Preprocessing.of_model(shape, options.size, options.fit, options.resizes)
    return {**model, "preprocessing": asdict(how), **arithmetic}


def require_same_model(wanted: dict[str, Any], found: dict[str, Any], again: str) -> None:
    """Raise `DataError`, naming every difference, unless a query is embedded as the index was.

    `wanted` is the manifest's fingerprint, `found` that of the model that was loaded, by whatever
    engine; `again` is what to type to build the index anew.
    """
    different = differences(wanted, found, ARITHMETIC)
    if different:
        raise DataError(
            "the model here is not the one that the index was built with",
            details="\n".join(different),
            suggestion=f"restore that model, or build the index anew: {again}",
        )


#: Where a model came from; its weights and its architecture are in the fingerprint by digest.
_ORIGIN = frozenset({"model", "pretrained"})
#: How the same weights are multiplied: to a user the vectors are the same, to a file they are not.
ARITHMETIC = frozenset({"engine", "precision", "encoder_sha256"})


def differences(
    old: dict[str, Any], new: dict[str, Any], ignoring: frozenset[str] = frozenset()
) -> list[str]:
    """Return what keeps two fingerprints from giving the same vectors, as lines for people.

    Where the model came from does not count, so a model directory may be moved; nor do the fields
    that are named in `ignoring`.
    """
    before, after = _flat(old), _flat(new)
    changed = [
        key for key in sorted({*before, *after} - ignoring) if before.get(key) != after.get(key)
    ]
    if _ORIGIN.issuperset(changed):
        return []
    return [f"{key}: was {before.get(key)!r}, is now {after.get(key)!r}" for key in changed]


def _flat(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """Return the fields, those of `preprocessing` as `preprocessing.size` and so on."""
    flat: dict[str, Any] = {"engine": "torch", "preprocessing.resizes": 2}  # of earlier versions
    for key, value in fingerprint.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat
