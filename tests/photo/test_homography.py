"""Verification by geometry."""

import cv2
import numpy as np
import pytest
from table import Pixels, distance, lay, place, scan, table

from helpers.photo import local_features, outlines
from helpers.photo.homography import ENOUGH_CELLS, matches, plausible, verify

SIZE = (278, 388)


def photo_of(number: int, corners: outlines.Corners) -> local_features.Features:
    """Return the features of a photo of a drawn card."""
    return local_features.extract(lay(table(*SIZE), scan(number), corners), 700)


@pytest.mark.parametrize("degrees", [0, 20, 180])
def test_a_card_is_verified_and_its_corners_are_exact(degrees: float) -> None:
    """Also upside down: the first corner is the card's own top left."""
    true = place((139, 194), 280, degrees)

    evidence = verify(photo_of(0, true), local_features.of_scan(scan(0)))

    assert evidence is not None
    assert evidence.cells >= ENOUGH_CELLS
    assert distance(evidence.corners, true) < 3


def test_another_card_is_not() -> None:
    """Eleven other cards, frames of the same kinds among them."""
    photo = photo_of(0, place((139, 194), 340))

    for number in range(1, 12):
        evidence = verify(photo, local_features.of_scan(scan(number)))
        assert evidence is None or evidence.cells < ENOUGH_CELLS


def with_rules(card: Pixels) -> Pixels:
    """Return a card with the rules of all sagas in a corner of its art."""
    card = card.copy()
    card[75:190, 55:250] = 235
    rules = (
        "(As this saga enters,/and after your draw/step, add a lore/counter to it. Sacri-/fice it."
    )
    for number, line in enumerate(rules.split("/")):
        where = (60, 95 + 21 * number)
        cv2.putText(card, line, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    return card


def test_the_same_text_is_not_the_same_card() -> None:
    """A hundred points agree, many of them in the art's place, but close together."""
    one, other = with_rules(scan(4)), with_rules(scan(9))
    other[380:] = one[380:]
    photo = local_features.extract(lay(table(*SIZE), one, place((139, 194), 340)), 1000)

    right, wrong = (verify(photo, local_features.of_scan(each)) for each in (one, other))

    assert right is not None
    assert right.cells >= ENOUGH_CELLS
    assert wrong is not None
    assert (wrong.inliers > 100, wrong.art > 20, wrong.cells < ENOUGH_CELLS) == (True, True, True)


def test_nothing_matches_nothing() -> None:
    """A crop without features gives no evidence, and no exception."""
    flat = local_features.extract(np.full((388, 278, 3), 90, np.uint8))

    assert len(flat) == 0
    assert verify(flat, local_features.of_scan(scan(0))) is None


def test_a_feature_is_matched_once() -> None:
    """Otherwise one blob of a photo could vouch for many features of a scan."""
    features = local_features.of_scan(scan(0))

    first, second = matches(features, features)

    assert len(first) > 100
    assert len(set(second.tolist())) == len(second)
    assert (first == second).all()


def test_a_mirrored_or_folded_card_is_not_plausible() -> None:
    """A card is flat, and nobody sees it from behind."""
    mirrored = np.asarray([[-1.0, 0, 244], [0, 1, 0], [0, 0, 1]])
    tiny = np.diag([0.1, 0.1, 1])

    assert plausible(mirrored, (244, 340), SIZE) is None
    assert plausible(tiny, (244, 340), SIZE) is None
    assert plausible(np.eye(3), (244, 340), SIZE) is not None
