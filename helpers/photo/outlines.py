"""Outlines of cards: four corners in pixels, clockwise, and what can be said of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: float32 [4, 2], pixels.
Corners = NDArray[np.float32]

CARD_RATIO = 63 / 88  # short side through long side of a card, in mm
_GAP = 1.05  # from one card of a row to the next, in widths of a card


def frame(size: tuple[int, int]) -> Corners:
    """Return the corners of an upright rectangle, clockwise from the top left."""
    width, height = size
    return np.asarray([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)


def ordered(corners: NDArray[Any]) -> Corners:
    """Return four corners clockwise, the top left one first.

    Sorted by angle round their centre: sums and differences of x and y fail near 45 degrees.
    """
    points = np.asarray(corners, dtype=np.float32).reshape(4, 2)
    centred = points - points.mean(axis=0)
    points = points[np.argsort(np.arctan2(centred[:, 1], centred[:, 0]), kind="stable")]
    return np.roll(points, -int(points.sum(axis=1).argmin()), axis=0)


def sides(corners: Corners) -> NDArray[np.float32]:
    """Return float32 [4], the lengths of the sides."""
    return np.asarray(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1), np.float32)


def side_ratio(corners: Corners) -> float:
    """Return the shorter through the longer mean side of a quadrilateral."""
    first, second, third, fourth = sides(corners)
    across, down = first + third, second + fourth
    return float(min(across, down) / max(across, down, 1e-6))


def upright(corners: Corners) -> Corners:
    """Return clockwise corners such that the first side is a short one.

    Which of the two short sides is the card's top, the outline cannot tell.
    """
    first, second, third, fourth = sides(corners)
    return corners if first + third <= second + fourth else np.roll(corners, -1, axis=0)


def grown(corners: Corners, share: float) -> Corners:
    """Return an outline whose corners lie further from its centre by a share of their distance."""
    centre = corners.mean(axis=0)
    return np.asarray(centre + (corners - centre) * (1 + share), dtype=np.float32)


def area(corners: Corners) -> float:
    """Return the area in pixels."""
    return float(cv2.contourArea(corners))


def holds(corners: Corners, point: NDArray[np.float32]) -> bool:
    """Tell whether a point lies inside."""
    inside: float = cv2.pointPolygonTest(corners, tuple(map(float, point)), measureDist=False)
    return inside > 0


def overlap(one: Corners, other: Corners) -> float:
    """Return the share of the smaller outline that both cover."""
    shared, _ = cv2.intersectConvexConvex(one, other)
    return float(shared) / max(1e-6, min(area(one), area(other)))


def similarity(one: Corners, other: Corners) -> float:
    """Return the area that both outlines cover through the area that either covers."""
    shared, _ = cv2.intersectConvexConvex(one, other)
    return float(shared) / max(1e-6, area(one) + area(other) - float(shared))


def beside(corners: Corners) -> Iterator[Corners]:
    """Yield where the next cards lie if this one is part of a row, a column or a binder page."""
    right = (corners[1] - corners[0] + corners[2] - corners[3]) / 2
    down = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
    for step in (right, -right, down, -down):
        yield np.asarray(corners + step * _GAP, dtype=np.float32)


def reading_order(outlines: Sequence[Corners]) -> list[int]:
    """Return the places of outlines from left to right, top to bottom.

    Outlines whose centres differ by less than half a card's height form a line.
    """
    if not outlines:
        return []
    centres = [corners.mean(axis=0) for corners in outlines]
    half = float(np.median([np.ptp(corners[:, 1]) for corners in outlines])) / 2
    lines: list[list[int]] = []
    for place in sorted(range(len(outlines)), key=lambda place: float(centres[place][1])):
        if not lines or centres[place][1] - centres[lines[-1][0]][1] >= half:
            lines.append([])
        lines[-1].append(place)
    return [
        place for line in lines for place in sorted(line, key=lambda each: float(centres[each][0]))
    ]
