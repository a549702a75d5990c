"""Printings of one art are told apart where their scans differ."""

import cv2
import numpy as np
from table import Pixels, scan

from helpers.photo.printing import tell_printings


def reprint(card: Pixels) -> Pixels:
    """Return another printing: the same art, another set symbol and collector line."""
    other = card.copy()
    cv2.circle(other, (430, 400), 14, (200, 40, 30), -1)
    cv2.putText(other, "042/261 XYZ", (40, 655), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (250, 250, 250), 2)
    return other


def photo_of(card: Pixels) -> Pixels:
    """Return a card as an aligned photo shows it: blurred, darker, noisy."""
    noise = np.random.default_rng(0).normal(0, 4, card.shape)
    photo = cv2.GaussianBlur(card, (0, 0), 1.2) * 0.7 + noise + 15
    return np.asarray(np.clip(photo, 0, 255), dtype=np.uint8)


def test_the_printing_of_the_photo_is_first_and_sure() -> None:
    """Both ways, and in whatever order the scans come."""
    scans = [scan(0), reprint(scan(0))]

    for shown in (0, 1):
        photo = photo_of(scans[shown])
        for order in ((0, 1), (1, 0)):
            given = {row: scans[row] for row in order}
            assert tell_printings(photo, given) == ([shown, 1 - shown], True)


def test_equal_scans_are_tied() -> None:
    """Nothing differs, so nothing can be said."""
    assert tell_printings(photo_of(scan(0)), {7: scan(0), 3: scan(0)}) == ([7, 3], False)
