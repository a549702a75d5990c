"""Cards found in photos: drawn cards on a drawn table, and an encoder of 8 by 11 pixels."""

import functools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from table import Corners, Pixels, distance, lay, place, scan, table

from helpers.index.card_index import Hit
from helpers.photo import local_features, outlines
from helpers.photo.local_features import Features
from helpers.query.answer import MATCH
from helpers.query.comparison import Scans
from helpers.query.photo_search import Find, PhotoSearch
from helpers.query.recognise import Recogniser
from helpers.query.searcher import Searcher
from helpers.stopwatch import Stopwatch

CARDS = 14


class Thumbnails(Searcher):
    """Finds pictures by their thumbnails."""

    def __init__(self) -> None:
        self.options = cast("Any", SimpleNamespace(whole=False, k=5, group="card", min_score=None))
        self.thresholds = None
        self.times = Stopwatch()
        records = [{"face_id": str(i), "name": f"Card {i}"} for i in range(CARDS)]
        self.index = cast("Any", SimpleNamespace(card=records.__getitem__, vectors=CARDS))
        self._vectors = self.embed([Image.fromarray(scan(number)) for number in range(CARDS)])

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return float32 [n, 264], rows of unit length."""
        small = [np.asarray(each.resize((8, 11)), dtype=np.float32) for each in pictures]
        vectors = np.stack([(each - each.mean(axis=(0, 1))).ravel() for each in small])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def rows(self, vectors: NDArray[np.float32], least: int = 1) -> list[Hit]:
        """Return all cards, best first."""
        scores = (vectors @ self._vectors.T).max(axis=0)
        order = np.argsort(-scores)[: max(least, 5)]
        return [Hit(int(row), float(scores[row])) for row in order]


@functools.cache
def features_of(row: int) -> Features:
    """Return the features of a drawn card."""
    return local_features.of_scan(scan(row))


class Drawn:
    """The scans of the drawn cards."""

    at_hand = True

    def __init__(self) -> None:
        self.asked: list[int] = []

    def features(self, row: int) -> Features:
        """Return the features of a card."""
        self.asked.append(row)
        return features_of(row)

    def pixels(self, row: int) -> Pixels:
        """Return the scan of a card."""
        return scan(row)


@pytest.fixture(scope="module")
def searcher() -> Thumbnails:
    """An index of drawn cards."""
    return Thumbnails()


def found_in(photo: Pixels, searcher: Searcher) -> dict[int, Corners]:
    """Return where cards are found, by row."""
    scans = cast("Scans", Drawn())
    search = PhotoSearch(searcher, scans, Image.fromarray(photo))
    search.run(whole=False)
    assert len({find.verified[0] for find in search.found}) == len(search.found)
    return {find.verified[0]: find.corners for find in search.found}


def test_every_card_on_a_table_is_found(searcher: Searcher) -> None:
    """Upright, upside down, on its side, aslant, and one under a thumb; corners to the pixel."""
    true = {
        0: place((150, 190), 300),
        1: place((400, 190), 300, 180),
        2: place((690, 160), 300, 90),
        3: place((220, 530), 300, 28),
        4: place((550, 530), 300, 3),
    }
    photo = table(880, 720)
    for number, corners in true.items():
        photo = lay(photo, scan(number), corners)
    x, y = true[4][2].astype(int)
    photo[y - 60 : y + 10, x - 50 : x + 10] = (205, 160, 135)

    found = found_in(photo, searcher)

    assert found.keys() == true.keys()
    assert all(distance(found[number], true[number]) < 4 for number in true)


def test_corners_are_in_pixels_of_the_photo(searcher: Searcher) -> None:
    """Though a large photo is searched smaller than it is, and in reading order."""
    true = [place((600, 700), 900), place((1500, 720), 900, 180)]
    photo = lay(lay(table(2400, 1500), scan(5), true[0]), scan(6), true[1])
    recogniser = Recogniser(searcher, cast("Scans", Drawn()))

    cards = recogniser.cards_in(Image.fromarray(photo))

    assert [card.hits[0]["name"] for card in cards] == ["Card 5", "Card 6"]
    assert {(card.verdict, card.verified_by, card.printing) for card in cards} == {
        (MATCH, "geometry", "sure")
    }
    for card, corners in zip(cards, true, strict=True):
        assert distance(np.asarray(card.corners, dtype=np.float32), corners) < 8


def test_a_minimal_score_leaves_the_verified_card_alone() -> None:
    """What geometry verified is shown however little it scores, and nothing beside it."""
    searcher = Thumbnails()
    searcher.options = cast("Any", SimpleNamespace(whole=False, k=5, group="card", min_score=1.5))
    photo = Image.fromarray(lay(table(1200, 900), scan(5), place((600, 450), 700)))
    (card,) = Recogniser(searcher, cast("Scans", Drawn())).cards_in(photo)
    assert [hit["name"] for hit in card.hits] == ["Card 5"]


@pytest.mark.parametrize("sideways", [False, True])
def test_a_card_that_fills_the_picture(searcher: Searcher, *, sideways: bool) -> None:
    """A scan as it is, and one whose camera was held the other way."""
    photo = np.rot90(scan(7), 1) if sideways else scan(7)

    assert set(found_in(np.ascontiguousarray(photo), searcher)) == {7}


def test_no_card_gives_no_match(searcher: Searcher) -> None:
    """A table, and a card that the index does not hold."""
    other = lay(table(400, 440), scan(CARDS + 1), place((200, 220), 340))
    for photo in (table(400, 300), other):
        assert found_in(photo, searcher) == {}


def test_without_scans_nothing_is_verified(searcher: Searcher) -> None:
    """An index copied to a machine without its pictures still names the nearest cards."""
    photo = Image.fromarray(lay(table(400, 440), scan(0), place((200, 220), 340)))
    search = PhotoSearch(searcher, cast("Scans", SimpleNamespace(at_hand=False)), photo)

    search.run(whole=False)

    assert search.found == []
    assert max(search.others, key=lambda find: find.nearest[0].score).nearest[0].row == 0


def test_the_scan_that_agrees_most_is_the_card(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that shares half of its picture may be nearer to the encoder."""
    half = scan(0).copy()
    half[310:] = scan(1)[310:]
    features = {0: features_of(0), 1: local_features.of_scan(half)}
    monkeypatch.setattr(Drawn, "features", lambda _, row: features[row])
    corners = place((300, 400), 440)
    photo = Image.fromarray(lay(table(600, 800), scan(0), corners))

    def found(nearest: list[Hit]) -> list[tuple[int, ...]]:
        search = PhotoSearch(searcher, cast("Scans", Drawn()), photo)
        search._verify(Find(corners, nearest))  # noqa: SLF001
        return [find.verified for find in search.found]

    assert found([Hit(1, 0.9)]) == [(1,)]
    assert found([Hit(1, 0.9), Hit(0, 0.8)]) == [(0,)]


