"""Candidates of one picture compared with scans: each place once with each scan.

Features of a scan that was never asked for cost 40 ms, those of a crop 35 ms, matching the two
4 ms: crops of nearly the same place share features, and no scan is compared with a place twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.photo import colours, homography, local_features, outlines, rectify
from helpers.photo.outlines import Corners
from helpers.query.scans import Scans

_MARGIN = 0.14  # round an outline, so that verification can correct it
CROP = (278, 388)  # width and height in pixels of what is compared with a scan
CROP_FEATURES = 1000
_SAME_CROP = 0.8  # area of the intersection through that of the union


@dataclass(frozen=True, slots=True)
class Agreement:
    """A scan that agrees with a place of the picture.

    Args:
        row: of the index.
        evidence: what agrees.
        corners: float32 [4, 2], of the card in pixels of the picture.
    """

    row: int
    evidence: homography.Evidence
    corners: Corners


@dataclass(frozen=True, slots=True)
class _Place:
    outer: Corners
    features: local_features.Features
    compared: set[int] = field(default_factory=set)


class Comparison:
    """Compares places of one picture with scans.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        scans: of the index's cards.

    Attributes:
        made: comparisons so far.
    """

    def __init__(self, pixels: NDArray[np.uint8], scans: Scans) -> None:
        self._pixels, self._scans = pixels, scans
        self._places: list[_Place] = []
        self.made = 0

    def agreeing(self, corners: Corners, rows: Iterable[int]) -> Iterator[Agreement]:
        """Yield which scans agree with a place, in the order of the rows.

        Args:
            corners: of the place, in pixels of the picture.
            rows: of the index; those that were compared with this place before are left out.
        """
        return (each for each in self.compared(corners, rows) if each.evidence.is_enough)

    def compared(self, corners: Corners, rows: Iterable[int]) -> Iterator[Agreement]:
        """Yield the same, however little they agree."""
        place = self._place(outlines.grown(corners, _MARGIN))
        for row in rows:
            evidence = self._compared(place, row)
            if evidence is not None:
                yield Agreement(row, evidence, _projected(evidence, place))

    def _compared(self, place: _Place, row: int) -> homography.Evidence | None:
        if row in place.compared:
            return None
        place.compared.add(row)
        self.made += 1
        scan = self._scans.features(row)
        return None if scan is None else homography.verify(place.features, scan)

    def _place(self, outer: Corners) -> _Place:
        """Return a known place that nearly coincides, else a new one with its features."""
        for place in self._places:
            if outlines.similarity(outer, place.outer) >= _SAME_CROP:
                return place
        crop = colours.equalise(rectify.rectify(self._pixels, outer, CROP))
        self._places.append(_Place(outer, local_features.extract(crop, CROP_FEATURES)))
        return self._places[-1]


def _projected(evidence: homography.Evidence, place: _Place) -> Corners:
    """Return the card's corners in pixels of the picture."""
    back = cv2.getPerspectiveTransform(outlines.frame(CROP), place.outer)
    corners: Corners = cv2.perspectiveTransform(evidence.corners[None], back)[0]
    return corners
