"""The unfinished vectors of a build, which survive whatever stops it.

`checkpoint-ID.vectors.npy` holds one row per image and `checkpoint-ID.rows.npy` what each row is
of and its checksum; both have their full size from the start. `checkpoint.npz` says which rows are
done and with which parameters; `checkpoint_meta.json` says the same to people. Rows are flushed to
the disk before the mask that declares them done, and a checkpoint costs the same however much is
done already.
"""

import hashlib
import io
import json
import secrets
import zlib
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import atomic_write, atomic_write_json, disk_errors
from helpers.building.row_keys import KEY_TYPE, match_rows
from helpers.index.npy_file import BLOCK, RowFile, vector_type
from helpers.report import timestamp

VECTORS, ROWS = "vectors.npy", "rows.npy"
SET_ASIDE = "previous.npz"  # the mask of a checkpoint of other parameters
MASK = "checkpoint.npz"
META = "checkpoint_meta.json"
ROW_TYPE = np.dtype([("key", KEY_TYPE), ("crc32", "<u4")])
VERSION = 1


class VectorStore:
    """Vectors float32 [n, dim] on the disk, and which of them are done.

    Raises:
        WriteError: from any method that writes, if the disk refuses.
    """

    def __init__(
        self, keys: NDArray[np.bytes_], parameters: dict[str, Any], vectors: RowFile, rows: RowFile
    ) -> None:
        self.keys = keys
        self.done = np.zeros(len(keys), dtype=bool)
        self.dim = int(vectors.row.shape[0])
        self.path = vectors.path
        self._parameters = parameters
        self._vectors = vectors
        self._rows = rows

    @classmethod
    def create(
        cls, directory: Path, keys: NDArray[np.bytes_], dim: int, parameters: dict[str, Any]
    ) -> Self:
        """Make the files of a new checkpoint at their full size, or leave nothing behind.

        `keys`, S16 [n], are what each row is of; `parameters`, JSON, all that decides the vectors.
        """
        ident = secrets.token_hex(4)
        vectors = RowFile.create(path_of(directory, ident, VECTORS), vector_type(dim), len(keys))
        try:
            rows = RowFile.create(path_of(directory, ident, ROWS), ROW_TYPE, len(keys))
        except BaseException:
            vectors.close()
            remove(vectors.path)
            raise
        records = np.zeros(len(keys), dtype=ROW_TYPE)  # checksum 0 is that of no vector of zeros
        records["key"] = keys
        rows.write(np.arange(len(keys)), records)
        return cls(keys, parameters, vectors, rows)

    def put(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write float32 [m, dim] at the row numbers int64 [m]."""
        records = np.empty(len(rows), dtype=ROW_TYPE)
        records["key"] = self.keys[rows]
        records["crc32"] = checksums(vectors)
        self._vectors.write(rows, vectors)
        self._rows.write(rows, records)
        self.done[rows] = True

    def save(self) -> None:
        """Make everything put so far survive a power cut: vectors, then mask, then meta.

        Where the disk refuses, the last checkpoint is as it was.
        """
        self._vectors.sync()
        self._rows.sync()
        buffer = io.BytesIO()
        np.savez(
            buffer,
            version=VERSION,
            ident=ident_of(self.path),
            rows=len(self.keys),
            dim=self.dim,
            done=np.packbits(self.done),
            parameters=json.dumps(self._parameters, sort_keys=True),
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
            "parameters": self._parameters,
        }
        atomic_write_json(directory / META, meta)

    def carry_over(
        self, known: NDArray[np.bytes_], source: RowFile, done: NDArray[np.bool_]
    ) -> int:
        """Take rows of an earlier build whose face, file and content are here; return how many.

        `known`, S16 [m], are their keys, `source` their vectors, float32 [m, dim], and `done`,
        bool [m], says which of them are there.
        """
        mine, theirs = match_rows(self.keys, known)
        new = ~self.done[mine] & done[theirs]
        mine, theirs = mine[new], theirs[new]
        for start in range(0, len(mine), BLOCK):
            block = slice(start, start + BLOCK)
            self.put(mine[block], source.read(theirs[block]))
        return len(mine)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 [m, dim], the vectors of the row numbers int64 [m]."""
        return self._vectors.read(rows)

    def close(self) -> None:
        """Close the files; what was saved stays."""
        self._vectors.close()
        self._rows.close()


def checksums(vectors: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return uint32 [m], the CRC-32 of each row of float32 [m, dim]."""
    return np.fromiter(map(zlib.crc32, np.ascontiguousarray(vectors)), np.uint32, len(vectors))


def leftovers(directory: Path) -> list[Path]:
    """Return every file of every checkpoint in `directory`."""
    patterns = (MASK, META, "checkpoint-*.npy", "checkpoint-*.npz")
    return [path for pattern in patterns for path in sorted(directory.glob(pattern))]


def discard(directory: Path) -> None:
    """Remove every file of every checkpoint in `directory`, or raise `WriteError`."""
    for path in leftovers(directory):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file if it is there, or raise `WriteError`."""
    with disk_errors(path):
        path.unlink(missing_ok=True)


def path_of(directory: Path, ident: str, what: str) -> Path:
    """Return where the vectors, rows or set-aside mask of the checkpoint `ident` are."""
    return directory / f"checkpoint-{ident}.{what}"


def ident_of(path: Path) -> str:
    """Return the checkpoint that a file `checkpoint-ID.…` belongs to."""
    return path.name.removeprefix("checkpoint-").split(".", 1)[0]
