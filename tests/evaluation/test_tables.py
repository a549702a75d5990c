"""The tables of an evaluation: which figure stands in which column."""

from __future__ import annotations

from typing import Any

from helpers.evaluation import tables
from helpers.report import Reporter

SEARCH = {"ef_search": 16, "recall_at_1": 0.9, "recall_at_10": 0.87654, "ms": 0.1234}
SHARES = {"card_top_1": 0.5, "card_top_5": 0.75, "printing_top_1": 0.25, "printing_top_5": 1.0}
COUNTS = dict.fromkeys(
    ("photos", "unreadable", "cards", "found", "unsure", "missed", "matches", "false_matches"), 2
) | dict.fromkeys(("unlabelled", "absent_photos", "absent_matched"), 1)
LOST = {"ef_search": 64, "candidates": 9, "recall_at_1": 1, "recall_at_8": 0.5}
PHOTO = {
    "file": "a.jpg",
    "result": "right",
    "score": 0.75,
    "answer": {"name": "Sol Ring", "set": "cmr"},
    "verdict": "match",
    "shows": "Sol Ring",
    "kind": "single",
    "error": None,
    "cards": [{"outcome": "found"}],
    "matches": [],
    "seconds": {"total": 1.5},
}
DOCUMENT: dict[str, Any] = {
    "recall": [SEARCH],
    "grid": [{"m": 8, "ef_construction": 40, "seconds": 1.234, "bytes": 99, "search": [SEARCH]}],
    "identify": {"conditions": [{"condition": "blur", "pictures": 4, **SHARES}], "answers": {}},
    "scenes": COUNTS,
    "photos": [PHOTO],
    "photo_totals": {
        "kinds": [{"kind": "single", **COUNTS}],
        "stages": [{"stage": "find", "median": 0.25, "p90": 0.5}],
    },
    "photo_recall": [{**LOST, "right": 3, "lost": 0}],
    "ablation": [{"without": "graph", **COUNTS, "seconds": None}],
}


class Shown(Reporter):
    """Keeps the tables."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.rows: dict[str, dict[str, str]] = {}

    def table(self, header: Any, rows: Any) -> None:
        """Keep the cells of each row by their column."""
        for row in rows:
            self.rows[row[0]] = dict(zip(header, row, strict=True))


def test_every_figure_stands_in_its_column() -> None:
    """With as many digits as it is worth; what was not measured is a dash."""
    shown = Shown()
    tables.show(DOCUMENT, shown)
    rows = shown.rows
    assert rows["recall"] | {"part": ""} == {
        "part": "",
        "efSearch": "16",
        "recall@1": "0.9000",
        "recall@10": "0.8765",
        "ms/query": "0.123",
    }
    assert (rows["grid"]["M"], rows["grid"]["build s"], rows["grid"]["bytes"]) == (
        "8",
        "1.23",
        "99",
    )
    assert (rows["identify"]["card@5"], rows["identify"]["printing@5"]) == ("0.750", "1.000")
    assert (rows["scenes"]["false"], rows["scenes"]["absent matched"]) == ("2", "1")
    assert (rows["photo"]["answer"], rows["photo"]["cards"]) == ("Sol Ring CMR", "1 found")
    assert (rows["ablation"]["without"], rows["ablation"]["s/photo"]) == ("graph", "-")
    assert (rows["stages"]["median s"], rows["losses"]["recall@8"]) == ("0.250", "0.5000")
