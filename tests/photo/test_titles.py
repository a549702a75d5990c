"""Titles: read by a stand-in, and where the card lies whose title a line is."""

import cv2
import numpy as np
import pytest
from table import place, table

from helpers.packages import is_here
from helpers.photo import outlines, titles
from helpers.photo.titles import Line, cards_of, read

Pixels = np.ndarray


class Recorder:
    """Reads the same line in every picture, and keeps the picture."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.seen = np.zeros((0, 0, 3), np.uint8)

    def __call__(self, pixels: Pixels) -> list[Line]:
        """Return the line."""
        self.seen = pixels
        return [self.line]


def title_of(card: outlines.Corners) -> Line:
    """Return the title of a card: 20 letters, as wide and where they are on a real one."""
    frame = np.asarray([[0, 0], [63, 0], [63, 88], [0, 88]], np.float32)
    there = np.asarray([[[5.4, 4.2], [33.7, 4.2], [33.7, 7.3], [5.4, 7.3]]], np.float32)
    matrix = cv2.getPerspectiveTransform(frame, card)
    return Line("Abcdefghij Klmnopqrs", cv2.perspectiveTransform(there, matrix)[0])


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_a_title_tells_where_its_card_lies(degrees: float) -> None:
    """At any angle; a reader that took the line upside down is set right by the second guess."""
    card = place((400, 300), 352, degrees)
    line = title_of(card)
    first, second = cards_of(line)
    assert outlines.similarity(first, card) > 0.95
    assert outlines.overlap(second, card) < 0.3
    turned = Line(line.text, np.roll(line.corners, 2, axis=0))
    assert np.allclose(list(cards_of(turned)), [second, first], atol=0.01)


def test_wide_letters_count_twice() -> None:
    """Ten Chinese letters are as long as twenty Latin ones."""
    line = title_of(place((400, 300), 352))
    wide = Line("闪电闪电闪电闪电闪电", line.corners)
    assert np.array_equal(next(cards_of(wide)), next(cards_of(line)))


def test_small_pictures_are_enlarged_and_found_cards_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is read has the pixels of the picture that was given; a found card is not read again."""
    photo = table(300, 200)
    card = place((100, 100), 120)
    recorder = Recorder(title_of(card))
    monkeypatch.setattr(titles, "rapid_lines", recorder)
    (line,) = read(photo, [card])
    assert recorder.seen.shape == (400, 600, 3)
    assert np.allclose(line.corners, recorder.line.corners / 2)
    assert np.ptp(recorder.seen[190:210, 190:210]) == 0
    assert np.array_equal(photo, table(300, 200))
    read(table(1600, 400))
    assert recorder.seen.shape == (400, 1600, 3)
    assert read(table(1600, 399)) == []


@pytest.mark.skipif(not is_here("rapidocr"), reason="rapidocr is optional")
def test_the_installed_reader_reads_a_title() -> None:
    """One that stands upright, too, and tells where it begins."""
    photo = np.full((360, 400, 3), 230, np.uint8)  # a strip would be enlarged sixfold
    cv2.putText(photo, "Shallow Grave", (40, 70), cv2.FONT_HERSHEY_DUPLEX, 1.2, (20, 20, 20), 2)
    (line,) = titles.rapid_lines(np.ascontiguousarray(np.rot90(photo, 3)))
    assert line.text == "Shallow Grave"
    start, end = line.corners[0], line.corners[1]
    assert end[1] - start[1] > 4 * abs(end[0] - start[0])
