"""What can be said of four corners."""

import numpy as np
import pytest
from table import place

from helpers.photo import outlines


@pytest.mark.parametrize("degrees", range(0, 360, 45))
def test_corners_come_clockwise(degrees: int) -> None:
    """In whatever order they are given: the turn is clockwise on a screen, so area is positive."""
    corners = place((100, 100), 88, degrees)
    shuffled = corners[[2, 0, 3, 1]]

    ordered = outlines.ordered(shuffled)

    x, y = ordered.T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0
    assert {tuple(point) for point in ordered} == {tuple(point) for point in corners}


def test_a_card_lying_on_its_side_starts_with_a_short_side() -> None:
    """Upright and sideways outlines are cut out the same way."""
    for degrees in (0, 90):
        corners = outlines.upright(outlines.ordered(place((100, 100), 88, degrees)))
        assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(63, abs=0.1)
        assert outlines.side_ratio(corners) == pytest.approx(outlines.CARD_RATIO, abs=1e-3)


def test_overlap_and_similarity() -> None:
    """A small outline within a large one overlaps it fully, and is not similar to it."""
    large, small = place((100, 100), 88), place((100, 100), 44)

    assert outlines.overlap(large, small) == pytest.approx(1)
    assert outlines.similarity(large, small) == pytest.approx(0.25, abs=0.01)
    assert outlines.similarity(large, large) == pytest.approx(1)
    assert outlines.overlap(large, place((300, 100), 88)) == 0


def test_neighbours_lie_beside_a_card() -> None:
    """Four of them, each a little further away than its width or height."""
    centres = {
        tuple(round(float(value)) for value in corners.mean(axis=0))
        for corners in outlines.beside(place((100, 100), 88))
    }
    assert centres == {(166, 100), (34, 100), (100, 192), (100, 8)}


def test_reading_order() -> None:
    """Left to right, line by line, though cards of a line do not lie exactly level."""
    centres = [(200, 20), (50, 210), (60, 30), (180, 190)]
    assert outlines.reading_order([place(centre, 88) for centre in centres]) == [2, 0, 1, 3]
    assert outlines.reading_order([]) == []
