"""Labelled photos: which cards do they show, and which of them does the index find?"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError
from helpers.query.answer import MATCH, UNSURE, Answer, Found
from helpers.query.inputs import Picture
from helpers.query.open_index import OpenIndex
from helpers.query.photo_file import load_photo
from helpers.report import Progress
from helpers.validation import InvalidImageError

Record = dict[str, Any]
#: A vector that was searched for, float32 [D], and the photo that it is of.
Heard = tuple["Label", NDArray[np.float32]]

#: What the surest answer to a photo is.
RIGHT, WRONG, ABSENT, UNREADABLE = "right", "wrong", "not in the index", "unreadable"
#: What became of a card that the index holds; of one that it does not, `ABSENT`.
FOUND, UNSURE_FIRST, MISSED = "found", "unsure", "missed"
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
    def keys(self) -> frozenset[str]:
        """What the card may be known by; a few real names end in parentheses."""
        return _keys(self.name, self.text, self.scryfall_id)

    def fits(self, record: Record) -> bool:
        """Tell whether a card of the index is this one: by its id, or by its whole name."""
        return not self.keys.isdisjoint(known_as(record))


def known_as(record: Record) -> frozenset[str]:
    """Return what a card of the index is known by: the face, the whole card, its halves, its id."""
    return _keys(record.get("name"), record.get("card_name"), record.get("scryfall_id"))


def _keys(*texts: str | None) -> frozenset[str]:
    whole = [" ".join((text or "").casefold().split()) for text in texts]
    halves = (half.strip() for text in whole for half in text.split("//"))
    return frozenset(filter(None, (*whole, *halves)))


def holdings_of(records: Iterable[Record]) -> set[str]:
    """Return what the cards of an index are known by; `records` is the metadata of its rows."""
    return set(chain.from_iterable(map(known_as, records)))


@dataclass(frozen=True, slots=True)
class Label:
    """A line of the CSV: a picture, and what a person saw in it."""

    file: str
    path: Path
    shows: str
    cards: tuple[Shown, ...]
    kind: str = ""

    @property
    def is_complete(self) -> bool:
        """True if a match that no name fits is a false one."""
        named = bool(self.cards) and _NOT_NAMED not in self.shows
        return named or self.kind == NO_CARD_KIND

    def fits(self, record: Record) -> bool:
        """Tell whether a card of the index is among those that the picture shows."""
        return any(card.fits(record) for card in self.cards)


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
    index: OpenIndex, labels: Iterable[Label], progress: Progress
) -> tuple[list[Record], list[Heard]]:
    """Ask about every photo.

    Returns:
        For each what `judge` says of it, and `seconds` by stage, `total` among them; and all
        vectors that were searched for.
    """
    rows, times = index.searcher.index, index.searcher.times
    holdings = holdings_of(map(rows.card, range(rows.vectors)))
    entries: list[Record] = []
    heard: list[Heard] = []
    for label in labels:
        index.searcher.listen = partial(_hear, heard, label)
        times.take()
        with times.stage("other"):
            with times.stage("read"):
                picture = read_photo(str(label.path))
            answer = index.answer(picture)
        seconds = {stage: round(spent, 4) for stage, spent in times.take().items()}
        seconds["total"] = round(sum(seconds.values()), 4)
        entries.append({**judge(label, answer, holdings), "seconds": seconds})
        progress.advance()
    return entries, heard


def _hear(heard: list[Heard], label: Label, vectors: NDArray[np.float32]) -> None:
    heard += [(label, vector) for vector in vectors]


def read_photo(name: str) -> Picture:
    """Return a picture of this machine, read as a query reads it; a failure is a value."""
    try:
        return Picture(name, load_photo(name))
    except InvalidImageError as error:
        return Picture(name, error=str(error))


def judge(label: Label, answer: Answer, holdings: set[str]) -> Record:
    """Compare an answer with what a person saw.

    Returns:
        `result` is that of the surest card: `right` or `wrong`, `not in the index` where none of
        the cards is in the index, or `unreadable`. `complete` is false where the label does not
        name every card. `cards` has an entry for each card that is shown: its `outcome` is `found`
        (a match), `unsure` (rank 1, but no match), `missed` or `not in the index`. `matches` has
        an entry for each match; `right` is null where the label is not complete.
    """
    held = [card for card in label.cards if not card.keys.isdisjoint(holdings)]
    best = next(iter(answer.hits), None)
    return {
        "file": label.file,
        "kind": label.kind,
        "shows": label.shows,
        "complete": label.is_complete,
        "error": answer.error,
        "result": _result(label, answer, is_held=bool(held)),
        "verdict": answer.verdict,
        "score": best and best["score"],
        "answer": best and _named(best),
        "cards": list(_outcomes(label, held, answer)),
        "matches": [_match(found, label) for found in answer.cards if found.verdict == MATCH],
    }


def _result(label: Label, answer: Answer, *, is_held: bool) -> str:
    if answer.error is not None:
        return UNREADABLE
    if not is_held:
        return ABSENT
    return RIGHT if answer.surest is not None and _fits(label, answer.surest) else WRONG


def _outcomes(label: Label, held: Sequence[Shown], answer: Answer) -> Iterator[Record]:
    """Yield what became of each card; of two that are alike, each needs an answer of its own."""
    left = list(answer.cards)
    for card in label.cards:
        outcome, inliers = _outcome(card, left) if card in held else (ABSENT, None)
        about = {"name": card.name, "scryfall_id": card.scryfall_id}
        yield {**about, "outcome": outcome, "inliers": inliers}


def _outcome(card: Shown, left: list[Found]) -> tuple[str, int | None]:
    """Take the answer that fits a card out of those that are left; return its inliers, too."""
    for verdict, outcome in ((MATCH, FOUND), (UNSURE, UNSURE_FIRST)):
        for place, found in enumerate(left):
            if found.verdict == verdict and _fits(card, found):
                del left[place]
                return outcome, found.evidence.inliers
    return MISSED, None


def _fits(wanted: Shown | Label, found: Found) -> bool:
    """Tell whether the first answer is that card, in whichever of its printings."""
    best = found.hits[:1]
    return any(wanted.fits(record) for hit in best for record in (hit, *hit.get("also", ())))


def _match(found: Found, label: Label) -> Record:
    return {
        **_named(found.hits[0]),
        "verified_by": found.verified_by,
        "inliers": found.evidence.inliers,
        "score": found.evidence.score,
        "right": _fits(label, found) or (False if label.is_complete else None),
    }


def _named(hit: Record) -> Record:
    return {key: hit[key] for key in ("name", "set", "collector_number", "scryfall_id")}
