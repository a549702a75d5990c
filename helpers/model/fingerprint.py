"""A model's fingerprint: everything that decides the vectors, and how two of them differ."""

from typing import Any

from helpers.errors import DataError


def require_same_model(wanted: dict[str, Any], found: dict[str, Any], again: str) -> None:
    """Raise unless the query is embedded as the index was, by whatever engine.

    Args:
        wanted: the fingerprint in the manifest.
        found: the fingerprint of the model that was loaded for the query.
        again: what to type to build the index anew.

    Raises:
        DataError: names every difference.
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

    Where the model came from does not count, so a model directory may be moved.

    Args:
        old: a fingerprint (`helpers.model.embedder.Embedder`).
        new: another one.
        ignoring: fields that do not count, either.
    """
    before, after = (_flat(one, _ORIGIN | ignoring) for one in (old, new))
    if before == after:
        return []
    before, after = (_flat(one, ignoring) for one in (old, new))
    return [
        f"{key}: was {before.get(key)!r}, is now {after.get(key)!r}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def _flat(fingerprint: dict[str, Any], ignoring: frozenset[str]) -> dict[str, Any]:
    """Return the fields, those of `preprocessing` as `preprocessing.size` and so on."""
    flat: dict[str, Any] = {}
    fingerprint = {"engine": "torch", **fingerprint}  # version 1.0 knew no other
    for key in fingerprint.keys() - ignoring:
        value = fingerprint[key]
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat
