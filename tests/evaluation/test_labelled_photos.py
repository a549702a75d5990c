"""What photos show, judged by whole names and ids, and what the answers to them add up to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.evaluation.graph_recall import losses
from helpers.evaluation.labelled_photos import (
    Label,
    Shown,
    judge,
    known_as,
    read_labels,
    shown_cards,
)
from helpers.evaluation.photo_totals import counts, precision, stages, totals
from helpers.index.card_index import Hit
from helpers.query.answer import MATCH, NO_CARD, UNSURE, Answer, Evidence, Found, Verdict
from helpers.stopwatch import Stopwatch

NAMES = ("Smoke Shroud", "Steam Vents", "Sulfur Falls", "Fire // Ice", "Erase (Not the Urza's One)")


def record(name: str) -> dict[str, Any]:
    """Return a hit of that name."""
    printing = {"set": "tst", "collector_number": "1", "scryfall_id": f"id of {name}"}
    return {"name": name, "card_name": name, "score": 0.5, "also": [], **printing}


HOLDINGS = known_as(map(record, NAMES))


def fits(shown: Shown, name: str) -> bool:
    """Tell whether a card of that name is the one that was seen."""
    return bool(shown.keys & known_as([{"name": name, "scryfall_id": "id-1"}]))


def found(name: str, verdict: Verdict = MATCH, inliers: int | None = 100) -> Found:
    """Return a card that a search found."""
    inliers = inliers if verdict == MATCH else None
    verified_by = "geometry" if verdict == MATCH else None
    return Found(verdict, [record(name)], Evidence(inliers, 0.5, 0.1), None, verified_by)


def label(shows: str, kind: str = "photo") -> Label:
    """Return a label without a file."""
    return Label("a.jpg", Path("a.jpg"), shows, shown_cards(shows, ""), kind)


def judged(shows: str, *cards: Found, kind: str = "photo") -> dict[str, Any]:
    """Return the entry of a photo and what a search found in it."""
    answer = Answer("a.jpg", None, 10, 10, cards)
    return {**judge(label(shows, kind=kind), answer, HOLDINGS), "seconds": {"total": 1.0}}


def outcomes(entry: dict[str, Any]) -> list[str]:
    """Return what became of each card that is shown."""
    return [card["outcome"] for card in entry["cards"]]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Smoke", "Smoke Shroud"),
        ("Smoke Shroud", "Smoke"),
        ("Fire", "Fireball"),
        ("", ""),
        ("(many cards)", ""),
    ],
)
def test_a_part_of_a_name_is_another_card(text: str, name: str) -> None:
    """Names are compared whole."""
    assert not fits(Shown(text), name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("smoke  shroud (sleeved, part)", "Smoke Shroud"),
        ("4x Dark Ritual (dice on top)", "Dark Ritual"),
        ("Erase (Not the Urza's One)", "Erase (Not the Urza's One)"),
        ("Ice", "Fire // Ice"),
        ("Fire // Ice", "Fire"),
    ],
)
def test_notes_counts_and_halves_do_not_count(text: str, name: str) -> None:
    """Notes in parentheses and counts are no part of the name; either half is the card."""
    assert fits(Shown(text), name)


def test_an_id_is_enough() -> None:
    """The printing that a label names is the card, whatever it is called."""
    first, second = shown_cards("?| Steam Vents (crop)", "id-1")
    assert fits(first, "Other")
    assert not fits(second, "Other")
    assert [card.name for card in shown_cards("", "id-1 | id-2")] == ["", ""]
    assert shown_cards("(names not transcribed)", "") == ()


def test_each_card_of_a_photo_is_judged() -> None:
    """Found, unsure, missed, not in the index; and two alike need two answers."""
    entry = judged(
        "Steam Vents | Steam Vents | Sulfur Falls (part) | Smoke Shroud | Sol Ring",
        found("Steam Vents"),
        found("Sulfur Falls", UNSURE),
        found("Smoke Shroud", NO_CARD),
    )
    assert outcomes(entry) == ["found", "missed", "unsure", "missed", "not in the index"]
    assert entry["result"] == "right"
    assert entry["cards"][2]["name"] == "Sulfur Falls"
    assert [match["right"] for match in entry["matches"]] == [True]


@pytest.mark.parametrize(
    ("shows", "kind", "right"),
    [
        ("Sol Ring", "photo", False),
        ("", "none", False),
        ("", "several", None),
        ("many cards (names not transcribed)", "several", None),
        ("Smoke", "single", False),
        ("Smoke Shroud", "single", True),
    ],
)
def test_a_match_is_false_where_the_label_is_complete(shows: str, kind: str, right: object) -> None:
    """Where nobody named the cards, a match is neither right nor false."""
    entry = judged(shows, found("Smoke Shroud"), kind=kind)
    assert [match["right"] for match in entry["matches"]] == [right]
    assert entry["result"] == ("right" if right else "not in the index")


def test_an_unreadable_photo_has_no_cards_to_miss() -> None:
    """It is counted by itself."""
    entry = judge(label("Steam Vents"), Answer("a.jpg", "broken"), HOLDINGS)
    assert (entry["result"], entry["error"], entry["answer"]) == ("unreadable", "broken", None)
    total = counts([entry])
    assert (total["photos"], total["unreadable"], total["cards"]) == (1, 1, 0)


def test_totals_by_kind() -> None:
    """Each kind has its row, and all of them together one more."""
    photos = [
        judged("Steam Vents | Sulfur Falls", found("Steam Vents"), found("Smoke Shroud")),
        judged("Sol Ring", found("Smoke Shroud", UNSURE)),
        judged("", found("Smoke Shroud", inliers=20), kind="none"),
        judged("", found("Smoke Shroud"), kind="photo"),
    ]
    none, photo, every = totals(photos)["kinds"]
    assert (none["kind"], none["absent_photos"], none["absent_matched"]) == ("none", 1, 1)
    assert (photo["photos"], photo["cards"], photo["found"], photo["missed"]) == (3, 2, 1, 1)
    assert (photo["false_matches"], photo["absent_photos"], photo["absent_matched"]) == (1, 1, 0)
    assert (every["kind"], every["matches"], every["false_matches"]) == ("all", 4, 2)
    assert (every["unlabelled"], every["absent_photos"]) == (1, 2)


def test_precision_over_the_threshold() -> None:
    """Matches that nobody judged do not count, and a card that is found twice is found once."""
    photos = [
        judged("Steam Vents | Sulfur Falls", *2 * [found("Steam Vents", inliers=90)]),
        judged("Sol Ring", found("Smoke Shroud", inliers=30)),
        judged("", found("Smoke Shroud", inliers=50), kind="several"),
    ]
    low, high = precision(photos)
    assert low == {"inliers": 30, "right": 2, "false": 1, "precision": 2 / 3, "recall": 0.5}
    assert high == {"inliers": 90, "right": 2, "false": 0, "precision": 1.0, "recall": 0.5}
    assert precision([]) == []


def test_times_by_stage() -> None:
    """A stage that a photo did not need took no time there; the total comes last."""
    photos: list[dict[str, Any]] = [
        {"result": "right", "seconds": {"total": 3.0, "find": 1.0}},
        {"result": "right", "seconds": {"total": 5.0, "find": 1.0, "compare": 2.0}},
        {"result": "unreadable", "seconds": {"total": 99.0}},
    ]
    rows = {row["stage"]: (row["median"], row["p90"]) for row in stages(photos)}
    assert rows == {"find": (1.0, 1.0), "compare": (1.0, 1.8), "total": (4.0, 4.8)}
    assert list(rows)[-1] == "total"
    assert stages([]) == []


def test_a_stage_inside_another_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of all stages add up to the time that has passed."""
    ticks = iter((0.0, 1.0, 4.0, 10.0, 20.0, 25.0))
    monkeypatch.setattr("helpers.stopwatch.time.perf_counter", lambda: next(ticks))
    watch = Stopwatch()
    with watch.stage("outer"), watch.stage("inner"):
        pass
    with watch.stage("inner"):
        pass
    assert watch.take() == {"inner": 8.0, "outer": 7.0}
    assert watch.take() == {}


