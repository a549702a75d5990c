"""Titles as a second opinion: what is read, which names it resembles, and what is made of it."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from table import Corners, Pixels, lay, place, scan, table

from helpers.index.card_index import Hit
from helpers.photo import local_features, outlines
from helpers.photo.homography import Evidence
from helpers.photo.titles import Line
from helpers.query import comparison, title_answers
from helpers.query.answer import MATCH, UNSURE
from helpers.query.photo_search import PhotoSearch
from helpers.query.recognise import Recogniser
from helpers.query.searcher import Searcher
from helpers.query.title_answers import TitleSearch
from helpers.stopwatch import Stopwatch

NAMES = ("Shallow Grave", "Fire // Ice", "Æther Vial", "Lim-Dûl's Vault", "Fire")


@pytest.mark.parametrize(
    ("read", "rows"),
    [
        ("Shallow Grave", [0]),
        ("shallowgrave", [0]),
        ("ICE", [1]),
        ("Fire", [1, 4]),
        ("Lim-Dul s Vault", [3]),
        ("Siallow Grave", []),
        ("Grave", []),
        ("", []),
        ("口", []),
    ],
)
def test_names_are_found_as_they_were_read(read: str, rows: list[int]) -> None:
    """Missing spaces and accents do no harm; halves of split cards are names, too."""
    names = title_answers.rows_by_name({"name": name} for name in NAMES)
    assert names.get(title_answers.plain(read), []) == rows


def test_a_print_is_found_by_both_its_names() -> None:
    """Halves of what is printed count, too."""
    record = {"name": "Fire // Ice", "printed_name": "Feuer // Eis"}
    names = title_answers.rows_by_name([{"name": "Ice", "printed_name": None}, record])
    assert [names[name] for name in ("eis", "ice", "feuereis")] == [[1], [0, 1], [1]]


def line(text: str, y: float, x: float = 100) -> Line:
    """Return an upright line that begins at (x, y)."""
    corners = np.asarray([[0, 0], [10 * len(text), 0], [10 * len(text), 20], [0, 20]])
    return Line(text, np.asarray(corners + np.asarray([x, y]), np.float32))


@pytest.mark.parametrize(("text", "is_title"), [("Mountain", True), ("X$", False)])
def test_a_scrap_is_no_title(text: str, *, is_title: bool) -> None:
    """Of the shortest names one misread sign makes another."""
    assert title_answers._is_title(line(text, 100), []) is is_title  # noqa: SLF001


@pytest.mark.parametrize(("gap", "is_title"), [(28, False), (36, False), (44, True)])
def test_a_line_of_a_paragraph_is_no_title(gap: int, *, is_title: bool) -> None:
    """Titles of a pile lie further apart; what stands beside or below does not matter."""
    title = line("Mountain", 100)
    others = [line("Flying", 100 - gap), line("below", 125), line("aside", 75, x=400), title]
    assert title_answers._is_title(title, others) is is_title  # noqa: SLF001


class Scored(Searcher):
    """Knows six drawn cards by name, and nothing of their looks."""

    def __init__(self) -> None:
        self.options = cast("Any", SimpleNamespace(whole=False, k=5, group="card", min_score=None))
        self.thresholds = None
        self.times = Stopwatch()
        records = [{"face_id": letter, "name": letter * 12} for letter in "ABCDEF"]
        records[3]["printed_name"] = "Blitzschlag"
        self.index = cast("Any", SimpleNamespace(card=records.__getitem__, vectors=6, scored=score))

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return float32 [n, 2]."""
        return np.ones((len(pictures), 2), np.float32)

    def rows(self, vectors: NDArray[np.float32], least: int = 1) -> list[Hit]:
        """Return the fourth card as the nearest one."""
        return [Hit(3, 0.5)] * min(least, len(vectors))


def score(_: NDArray[np.float32], rows: Sequence[int]) -> list[Hit]:
    """Return given rows, all alike."""
    return [Hit(row, 0.1) for row in rows]


