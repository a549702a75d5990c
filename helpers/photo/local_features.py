"""Local features (RootSIFT) of a card: what verification matches.

RootSIFT: Arandjelovic & Zisserman, "Three things everyone should know to improve object
retrieval", CVPR 2012. Square roots of descriptors make Euclidean distance the Hellinger distance.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Width and height in pixels at which a card's features are taken: print is just legible.
SIZE = (244, 340)
_MOST = 400  # features of a card, the strongest
_CONTRAST = 0.02  # half of SIFT's own threshold: photos are flatter than scans
_LEVELS = 512  # a descriptor of unit length in whole numbers


@dataclass(frozen=True)
class Features:
    """Where the features of a picture lie, and what they look like.

    Args:
        points: float32 [n, 2], pixels.
        descriptors: uint8 [n, 128], RootSIFT times 512, cut off at 255.
        size: width and height of the picture.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.points)

    @functools.cached_property
    def unit(self) -> NDArray[np.float32]:
        """The descriptors as float32 vectors of unit length."""
        vectors = self.descriptors.astype(np.float32)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)
        return np.asarray(vectors / lengths, dtype=np.float32)


def extract(picture: NDArray[np.uint8], most: int = _MOST) -> Features:
    """Find the strongest local features.

    Args:
        picture: uint8 [height, width] or [height, width, 3], RGB.
        most: features to keep.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim > 2 else picture  # noqa: PLR2004
    size = (grey.shape[1], grey.shape[0])
    keypoints, found = _sift(most).detectAndCompute(grey, None)
    if found is None or not len(keypoints):
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8), size)
    points = np.asarray([keypoint.pt for keypoint in keypoints], dtype=np.float32)[:most]
    found = found[:most]
    root = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-6))
    descriptors = np.minimum(np.rint(root * _LEVELS), 255).astype(np.uint8)
    return Features(points, descriptors, size)


def of_scan(scan: NDArray[np.uint8]) -> Features:
    """Return the features of a card's scan at the size that photos are compared at."""
    how = cv2.INTER_AREA if scan.shape[1] > SIZE[0] else cv2.INTER_CUBIC
    return extract(np.asarray(cv2.resize(scan, SIZE, interpolation=how), dtype=np.uint8))


@functools.lru_cache(maxsize=4)
def _sift(most: int) -> cv2.SIFT:
    return cv2.SIFT_create(nfeatures=most, contrastThreshold=_CONTRAST)
