"""The `.npy` file of vectors: `numpy.save` would want all of them in memory."""

from io import BufferedReader
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from helpers.atomic_io import AtomicFile

BLOCK = 4096  # rows held in memory at a time


def write_header(file: AtomicFile, count: int, dim: int) -> None:
    """Write what stands in front of float32 [count, dim]."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    npy.write_array_header_1_0(file, header)


def map_vectors(file: BufferedReader, about: dict[str, Any]) -> NDArray[np.float32]:
    """Return float32 [N, D], mapped from a file, or `ValueError` if it is not as `about` says."""
    file.seek(0)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("it is no .npy file of format 1.0")
    shape, fortran, dtype = npy.read_array_header_1_0(file)
    if shape != (about["vectors"], about["dimension"]) or fortran or dtype != np.float32:
        raise ValueError(f"it holds {dtype} {shape}")
    return np.memmap(file, dtype=dtype, mode="r", offset=file.tell(), shape=shape)
