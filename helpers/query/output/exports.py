"""`--csv`: one line per physical card, in the columns that collection sites import.

Where the columns and their values are from: Moxfield's help page "Importing a Collection";
ManaBox's guide "Import and export"; Archidekt's note on its collection importer (columns are
assigned there, the Scryfall id decides) and what its exports hold; Deckbox's "Exports and imports",
and MTGGoldfish's help page on its format. What a photo does not show (condition, foil) is left
empty.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helpers.query.answer import MATCH, NO_CARD, Answer, Found, Hit
from helpers.query.options import SITES

#: Behind the columns of every site; they ignore what they do not know.
OWN_COLUMNS = ("Verdict", "Printing", "Picture", "Card")

#: Scryfall's code of a language: its name, its code at ManaBox, its code at Archidekt. That one is
#: documented nowhere; these are in its exports, but SP, which is inferred: the others are the codes
#: printed on cards, too. Where none is known it is left empty; the Scryfall id tells the language.
_LANGUAGES = {
    "en": ("English", "en", "EN"),
    "es": ("Spanish", "es", "SP"),
    "fr": ("French", "fr", "FR"),
    "de": ("German", "de", "DE"),
    "it": ("Italian", "it", "IT"),
    "pt": ("Portuguese", "pt", "PT"),
    "ja": ("Japanese", "ja", "JP"),
    "ko": ("Korean", "ko", "KR"),
    "ru": ("Russian", "ru", "RU"),
    "zhs": ("Simplified Chinese", "zh_CN", "CS"),
    "zht": ("Traditional Chinese", "zh_TW", "CT"),
    "he": ("Hebrew", "he", ""),
    "la": ("Latin", "la", ""),
    "grc": ("Ancient Greek", "grc", ""),
    "ar": ("Arabic", "ar", ""),
    "sa": ("Sanskrit", "sa", ""),
    "ph": ("Phyrexian", "ph", ""),
}


def _fields(hit: Hit) -> dict[str, str]:
    """Return what columns may hold of a printing, in the words of the sites."""
    code = str(hit.get("lang") or "")
    language, manabox, archidekt = _LANGUAGES.get(code, (code, code, code))
    keys = ("set", "set_name", "collector_number", "scryfall_id")
    plain = {key: str(hit.get(key) or "") for key in keys}
    return {
        **plain,
        "name": str(hit.get("card_name") or hit.get("name") or ""),  # all sites: `Front // Back`
        "set in capitals": plain["set"].upper(),
        "language": language,
        "language at ManaBox": manabox,
        "language at Archidekt": archidekt,
        "language at Deckbox": "Chinese" if code == "zhs" else language,
    }


_SCRYFALL = ("Scryfall ID", "scryfall_id")
#: Per site, its columns behind the first one, which counts: a field of `_fields`, or the cell.
_SITES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "moxfield": (
        ("Name", "name"),
        ("Edition", "set"),
        ("Condition", ""),
        ("Language", "language"),
        ("Foil", ""),
        ("Collector Number", "collector_number"),
        _SCRYFALL,
    ),
    "archidekt": (
        ("Name", "name"),
        ("Language", "language at Archidekt"),
        ("Edition Name", "set_name"),
        ("Edition Code", "set"),
        _SCRYFALL,
        ("Collector Number", "collector_number"),
    ),
    "deckbox": (
        ("Tradelist Count", "0"),
        ("Name", "name"),
        ("Edition", "set_name"),
        ("Card Number", "collector_number"),
        ("Condition", ""),
        ("Language", "language at Deckbox"),
        ("Foil", ""),
        _SCRYFALL,
    ),
    "manabox": (
        ("Name", "name"),
        ("Set code", "set in capitals"),
        ("Set name", "set_name"),
        ("Collector number", "collector_number"),
        ("Foil", "normal"),
        ("Language", "language at ManaBox"),
        _SCRYFALL,
    ),
}
#: The counts of a line: only a sure card counts.
_SURE, _UNSURE = "1", "0"
_COUNT = {"moxfield": "Count", "archidekt": "Quantity", "deckbox": "Count", "manabox": "Quantity"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one site, and ours behind them."""

    site: str = SITES[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """The header."""
        return (_COUNT[self.site], *(name for name, _ in _SITES[self.site]), *OWN_COLUMNS)

    def cells(self, hit: Hit) -> list[str]:
        """Return what the columns between the count and our own say of a printing."""
        fields = _fields(hit)
        return [fields.get(cell, cell) for _, cell in _SITES[self.site]]

    def row(self, card: Found, picture: str, number: int) -> list[str]:
        """Return the line of a card; only a sure one counts."""
        count = _SURE if card.verdict == MATCH else _UNSURE
        ours = (card.verdict, card.printing or "", picture, str(number))
        return [count, *self.cells(card.hits[0]), *ours]


def text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV by RFC 4180."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


class CardList:
    """The cards of all pictures of a run; a picture that is given twice counts once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._seen: set[str] = set()
        self._rows: list[list[str]] = []

    def add(self, answer: Answer) -> list[list[str]]:
        """Take the cards of an answer in; return their lines."""
        if answer.digest is not None and answer.digest in self._seen:
            return []
        self._seen |= {answer.digest} if answer.digest is not None else set()
        rows = [self.layout.row(card, answer.query, number) for number, card in listed(answer)]
        self._rows += rows
        return rows

    def text(self) -> str:
        """Return the list with its header: sure cards in the order of the pictures, then others."""
        sure = [row for row in self._rows if row[0] == _SURE]
        others = [row for row in self._rows if row[0] != _SURE]
        return text([self.layout.columns, *sure, *others])

    def summary(self) -> str:
        """Return how many cards are in the list."""
        sure = sum(row[0] == _SURE for row in self._rows)
        return f"{sure} cards, {len(self._rows) - sure} unsure"


def listed(answer: Answer) -> Iterator[tuple[int, Found]]:
    """Yield the cards of a picture that a list can name, with their numbers in it."""
    if answer.width is None:  # what a sentence describes lies on no table
        return
    for number, card in enumerate(answer.cards, 1):
        if card.verdict != NO_CARD and card.hits:
            yield number, card


def printings(card: Found) -> Iterator[dict[str, Any]]:
    """Yield every printing that a card may be, best first: the hits, each with its others."""
    for hit in card.hits:
        yield hit
        for other in hit.get("also", ()):
            yield {**hit, **other}
