"""The unfinished vectors of a build, which survive whatever stops it.

`checkpoint-DIGEST.rows` has its full size from the start: for each row what it is of, its vector,
and a checksum of both. So each row tells itself whether it is done, whatever else is lost, and
`kill -9` costs only the batches in hand. DIGEST is that of all that decides the vectors: those of
two models lie in two files. `checkpoint.npz` says which rows were done at the last checkpoint and
with which parameters, `checkpoint_meta.json` says the same to people. Rows are flushed to the disk
before the mask that declares them done; a checkpoint costs the same however much is done already.

What a row is of is a key of 16 bytes: rows are recognised by it, never by their number. A card
inserted in front of others shifts all row numbers; resuming by number put 29,900 of 30,000 vectors
on the wrong card.
"""

import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import (
    atomic_write,
    atomic_write_json,
    disk_errors,
    fsync_file,
    part_path,
    replace_durably,
)
from helpers.cards.face_list import FaceList, faces_of_rows
from helpers.images.scan import Scan
from helpers.index.rows import BLOCK
from helpers.report import timestamp

MASK = "checkpoint.npz"
META = "checkpoint_meta.json"
VERSION = 3
_KEY_BYTES, _CHECKSUM_BYTES, _NAME_DIGITS = 16, 4, 16
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
    """Vectors float32 [n, dim] in a file, and which are `done`; `WriteError` if the disk refuses.

    `keys`, S16 [n], are what each row is of; `parameters`, JSON, all that decides the vectors,
    which need not come from the same place.
    """

    def __init__(
        self, directory: Path, keys: NDArray[np.bytes_], dim: int, parameters: dict[str, Any]
    ) -> None:
        deciding = [VERSION, {**parameters, "model": "", "pretrained": ""}]
        digest = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()
        self.path = directory / f"checkpoint-{digest[:_NAME_DIGITS]}.rows"
        self.keys, self.dim, self.parameters = keys, dim, parameters
        self.done = np.zeros(len(keys), dtype=bool)
        self._row = np.dtype([("key", KEY_TYPE), ("vector", "<f4", (dim,)), ("crc32", "<u4")])

    def create(self, earlier: Self | None = None) -> None:
        """Make the file at its full size, with what `earlier` has done of these rows.

        It takes the place of an earlier one at the end; if something fails, nothing has changed.
        """
        path, self.path = self.path, part_path(self.path)
        self.done[:] = False
        try:
            with disk_errors(path), self.path.open("xb") as file:
                _allocate(file.fileno(), len(self.keys) * self._row.itemsize)
            if earlier is not None:
                self.carry_over(earlier.keys, earlier.read)
            with disk_errors(path):
                fsync_file(self.path)
            replace_durably(self.path, path)
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise
        finally:
            self.path = path

    def found(self) -> Self:
        """Return what a stopped build left in this file: rows that are whole have a key, and count.

        `OSError` or `ValueError` if it is missing, or something else.
        """
        keys = np.zeros(len(self._records()), KEY_TYPE)
        earlier = type(self)(self.path.parent, keys, self.dim, self.parameters)
        for start in range(0, len(keys), BLOCK):
            rows = slice(start, start + BLOCK)
            records = np.asarray(self._records()[rows])
            earlier.done[rows] = records["crc32"] == _checksums(records)
            keys[rows] = np.where(earlier.done[rows], records["key"], b"")
        return earlier

    def put(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write float32 [m, dim] at the row numbers int64 [m]."""
        records = np.empty(len(rows), dtype=self._row)
        records["key"] = self.keys[rows]
        records["vector"] = vectors
        records["crc32"] = _checksums(records)
        # Written, not mapped: through a memory map a full disk would be a SIGBUS.
        with disk_errors(self.path), self.path.open("rb+") as file:
            for row, record in zip(rows.tolist(), records, strict=True):
                file.seek(row * self._row.itemsize)
                file.write(record.tobytes())
        self.done[rows] = True

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 [m, dim], the vectors of the row numbers int64 [m]."""
        return np.ascontiguousarray(self._records()["vector"][rows])

    def _records(self) -> NDArray[Any]:
        """Map the file anew, since every page that was touched in a map counts as memory in use."""
        return np.memmap(self.path, self._row, mode="r")

    def save(self) -> None:
        """Make everything put so far survive a power cut: vectors, then mask, then meta.

        Where the disk refuses, the last checkpoint is as it was.
        """
        with disk_errors(self.path):
            fsync_file(self.path)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            version=VERSION,
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
    ) -> int:
        """Take rows of an earlier build whose face, file and content are here; return how many.

        `known`, S16 [m], are their keys, `read` returns vectors by their numbers there.
        """
        _, mine, theirs = np.intersect1d(self.keys, known, return_indices=True)
        order = np.argsort(mine)
        order = order[~self.done[mine[order]]]
        for start in range(0, len(order), BLOCK):
            block = order[start : start + BLOCK]
            self.put(mine[block], read(theirs[block]))
        return len(order)


def _checksums(records: NDArray[Any]) -> NDArray[np.uint32]:
    """Return uint32 [m], the CRC-32 of each record without its last field; never that of zeros."""
    data = records.view(np.uint8).reshape(len(records), records.itemsize)[:, :-_CHECKSUM_BYTES]
    return np.fromiter(map(zlib.crc32, np.ascontiguousarray(data)), np.uint32, len(data))


def _allocate(file: int, size: int) -> None:
    """Reserve `size` bytes now; where the system cannot (macOS), the file only gets its length."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)
