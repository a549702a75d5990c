"""Titles as a second opinion: cards that a photo names in print, where a reader is installed.

What is read as a name of the index is compared with the scans of that name. A scan that agrees
makes a match, also one that agrees less than is asked of scans that only look similar. Without such
a scan a title that is spelt exactly is shown as unsure: only the title of the card may be in
sight, or it may be of a printing with another picture.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from helpers.photo import colours, outlines, rectify, titles
from helpers.query.comparison import Comparison
from helpers.query.photo_search import Find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from helpers.photo.outlines import Corners
    from helpers.photo.titles import Line, Reader
    from helpers.query.comparison import Agreement
    from helpers.query.photo_search import PhotoSearch
    from helpers.query.scans import Scans
    from helpers.query.searcher import Searcher

#: `SequenceMatcher.ratio` from which a line is taken for a name; `Land` is 0.8 of `Island`.
_SIMILAR = 0.85
_MOST = 30  # lines of one photo that are looked into: a pile, not a printed list of a deck
#: Inliers in the art that suffice for a scan of that name. On 204 photos wrong names had 3 at most,
#: right ones of the same picture 11 at least.
_ENOUGH_ART = 8
#: Nearest rows, one of which must have the name where there are no scans. On 204 photos that holds
#: for 38 of 46 titles of cards whose picture the index has; wrong names came 31st at best.
_NEAR = 5
_SHORTEST = 4  # letters of a name that is believed by its spelling alone
_PRINTINGS = 8  # of a name that are compared, the most similar ones
_BUCKETS = 64  # of letters, in the bound of the ratio
_LINE_ABOVE = 1.9  # line heights: paragraphs have up to 1.8, titles of a tight pile 2.2 at least


def plain(name: str) -> str:
    """Return the letters and digits of a name: what is read lacks spaces, accents and commas."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in decomposed if letter.isalnum())


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the index that a text resembles.

    Args:
        similarity: 0 to 1, see `SequenceMatcher.ratio`.
        rows: of the index.
    """

    similarity: float
    rows: tuple[int, ...]


class Names:
    """The names of an index, to be looked up as they were read.

    Args:
        names: of each row in their order: English, and as printed where that is another language;
            both halves of `Fire // Ice` count, too.
    """

    def __init__(self, names: Iterable[Iterable[str]]) -> None:
        rows: dict[str, list[int]] = {}
        for row, of_row in enumerate(names):
            parts = {plain(part) for name in of_row for part in (name, *name.split("//"))}
            for part in parts - {""}:
                rows.setdefault(part, []).append(row)
        self._names = list(rows.items())
        self._letters = np.stack([_letters(name) for name, _ in self._names])
        self._lengths = self._letters.sum(axis=1)

    def similar(self, text: str) -> list[Name]:
        """Return the names that a text resembles, the most similar first."""
        read = plain(text)
        shared = np.minimum(self._letters, _letters(read)).sum(axis=1)
        bound = 2 * shared / np.maximum(self._lengths + len(read), 1)  # no ratio is above it
        found = []
        for place in np.flatnonzero(bound >= _SIMILAR):
            name, rows = self._names[place]
            similarity = SequenceMatcher(None, read, name, autojunk=False).ratio()
            if similarity >= _SIMILAR:
                found.append(Name(similarity, tuple(rows)))
        return sorted(found, key=lambda each: -each.similarity)


def _letters(text: str) -> NDArray[np.int16]:
    places = [ord(letter) % _BUCKETS for letter in text]
    return np.bincount(places, minlength=_BUCKETS).astype(np.int16)


class TitleSearch:
    """Looks for cards by their titles.

    Args:
        searcher: an opened index.
        scans: its pictures.
        reader: opens what reads print.
    """

    def __init__(
        self,
        searcher: Searcher,
        scans: Scans,
        reader: Callable[[], Reader] = titles.rapid_reader,
    ) -> None:
        self._searcher, self._scans, self._reader = searcher, scans, reader

    @functools.cached_property
    def _names(self) -> Names:
        index = self._searcher.index
        return Names(map(_names_of, map(index.card, range(index.vectors))))

    def run(self, search: PhotoSearch) -> list[Find]:
        """Read a photo; add the cards that scans confirm to `search.found`, return the others."""
        with self._searcher.times.stage("read"):
            hidden = [find.corners for find in search.found]
            lines = titles.read(self._reader(), search.pixels, hidden)
        comparison = Comparison(search.pixels, self._scans)
        alike = [(line, self._names.similar(line.text)[:2]) for line in lines]
        named: list[tuple[Line, Find]] = []
        for line, names in [each for each in alike if each[1]][:_MOST]:
            find = self._compared(line, names, search, comparison)
            if find is not None:
                search.add(find)
            else:
                named += [(line, each) for each in self._named(line, names, lines, search)]
        return [
            find
            for line, find in named
            if not any(outlines.holds(other.corners, line.centre) for other in search.found)
        ]

    def _compared(
        self, line: Line, names: list[Name], search: PhotoSearch, comparison: Comparison
    ) -> Find | None:
        """Return the card of a title if a scan of its name agrees with the picture."""
        if not self._scans.at_hand:
            return None
        for corners in titles.cards_of(line):
            vector = self._embedded(search.pixels, corners)
            for name in names:
                hits = self._searcher.index.scored(vector, name.rows)[:_PRINTINGS]
                agreeing = comparison.compared(corners, [hit.row for hit in hits])
                best = sorted(
                    filter(_is_enough, agreeing), key=lambda each: -each.evidence.strength
                )
                if best:
                    rows = tuple(each.row for each in best)
                    known = {hit.row for hit in hits}
                    others = [hit for hit in self._searcher.rows(vector) if hit.row not in known]
                    return Find(best[0].corners, [*hits, *others], rows, best[0].evidence)
        return None

    def _named(
        self, line: Line, names: list[Name], lines: list[Line], search: PhotoSearch
    ) -> Iterator[Find]:
        """Yield the card of a title that no scan confirms, at the most.

        Where there are no scans, it is verified if it is among the most similar ones of the index.
        """
        for corners in () if self._scans.at_hand else titles.cards_of(line):
            vector = self._embedded(search.pixels, corners)
            nearest = {hit.row for hit in self._searcher.rows(vector, _NEAR)[:_NEAR]}
            for name in names:
                if nearest & set(name.rows):
                    hits = self._searcher.index.scored(vector, name.rows)
                    yield Find(corners, hits, (hits[0].row,), named=True)
                    return
        if _is_title(line, names[0], lines):
            corners = next(titles.cards_of(line))
            vector = self._embedded(search.pixels, corners)
            yield Find(corners, self._searcher.index.scored(vector, names[0].rows), named=True)

    def _embedded(self, pixels: NDArray[np.uint8], corners: Corners) -> NDArray[np.float32]:
        crop = colours.equalise(rectify.rectify(pixels, corners))
        return self._searcher.embed([Image.fromarray(crop)])


def _names_of(record: Mapping[str, Any]) -> list[str]:
    """Return the names by which a card may be printed; indexes before 1.2 know one."""
    return [str(record[key]) for key in ("name", "printed_name") if record.get(key)]


def _is_enough(agreement: Agreement) -> bool:
    evidence = agreement.evidence
    return evidence.is_enough or evidence.art >= _ENOUGH_ART


def _is_title(line: Line, name: Name, lines: list[Line]) -> bool:
    """Tell whether a line is a card's name and nothing else, and no part of a paragraph."""
    text = line.text.strip()
    return (
        name.similarity == 1.0
        and len(plain(text)) >= _SHORTEST
        and not text[0].islower()
        and (text[0].isalnum() and (text[-1].isalnum() or text[-1] in "!?"))
        and not any(_is_above(other, line) for other in lines)
    )


def _is_above(other: Line, line: Line) -> bool:
    """Tell whether another line stands directly above a line, in the direction that it is read."""
    across, down = line.corners[1] - line.corners[0], line.corners[3] - line.corners[0]
    step = other.centre - line.centre
    height, width = float(np.linalg.norm(down)), float(np.linalg.norm(across))
    up, aside = -float(step @ down) / height, abs(float(step @ across)) / width
    reach = (width + float(np.linalg.norm(other.corners[1] - other.corners[0]))) / 2
    return height / 2 < up < _LINE_ABOVE * height and aside < reach
