"""Local features of the index's own pictures, taken once and kept while the process lives."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from helpers.images.preprocess import load_image_rgb
from helpers.packages import is_here
from helpers.validation import InvalidImageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from helpers.index.card_index import CardIndex
    from helpers.photo.local_features import Features

_KEPT = 700  # cards, at about 390 kB each with their vectors of unit length


class Scans:
    """The scans that an index was made of, where they are still at hand.

    Args:
        index: names the picture of each row.
        cache: the image cache that it was built from.
        wanted: False to do as if they were gone.
    """

    def __init__(self, index: CardIndex, cache: Path, *, wanted: bool = True) -> None:
        self._index = index
        self.cache = cache
        self._wanted = wanted
        self._features = functools.lru_cache(_KEPT)(self._read_features)

    @functools.cached_property
    def at_hand(self) -> bool:
        """Whether pictures can be compared with scans here."""
        return self._wanted and is_here("cv2") and self.cache.is_dir()

    def features(self, row: int) -> Features | None:
        """Return the features of the scan of a row; None if it is gone or broken."""
        return self._features(str(self._index.card(row)["image_file"]))

    def pixels(self, row: int) -> NDArray[np.uint8] | None:
        """Return the scan of a row as uint8 [height, width, 3]; None if it is gone or broken."""
        return self._read(str(self._index.card(row)["image_file"]))

    def _read(self, image_file: str) -> NDArray[np.uint8] | None:
        try:
            return np.asarray(load_image_rgb(self.cache / image_file))
        except InvalidImageError:
            return None

    def _read_features(self, image_file: str) -> Features | None:
        from helpers.photo import local_features

        pixels = self._read(image_file)
        return None if pixels is None else local_features.of_scan(pixels)
