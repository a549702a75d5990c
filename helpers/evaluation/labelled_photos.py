"""Labelled photos: which cards do they show, and which of them does the index find?"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError
from helpers.query import inputs
from helpers.query.answer import MATCH, UNSURE, Answer, Found, Hit
from helpers.query.open_index import OpenIndex
from helpers.report import Reporter

Record = dict[str, Any]
#: Names and ids, in lower case.
Keys = frozenset[str]
#: A photo, and the vectors that were searched for in it, each float32 [n, D].
Heard = tuple["Label", list[NDArray[np.float32]]]

#: What the surest answer to a photo is.
RIGHT, WRONG, ABSENT, UNREADABLE = "right", "wrong", "not in the index", "unreadable"
#: What became of a card that the index holds; of one that it does not, `ABSENT`.
FOUND, UNSURE_FIRST, MISSED = "found", "unsure", "missed"
_OUTCOMES = {MATCH: FOUND, UNSURE: UNSURE_FIRST}  # of an answer that fits, surest first
NO_CARD_KIND = "none"
_NOT_NAMED = "not transcribed"  # a note that says that there are cards without their names
_NOTE = re.compile(r"\s*\([^)]*\)\s*")
_COUNT = re.compile(r"^\d+\s*x\s+")


@dataclass(frozen=True, slots=True)
class Shown:
    """A card that a person saw in a photo."""

    text: str  # its name, perhaps with notes in parentheses or a count ("2x") before it
    scryfall_id: str = ""  # of the printing

    @property
    def name(self) -> str:
        """The name without notes and count."""
        return _COUNT.sub("", _NOTE.sub(" ", self.text).strip())

    @property
    def keys(self) -> Keys:
        """What the card may be known by; a few real names end in parentheses."""
        return _keys((self.name, self.text, self.scryfall_id))


def known_as(records: Iterable[Record]) -> Keys:
    """Return what cards of an index are known by: the face, the whole card, its halves, its id."""
    fields = ("name", "card_name", "scryfall_id")
    return _keys(record.get(field) for record in records for field in fields)


def _keys(texts: Iterable[str | None]) -> Keys:
    found = set()
    for text in filter(None, texts):
        whole = " ".join(text.casefold().split())
        found |= {whole, *map(str.strip, whole.split("//"))}
    return frozenset(found - {""})


@dataclass(frozen=True, slots=True)
class Label:
    """A line of the CSV: a picture, and what a person saw in it."""

    file: str
    path: Path
    shows: str
    cards: tuple[Shown, ...]
    kind: str = ""

    @property
    def keys(self) -> Keys:
        """What the cards that the picture shows may be known by."""
        return frozenset(chain.from_iterable(card.keys for card in self.cards))

    @property
    def is_complete(self) -> bool:
        """True if a match that no name fits is a false one."""
        named = bool(self.cards) and _NOT_NAMED not in self.shows
        return named or self.kind == NO_CARD_KIND


def read_labels(path: Path) -> list[Label]:
    """Read a CSV with the columns `file` (relative to the CSV), `shows`, `scryfall_id`, `kind`.

    Raises:
        DataError: it is none, it lacks a column, or it is empty.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV", details=str(error)) from error
    missing = [column for column in ("file", "shows") if not lines or column not in lines[0]]
    if missing:
        raise DataError(
            f"{path} is no list of labelled photos",
            details=f"{len(lines)} lines; missing: {', '.join(missing)}",
            suggestion="columns: file, shows (names of cards), scryfall_id and kind (may be empty)",
        )
    return [_label(line, path.parent) for line in lines]


def _label(line: dict[str, str], folder: Path) -> Label:
    cards = shown_cards(line["shows"], line.get("scryfall_id", ""))
    return Label(line["file"], folder / line["file"], line["shows"], cards, line.get("kind", ""))


