"""Local features (RootSIFT) of a card: what verification matches.

RootSIFT: Arandjelovic & Zisserman, "Three things everyone should know to improve object
retrieval", CVPR 2012. Square roots of descriptors make Euclidean distance the Hellinger distance.
"""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Width and height in pixels at which a card's features are taken: print is just legible.
SIZE = (244, 340)
_MOST = 400  # features of a card, the strongest
_COARSE = 200  # more of them from a copy of half the size: all that a blurred photo has
_CONTRAST = 0.02  # half of SIFT's own threshold: photos are flatter than scans
_CELLS = (6, 8)  # across and down, that share the features of a picture
_LEVELS = 512  # a descriptor of unit length in whole numbers


@dataclass(frozen=True)
class Features:
    """Where the features of a picture lie, and what they look like."""

    points: NDArray[np.float32]  # [n, 2], pixels
    descriptors: NDArray[np.uint8]  # [n, 128], RootSIFT times 512, cut off at 255
    size: tuple[int, int]  # width and height of the picture

    def __len__(self) -> int:
        return len(self.points)

    @functools.cached_property
    def unit(self) -> NDArray[np.float32]:
        """The descriptors as float32 vectors of unit length."""
        vectors = self.descriptors.astype(np.float32)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)
        return np.asarray(vectors / lengths, dtype=np.float32)


def extract(picture: NDArray[np.uint8], most: int = _MOST) -> Features:
    """Find up to `most` local features in all parts of uint8 [height, width, 3], RGB."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size = (grey.shape[1], grey.shape[0])
    keypoints, found = _sift().detectAndCompute(grey, None)
    if found is None or not len(keypoints):
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8), size)
    points = np.asarray([keypoint.pt for keypoint in keypoints], dtype=np.float32)
    strengths = np.asarray([keypoint.response for keypoint in keypoints])
    kept = _spread(points / np.asarray(size), strengths)[:most]
    points, found = points[kept], found[kept]
    root = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-6))
    descriptors = np.minimum(np.rint(root * _LEVELS), 255).astype(np.uint8)
    return Features(points, descriptors, size)


def _spread(places: NDArray[np.float32], strengths: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the order that takes the strongest of each cell in turn.

    By strength alone, print would leave nothing for a soft picture.
    """
    cells = (places * _CELLS).astype(int) @ (1, _CELLS[0])
    order = np.lexsort((-strengths, cells))
    rank = np.arange(len(order)) - np.searchsorted(cells[order], cells[order])
    return np.asarray(order[np.lexsort((-strengths[order], rank))])


def of_scan(scan: NDArray[np.uint8]) -> Features:
    """Return the features of a card's scan at the size that photos are compared at.

    The strongest ones of a scan are nearly all fine; coarse ones are looked for by themselves.
    """
    how = cv2.INTER_AREA if scan.shape[1] > SIZE[0] else cv2.INTER_CUBIC
    card = np.asarray(cv2.resize(scan, SIZE, interpolation=how), dtype=np.uint8)
    half = cv2.resize(card, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)
    fine, coarse = extract(card), extract(np.asarray(half, dtype=np.uint8), _COARSE)
    return Features(
        np.concatenate([fine.points, 2 * coarse.points + 0.5]),
        np.concatenate([fine.descriptors, coarse.descriptors]),
        SIZE,
    )


@functools.cache
def _sift() -> cv2.SIFT:
    return cv2.SIFT_create(contrastThreshold=_CONTRAST)
