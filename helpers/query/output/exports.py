"""`--csv`: one line per physical card, in the columns that collection sites import.

Where the columns and their values are from: Moxfield's help page "Importing a Collection";
ManaBox's guide "Import and export"; Archidekt's note on its collection importer (columns are
assigned there, the Scryfall id decides) and what its exports hold; Deckbox's "Exports and imports",
and MTGGoldfish's help page on its format. What a photo does not show (condition, foil) is left
empty.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from helpers.query.answer import MATCH, NO_CARD, Answer, Found, Hit

#: Per site, its columns, of which the first one counts.
_COLUMNS = {
    "moxfield": "Count,Name,Edition,Condition,Language,Foil,Collector Number,Scryfall ID",
    "archidekt": "Quantity,Name,Language,Edition Name,Edition Code,Scryfall ID,Collector Number",
    "deckbox": "Count,Tradelist Count,Name,Edition,Card Number,Condition,Language,Foil,Scryfall ID",
    "manabox": "Quantity,Name,Set code,Set name,Collector number,Foil,Language,Scryfall ID",
}
SITES = tuple(_COLUMNS)
#: Behind the columns of every site; they ignore what they do not know.
OWN_COLUMNS = ("Verdict", "Printing", "Picture", "Card")
#: The counts of a line: only a sure card counts.
_SURE, _UNSURE = "1", "0"

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


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one site, and ours behind them."""

    site: str = SITES[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """The header."""
        return (*_COLUMNS[self.site].split(","), *OWN_COLUMNS)

    def cells(self, hit: Hit) -> list[str]:
        """Return what the columns between the count and our own say of a printing."""
        keys = ("lang", "set", "set_name", "collector_number", "scryfall_id")
        code, short, name, number, scryfall_id = (str(hit.get(key) or "") for key in keys)
        language, manabox, archidekt = _LANGUAGES.get(code, (code, code, code))
        own = {"manabox": manabox, "archidekt": archidekt}
        if code == "zhs":
            own["deckbox"] = "Chinese"
        values = {
            "name": str(hit.get("card_name") or hit.get("name") or ""),  # all: `Front // Back`
            "edition": name if self.site == "deckbox" else short,
            "edition name": name,
            "edition code": short,
            "set name": name,
            "set code": short.upper(),
            "collector number": number,
            "card number": number,
            "language": own.get(self.site, language),
            "foil": "normal" if self.site == "manabox" else "",
            "tradelist count": "0",
            "scryfall id": scryfall_id,
        }
        return [values.get(column.lower(), "") for column in self.columns[1 : -len(OWN_COLUMNS)]]

    def row(self, card: Found, picture: str, number: int) -> list[str]:
        """Return the line of a card; only a sure one counts."""
        count = _SURE if card.verdict == MATCH else _UNSURE
        ours = (card.verdict, card.printing or "", picture, str(number))
        return [count, *self.cells(card.hits[0]), *ours]

    def rows(self, answer: Answer) -> list[list[str]]:
        """Return the lines of a picture."""
        return [
            self.row(card, answer.query, number)
            for number, card in enumerate(answer.cards, 1)
            if is_listed(card, answer)
        ]

    def text(self, rows: Sequence[Sequence[str]]) -> str:
        """Return a list with its header: sure cards in the order of the pictures, then others."""
        return text([self.columns, *sorted(rows, key=lambda row: row[0] != _SURE)])


def text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV by RFC 4180."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def summary(rows: Sequence[Sequence[str]]) -> str:
    """Return how many cards are in a list."""
    sure = sum(row[0] == _SURE for row in rows)
    return f"{sure} cards, {len(rows) - sure} unsure"


def is_listed(card: Found, answer: Answer) -> bool:
    """Tell whether a list names a card.

    What a sentence describes lies on no table, and a picture that is given twice counts once.
    """
    is_first = answer.width is not None and not answer.repeated
    return is_first and card.verdict != NO_CARD and bool(card.hits)


def printings(card: Found) -> Iterator[Hit]:
    """Yield every printing that a card may be, best first: the hits, each with its others."""
    for hit in card.hits:
        yield hit
        for other in hit.get("also", ()):
            yield {**hit, **other}
