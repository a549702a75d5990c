"""Find quadrilaterals that may be the outlines of cards in a picture.

Nothing here decides that something is a card: candidates are kept generously, and verification by
local features (`homography`) decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.photo.outlines import CARD_RATIO, Corners, ordered, side_ratio, upright

_SIDES = (800, 400)  # pixels of the longer side of the copies of the picture that are searched
_AREA = (0.004, 0.97)  # of an outline, as a share of the picture
_RATIO = (0.45, 0.95)  # shorter through longer side; a card seen aslant gets slimmer
_LEAST_FILL = 0.86  # share of the quadrilateral that the found contour's hull must cover
_MOST = 40  # outlines to return
_CORNERS = 4
_MOST_SIDES = 16  # of a hull that may be a card with rounded corners and a thumb over one
_PARALLEL = 1e-9  # cross product of directions below which lines do not meet


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a card may be."""

    corners: Corners  # clockwise from a short side, which may be the card's top or its foot
    turns: tuple[int, ...] = (0, 2)  # quarter turns to try
    as_it_is: bool = False  # the whole picture, also asked unchanged, so that a scan scores 1
    #: The number of thresholds and channels that saw the outline, weighed by its shape.
    fit: float = 1.0


def find_quads(picture: NDArray[np.uint8]) -> list[Candidate]:
    """Return candidate outlines, the likeliest first; of those that nearly coincide only one.

    Args:
        picture: uint8 [height, width, 3], RGB.
    """
    found: list[tuple[Corners, float]] = []
    height, width = picture.shape[:2]
    for side in _SIDES:
        scale = side / max(height, width)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        size = (round(width * scale), round(height * scale))
        for mask in _masks(np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)):
            found += [(quad / scale, fit) for quad, fit in _quads(mask)]
    return _merged(found)[:_MOST]


def _masks(picture: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield binary pictures in which the outline of a card may be a contour."""
    picture = cv2.bilateralFilter(picture, 5, 40, 5)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    local = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(grey)
    yield from _edges(grey, (0.4, 0.8, 1.6))
    yield from _edges(local, (0.8, 1.6))
    chroma = [cv2.normalize(lab[..., i], None, 0, 255, cv2.NORM_MINMAX) for i in (1, 2)]
    for channel in chroma:
        yield from _edges(channel, (0.8,))
    block = max(picture.shape[:2]) // 8 | 1
    for channel in (grey, local):
        for offset in (-6, 6):
            yield cv2.adaptiveThreshold(
                channel, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, block, offset
            )
    for channel in (grey, *chroma):
        _, mask = cv2.threshold(channel, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        yield mask
    for share in (15, 35, 65, 85):
        yield np.where(grey > np.percentile(grey, share), 255, 0).astype(np.uint8)


def _edges(channel: NDArray[np.uint8], factors: tuple[float, ...]) -> Iterator[NDArray[np.uint8]]:
    """Yield Canny's edges, closed over gaps of a few pixels."""
    strength = float(np.abs(cv2.Sobel(channel, cv2.CV_32F, 1, 0)).mean()) + 4
    for factor in factors:
        high = 4 * factor * strength
        edges = cv2.Canny(channel, high / 2.5, high)
        yield cv2.dilate(edges, np.ones((3, 3), np.uint8))


def _quads(mask: NDArray[np.uint8]) -> Iterator[tuple[Corners, float]]:
    """Yield the quadrilaterals that the hulls of contours fill, and to which share."""
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    least, most = (share * mask.size for share in _AREA)
    for contour in contours:
        *_, width, height = cv2.boundingRect(contour)
        if width * height < least:  # most are, and their hulls are dearer
            continue
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        quad = _four_corners(hull) if least <= area <= most else None
        if quad is not None:
            fill = area / max(cv2.contourArea(quad), 1e-6)
            if fill >= _LEAST_FILL and _RATIO[0] <= side_ratio(quad) <= _RATIO[1]:
                yield ordered(quad), fill


def _four_corners(hull: NDArray[np.int32]) -> Corners | None:
    """Return the quadrilateral round a hull that adds the least area to it.

    Sides are taken away one by one, their neighbours prolonged until they meet: rounded corners
    and a corner under a thumb are completed.
    """
    polygon = cv2.approxPolyDP(hull, 0.01 * cv2.arcLength(hull, closed=True), closed=True)
    points = polygon.reshape(-1, 2).astype(np.float64)
    if not _CORNERS <= len(points) <= _MOST_SIDES:
        return None
    while len(points) > _CORNERS:
        meetings, added = _without_a_side(points)
        side = int(added.argmin())
        if added[side] == np.inf:
            return None
        points[side] = meetings[side]
        points = np.delete(points, (side + 1) % len(points), axis=0)
    return np.asarray(points, dtype=np.float32)


def _without_a_side(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return [n, 2] where the neighbours of each side meet, and [n] the area that this adds.

    The area is infinite where they do not meet beyond the side.
    """
    ring = np.concatenate([points[-1:], points, points[:2]])
    before, second, after = ring[:-3], ring[2:-1], ring[3:]
    first_way, second_way = points - before, second - after
    cross = _cross(first_way, second_way)
    cross[np.abs(cross) < _PARALLEL] = np.nan
    along, other = (_cross(after - before, way) / cross for way in (second_way, first_way))
    meetings = before + along[:, None] * first_way
    added = np.abs(_cross(second - points, meetings - points)) / 2
    return meetings, np.where((along >= 1) & (other >= 1), added, np.inf)


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]


def _merged(found: list[tuple[Corners, float]]) -> list[Candidate]:
    """Let outlines that nearly coincide vote for one, the best fitting of them."""
    if not found:
        return []
    quads = np.stack([quad for quad, _ in found])
    fits = np.asarray([fit for _, fit in found])
    ratios = np.asarray([side_ratio(quad) for quad in quads])
    size = np.sqrt([cv2.contourArea(quad) for quad in quads])
    centres = quads.mean(axis=1)
    worth = fits * np.exp(-(((ratios - CARD_RATIO) / 0.15) ** 2) / 2)
    left = np.ones(len(quads), dtype=bool)
    merged = []
    for index in np.argsort(-worth, kind="stable"):
        if not left[index]:
            continue
        near = left & (np.linalg.norm(centres - centres[index], axis=1) < 0.06 * size[index])
        members = np.flatnonzero(near)
        turned = np.stack([np.roll(quads[members], turn, axis=1) for turn in range(_CORNERS)])
        far = np.linalg.norm(turned - quads[index], axis=-1).mean(axis=-1).min(axis=0)
        members = members[far < 0.06 * size[index]]  # whichever corner comes first
        left[members] = False
        fit = float(worth[index] * np.log2(1 + len(members)))
        merged.append(Candidate(upright(quads[index]), fit=fit))
    return sorted(merged, key=lambda candidate: -candidate.fit)
