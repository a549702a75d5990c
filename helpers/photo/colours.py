"""Undo the colour of the light that a crop was taken in."""

import numpy as np
from numpy.typing import NDArray

_LOW, _HIGH = 1, 99  # percentiles that become black and white
_LEAST_SPAN = 16.0  # grey levels; a flat crop is not blown up to noise


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
