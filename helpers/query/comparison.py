"""Candidates of one picture compared with the scans of an index: each place once with each scan.

Features of a scan that was never asked for cost 40 ms, those of a crop 35 ms, matching the two
4 ms: crops of nearly the same place share features, those of scans are kept.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.index.card_index import CardIndex
from helpers.photo import homography, local_features, outlines, rectify
from helpers.photo.homography import Evidence
from helpers.photo.local_features import Features
from helpers.photo.outlines import Corners
from helpers.query.photo_file import opened

_KEPT = 700  # cards, at about 390 kB each with their vectors of unit length
_MARGIN = 0.14  # round an outline, so that verification can correct it
CROP = (278, 388)  # width and height in pixels of what is compared with a scan
CROP_FEATURES = 1000
_SAME_CROP = 0.8  # area of the intersection through that of the union


class Scans:
    """The scans that an index was made of, where they are still in `cache`, and `wanted`."""

    def __init__(self, index: CardIndex, cache: Path, *, wanted: bool = True) -> None:
        self.at_hand = wanted and cache.is_dir()
        self._index, self._cache = index, cache
        #: Returns the features of the scan of a row; None if it is gone or broken.
        self.features = functools.lru_cache(_KEPT)(self._features)

    def _features(self, row: int) -> Features | None:
        scan = self.pixels(row)
        return None if scan is None else local_features.of_scan(scan)

    def pixels(self, row: int) -> NDArray[np.uint8] | None:
        """Return the scan of a row as uint8 [height, width, 3]; None if it is gone or broken."""
        picture = opened(self._cache / str(self._index.card(row)["image_file"]))
        return None if picture is None else np.asarray(picture)


class _Place(NamedTuple):
    outer: Corners
    features: Features
    compared: set[int]  # rows


class Comparison:
    """Compares places of one picture, uint8 [height, width, 3] in RGB, with scans.

    Attributes:
        made: comparisons so far.
    """

    def __init__(self, pixels: NDArray[np.uint8], scans: Scans) -> None:
        self._pixels, self._scans = pixels, scans
        self._places: list[_Place] = []
        self.made = 0

    def agreeing(
        self, corners: Corners, rows: Iterable[int], cells: int = homography.ENOUGH_CELLS
    ) -> dict[int, Evidence]:
        """Return which scans agree with a place, and why, with corners in pixels of the picture.

        Rows that were compared with this place before are left out; `cells` of the art must agree.
        """
        place = self._place(outlines.grown(corners, _MARGIN))
        new = [row for row in rows if row not in place.compared]
        place.compared.update(new)
        self.made += len(new)
        found = {}
        for row in new:
            scan = self._scans.features(row)
            evidence = None if scan is None else homography.verify(place.features, scan)
            if evidence is not None and evidence.cells >= cells:
                back = cv2.getPerspectiveTransform(outlines.frame(CROP), place.outer)
                there = cv2.perspectiveTransform(evidence.corners[None], back)[0]
                found[row] = replace(evidence, corners=there)
        return found

    def _place(self, outer: Corners) -> _Place:
        """Return a known place that nearly coincides, else a new one with its features."""
        for place in self._places:
            if outlines.similarity(outer, place.outer) >= _SAME_CROP:
                return place
        crop = rectify.equalise(rectify.rectify(self._pixels, outer, CROP))
        self._places.append(_Place(outer, local_features.extract(crop, CROP_FEATURES), set()))
        return self._places[-1]


def strongest_first(found: Mapping[int, Evidence]) -> list[int]:
    """Return rows in the order of how strongly they agree."""
    return sorted(found, key=lambda row: -found[row].strength)
