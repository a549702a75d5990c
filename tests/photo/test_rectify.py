"""The colour of the light is undone."""

import numpy as np
from table import scan

from helpers.photo.rectify import equalise


def test_a_warm_lamp_is_undone() -> None:
    """A crop under a warm, dim lamp comes close to one in daylight."""
    daylight = scan(0)
    warm = (daylight * np.asarray([0.7, 0.5, 0.3])).astype(np.uint8)

    gap = np.abs(equalise(warm).astype(float) - equalise(daylight)).mean()

    assert gap < np.abs(warm.astype(float) - daylight).mean() / 3


def test_a_flat_crop_is_not_blown_up_to_noise() -> None:
    """One colour stays nearly one colour."""
    flat = np.full((60, 40, 3), (90, 92, 91), np.uint8)
    flat[::2] += 1

    assert np.ptp(equalise(flat)[..., 0].astype(int)) < 32
