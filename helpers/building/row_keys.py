"""What a row is of, in 16 bytes: rows are recognised by it, never by their number.

A card inserted in front of others shifts all row numbers; resuming by number put 29,900 of 30,000
vectors on the wrong card.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from helpers.cards.face_list import faces_of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from helpers.cards.face_list import FaceList
    from helpers.images.scan import Scan

KEY_BYTES = 16
KEY_TYPE = np.dtype(f"S{KEY_BYTES}")


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
