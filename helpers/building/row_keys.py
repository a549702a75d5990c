"""What a row is of, in 16 bytes: rows are recognised by it, never by their number.

A card inserted in front of others shifts all row numbers; resuming by number put 29,900 of 30,000
vectors on the wrong card.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from helpers.cards.face_list import FaceList, faces_of_rows
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
    """Return int64 [m] rows of `wanted`, ascending, and int64 [m] the rows of `known` like them."""
    _, mine, theirs = np.intersect1d(wanted, known, return_indices=True)
    order = np.argsort(mine)
    return mine[order], theirs[order]


def row_keys(faces: FaceList, scan: Scan) -> NDArray[np.bytes_]:
    """Return S16 [n], the key of every row."""
    keys = np.zeros(len(scan.faces), dtype=KEY_TYPE)
    for row, face in enumerate(faces_of_rows(faces, scan.faces)):
        keys[row] = row_key(face.face_id, face.image_file, scan.sha256[row].tobytes())
    return keys
