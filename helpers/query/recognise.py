"""Search and geometry put together: which cards does a picture show, and how sure is that?"""

from pathlib import Path

from PIL import Image

from helpers.packages import not_installed
from helpers.photo import printing, rectify
from helpers.photo.homography import ENOUGH_CELLS
from helpers.photo.outlines import reading_order
from helpers.query.answer import MATCH, UNSURE, Evidence, Found
from helpers.query.comparison import Scans
from helpers.query.photo_search import Find, PhotoSearch
from helpers.query.searcher import Searcher, evidence_of
from helpers.query.title_answers import TitleSearch

_MOST_UNSURE = 3  # candidates of one photo that are reported though no scan agrees
_MOST_BY_SCORE = 20  # the same where there are no scans to compare with
_CERTAIN = 1.0  # whitened cosine of equal pictures
_COMPARED_PRINTINGS = 4  # verified ones with the most features; six pairs take 0.3 s


class Recogniser:
    """Finds the cards in pictures, by their looks and, where something here reads, by titles."""

    def __init__(self, searcher: Searcher, scans: Scans, titles: TitleSearch | None = None) -> None:
        self._searcher, self._scans, self._titles = searcher, scans, titles

    def cards_in(self, picture: Image.Image) -> tuple[Found, ...]:
        """Return the cards of a picture, left to right, top to bottom; one at least."""
        search = PhotoSearch(self._searcher, self._scans, picture)
        search.run(whole=self._searcher.options.whole)
        named = self._titles.run(search) if self._titles else []
        finds = [*search.found, *named, *self._others(search, named)]
        order = reading_order([find.corners for find in finds])
        return tuple(self._judged(finds[place], search) for place in order)

    def _others(self, search: PhotoSearch, named: list[Find]) -> list[Find]:
        """Return the candidates that are worth showing though no scan agrees."""
        thresholds = self._searcher.thresholds
        if thresholds is None:
            return search.unverified(_CERTAIN, 1, named)
        if self._scans.at_hand or thresholds.score is None:
            return search.unverified(thresholds.noise, _MOST_UNSURE, named)
        return search.unverified(thresholds.score, _MOST_BY_SCORE, named)

    def _judged(self, find: Find, search: PhotoSearch) -> Found:
        whole = self._searcher.options.whole
        places = (find.corners / search.scale).tolist()
        corners = None if whole else tuple((x, y) for x, y in places)
        if find.named:
            hits = self._searcher.grouped(find.nearest)
            evidence = Evidence(None, hits[0]["score"], None)
            if find.verified:
                return Found(MATCH, hits, evidence, corners, "title", "tied")
            return Found(UNSURE, hits, evidence, corners, "title")
        if find.evidence is None:
            alone = not self._scans.at_hand
            return self._searcher.judged(find.nearest, corners, alone=alone)
        printings, is_sure = self._printings(find, search)
        order = {row: place for place, row in enumerate(printings)}
        rows = sorted(find.nearest, key=lambda hit: order.get(hit.row, len(order)))
        hits = [{**hit, "tie": False} for hit in self._searcher.grouped(rows)]
        evidence = evidence_of(hits, find.evidence.inliers)
        verified_by = "geometry" if find.evidence.cells >= ENOUGH_CELLS else "title"
        # The verified card is shown whatever --min-score says: geometry tells more than its score.
        hits = [hits[0], *self._searcher.worth_showing(hits[1:])]
        return Found(MATCH, hits, evidence, corners, verified_by, "sure" if is_sure else "tied")

    def _printings(self, find: Find, search: PhotoSearch) -> tuple[list[int], bool]:
        """Return the verified printings of a card, best first, and whether the first is clear."""
        best = find.verified[0]
        rows = [row for row in find.verified if self._searcher.is_same_card(row, best)]
        scans = {row: self._scans.pixels(row) for row in rows[:_COMPARED_PRINTINGS]}
        there = {row: scan for row, scan in scans.items() if scan is not None}
        if len(rows) == 1 or best not in there:
            return rows, len(rows) == 1
        aligned = rectify.rectify(search.pixels, find.corners, printing.SIZE)
        compared, is_sure = printing.tell_printings(aligned, there)
        rest = [row for row in rows if row not in there]
        return [*compared, *rest], is_sure and not rest


def recogniser(searcher: Searcher, cache: Path) -> Recogniser:
    """Return what finds cards with the scans of `cache`; it reads where rapidocr is installed."""
    options = searcher.options
    scans = Scans(searcher.index, cache, wanted=options.verify)
    reads = options.titles and not options.whole and not not_installed("onnxruntime", "rapidocr")
    return Recogniser(searcher, scans, TitleSearch(searcher, scans) if reads else None)