class SmallIndex:
    """Ten rows; the graph finds the best row of a query only from efSearch 32 on."""

    def search_exactly(self, queries: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """Return rows 0, 1, … for every query."""
        return [[Hit(row, 1.0) for row in range(k)] for _ in queries]

    def search(self, queries: NDArray[np.float32], k: int, ef_search: int) -> list[list[Hit]]:
        """Return the same, or all rows but the first."""
        first = 0 if ef_search >= 32 else 1
        return [[Hit(row, 1.0) for row in range(first, first + k)] for _ in queries]

    def card(self, row: int) -> dict[str, Any]:
        """Return the names in order."""
        return record(NAMES[row] if row < len(NAMES) else "Other")


def test_what_the_graph_loses_on_photos() -> None:
    """Shares of the true rows, and vectors that lose every row of a card that is shown."""
    vector = np.zeros((1, 4), np.float32)
    heard = [(label("Smoke Shroud"), [vector, vector]), (label("Sol Ring"), [vector])]
    index: Any = SmallIndex()
    low, high = losses(index, heard, (16, 32))
    assert low == {
        "ef_search": 16,
        "candidates": 3,
        "recall_at_1": 0.0,
        "recall_at_8": 7 / 8,
        "right": 2,
        "lost": 2,
    }
    assert (high["recall_at_1"], high["recall_at_8"], high["lost"]) == (1.0, 1.0, 0)
    assert losses(index, [], (16,)) == []


def test_columns_that_may_be_missing(tmp_path: Path) -> None:
    """A list without ids and kinds is read, too."""
    (tmp_path / "photos.csv").write_text("file,shows\na.jpg,Steam Vents | Sol Ring\n")
    (only,) = read_labels(tmp_path / "photos.csv")
    assert [card.name for card in only.cards] == ["Steam Vents", "Sol Ring"]
    assert (only.kind, only.path) == ("", tmp_path / "a.jpg")
