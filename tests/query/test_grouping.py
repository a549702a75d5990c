"""Hits folded into answers, and when an answer is believed."""

from typing import Any

from helpers.query.grouping import group_hits


def hit(row: int, score: float, name: str, oracle: str | None, art: str = "x") -> dict[str, Any]:
    """Return a hit as `query_index.py` makes it."""
    return {
        "rank": 0,
        "score": score,
        "row": row,
        "name": name,
        "oracle_id": oracle,
        "illustration_id": art,
        "face_id": f"face-{row}",
        "set": "set",
    }


HITS = [
    hit(0, 0.9, "Bolt", "o1", "a1"),
    hit(1, 0.9, "Bolt", "o1", "a2"),
    hit(2, 0.89995, "Delver", "o2", "a1"),
    hit(3, 0.7, "Aberration", "o2", "a3"),
    hit(4, 0.6, "Island", None, "a4"),
    hit(5, 0.5, "Island", None, "a5"),
]


def rows(found: list[dict[str, Any]]) -> list[list[int]]:
    """Return the rows of each group, the best one first."""
    return [[group["row"], *(other["row"] for other in group["also"])] for group in found]


def test_printings_of_a_card_are_one_hit() -> None:
    """Both faces of a card share its id but look different; cards without an id stand alone."""
    assert rows(group_hits(HITS, "card", 9)) == [[0, 1], [2], [3], [4], [5]]


def test_other_groupings() -> None:
    """By illustration, and not at all."""
    assert rows(group_hits(HITS, "art", 9)) == [[0, 2], [1], [3], [4], [5]]
    assert rows(group_hits(HITS, "none", 9)) == [[0], [1], [2], [3], [4], [5]]


def test_ranks_and_ties() -> None:
    """Ranks count groups; cards within the margin of the best one share the first place."""
    found = group_hits(HITS, "card", 3)
    assert [(group["rank"], group["tie"]) for group in found] == [(1, True), (2, True), (3, False)]
    alone = group_hits(HITS[3:], "card", 1)
    assert [(group["rank"], group["tie"]) for group in alone] == [(1, False)]
    assert group_hits([], "card", 5) == []
