"""Verify by geometry that a crop of a photo shows the card of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from helpers.photo.local_features import Features

_RATIO = 0.8  # Lowe, IJCV 2004
_REACH = 6.0  # pixels that an inlier may lie off
_LEAST = 10  # inliers below which there is nothing to judge
#: On 204 real photos wrong scans reached a strength of 25 and, others, 10 inliers in the art;
#: right ones had 35 and 22, outside video. So the art decides, and 15 lies in the middle;
#: strength is only a guard, kept low because dim and blurred cards have 13 to 25 of it.
_ENOUGH = 24.0
_ENOUGH_ART = 15
_AREA = (0.3, 2.5)  # of the projected card, as a share of the crop
_SLIMMEST = 0.35  # shorter through longer side of the projected card
#: Left, top, right, bottom of art and title, as shares of a card; frames of all ages are near.
ART = (0.07, 0.10, 0.93, 0.56)
TITLE = (0.06, 0.03, 0.80, 0.10)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a crop to show a scan's card.

    Args:
        inliers: distinct features that one homography maps.
        art: of these, how many lie in the art.
        title: of these, how many lie in the title.
        cells: cells of a grid of 6 by 8 over the card that hold inliers.
        homography: float64 [3, 3], from pixels of the scan's features to pixels of the crop.
        corners: float32 [4, 2], the card's own corners in pixels of the crop.
    """

    inliers: int
    art: int
    title: int
    cells: int
    homography: NDArray[np.float64]
    corners: NDArray[np.float32]

    @property
    def strength(self) -> float:
        """Inliers, of which those in art and title count whole, others a quarter.

        Frames and text boxes alone give up to 60 inliers between cards of one frame.
        """
        telling = self.art + self.title
        return telling + (self.inliers - telling) / 4

    @property
    def is_enough(self) -> bool:
        """Whether this verifies the card."""
        return self.strength >= _ENOUGH and self.art >= _ENOUGH_ART


def verify(crop: Features, scan: Features) -> Evidence | None:
    """Look for one homography that maps features of the scan to features of the crop.

    Returns:
        None where there is no plausible one.
    """
    first, second = matches(scan, crop)
    if len(first) < _LEAST:
        return None
    cv2.setRNGSeed(1)
    matrix, mask = cv2.findHomography(
        scan.points[first], crop.points[second], cv2.RANSAC, _REACH, maxIters=500, confidence=0.99
    )
    if matrix is None:
        return None
    inside = mask.ravel() > 0
    corners = plausible(matrix, scan.size, crop.size)
    if corners is None or inside.sum() < _LEAST:
        return None
    kept = scan.points[first[inside]] / np.asarray(scan.size, dtype=np.float32)
    cells = len({(int(x * 6), int(y * 8)) for x, y in kept})
    return Evidence(len(kept), _within(kept, ART), _within(kept, TITLE), cells, matrix, corners)


def matches(scan: Features, crop: Features) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return indices of features that match: distinct by the ratio test, each used once."""
    none = np.zeros(0, dtype=np.intp)
    if min(len(scan), len(crop)) < _LEAST:
        return none, none
    similar = scan.unit @ crop.unit.T  # of unit vectors: distance² = 2 - 2 similarity
    rows = np.arange(len(similar))
    best = similar.argmax(axis=1)
    nearest = 2 - 2 * similar[rows, best]
    similar[rows, best] = -1
    distinct = np.flatnonzero(nearest < _RATIO**2 * (2 - 2 * similar.max(axis=1)))
    order = distinct[np.argsort(nearest[distinct], kind="stable")]
    _, once = np.unique(best[order], return_index=True)
    order = order[np.sort(once)]
    return order, best[order]


def plausible(
    matrix: NDArray[np.float64], scan: tuple[int, int], crop: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Return the card's corners in the crop, if a flat card could look like that."""
    width, height = scan
    frame = np.asarray([[[0, 0], [width, 0], [width, height], [0, height]]], dtype=np.float32)
    if (matrix[2] @ np.asarray([*frame[0].T, np.ones(4)]) <= 0).any():
        return None  # a corner behind the camera
    corners = cv2.perspectiveTransform(frame, matrix)[0]
    area = cv2.contourArea(corners, oriented=True)
    share = area / (crop[0] * crop[1])  # negative where the card is seen in a mirror
    if not (_AREA[0] <= share <= _AREA[1] and cv2.isContourConvex(corners)):
        return None
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    if sides.min() < _SLIMMEST * sides.max():
        return None
    return np.asarray(corners, dtype=np.float32)


def _within(points: NDArray[np.float32], box: tuple[float, float, float, float]) -> int:
    left, top, right, bottom = box
    x, y = points.T
    return int(((x > left) & (x < right) & (y > top) & (y < bottom)).sum())
