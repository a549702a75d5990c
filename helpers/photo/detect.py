"""Find quadrilaterals that may be the outlines of cards in a picture.

Nothing here decides that something is a card: candidates are kept generously, and verification by
local features (`homography`) decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.photo.outlines import CARD_RATIO, ordered, side_ratio

_CORNERS = 4
_MOST_SIDES = 16  # of a hull that may be a card with rounded corners and a thumb over one
_PARALLEL = 1e-9  # cross product of directions below which lines do not meet


@dataclass(frozen=True, slots=True)
class Quad:
    """A candidate outline.

    Args:
        corners: float32 [4, 2], pixels of the searched picture, clockwise from the top left one.
        votes: how many thresholds and channels saw it.
        score: votes weighed by how well outline and shape fit a card; larger is better.
    """

    corners: NDArray[np.float32]
    votes: int
    score: float


@dataclass(frozen=True, slots=True)
class Search:
    """What `find_quads` looks for.

    Args:
        sides: longer side in pixels of the copies of the picture that are searched.
        least_area: of an outline, as a share of the picture.
        most_area: of an outline, as a share of the picture.
        least_ratio: shorter through longer side of an outline; a card seen aslant gets slimmer.
        most_ratio: the same, at most.
        least_fill: share of the quadrilateral that the found contour's hull must cover.
        most: quads to return.
    """

    sides: tuple[int, ...] = (800, 400)
    least_area: float = 0.004
    most_area: float = 0.97
    least_ratio: float = 0.45
    most_ratio: float = 0.95
    least_fill: float = 0.86
    most: int = 40


DEFAULT = Search()


def find_quads(picture: NDArray[np.uint8], search: Search = DEFAULT) -> list[Quad]:
    """Return candidate outlines, the likeliest first.

    Args:
        picture: uint8 [height, width, 3], RGB.
        search: what to look for.

    Returns:
        Quads in pixels of `picture`; of outlines that nearly coincide only one.
    """
    found: list[tuple[NDArray[np.float32], float]] = []
    longer = max(picture.shape[:2])
    for side in search.sides:
        scale = side / longer
        copy = _resized(picture, scale)
        for mask in _masks(copy):
            found += [(quad / scale, fit) for quad, fit in _quads(mask, search)]
    return _merged(found, search)


def _resized(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=how), dtype=np.uint8)


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


def _quads(mask: NDArray[np.uint8], search: Search) -> Iterator[tuple[NDArray[np.float32], float]]:
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    whole = mask.shape[0] * mask.shape[1]
    for contour in contours:
        if len(contour) < _CORNERS:
            continue
        *_, width, height = cv2.boundingRect(contour)
        if width * height < search.least_area * whole:
            continue
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        if not search.least_area * whole <= area <= search.most_area * whole:
            continue
        quad = _four_corners(hull)
        if quad is None:
            continue
        fit = area / max(cv2.contourArea(quad), 1e-6)
        if fit < search.least_fill:
            continue
        if search.least_ratio <= side_ratio(quad) <= search.most_ratio:
            yield ordered(quad), fit


def _four_corners(hull: NDArray[np.int32]) -> NDArray[np.float32] | None:
    """Return the quadrilateral round a hull that adds the least area to it.

    Sides are taken away one by one, their neighbours prolonged until they meet: rounded corners
    and a corner under a thumb are completed.
    """
    polygon = cv2.approxPolyDP(hull, 0.01 * cv2.arcLength(hull, closed=True), closed=True).reshape(
        -1, 2
    )
    points = [(float(x), float(y)) for x, y in polygon]
    if not _CORNERS <= len(points) <= _MOST_SIDES:
        return None
    while len(points) > _CORNERS:
        best = _cheapest_cut(points)
        if best is None:
            return None
        index, meeting = best
        following = (index + 1) % len(points)
        points[index] = meeting
        del points[following]
    return np.asarray(points, dtype=np.float32)


def _cheapest_cut(
    points: list[tuple[float, float]],
) -> tuple[int, tuple[float, float]] | None:
    """Return the side whose removal adds the least area, and where its neighbours meet."""
    best, least = None, np.inf
    count = len(points)
    for index in range(count):
        before, first = points[index - 1], points[index]
        second, after = points[(index + 1) % count], points[(index + 2) % count]
        meeting = _meeting(before, first, after, second)
        if meeting is None:
            continue
        added = abs(_cross(first, second, meeting)) / 2
        if added < least:
            best, least = (index, meeting), added
    return best


def _meeting(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]
) -> tuple[float, float] | None:
    """Return where the line from `a` beyond `b` meets that from `c` beyond `d`."""
    ux, uy, vx, vy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    cross = ux * vy - uy * vx
    if abs(cross) < _PARALLEL:
        return None
    along = ((c[0] - a[0]) * vy - (c[1] - a[1]) * vx) / cross
    other = ((c[0] - a[0]) * uy - (c[1] - a[1]) * ux) / cross
    if along < 1 or other < 1:
        return None
    return a[0] + along * ux, a[1] + along * uy


def _cross(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _merged(found: list[tuple[NDArray[np.float32], float]], search: Search) -> list[Quad]:
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
        far = [_distance(quads[member], quads[index]) for member in members]
        members = members[np.asarray(far) < 0.06 * size[index]]
        left[members] = False
        votes = len(members)
        merged.append(Quad(quads[index], votes, float(worth[index] * np.log2(1 + votes))))
    return sorted(merged, key=lambda quad: -quad.score)[: search.most]


def _distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the mean distance of corners, whichever of them comes first."""
    return min(
        float(np.linalg.norm(np.roll(first, turn, axis=0) - second, axis=1).mean())
        for turn in range(4)
    )
