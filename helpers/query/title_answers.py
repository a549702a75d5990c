"""Titles as a second opinion: cards that a photo names in print, where a reader is installed.

What is read as a name of the index, to the letter, is compared with the scans of that name: names
that are only similar brought hardly any card on 204 photos, and all the wrong ones. A scan that
agrees makes a match, also one that agrees less than is asked of scans that only look similar.
Without such a scan a title that is no part of a paragraph is shown as unsure: only the title of the
card may be in sight, or it may be of a printing with another picture.
"""

import functools
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers.photo import outlines, rectify, titles
from helpers.photo.outlines import Corners
from helpers.photo.titles import Line
from helpers.query.comparison import Comparison, Scans, strongest_first
from helpers.query.photo_search import Find, PhotoSearch
from helpers.query.searcher import Searcher

_MOST = 30  # lines of one photo that are looked into: a pile, not a printed list of a deck
#: Cells of the art with inliers that suffice for a scan of that name. In photos, sharp and spoilt,
#: wrong scans had points in 2 at most.
_ENOUGH_CELLS = 4
#: Nearest rows, one of which must have the name where there are no scans. On 204 photos that holds
#: for 34 of 45 titles of cards whose picture the index has.
_NEAR = 5
_SHORTEST = 4  # letters of a name that is believed by its spelling alone
_PRINTINGS = 8  # of a name that are compared, the most similar ones
_LINE_ABOVE = 1.9  # line heights: paragraphs have up to 1.8, titles of a tight pile 2.2 at least


def plain(name: str) -> str:
    """Return the letters and digits of a name: what is read lacks spaces, accents and commas."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in decomposed if letter.isalnum())


def rows_by_name(records: Iterable[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Return the rows of each plain name, English or as printed; `Fire // Ice` has three.

    The records of indexes before 1.2 know one name.
    """
    rows: dict[str, list[int]] = {}
    for row, record in enumerate(records):
        names = [str(record[key]) for key in ("name", "printed_name") if record.get(key)]
        parts = {plain(part) for name in names for part in (name, *name.split("//"))}
        for part in parts - {""}:
            rows.setdefault(part, []).append(row)
    return rows


class TitleSearch:
    """Looks for cards by their titles."""

    def __init__(self, searcher: Searcher, scans: Scans) -> None:
        self._searcher, self._scans = searcher, scans

    @functools.cached_property
    def _rows(self) -> dict[str, list[int]]:
        index = self._searcher.index
        return rows_by_name(map(index.card, range(index.vectors)))

    def run(self, search: PhotoSearch) -> list[Find]:
        """Read a photo; add the cards that scans confirm to `search.found`, return the others."""
        with self._searcher.times.stage("read"):
            lines = titles.read(search.pixels, [find.corners for find in search.found])
        comparison = Comparison(search.pixels, self._scans)
        alike = [(line, rows) for line in lines if (rows := self._rows.get(plain(line.text)))]
        named: list[tuple[Line, Find]] = []
        for line, rows in alike[:_MOST]:
            find = self._card(line, rows, search.pixels, comparison)
            if find.evidence is not None:
                search.add(find)
            elif find.verified or _is_title(line, lines):
                named.append((line, find))
        return [
            find
            for line, find in named
            if not any(outlines.holds(other.corners, line.centre) for other in search.found)
        ]

    def _card(
        self, line: Line, rows: list[int], pixels: NDArray[np.uint8], comparison: Comparison
    ) -> Find:
        """Return the card of a title as the picture confirms it, else as it was read."""
        as_read, turned = titles.cards_of(line)
        find = self._compared(as_read, rows, pixels, comparison)
        other = find if find.verified else self._compared(turned, rows, pixels, comparison)
        return other if other.verified else find

    def _compared(
        self, corners: Corners, rows: list[int], pixels: NDArray[np.uint8], comparison: Comparison
    ) -> Find:
        """Compare a place with the scans of a name, or without scans with its nearest rows."""
        crop = rectify.equalise(rectify.rectify(pixels, corners))
        vector = self._searcher.embed([Image.fromarray(crop)])
        hits = self._searcher.index.scored(vector, rows)
        if not self._scans.at_hand:
            nearest = {hit.row for hit in self._searcher.rows(vector, _NEAR)[:_NEAR]}
            verified = (hits[0].row,) if nearest & set(rows) else ()
            return Find(corners, hits, verified, named=True)
        printings = hits[:_PRINTINGS]
        compared = [hit.row for hit in printings]
        agreeing = comparison.agreeing(corners, compared, _ENOUGH_CELLS)
        if not agreeing:
            return Find(corners, hits, named=True)
        others = [hit for hit in self._searcher.rows(vector) if hit.row not in compared]
        strongest = strongest_first(agreeing)
        best = agreeing[strongest[0]]
        return Find(best.corners, [*printings, *others], tuple(strongest), best)


def _is_title(line: Line, lines: list[Line]) -> bool:
    """Tell whether a line that reads as a name is no scrap and no part of a paragraph."""
    return len(plain(line.text)) >= _SHORTEST and not any(_is_above(other, line) for other in lines)


def _is_above(other: Line, line: Line) -> bool:
    """Tell whether another line stands directly above a line, in the direction that it is read."""
    across, down = line.corners[1] - line.corners[0], line.corners[3] - line.corners[0]
    step = other.centre - line.centre
    height, width = float(np.linalg.norm(down)), float(np.linalg.norm(across))
    up, aside = -float(step @ down) / height, abs(float(step @ across)) / width
    reach = (width + float(np.linalg.norm(other.corners[1] - other.corners[0]))) / 2
    return height / 2 < up < _LINE_ABOVE * height and aside < reach
