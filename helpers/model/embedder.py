"""What every engine offers: prepared pixels in, unit vectors out."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from helpers.images.preprocess import Preprocessing


class Embedder(Protocol):
    """Turns prepared pixels into vectors; other models and engines fit in here."""

    dim: int
    device: str
    preprocessing: Preprocessing
    fingerprint: dict[str, Any]  # everything that decides the vectors, JSON-serialisable
    one_by_one: bool  # True if the size of a batch means nothing to the model

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, dim], rows of unit length, for float32 [n, 3, side, side]."""

    def use_threads(self, count: int) -> None:
        """Let each call of `embed` use `count` threads; calls may come from several threads."""
