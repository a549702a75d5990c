"""What a row is of, in 16 bytes: rows are recognised by it, never by their number.

A card inserted in front of others shifts all row numbers; resuming by number put 29,900 of 30,000
vectors on the wrong card. So are the vectors of the last build, which are
reused where the image is unchanged.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.cards.face_list import faces_of_rows
from helpers.index.manifest import damage
from helpers.index.npy_file import reading, vector_type
from helpers.index.publish import METADATA, VECTORS, published_path
from helpers.model.fingerprint import ARITHMETIC, differences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from helpers.building.checkpoint import VectorStore
    from helpers.cards.face_list import FaceList
    from helpers.images.scan import Scan

KEY_BYTES = 16
KEY_TYPE = np.dtype(f"S{KEY_BYTES}")
_OTHER_MODEL = "it was made with another model, other weights or other preprocessing"
_OTHER_ARITHMETIC = "it was made with another engine, precision or export of the same model"


def row_key(face_id: str, image_file: str, sha256: bytes) -> bytes:
    """Return 16 bytes that stand for one face with one image content.

    The last byte is made odd, since numpy drops zero bytes at the end of a string.
    """
    text = f"{face_id}\0{image_file}\0".encode() + sha256
    key = hashlib.blake2b(text, digest_size=KEY_BYTES).digest()
    return key[:-1] + bytes([key[-1] | 1])


def match_rows(
    wanted: NDArray[np.bytes_], known: NDArray[np.bytes_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return int64 [m] rows of `wanted` and int64 [m] rows of `known` with equal keys."""
    if len(known) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], wanted)
    place[place == len(known)] = 0
    found = order[place]
    hit = np.flatnonzero(known[found] == wanted)
    return hit, found[hit]


def row_keys(faces: FaceList, scan: Scan) -> NDArray[np.bytes_]:
    """Return S16 [n], the key of every row."""
    keys = np.zeros(len(scan.faces), dtype=KEY_TYPE)
    for row, face in enumerate(faces_of_rows(faces, scan.faces)):
        keys[row] = row_key(face.face_id, face.image_file, scan.sha256[row].tobytes())
    return keys


def reuse_last_build(
    out: Path, last: dict[str, Any] | None, fingerprint: dict[str, Any], store: VectorStore
) -> tuple[int, str]:
    """Take the vectors of unchanged images from the build in `out`, whose manifest is `last`.

    Returns:
        How many, and why none could be taken ("" if some could, or if there is no build).
    """
    if last is None:
        there = published_path(out, VECTORS).exists()
        return 0, "its manifest cannot be used" if there else ""
    if differences(last["model"], fingerprint):
        same_model = not differences(last["model"], fingerprint, ARITHMETIC)
        return 0, _OTHER_ARITHMETIC if same_model else _OTHER_MODEL
    problem = damage(out, last, (VECTORS, METADATA))
    if problem is not None:
        return 0, problem
    try:
        keys = np.array(list(_published_keys(published_path(out, METADATA))), dtype=KEY_TYPE)
        with reading(published_path(out, VECTORS), vector_type(store.dim), len(keys)) as vectors:
            return store.carry_over(keys, vectors, np.ones(len(keys), dtype=bool)), ""
    except (OSError, ValueError, KeyError) as error:
        return 0, str(error)


def _published_keys(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            record = json.loads(line)
            sha256 = bytes.fromhex(record["image_sha256"])
            yield row_key(record["face_id"], record["image_file"], sha256)
