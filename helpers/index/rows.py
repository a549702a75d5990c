"""The two files that hold something of each row: `mtg_embeddings.npy` and `mtg_meta.jsonl`."""

import json
import mmap
from array import array
from io import BufferedReader
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

BLOCK = 4096  # rows held in memory at a time


def map_vectors(file: BufferedReader, about: dict[str, Any]) -> NDArray[np.float32]:
    """Return float32 [N, D], mapped from a file, or `ValueError` if it is not as `about` says."""
    file.seek(0)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("it is no .npy file of format 1.0")
    shape, fortran, dtype = npy.read_array_header_1_0(file)
    if shape != (about["vectors"], about["dimension"]) or fortran or dtype != np.float32:
        raise ValueError(f"it holds {dtype} {shape}")
    return np.memmap(file, dtype=dtype, mode="r", offset=file.tell(), shape=shape)


class MetadataLines:
    """So many lines, in 8 bytes of memory for each; `ValueError` if there are more or fewer.

    Attributes:
        copies: first row → further rows with the very same vector.
    """

    def __init__(self, file: BufferedReader, count: int) -> None:
        self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._starts = array("q", [0])
        self.copies: dict[int, list[int]] = {}
        file.seek(0)  # read, not mapped: a map's pages would all count as memory in use
        for row, line in enumerate(file):
            self._starts.append(self._starts[-1] + len(line))
            if b'"same_as"' in line:  # few lines have it, and only those are parsed
                self.copies.setdefault(json.loads(line)["same_as"], []).append(row)
        if len(self._starts) != count + 1:
            raise ValueError(f"{len(self._starts) - 1:,} lines, {count:,} rows")

    def read(self, row: int) -> dict[str, Any]:
        """Return line `row`, counted from 0."""
        line = self._data[self._starts[row] : self._starts[row + 1]]
        return cast("dict[str, Any]", json.loads(line))
