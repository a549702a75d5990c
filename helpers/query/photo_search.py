"""One photo: candidates for cards, the nearest rows of each, and which of them geometry verifies.

The cheap test comes before the dear one: outlines are found in a fifth of a second, so many of
them are kept; they are embedded and verified in rounds, the likeliest first, and each verified
card takes the candidates that overlap it out of the later rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from helpers.photo import colours, detect, homography, local_features, outlines, rectify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from helpers.index.card_index import Hit
    from helpers.query.scans import Scans
    from helpers.query.searcher import Searcher

_SIDE = 1600  # pixels of the longer side: a card of a binder page is then 400 high
_ROUNDS = (5, 8, 12, 16)  # candidates embedded together
_VERIFIED_ROWS = 8  # nearest rows whose scans are compared
_ENOUGH = 3  # rows after which a strong match ends the comparison
_STRONG = 60.0
_LEAST_SCORE = 0.25  # whitened cosine below which nothing is compared: no card was ever found there
_MARGIN = 0.14  # round an outline, so that verification can correct it
_CROP = (278, 388)  # width and height in pixels of what is compared with a scan
_CROP_FEATURES = 700
_SAME_PLACE = 0.35  # overlap from which two outlines are one card
_SIZES = (0.3, 3.0)  # of a candidate, in areas of the cards verified so far
_CARD_LIKE = (0.6, 0.82)  # side ratio of a picture that may be one card
_INSIDE = 0.8  # of a neighbour that must lie in the picture
_NEIGHBOUR_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a card may be.

    Args:
        corners: float32 [4, 2], pixels of the searched picture, clockwise from a short side.
        turns: quarter turns to try; an outline leaves two.
        as_it_is: the whole picture, which is also asked unchanged, so that a scan scores 1.
    """

    corners: NDArray[np.float32]
    turns: tuple[int, ...] = (0, 2)
    as_it_is: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    """A candidate with what the index and the geometry say of it.

    Args:
        corners: float32 [4, 2], pixels of the searched picture, clockwise from the card's own top
            left corner if it is verified.
        nearest: rows of the index, best first.
        verified: rows whose scans agree, the strongest first; empty if none does.
        evidence: of the strongest one.
    """

    corners: NDArray[np.float32]
    nearest: list[Hit]
    verified: tuple[int, ...] = ()
    evidence: homography.Evidence | None = None

    @property
    def strength(self) -> float:
        """How much speaks for the strongest row; 0 for none."""
        return self.evidence.strength if self.evidence else 0.0