def test_a_picture_without_cards_is_given_up(searcher: Searcher) -> None:
    """Comparisons with scans are what is dear: there are at most so many of them."""
    noise = np.random.default_rng(1).integers(0, 255, (15, 20, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((400, 300), Image.Resampling.NEAREST)
    scans = Drawn()
    search = PhotoSearch(searcher, cast("Scans", scans), photo)

    search.run(whole=False)

    assert len(scans.asked) <= 25 * 3 + 100
    assert outlines.area(search.others[0].corners) > 0


def unverified(searcher: Searcher, others: list[Find], least: float = 2.0) -> list[Find]:
    """Return which candidates are shown though no scan agrees."""
    search = PhotoSearch(searcher, cast("Scans", Drawn()), Image.fromarray(table(600, 800)))
    search.others = others
    return search.unverified(least, 3)


def test_art_and_text_yield_to_the_whole_card(searcher: Searcher) -> None:
    """The outline is the card's, though its art looks more like some card; the art's rows stay."""
    card = Find(place((300, 400), 440), [Hit(1, 0.3)], fit=2.0)
    art = Find(place((300, 320), 270, 90), [Hit(2, 0.6)], fit=1.5)
    text = Find(place((300, 510), 240, 90), [Hit(3, 0.5)], fit=1.2)
    everything = Find(outlines.frame((600, 800)), [Hit(4, 0.2)])

    (shown,) = unverified(searcher, [text, art, card, everything], least=0.4)

    assert np.array_equal(shown.corners, card.corners)
    assert shown.nearest == art.nearest


def test_what_many_thresholds_saw_comes_before_what_looks_like_a_card(searcher: Searcher) -> None:
    """A shadow that resembles some card a little more is not shown in a card's stead."""
    card = Find(place((200, 250), 300), [Hit(1, 0.35)], fit=3.0)
    shadow = Find(place((480, 640), 150), [Hit(2, 0.45)], fit=1.0)

    assert [find.nearest[0].row for find in unverified(searcher, [shadow, card])] == [1]
    assert [f.nearest[0].row for f in unverified(searcher, [shadow, card], least=0.3)] == [1, 2]
    # What reaches what no other picture does comes first: the verdict is by the best there is.
    assert [f.nearest[0].row for f in unverified(searcher, [shadow, card], least=0.4)] == [2]
