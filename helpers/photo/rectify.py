"""Cut a card out of a picture, upright and without perspective."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.photo.outlines import Corners, frame, sides

#: Width and height in pixels of a crop for the encoder, which sees 224 pixels of it.
SIZE = (275, 384)


def rectify(
    picture: NDArray[np.uint8], corners: NDArray[Any], size: tuple[int, int] = SIZE
) -> NDArray[np.uint8]:
    """Return the quadrilateral as an upright rectangle.

    Args:
        picture: uint8 [height, width, 3].
        corners: [4, 2], in the picture, clockwise from the card's own top left one.
        size: width and height of the result, which is black where the picture ends.
    """
    corners = np.asarray(corners, dtype=np.float32)
    first, second, third, fourth = sides(corners)
    extent = min((first + third) / (2 * size[0]), (second + fourth) / (2 * size[1]))
    shrink = min(float(extent) / 2, 8.0)  # half the pixels of the picture along one of the crop
    if shrink > 1:  # a warp reads single pixels: without blur it would flicker
        picture, corners = _shrunk(picture, corners, shrink)
    matrix = cv2.getPerspectiveTransform(corners, frame(size))
    return np.asarray(cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)


def _shrunk(
    picture: NDArray[np.uint8], corners: Corners, factor: float
) -> tuple[NDArray[np.uint8], Corners]:
    """Cut out the corners' surroundings and shrink them."""
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 8, 0)
    high = np.ceil(corners.max(axis=0)).astype(int) + 8
    part = picture[low[1] : high[1], low[0] : high[0]]
    if part.size == 0:
        return picture, corners
    size = (max(1, round(part.shape[1] / factor)), max(1, round(part.shape[0] / factor)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    scale = np.asarray([size[0] / part.shape[1], size[1] / part.shape[0]], dtype=np.float32)
    return np.asarray(small, dtype=np.uint8), (corners - low.astype(np.float32)) * scale