class PhotoSearch:
    """Looks for cards in one picture.

    Args:
        searcher: an opened index.
        scans: its pictures.
        picture: RGB.
    """

    def __init__(self, searcher: Searcher, scans: Scans, picture: Image.Image) -> None:
        self._searcher, self._scans = searcher, scans
        self._picture = picture
        self.scale = min(1.0, _SIDE / max(picture.size))
        self.pixels = _shrunk(np.asarray(picture), self.scale)
        self.found: list[Find] = []
        self.others: list[Find] = []  # candidates that nothing verified

    def run(self, *, whole: bool) -> None:
        """Fill `found` and `others`.

        Args:
            whole: the picture is one upright card; look nowhere else.
        """
        size = (self.pixels.shape[1], self.pixels.shape[0])
        everything = outlines.frame(size)
        if whole:
            self._try([Candidate(everything, (), as_it_is=True)])
            return
        card_like = _CARD_LIKE[0] < outlines.side_ratio(everything) < _CARD_LIKE[1]
        first = Candidate(
            outlines.upright(everything), (0, 2) if card_like else (0, 1, 2, 3), as_it_is=True
        )
        with self._searcher.times.stage("find"):
            quads = detect.find_quads(self.pixels)
        todo = [Candidate(outlines.upright(quad.corners)) for quad in quads]
        todo.insert(0 if card_like else _ROUNDS[0], first)
        for count in _ROUNDS:
            todo = [each for each in todo if self._is_worth_trying(each.corners)]
            self._try(todo[:count])
            todo = todo[count:]
        self._try_neighbours(everything)

    def _is_worth_trying(self, corners: NDArray[np.float32]) -> bool:
        """Tell whether a candidate lies apart from verified cards, and is of their size."""
        if not self.found:
            return True
        usual = float(np.median([outlines.area(find.corners) for find in self.found]))
        low, high = _SIZES
        return low * usual < outlines.area(corners) < high * usual and self._is_open(corners)

    def _is_open(self, corners: NDArray[np.float32]) -> bool:
        return all(outlines.overlap(corners, f.corners) <= _SAME_PLACE for f in self.found)

    def _try_neighbours(self, everything: NDArray[np.float32]) -> None:
        """Look beside verified cards for more of them, until nothing new is verified."""
        seen: set[int] = set()
        for _ in range(_NEIGHBOUR_ROUNDS):
            new = [find for find in self.found if id(find) not in seen]
            seen |= {id(find) for find in new}
            todo: list[Candidate] = []
            for corners in (place for find in new for place in outlines.beside(find.corners)):
                if (
                    outlines.overlap(corners, everything) >= _INSIDE
                    and self._is_open(corners)
                    and all(outlines.overlap(corners, c.corners) <= _SAME_PLACE for c in todo)
                ):
                    todo.append(Candidate(corners))
            if not todo:
                return
            self._try(todo)

    def _try(self, candidates: Sequence[Candidate]) -> None:
        """Embed candidates together, then compare the most similar ones with scans first."""
        if not candidates:
            return
        views = [list(self._views(candidate)) for candidate in candidates]
        vectors = self._searcher.embed([view for group in views for view in group])
        ends = np.cumsum([0, *map(len, views)])
        tried = [
            Find(candidate.corners, self._searcher.rows(vectors[low:high]))
            for candidate, low, high in zip(candidates, ends, ends[1:], strict=False)
        ]
        for find in sorted(tried, key=lambda find: -find.nearest[0].score):
            self._verify(find)

    def _views(self, candidate: Candidate) -> Iterable[Image.Image]:
        """Yield what is embedded: the crop in each turn, its colours equalised."""
        if candidate.as_it_is:
            yield self._picture
        if candidate.turns:
            crop = colours.equalise(rectify.rectify(self.pixels, candidate.corners))
            for turn in candidate.turns:
                yield Image.fromarray(np.ascontiguousarray(np.rot90(crop, turn)))

    def _verify(self, find: Find) -> None:
        if not (self._scans.at_hand and self._is_open(find.corners)):
            self.others.append(find)
            return
        with self._searcher.times.stage("compare"):
            better = self._compared(find) if find.nearest[0].score >= _LEAST_SCORE else None
        if better is None:
            self.others.append(find)
            return
        rivals = [
            f for f in self.found if outlines.overlap(better.corners, f.corners) > _SAME_PLACE
        ]
        if all(rival.strength < better.strength for rival in rivals):
            self.found = [f for f in self.found if all(f is not rival for rival in rivals)]
            self.found.append(better)

    def _compared(self, find: Find) -> Find | None:
        """Compare a candidate with the scans of its nearest rows; None if none of them agrees."""
        outer = outlines.grown(find.corners, _MARGIN)
        crop = rectify.rectify(self.pixels, outer, _CROP)
        features = local_features.extract(crop, _CROP_FEATURES)
        agreeing: list[tuple[float, int, homography.Evidence]] = []
        for place, hit in enumerate(find.nearest[:_VERIFIED_ROWS], 1):
            scan = self._scans.features(hit.row)
            evidence = homography.verify(features, scan) if scan is not None else None
            if evidence is not None and evidence.is_enough:
                agreeing.append((evidence.strength, hit.row, evidence))
                if evidence.strength > _STRONG and place >= _ENOUGH:
                    break
        if not agreeing:
            return None
        agreeing.sort(key=lambda each: -each[0])
        evidence = agreeing[0][2]
        back = cv2.getPerspectiveTransform(outlines.frame(_CROP), outer)
        corners = cv2.perspectiveTransform(evidence.corners[None], back)[0]
        return Find(corners, find.nearest, tuple(row for _, row, _ in agreeing), evidence)


def _shrunk(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return pixels
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