def shown_cards(shows: str, ids: str) -> tuple[Shown, ...]:
    """Return the cards of a line: names with ` | ` between them, and their ids likewise."""
    texts, known = ([part.strip() for part in text.split("|")] for text in (shows, ids))
    cards = (Shown(*pair) for pair in zip_longest(texts, known, fillvalue=""))
    return tuple(card for card in cards if card.name or card.scryfall_id)


def identify_photos(
    index: OpenIndex, labels: Sequence[Label], report: Reporter
) -> tuple[list[Record], list[Heard]]:
    """Ask about every photo.

    Returns:
        For each what `judge` says of it, and `seconds` by stage, `total` among them; and what was
        searched for.
    """
    rows, times = index.searcher.index, index.searcher.times
    holdings = known_as(map(rows.card, range(rows.vectors)))
    entries: list[Record] = []
    heard: list[Heard] = []
    with report.progress(len(labels), "Asking about photos", "photos") as progress:
        for label in labels:
            heard.append((label, []))
            index.searcher.listen = heard[-1][1].append
            times.take()
            with times.stage("other"):
                with times.stage("read"):
                    picture = inputs.load(str(label.path))
                answer = index.answer(picture)
            seconds = {stage: round(spent, 4) for stage, spent in times.take().items()}
            seconds["total"] = round(sum(seconds.values()), 4)
            entries.append({**judge(label, answer, holdings), "seconds": seconds})
            progress.advance()
    return entries, heard


def judge(label: Label, answer: Answer, holdings: Keys) -> Record:
    """Compare an answer with what a person saw; `holdings` are known to the index.

    Returns:
        `result` is that of the surest card: `right` or `wrong`, `not in the index` where none of
        the cards is in the index, or `unreadable`. `complete` is false where the label does not
        name every card. `cards` has an entry for each card that is shown: its `outcome` is `found`
        (a match), `unsure` (rank 1, but no match), `missed` or `not in the index`. `matches` has
        an entry for each match; `right` is null where the label is not complete.
    """
    best = next(iter(answer.hits), None)
    return {
        "file": label.file,
        "kind": label.kind,
        "shows": label.shows,
        "complete": label.is_complete,
        "error": answer.error,
        "result": _result(label, answer, holdings),
        "verdict": answer.verdict,
        "score": best and best["score"],
        "answer": best and _named(best),
        "cards": list(_outcomes(label, answer, holdings)),
        "matches": [_match(found, label) for found in answer.cards if found.verdict == MATCH],
    }


def _result(label: Label, answer: Answer, holdings: Keys) -> str:
    if answer.error is not None:
        return UNREADABLE
    if not label.keys & holdings:
        return ABSENT
    return RIGHT if label.keys & _said(answer.hits) else WRONG


def _outcomes(label: Label, answer: Answer, holdings: Keys) -> Iterator[Record]:
    """Yield what became of each card; of two that are alike, each needs an answer of its own."""
    left = [each for verdict in _OUTCOMES for each in answer.cards if each.verdict == verdict]
    for card in label.cards:
        found = next((each for each in left if card.keys & _said(each.hits)), None)
        if found is not None:
            left.remove(found)
        missing = MISSED if card.keys & holdings else ABSENT
        yield {
            "name": card.name,
            "scryfall_id": card.scryfall_id,
            "outcome": _OUTCOMES[found.verdict] if found else missing,
            "inliers": found and found.evidence.inliers,
        }


def _said(hits: Sequence[Hit]) -> Keys:
    """Return what the first of the hits is known by, in whichever of its printings."""
    return known_as(record for hit in hits[:1] for record in (hit, *hit.get("also", ())))


def _match(found: Found, label: Label) -> Record:
    return {
        **_named(found.hits[0]),
        "verified_by": found.verified_by,
        "inliers": found.evidence.inliers,
        "score": found.evidence.score,
        "right": bool(label.keys & _said(found.hits)) or (False if label.is_complete else None),
    }


def _named(hit: Hit) -> Record:
    return {key: hit[key] for key in ("name", "set", "collector_number", "scryfall_id")}
