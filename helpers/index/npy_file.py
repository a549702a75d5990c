"""`.npy` files whose rows are read and written in place, with `pread` and `pwrite`.

Through a memory map a full disk would be a SIGBUS, and every row ever touched would count as
memory of the process. Other programs may map the file all the same.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from helpers.atomic_io import disk_errors

BLOCK = 4096  # rows held in memory at a time


class RowFile:
    """An open `.npy` file of `count` rows of the type `row`, see `vector_type`.

    Any method that writes raises `WriteError` if the disk refuses.
    """

    def __init__(self, path: Path, file: int, row: np.dtype[Any], count: int) -> None:
        self.path = path
        self.row = row
        self.count = count
        self._file = file
        self._start = len(_header(row, count))

    @classmethod
    def create(cls, path: Path, row: np.dtype[Any], count: int) -> Self:
        """Make a new file at its full size, so that a full disk is noticed now, or none."""
        header = _header(row, count)
        with disk_errors(path), contextlib.ExitStack() as undo:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            undo.callback(path.unlink, missing_ok=True)
            undo.callback(os.close, file)
            _write_all(file, header, 0)
            _allocate(file, len(header) + count * row.itemsize)
            undo.pop_all()
        return cls(path, file, row, count)

    @classmethod
    def open(cls, path: Path, row: np.dtype[Any], count: int, *, writable: bool = False) -> Self:
        """Open a file that must have exactly this form.

        Raises:
            OSError: it is missing or cannot be read.
            ValueError: it has another form.
        """
        header = _header(row, count)
        size = len(header) + count * row.itemsize
        file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, file)
            if os.pread(file, len(header), 0) != header or os.fstat(file).st_size != size:
                raise ValueError(f"{path.name} does not hold {count:,} rows of {row}")
            undo.pop_all()
        return cls(path, file, row, count)

    def write(self, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Write `values` [m, …] at the row numbers int64 [m]."""
        with disk_errors(self.path):
            for begin, end in _runs(rows):
                _write_all(self._file, values[begin:end].tobytes(), self._offset(rows[begin]))

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows int64 [m] as an array [m, …]; `OSError` if the file is shorter by now."""
        data = bytearray()
        for begin, end in _runs(rows):
            size = (end - begin) * self.row.itemsize
            data += os.pread(self._file, size, self._offset(rows[begin]))
            if len(data) != end * self.row.itemsize:
                raise OSError(f"{self.path} ends before row {rows[end - 1] + 1:,}")
        return np.frombuffer(data, dtype=self.row.base).reshape(len(rows), *self.row.shape)

    def blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield every row, `BLOCK` at a time: the first row's number, and an array [m, …]."""
        for begin in range(0, self.count, BLOCK):
            yield begin, self.read(np.arange(begin, min(begin + BLOCK, self.count)))

    def sync(self) -> None:
        """Flush to the disk."""
        with disk_errors(self.path):
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _offset(self, row: int | np.int64) -> int:
        return self._start + int(row) * self.row.itemsize


@contextlib.contextmanager
def reading(path: Path, row: np.dtype[Any], count: int) -> Iterator[RowFile]:
    """Open a file for the length of the block; see `RowFile.open`."""
    with contextlib.closing(RowFile.open(path, row, count)) as file:
        yield file


def vector_type(dim: int) -> np.dtype[Any]:
    """Return the type of a row that is a float32 vector."""
    return np.dtype(("<f4", (dim,)))


def _header(row: np.dtype[Any], count: int) -> bytes:
    buffer = io.BytesIO()
    shape = (count, *row.shape)
    fields = {"descr": npy.dtype_to_descr(row.base), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def _runs(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each stretch of consecutive row numbers, `BLOCK` rows at most."""
    gaps = np.flatnonzero(np.diff(rows) != 1) + 1
    yield from pairwise(sorted({0, *gaps.tolist(), *range(BLOCK, len(rows), BLOCK), len(rows)}))


def _write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def _allocate(file: int, size: int) -> None:
    """Reserve `size` bytes now; where the system cannot (macOS), the file only gets its length."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)
