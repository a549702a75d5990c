"""The unfinished vectors of a build, which survive whatever stops it.

`checkpoint-ID.vectors.npy` holds one row per image and `checkpoint-ID.rows.npy` what each row is
of and its checksum; both have their full size from the start, so that a full disk is noticed there
and not as a SIGBUS hours later. `checkpoint.npz` says which rows are done and with which
parameters; `checkpoint_meta.json` says the same to people. Rows are flushed to the disk before the
mask that declares them done, and a checkpoint costs the same however much is done already.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from helpers.atomic_io import AtomicFile, atomic_write_json, disk_errors
from helpers.row_keys import KEY_TYPE, match_rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from helpers.report import Reporter

MASK = "checkpoint.npz"
PREVIOUS_MASK = "checkpoint.previous.npz"  # of other parameters, kept until a build succeeds
META = "checkpoint_meta.json"
ROW_TYPE = np.dtype([("key", KEY_TYPE), ("crc32", "<u4")])
VERSION = 1
_BLOCK = 4096  # rows


@dataclass(slots=True)
class Saved:
    """A checkpoint as found on the disk. `done` is bool [n]; damaged rows count as not done."""

    ident: str
    parameters: dict[str, Any]
    rows: NDArray[Any]
    vectors: NDArray[np.float32]
    done: NDArray[np.bool_]


class VectorStore:
    """Vectors float32 [n, dim] on the disk, and which of them are done.

    Args:
        directory: the output directory, whose lock is held.
        keys: S16 [n], what each row is of.
        dim: width of the vectors.
        parameters: everything that decides the vectors, JSON-serialisable.
        saved: a checkpoint whose rows are exactly these, to go on in its files.

    Raises:
        WriteError: the disk is full or refuses.
    """

    def __init__(
        self,
        directory: Path,
        keys: NDArray[np.bytes_],
        dim: int,
        parameters: dict[str, Any],
        saved: Saved | None = None,
    ) -> None:
        self._directory = directory
        self._parameters = parameters
        self.keys = keys
        self.dim = dim
        self.ident = saved.ident if saved else secrets.token_hex(4)
        self.done = saved.done if saved else np.zeros(len(keys), dtype=bool)
        self.path = _vectors_path(directory, self.ident)
        rows = np.zeros(len(keys), dtype=ROW_TYPE)
        rows["key"] = keys
        self._vectors = _RowFile(self.path, np.dtype(("<f4", (dim,))), len(keys), saved is None)
        self._rows = _RowFile(_rows_path(directory, self.ident), ROW_TYPE, len(keys), saved is None)
        if saved is None:
            self._rows.write(0, rows.tobytes())

    def put(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write float32 [m, dim] at the row numbers int64 [m].

        Raises:
            WriteError: the disk refuses.
        """
        for row, vector in zip(rows.tolist(), vectors, strict=True):
            data = vector.tobytes()
            record = np.array((self.keys[row], zlib.crc32(data)), dtype=ROW_TYPE)
            self._vectors.write(row, data)
            self._rows.write(row, record.tobytes())
        self.done[rows] = True

    def save(self) -> None:
        """Make everything put so far survive a power cut: vectors, then mask, then meta.

        Raises:
            WriteError: the disk refuses; the last checkpoint is as it was.
        """
        self._vectors.sync()
        self._rows.sync()
        with AtomicFile(self._directory / MASK) as file:
            buffer = io.BytesIO()
            np.savez(
                buffer,
                version=VERSION,
                ident=self.ident,
                rows=len(self.keys),
                done=np.packbits(self.done),
                parameters=json.dumps(self._parameters, sort_keys=True),
            )
            file.write(buffer.getbuffer())
        self._save_meta()

    def carry_over(
        self, known: NDArray[np.bytes_], vectors: NDArray[np.float32], done: NDArray[np.bool_]
    ) -> int:
        """Take the rows of an earlier build that are of the same face, file and content.

        Args:
            known: S16 [m], the keys of the earlier rows.
            vectors: float32 [m, dim], the earlier rows, best memory-mapped.
            done: bool [m], which of them are there.

        Returns:
            How many rows were taken.
        """
        mine, theirs = match_rows(self.keys, known)
        new = ~self.done[mine] & done[theirs]
        mine, theirs = mine[new], theirs[new]
        for start in range(0, len(mine), _BLOCK):
            block = slice(start, start + _BLOCK)
            self.put(mine[block], np.ascontiguousarray(vectors[theirs[block]]))
        return len(mine)

    def close(self) -> None:
        """Close the files; what was saved stays."""
        self._vectors.close()
        self._rows.close()

    def _save_meta(self) -> None:
        atomic_write_json(
            self._directory / META,
            {
                "version": "1.0",
                "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
                "rows": len(self.keys),
                "rows_done": int(self.done.sum()),
                "vectors": self.path.name,
                "parameters": self._parameters,
            },
        )


