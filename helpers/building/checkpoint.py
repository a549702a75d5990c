"""The unfinished vectors of a build, which survive whatever stops it.

`checkpoint-ID.npy` has its full size from the start: for each row what it is of, its vector, and a
checksum of both. `checkpoint.npz` says which rows are done and with which parameters;
`checkpoint_meta.json` says the same to people. Rows are flushed to the disk before the mask that
declares them done, and a checkpoint costs the same however much is done already.

What a row is of is a key of 16 bytes: rows are recognised by it, never by their number. A card
inserted in front of others shifts all row numbers; resuming by number put 29,900 of 30,000 vectors
on the wrong card.
"""

import hashlib
import io
import json
import secrets
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import atomic_write, atomic_write_json, disk_errors
from helpers.cards.face_list import FaceList, faces_of_rows
from helpers.images.scan import Scan
from helpers.index.npy_file import BLOCK, RowFile
from helpers.report import timestamp

SET_ASIDE = ".previous.npz"  # after the name of its vectors: the mask of other parameters
MASK = "checkpoint.npz"
META = "checkpoint_meta.json"
VERSION = 2
_KEY_BYTES, _CHECKSUM_BYTES = 16, 4
KEY_TYPE = np.dtype(f"S{_KEY_BYTES}")


def row_key(face_id: str, image_file: str, sha256: bytes) -> bytes:
    """Return 16 bytes that stand for one face with one image content.

    The last byte is made odd, since numpy drops zero bytes at the end of a string.
    """
    text = f"{face_id}\0{image_file}\0".encode() + sha256
    key = hashlib.blake2b(text, digest_size=_KEY_BYTES).digest()
    return key[:-1] + bytes([key[-1] | 1])


def row_keys(faces: FaceList, scan: Scan) -> NDArray[np.bytes_]:
    """Return S16 [n], the key of every row."""
    keys = np.zeros(len(scan.faces), dtype=KEY_TYPE)
    for row, face in enumerate(faces_of_rows(faces, scan.faces)):
        keys[row] = row_key(face.face_id, face.image_file, scan.sha256[row].tobytes())
    return keys


class VectorStore:
    """Vectors float32 [n, dim] on the disk, and which are done; `WriteError` if that refuses."""

    def __init__(self, keys: NDArray[np.bytes_], parameters: dict[str, Any], file: RowFile) -> None:
        self.keys = keys
        self.done = np.zeros(len(keys), dtype=bool)
        self.path = file.path
        self.dim = int(file.row["vector"].shape[0])
        self.parameters = parameters
        self._file = file

    @classmethod
    def create(
        cls, directory: Path, keys: NDArray[np.bytes_], dim: int, parameters: dict[str, Any]
    ) -> Self:
        """Make the file of a new checkpoint at its full size, or leave nothing behind.

        `keys`, S16 [n], are what each row is of; `parameters`, JSON, all that decides the vectors.
        """
        path = directory / f"checkpoint-{secrets.token_hex(4)}.npy"
        return cls(keys, parameters, RowFile.create(path, _record(dim), len(keys)))

    @classmethod
    def open(cls, path: Path, count: int, dim: int, parameters: dict[str, Any]) -> Self:
        """Open the file of a checkpoint of so many rows; those that are whole count as done.

        `OSError` or `ValueError` if it is missing, or something else.
        """
        file = RowFile.open(path, _record(dim), count, writable=True)
        store = cls(np.zeros(count, dtype=KEY_TYPE), parameters, file)
        for begin, records in file.blocks():
            rows = slice(begin, begin + len(records))
            store.keys[rows] = records["key"]
            store.done[rows] = records["crc32"] == _checksums(records)
        return store

    def put(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write float32 [m, dim] at the row numbers int64 [m]."""
        records = np.empty(len(rows), dtype=self._file.row)
        records["key"] = self.keys[rows]
        records["vector"] = vectors
        records["crc32"] = _checksums(records)
        self._file.write(rows, records)
        self.done[rows] = True

    def save(self) -> None:
        """Make everything put so far survive a power cut: vectors, then mask, then meta.

        Where the disk refuses, the last checkpoint is as it was.
        """
        self._file.sync()
        buffer = io.BytesIO()
        np.savez(
            buffer,
            version=VERSION,
            vectors=self.path.name,
            rows=len(self.keys),
            done=np.packbits(self.done),
            parameters=json.dumps(self.parameters, sort_keys=True),
        )
        directory = self.path.parent
        atomic_write(directory / MASK, buffer.getvalue())
        meta = {
            "version": f"{VERSION}.0",
            "timestamp": timestamp(),
            "rows": len(self.keys),
            "rows_done": int(self.done.sum()),
            "rows_sha256": hashlib.sha256(self.keys.tobytes()).hexdigest(),
            "dim": self.dim,
            "vectors": self.path.name,
            "parameters": self.parameters,
        }
        atomic_write_json(directory / META, meta)

    def carry_over(
        self,
        known: NDArray[np.bytes_],
        read: Callable[[NDArray[np.int64]], NDArray[np.float32]],
        done: NDArray[np.bool_],
    ) -> int:
        """Take rows of an earlier build whose face, file and content are here; return how many.

        `known`, S16 [m], are their keys, `read` returns vectors by their numbers there, and `done`,
        bool [m], says which of them there are.
        """
        _, mine, theirs = np.intersect1d(self.keys, known, return_indices=True)
        order = np.argsort(mine)
        mine, theirs = mine[order], theirs[order]
        new = ~self.done[mine] & done[theirs]
        mine, theirs = mine[new], theirs[new]
        for start in range(0, len(mine), BLOCK):
            block = slice(start, start + BLOCK)
            self.put(mine[block], read(theirs[block]))
        return len(mine)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 [m, dim], the vectors of the row numbers int64 [m]."""
        return np.ascontiguousarray(self._file.read(rows)["vector"])

    def close(self) -> None:
        """Close the file; what was saved stays."""
        self._file.close()


def _record(dim: int) -> np.dtype[Any]:
    return np.dtype([("key", KEY_TYPE), ("vector", "<f4", (dim,)), ("crc32", "<u4")])


def _checksums(records: NDArray[Any]) -> NDArray[np.uint32]:
    """Return uint32 [m], the CRC-32 of each record without its last field; never that of zeros."""
    data = records.view(np.uint8).reshape(len(records), records.itemsize)[:, :-_CHECKSUM_BYTES]
    return np.fromiter(map(zlib.crc32, np.ascontiguousarray(data)), np.uint32, len(data))


def leftovers(directory: Path) -> list[Path]:
    """Return every file of every checkpoint in `directory`."""
    patterns = (MASK, META, "checkpoint-*.npy", "checkpoint-*.npz")
    return [path for pattern in patterns for path in sorted(directory.glob(pattern))]


def remove(paths: Iterable[Path]) -> None:
    """Remove files that may be gone already, or raise `WriteError`."""
    for path in paths:
        with disk_errors(path):
            path.unlink(missing_ok=True)
