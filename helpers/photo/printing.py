"""Tell printings of one art apart, where their scans differ: set symbol, border, collector line."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

#: Width and height in pixels that everything is compared at.
SIZE = (244, 340)
_WINDOW = 11  # pixels: about a set symbol
_SHARE = 0.06  # of the card, where the two scans differ most
_LEAST_GAP = 0.2  # in mean local correlation, for `sure`: simulated photos were wrong up to 0.10
_LEAST_DIFFERENCE = 0.25  # in 1 - local correlation of the scans, below which they look the same
_LEAST_WEIGHT = 50  # pixels; below, the two scans look the same
_REACH = 3  # pixels that a window may lie off
_NOISE = 25.0  # squared grey levels: what is flat in both does not count as different


def tell_printings(
    aligned: NDArray[np.uint8], scans: Mapping[int, NDArray[np.uint8]]
) -> tuple[list[int], bool]:
    """Compare an aligned photo with scans of the same art.

    Args:
        aligned: uint8 [height, width, 3], RGB; the photo, warped onto the card by the homography
            that verification found.
        scans: by their rows, each uint8 [height, width, 3] of any size.

    Returns:
        Their rows, the likeliest first, and whether that one beats each other clearly.
    """
    photo, views = _grey(aligned), [_grey(scan) for scan in scans.values()]
    agreement = [_best_correlation(photo, view) for view in views]
    count = len(views)
    gaps = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            gap = _gap(agreement[i], agreement[j], 1 - _best_correlation(views[i], views[j]))
            gaps[i, j], gaps[j, i] = gap, -gap
    order = np.argsort(-gaps.min(axis=1), kind="stable")
    others = np.delete(gaps[order[0]], order[0])
    return [list(scans)[place] for place in order], bool((others >= _LEAST_GAP).all())


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    how = cv2.INTER_AREA if picture.shape[1] > SIZE[0] else cv2.INTER_CUBIC
    grey = cv2.cvtColor(cv2.resize(picture, SIZE, interpolation=how), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.8), dtype=np.float32)


def _best_correlation(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the correlation of grey levels round each pixel, -1 to 1, at the best of some shifts.

    What depends on one picture alone is taken once and shifted with it.
    """
    first = _framed(first, _WINDOW // 2)
    second = _framed(second, _WINDOW // 2 + _REACH)
    (mean1, variance1), (mean2, variance2) = _moments(first), _moments(second)
    height, width = first.shape
    best = np.full(first.shape, -1, dtype=np.float32)
    for top in range(2 * _REACH + 1):
        for left in range(2 * _REACH + 1):
            there = np.s_[top : top + height, left : left + width]
            both = _mean(first * second[there]) - mean1 * mean2[there] + _NOISE
            np.maximum(best, both / np.sqrt(variance1 * variance2[there]), out=best)
    inside = slice(_WINDOW // 2, -(_WINDOW // 2))  # further out a window reaches beyond the frame
    return best[inside, inside]


def _framed(picture: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    framed = cv2.copyMakeBorder(picture, *[width] * 4, cv2.BORDER_REPLICATE)
    return np.asarray(framed, dtype=np.float32)


def _moments(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and variance in a window round each pixel."""
    mean = _mean(picture)
    variance = _mean(picture * picture) - mean * mean
    return mean, np.maximum(variance, 0) + np.float32(_NOISE)


def _mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(picture, (_WINDOW, _WINDOW)), dtype=np.float32)


def _gap(
    one: NDArray[np.float32], other: NDArray[np.float32], difference: NDArray[np.float32]
) -> float:
    """Return how much better one scan agrees than the other, where the two differ most."""
    limit = max(float(np.quantile(difference, 1 - _SHARE)), _LEAST_DIFFERENCE)
    weights = np.where(difference >= limit, difference, 0)
    if weights.sum() < _LEAST_WEIGHT:
        return 0.0
    return float(((one - other) * weights).sum() / weights.sum())
