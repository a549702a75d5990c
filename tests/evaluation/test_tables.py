"""The tables of an evaluation: which figure stands in which column."""

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
SCORES = {"p5": 0.25, "p25": 0.3, "p50": 0.5, "p75": 0.7, "p95": 0.75}
DOCUMENT: dict[str, Any] = {
    "recall": [SEARCH],
    "grid": [{"m": 8, "ef_construction": 40, "seconds": 1.234, "bytes": 99, "search": [SEARCH]}],
    "identify": {
        "conditions": [{"condition": "blur", "pictures": 4, **SHARES}],
        "answers": {"right": {"pictures": 3, "scores": SCORES, "margins": None}},
    },
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
    assert rows["recall"] == {
        "part": "recall",
        "ef_search": "16",
        "recall_at_1": "0.9000",
        "recall_at_10": "0.8765",
        "ms": "0.1234",
    }
    grid = rows["grid"]
    assert (grid["m"], grid["bytes"], grid["recall_at_10"]) == ("8", "99", "0.8765")
    assert rows["identify"]["card_top_5"] == "0.7500"
    assert (rows["scores"]["scores p95"], rows["scores"]["margins p5"]) == ("0.7500", "-")
    assert (rows["scenes"]["kind"], rows["scenes"]["false_matches"]) == ("simulated", "2")
    assert (rows["photo"]["answer"], rows["photo"]["cards"]) == ("Sol Ring CMR", "1 found")
    assert (rows["ablation"]["without"], rows["ablation"]["seconds"]) == ("graph", "-")
    assert (rows["stages"]["median"], rows["losses"]["recall_at_8"]) == ("0.2500", "0.5000")
