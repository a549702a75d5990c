"""Verify by geometry that a crop of a photo shows the card of a scan."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.photo import outlines
from helpers.photo.local_features import Features
from helpers.photo.outlines import Corners

_RATIO = 0.8  # Lowe, IJCV 2004
_REACH = 6.0  # pixels that an inlier may lie off
_LEAST = 10  # inliers below which there is nothing to judge
#: Cells of the art that must hold inliers. Cards with the same text, such as sagas and rooms with
#: their rules in brackets, agree in a hundred points, but these lie close together. Of 5,000 wrong
#: homographies 5 reached 9 cells, all of rooms, scan against scan; in photos none had more than 2.
ENOUGH_CELLS = 9
_AREA = (0.3, 2.5)  # of the projected card, as a share of the crop
_SLIMMEST = 0.35  # shorter through longer side of the projected card
#: Left, top, right, bottom of art and title, as shares of a card. The art ends within the frames of
#: all ages: the edges of a frame agree between all cards that have it.
ART = (0.12, 0.12, 0.88, 0.52)
TITLE = (0.06, 0.03, 0.80, 0.10)
_GRID = (6, 5)  # cells of the art, across and down


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a crop to show a scan's card."""

    inliers: int  # distinct features that one homography maps
    art: int  # of these, how many lie in the art
    title: int  # of these, how many lie in the title
    cells: int  # of the grid over the art that hold inliers
    corners: Corners  # the card's own, in pixels of the crop

    @property
    def strength(self) -> float:
        """By how much it agrees: inliers in art and title count whole, others a quarter.

        Frames and text boxes alone give up to 200 inliers between cards of one frame.
        """
        telling = self.art + self.title
        return telling + (self.inliers - telling) / 4


def verify(crop: Features, scan: Features) -> Evidence | None:
    """Look for one plausible homography that maps features of the scan to those of the crop."""
    if min(len(scan), len(crop)) < _LEAST:
        return None
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
    art = _within(kept, ART)
    cells = len({(int(x * _GRID[0]), int(y * _GRID[1])) for x, y in art})
    return Evidence(len(kept), len(art), len(_within(kept, TITLE)), cells, corners)


def matches(scan: Features, crop: Features) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return indices of features that match: distinct by the ratio test, each used once."""
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
) -> Corners | None:
    """Return the card's corners in the crop, if a flat card could look like that."""
    frame = outlines.frame(scan)
    if (matrix[2] @ np.asarray([*frame.T, np.ones(4)]) <= 0).any():
        return None  # a corner behind the camera
    corners = np.asarray(cv2.perspectiveTransform(frame[None], matrix)[0], dtype=np.float32)
    area = cv2.contourArea(corners, oriented=True)
    share = area / (crop[0] * crop[1])  # negative where the card is seen in a mirror
    if not (_AREA[0] <= share <= _AREA[1] and cv2.isContourConvex(corners)):
        return None
    sides = outlines.sides(corners)
    return None if sides.min() < _SLIMMEST * sides.max() else corners


def _within(
    points: NDArray[np.float32], box: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """Return the points within a box, as shares of it."""
    low, high = np.asarray(box[:2]), np.asarray(box[2:])
    shares = (points - low) / (high - low)
    return np.asarray(shares[((shares > 0) & (shares < 1)).all(axis=1)], dtype=np.float32)
