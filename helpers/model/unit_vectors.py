"""Unit vectors are checked, not trusted."""

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError

NORM_TOLERANCE = 1e-5


def normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [n, D] as float32 rows of unit length, whatever the model computed in.

    `DataError` if a row is zero or not finite, so that the model or its weights are broken.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise DataError(
            "the model returned a vector that is zero or not finite",
            details=f"{int((~np.isfinite(norms) | (norms == 0)).sum())} of {len(rows)} rows",
            suggestion="check the weights: --model, --pretrained",
        )
    return np.asarray(rows / norms, dtype=np.float32)


def check_unit(vectors: NDArray[np.float32]) -> None:
    """Raise `DataError` unless there are rows, all finite and of unit length ± 1e-5.

    `np.allclose(x, 1, atol=1e-5)` would allow 2e-5 and pass an empty array.
    """
    if len(vectors) == 0:
        raise DataError("No valid images to embed")
    wrong = off_unit(vectors)
    if len(wrong):
        norm = float(np.linalg.norm(vectors[wrong[0]].astype(np.float64)))
        raise DataError(
            "a vector is not of unit length",
            details=f"row {wrong[0]} of this block has the length {norm}, not 1 ± {NORM_TOLERANCE}",
            suggestion="start the build anew: --no-resume --no-reuse",
        )


def off_unit(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return int64 [m], the rows of float32 [n, dim] that are not finite or not of unit length."""
    off = np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1)
    return np.flatnonzero(~(off <= NORM_TOLERANCE))  # "not at most" holds for NaN, too
