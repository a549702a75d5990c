"""Unit vectors are checked, not trusted."""

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError

NORM_TOLERANCE = 1e-5


def normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to unit length, in float32 whatever the model computed in.

    Args:
        vectors: [n, D].

    Returns:
        float32 [n, D].

    Raises:
        DataError: a row is zero or not finite, so the model or its weights are broken.
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


def check_unit(vectors: NDArray[np.float32], dim: int) -> None:
    """Check rows before FAISS sees them.

    `np.allclose(x, 1, atol=1e-5)` would allow 2e-5 and pass an empty array.

    Raises:
        DataError: not float32 [n > 0, dim], or a row is not finite or not of unit length ± 1e-5.
    """
    if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != dim:  # noqa: PLR2004
        raise DataError(
            "the vectors have the wrong form",
            details=f"found {vectors.dtype} {vectors.shape}, expected float32 (n, {dim})",
        )
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
