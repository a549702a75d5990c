"""Labelled photos: which card do they show, and is that what the index answers?"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.errors import DataError
from helpers.evaluation.identify import load_file

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.query.open_index import OpenIndex
    from helpers.report import Progress

RIGHT, WRONG, ABSENT, UNREADABLE = "right", "wrong", "not in the index", "unreadable"


@dataclass(frozen=True, slots=True)
class Label:
    """A line of the CSV: a picture, and what a person saw in it."""

    file: str
    path: Path
    shows: str
    scryfall_id: str

    def fits(self, record: dict[str, Any]) -> bool:
        """Tell whether a card is what the picture shows: by its id, or by its name."""
        same = bool(self.scryfall_id) and record.get("scryfall_id") == self.scryfall_id
        return same or _mentions(self.shows, record)


def _mentions(text: str, record: dict[str, Any]) -> bool:
    # Not a mere "in": there is a card called Fire, and photos of Fireballs.
    name = str(record.get("name") or "")
    return (
        bool(name)
        and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None
    )


def read_labels(path: Path) -> list[Label]:
    """Read a CSV with the columns `file` (relative to the CSV), `shows` and `scryfall_id`.

    Raises:
        DataError: it is none, it lacks a column, or it is empty.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV", details=str(error)) from error
    missing = {"file", "shows"} - (lines[0].keys() if lines else set())
    if missing:
        raise DataError(
            f"{path} is no list of labelled photos",
            details=f"missing: {', '.join(sorted(missing))}" if lines else "it has no lines",
            suggestion="columns: file, shows (names of cards), scryfall_id (may be empty)",
        )
    return [_label(line, path.parent) for line in lines]


def _label(line: dict[str, str | None], folder: Path) -> Label:
    file = line["file"] or ""
    return Label(file, folder / file, line["shows"] or "", line.get("scryfall_id") or "")


def identify_photos(
    index: OpenIndex, labels: list[Label], progress: Progress
) -> list[dict[str, Any]]:
    """Ask about every photo.

    Returns:
        For each `{"file", "shows", "result", "verdict", "error", "score", "answer"}`; `result` is
        `right` or `wrong`, `not in the index` where no answer could be right, or `unreadable`.
    """
    rows = index.searcher.index
    cards = [rows.card(row) for row in range(rows.vectors)]
    entries = []
    for label in labels:
        entries.append(_entry(index, label))
        if entries[-1]["result"] == WRONG and not any(map(label.fits, cards)):
            entries[-1]["result"] = ABSENT
        progress.advance()
    return entries


def _entry(index: OpenIndex, label: Label) -> dict[str, Any]:
    answer = index.answer(load_file(str(label.path)))
    entry = {"file": label.file, "shows": label.shows, "error": answer.error}
    if answer.error is not None:
        return {**entry, "result": UNREADABLE, "verdict": None, "score": None, "answer": None}
    best = answer.hits[0]
    right = any(map(label.fits, (best, *best["also"])))
    return {
        **entry,
        "result": RIGHT if right else WRONG,
        "verdict": answer.verdict,
        "score": best["score"],
        "answer": {key: best[key] for key in ("name", "set", "collector_number", "scryfall_id")},
    }
