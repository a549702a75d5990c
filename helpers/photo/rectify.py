"""Cut a card out of a picture: upright, without perspective or the colour of the light."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.photo.outlines import Corners, frame, sides

#: Width and height in pixels of a crop for the encoder, which sees 224 pixels of it.
SIZE = (275, 384)
_LOW, _HIGH = 1, 99  # percentiles that become black and white
_LEAST_SPAN = 16.0  # grey levels; a flat crop is not blown up to noise


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


def equalise(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the channels of a crop one mean, then stretch its levels.

    A grey mean takes a colour cast away; the stretch gives back the contrast that haze, sleeves
    and dim rooms take. Takes and returns uint8 [height, width, 3], RGB.
    """
    sample = crop[::4, ::4].reshape(-1, 3).astype(np.float32)
    means = sample.mean(axis=0)
    gains = means.mean() / np.maximum(means, 1)
    low, high = np.percentile(sample * gains, (_LOW, _HIGH))
    stretch = 255 / max(float(high - low), _LEAST_SPAN)
    ramp = np.arange(256, dtype=np.float32)[:, None]
    table = np.clip((ramp * gains - low) * stretch, 0, 255).astype(np.uint8)
    return np.stack([table[:, i][crop[..., i]] for i in range(3)], axis=-1)
