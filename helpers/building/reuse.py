"""Vectors of unchanged images, taken from the last build."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.building.row_keys import KEY_TYPE, row_key
from helpers.errors import DataError
from helpers.index.manifest import damage, read_manifest
from helpers.index.npy_file import reading, vector_type
from helpers.index.publish import METADATA, VECTORS, published_path
from helpers.model.fingerprint import ARITHMETIC, differences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.building.checkpoint import VectorStore


_OTHER_MODEL = "it was made with another model, other weights or other preprocessing"
_OTHER_ARITHMETIC = "it was made with another engine, precision or export of the same model"


def reuse_last_build(out: Path, fingerprint: dict[str, Any], store: VectorStore) -> tuple[int, str]:
    """Take the vectors of unchanged images from the build in `out`.

    Returns:
        How many, and why none could be taken ("" if some could, or if there is no build).
    """
    if not published_path(out, VECTORS).exists():
        return 0, ""
    try:
        last = read_manifest(out)
        if differences(last["model"], fingerprint):
            same_model = not differences(last["model"], fingerprint, ARITHMETIC)
            return 0, _OTHER_ARITHMETIC if same_model else _OTHER_MODEL
        problem = damage(out, last, (VECTORS, METADATA))
        if problem is not None:
            return 0, problem
        keys = np.array(list(_published_keys(published_path(out, METADATA))), dtype=KEY_TYPE)
        with reading(published_path(out, VECTORS), vector_type(store.dim), len(keys)) as vectors:
            return store.carry_over(keys, vectors, np.ones(len(keys), dtype=bool)), ""
    except DataError as error:
        return 0, error.details
    except (OSError, ValueError, KeyError) as error:
        return 0, str(error)


def _published_keys(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            record = json.loads(line)
            sha256 = bytes.fromhex(record["image_sha256"])
            yield row_key(record["face_id"], record["image_file"], sha256)
