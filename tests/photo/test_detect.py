"""Outlines of cards in a picture."""

import numpy as np
import pytest
from table import distance, lay, place, scan, table

from helpers.photo import outlines
from helpers.photo.detect import find_quads


def nearest(found: list[outlines.Corners], true: outlines.Corners) -> float:
    """Return how far the best outline is off, whichever corner it names first."""
    turned = [np.roll(true, turn, axis=0) for turn in range(4)]
    return min(distance(each, turn) for each in found for turn in turned)


@pytest.mark.parametrize("degrees", [0, 17, 45, 90])
def test_a_card_on_a_table_is_outlined(degrees: float) -> None:
    """At any angle, 45 degrees among them, where sums of x and y mix corners up.

    To 5 % of its height: verification corrects the outline.
    """
    true = place((300, 220), 260, degrees)

    quads = find_quads(lay(table(600, 440), scan(0), true))

    assert nearest([quad.corners for quad in quads[:10]], true) < 13.5


def test_the_likeliest_outline_is_first() -> None:
    """Scores fall, and there are at most forty outlines."""
    photo = lay(table(600, 440), scan(1), place((300, 220), 260, 10))

    quads = find_quads(photo)

    assert 1 <= len(quads) <= 40
    assert [quad.fit for quad in quads] == sorted((quad.fit for quad in quads), reverse=True)


def test_a_corner_under_a_thumb_is_completed() -> None:
    """The lines of the sides meet where the hidden corner is."""
    true = place((300, 220), 300)
    photo = lay(table(600, 440), scan(2), true)
    x, y = true[2].astype(int)
    photo[y - 40 :, x - 40 :] = table(600, 440, seed=1)[y - 40 :, x - 40 :]

    quads = find_quads(photo)

    assert nearest([quad.corners for quad in quads], true) < 15


def test_an_empty_picture_has_no_outline() -> None:
    """One colour: nothing to find, and nothing fails."""
    assert find_quads(np.full((200, 300, 3), 90, np.uint8)) == []