class Drawn:
    """The scans of the drawn cards."""

    at_hand = True

    def features(self, row: int) -> local_features.Features:
        """Return the features of a card."""
        return local_features.of_scan(scan(row))

    def pixels(self, row: int) -> Pixels:
        """Return the scan of a card."""
        return scan(row)


def title(card: Corners, text: str) -> Line:
    """Return a line where the title of a card is."""
    frame = np.asarray([[0, 0], [63, 0], [63, 88], [0, 88]], np.float32)
    end = 5.4 + 0.0225 * 63 * len(text)
    there = np.asarray([[[5.4, 4.2], [end, 4.2], [end, 7.3], [5.4, 7.3]]], np.float32)
    matrix = cv2.getPerspectiveTransform(frame, card)
    return Line(text, cv2.perspectiveTransform(there, matrix)[0])


@pytest.mark.parametrize(
    ("at_hand", "read", "verdict", "verified_by"),
    [
        (True, "D" * 12, MATCH, "geometry"),
        (True, "Blitzschlag", MATCH, "geometry"),
        (False, "Blitzschlag", MATCH, "title"),
        (True, "E" * 12, UNSURE, "title"),
        (False, "D" * 12, MATCH, "title"),
        (False, "E" * 12, UNSURE, "title"),
    ],
)
def test_what_becomes_of_a_title(
    monkeypatch: pytest.MonkeyPatch, read: str, verdict: str, verified_by: str, *, at_hand: bool
) -> None:
    """A match if the picture agrees: the scan, or the nearest rows where there are no scans.

    The fourth card is printed in German, and known by both its names.
    """
    monkeypatch.setattr(PhotoSearch, "run", lambda *_, **__: None)  # nothing is found by its shape
    searcher, scans = Scored(), cast("Any", Drawn())
    scans.at_hand = at_hand
    where = place((300, 260), 400, 10)
    monkeypatch.setattr("helpers.photo.titles.rapid_lines", lambda _: [title(where, read)])
    photo = Image.fromarray(lay(table(1600, 520), scan(3), where))
    (card,) = Recogniser(searcher, scans, TitleSearch(searcher, scans)).cards_in(photo)
    assert (card.verdict, card.verified_by) == (verdict, verified_by)
    assert card.hits[0]["name"] == ("E" if read[0] == "E" else "D") * 12
    assert card.corners is not None
    assert np.abs(np.asarray(card.corners) - where).max() < 25


@pytest.mark.parametrize(("cells", "verdict"), [(4, MATCH), (3, UNSURE)])
def test_a_title_makes_less_agreement_enough(
    monkeypatch: pytest.MonkeyPatch, cells: int, verdict: str
) -> None:
    """Picture and title must agree: neither alone makes a match."""
    evidence = Evidence(20, 20, 0, cells, outlines.frame(comparison.CROP))
    monkeypatch.setattr("helpers.photo.homography.verify", lambda *_: evidence)
    monkeypatch.setattr(PhotoSearch, "run", lambda *_, **__: None)
    searcher, scans = Scored(), cast("Any", Drawn())
    where = place((300, 260), 400)
    monkeypatch.setattr("helpers.photo.titles.rapid_lines", lambda _: [title(where, "D" * 12)])
    photo = Image.fromarray(lay(table(1600, 520), scan(3), where))
    (card,) = Recogniser(searcher, scans, TitleSearch(searcher, scans)).cards_in(photo)
    assert (card.verdict, card.verified_by) == (verdict, "title")


def test_what_lies_in_a_found_card_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A title that becomes a match takes the lines of its own card with it."""
    monkeypatch.setattr(PhotoSearch, "run", lambda *_, **__: None)
    searcher, scans = Scored(), cast("Any", Drawn())
    where = place((300, 260), 400)
    below = place((300, 400), 400)
    lines = [title(below, "E" * 12), title(where, "D" * 12)]
    monkeypatch.setattr("helpers.photo.titles.rapid_lines", lambda _: lines)
    photo = Image.fromarray(lay(table(1600, 520), scan(3), where))
    (card,) = Recogniser(searcher, scans, TitleSearch(searcher, scans)).cards_in(photo)
    assert card.hits[0]["name"] == "D" * 12