def open_store(
    directory: Path,
    keys: NDArray[np.bytes_],
    dim: int,
    parameters: dict[str, Any],
    report: Reporter,
) -> VectorStore:
    """Go on with the checkpoint in `directory` if it is of these parameters, else start anew.

    Finished rows are recognised by their keys, so cards may have come, gone or moved.

    Raises:
        WriteError: the disk is full or refuses.
    """
    saved = _find(directory, parameters, report)
    if saved is not None and np.array_equal(saved.rows["key"], keys):
        store = VectorStore(directory, keys, dim, parameters, saved)
        count = int(store.done.sum())
    else:
        store = VectorStore(directory, keys, dim, parameters)
        count = 0
        if saved is not None:
            count = store.carry_over(np.array(saved.rows["key"]), saved.vectors, saved.done)
            store.save()
    if saved is not None:
        report.info(f"Resuming at {count:,} of {len(keys):,} images")
    _remove_strangers(directory, store.ident)
    return store


def discard(directory: Path) -> None:
    """Remove every file of every checkpoint in `directory`."""
    for path in (*directory.glob("checkpoint-*.npy"), *directory.glob("checkpoint.*npz")):
        _remove(path)
    _remove(directory / META)


def _find(directory: Path, parameters: dict[str, Any], report: Reporter) -> Saved | None:
    """Return the checkpoint of these parameters; warn of a damaged one and of another's."""
    for name in (MASK, PREVIOUS_MASK):
        if not (directory / name).exists():
            continue
        try:
            saved = _load(directory, name, report)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            report.warning(f"the checkpoint {directory / name} is unusable: {error}")
            continue
        differences = list(_differences(saved.parameters, parameters))
        if not differences:
            return saved
        report.warning(f"the checkpoint {directory / name} is of another build; starting anew")
        for difference in differences:
            report.warning(f"  {difference}")
        if name == MASK:
            with disk_errors(directory / name):
                (directory / name).replace(directory / PREVIOUS_MASK)
    return None


def _load(directory: Path, name: str, report: Reporter) -> Saved:
    with np.load(directory / name, allow_pickle=False) as mask:
        if int(mask["version"]) > VERSION:
            raise ValueError(f"it was written by a newer version ({int(mask['version'])})")
        ident, count = str(mask["ident"]), int(mask["rows"])
        done = np.unpackbits(mask["done"], count=count).astype(bool)
        parameters = json.loads(str(mask["parameters"]))
    rows = np.load(_rows_path(directory, ident), mmap_mode="r", allow_pickle=False)
    vectors = np.load(_vectors_path(directory, ident), mmap_mode="r", allow_pickle=False)
    if rows.dtype != ROW_TYPE or vectors.dtype != np.float32 or vectors.ndim != 2:  # noqa: PLR2004
        raise ValueError("its files have the wrong form")
    if not len(rows) == len(vectors) == count:
        raise ValueError(f"{count} rows expected, {len(rows)} and {len(vectors)} found")
    damaged = _damaged(rows, vectors, done)
    if len(damaged):
        report.warning(f"{len(damaged):,} rows of the checkpoint are damaged and done again")
        done[damaged] = False
    return Saved(ident, parameters, rows, vectors, done)


def _damaged(
    rows: NDArray[Any], vectors: NDArray[np.float32], done: NDArray[np.bool_]
) -> NDArray[np.int64]:
    wanted = rows["crc32"]
    found = [
        row for row in np.flatnonzero(done).tolist() if zlib.crc32(vectors[row]) != wanted[row]
    ]
    return np.array(found, dtype=np.int64)


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> Any:
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}: was {before!r}, is now {after!r}"


def _remove_strangers(directory: Path, ident: str) -> None:
    """Remove vectors that no checkpoint names any more."""
    named = {ident}
    for name in (MASK, PREVIOUS_MASK):
        with (
            contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile),
            np.load(directory / name, allow_pickle=False) as mask,
        ):
            named.add(str(mask["ident"]))
    for path in directory.glob("checkpoint-*.npy"):
        if path.name.split("-", 1)[1].split(".", 1)[0] not in named:
            _remove(path)


def _remove(path: Path) -> None:
    with disk_errors(path):
        path.unlink(missing_ok=True)


def _vectors_path(directory: Path, ident: str) -> Path:
    return directory / f"checkpoint-{ident}.vectors.npy"


def _rows_path(directory: Path, ident: str) -> Path:
    return directory / f"checkpoint-{ident}.rows.npy"


class _RowFile:
    """An `.npy` file whose rows are written in place with `pwrite`.

    Writing through a memory map would turn a full disk into a SIGBUS and count every row as
    memory of this process; readers map the file all the same.
    """

    def __init__(self, path: Path, row: np.dtype[Any], count: int, new: bool) -> None:  # noqa: FBT001
        self._path = path
        header = io.BytesIO()
        shape = (count, *row.shape)
        description = npy.dtype_to_descr(row.base)
        fields = {"descr": description, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(header, fields)
        self._offset = header.tell()
        self._row_bytes = row.itemsize
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if new else 0)
        with disk_errors(path):
            self._file = os.open(path, flags, 0o666)
            if new:
                os.write(self._file, header.getvalue())
                _allocate(self._file, self._offset + count * row.itemsize)

    def write(self, row: int, data: bytes) -> None:
        with disk_errors(self._path):
            os.pwrite(self._file, data, self._offset + row * self._row_bytes)

    def sync(self) -> None:
        with disk_errors(self._path):
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def _allocate(file: int, size: int) -> None:
    """Reserve `size` bytes now; where the system cannot (macOS), the file only gets its length."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)
