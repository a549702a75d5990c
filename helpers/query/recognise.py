"""Search and geometry put together: which cards does a picture show, and how sure is that?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.index.card_index import Hit as Row
from helpers.packages import is_here
from helpers.query.answer import MATCH, NO_CARD, UNSURE, Found
from helpers.query.searcher import evidence_of

if TYPE_CHECKING:
    from PIL import Image

    from helpers.query.answer import Hit, Verdict
    from helpers.query.photo_search import Find, PhotoSearch
    from helpers.query.scans import Scans
    from helpers.query.searcher import Searcher
    from helpers.report import Reporter


class Recogniser:
    """Finds the cards in pictures.

    Args:
        searcher: an opened index.
        scans: its pictures, to verify by.
        report: hears what is missing here.
    """

    def __init__(self, searcher: Searcher, scans: Scans, report: Reporter) -> None:
        self._searcher = searcher
        self._scans = scans
        self._sees = is_here("cv2")
        if not self._sees:
            report.info(
                "OpenCV is not installed: each picture is taken as one upright card, and nothing is"
                " verified; pip install opencv-python-headless"
            )

    def cards_in(self, picture: Image.Image) -> tuple[Found, ...]:
        """Return the cards of a picture, left to right, top to bottom; one at least."""
        if not self._sees:
            return (self._unverified(self._searcher.rows(self._searcher.embed([picture]))),)
        from helpers.photo.outlines import reading_order
        from helpers.query.photo_search import PhotoSearch

        search = PhotoSearch(self._searcher, self._scans, picture)
        search.run(whole=self._searcher.options.whole)
        finds = search.found or [max(search.others, key=lambda find: find.nearest[0].score)]
        order = reading_order([find.corners for find in finds])
        return tuple(self._judged(finds[place], search) for place in order)

    def _judged(self, find: Find, search: PhotoSearch) -> Found:
        whole = self._searcher.options.whole
        corners = (
            None if whole else tuple((x, y) for x, y in (find.corners / search.scale).tolist())
        )
        if find.evidence is None:
            return self._unverified(find.nearest, corners)
        row, others = find.verified[0], find.nearest
        score = next(hit.score for hit in others if hit.row == row)
        hits = self._searcher.grouped([Row(row, score), *(h for h in others if h.row != row)])
        for hit in hits:
            hit["tie"] = False
        evidence = evidence_of(hits, find.evidence.inliers)
        printing = self._printing(find, hits[0])
        return Found(MATCH, hits, evidence, corners, "geometry", printing)

    def _printing(self, find: Find, best: Hit) -> str:
        """Tell whether other printings of the card agree as well."""
        rows = {best["row"], *(other["row"] for other in best["also"])}
        return "sure" if len(rows & set(find.verified)) == 1 else "tied"

    def _unverified(
        self, rows: list[Row], corners: tuple[tuple[float, float], ...] | None = None
    ) -> Found:
        """Return what scores alone say; a match only where no scan could have been compared."""
        hits = self._searcher.grouped(rows)
        evidence, thresholds = evidence_of(hits), self._searcher.thresholds
        verdict: Verdict = UNSURE
        if thresholds is not None and (evidence.score or -1.0) < thresholds.noise:
            verdict = NO_CARD
        shown = self._searcher.worth_showing(hits)
        if (
            not self._scans.at_hand
            and thresholds is not None
            and thresholds.are_met(evidence.score, evidence.margin)
        ):
            return Found(MATCH, shown, evidence, corners, "score", "tied")
        return Found(verdict, shown, evidence, corners)
