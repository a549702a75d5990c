"""Local features of all parts and sizes."""

import cv2
import numpy as np
from table import distance, lay, place, scan, table

from helpers.photo import local_features
from helpers.photo.homography import ENOUGH_CELLS, verify


def test_print_leaves_features_to_a_soft_picture() -> None:
    """Lines of hard print below, a faint pattern above: both get their share."""
    rng = np.random.default_rng(0)
    soft = cv2.resize(rng.integers(100, 130, (34, 49)).astype(np.uint8), (488, 340))
    hard = cv2.resize(rng.choice([0, 255], (85, 122)).astype(np.uint8), (488, 340))
    card = np.asarray(np.dstack([np.concatenate([soft, hard])] * 3))

    strongest = cv2.SIFT_create(nfeatures=300, contrastThreshold=0.02).detect(card, None)
    found = local_features.extract(card, 300)

    assert sum(point.pt[1] < 330 for point in strongest) == 0
    assert (found.points[:, 1] < 330).sum() > 50
    assert len(found) == 300


def test_a_blurred_card_has_coarse_features_only() -> None:
    """A scan keeps some of its own for it, at the places where its fine ones would be."""
    photo = lay(table(278, 388), scan(3), place((139, 194), 340))
    blurred = local_features.extract(cv2.GaussianBlur(photo, (0, 0), 3.5), 1000)
    fine = cv2.resize(scan(3), local_features.SIZE, interpolation=cv2.INTER_AREA)

    whole = verify(blurred, local_features.of_scan(scan(3)))
    without = verify(blurred, local_features.extract(np.asarray(fine, np.uint8)))

    assert whole is not None
    assert whole.cells >= ENOUGH_CELLS
    assert distance(whole.corners, place((139, 194), 340)) < 6
    assert without is None or without.cells < ENOUGH_CELLS
