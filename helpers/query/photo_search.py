"""One photo: candidates for cards, the nearest rows of each, and which of them geometry verifies.

The cheap test comes before the dear one: outlines are found in a fifth of a second, so many of
them are kept; they are embedded and verified in rounds, the likeliest first, and each verified
card takes the candidates that overlap it out of the later rounds. What is left is compared with
further rows at the end.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from helpers.index.card_index import Hit
from helpers.photo import detect, outlines, rectify
from helpers.photo.detect import Candidate
from helpers.photo.homography import Evidence
from helpers.photo.outlines import Corners
from helpers.query.comparison import Comparison, Scans, strongest_first
from helpers.query.searcher import Searcher

_SIDE = 1600  # pixels of the longer side: a card of a binder page is then 400 high
_ROUNDS = (5, 8, 12, 16)  # candidates embedded together
_IN_VAIN = 3  # rounds without a verified card after which the rest of them is given up
_FIRST_ROWS = 3  # nearest rows that every candidate is compared with
#: Nearest rows that what is left is compared with at the end, and how many comparisons may be
#: made for that: 4 s at most where no scan has its features yet, 0.4 s where all have.
_FURTHER = ((8, 40), (24, 60))
_NEAREST = 24  # rows looked up
_LEAST_SCORE = 0.25  # whitened cosine below which nothing is compared: no card was ever found there
_LEAST_CONTRAST = 10.0  # standard deviation of green levels: cards have 40, a table top 5
_PART = 0.8  # overlap from which a smaller outline is part of a larger one
#: Area of a card through that of its art (2.2 to 2.6) or text (3.5), with some room below.
_WHOLE = (1.3, 3.6)
_LEAST_WORTH = 0.6  # of a whole, through that of its part; .5 to .7 do as well on real photos
_SAME_PLACE = 0.35  # overlap from which two outlines are one card
_SIZES = (0.3, 3.0)  # of a candidate, in areas of the cards verified so far
_CARD_LIKE = (0.6, 0.82)  # side ratio of a card, seen a little aslant
_INSIDE = 0.8  # of a neighbour that must lie in the picture
_NEIGHBOUR_ROUNDS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Find:
    """A candidate with what the index and the geometry say of it."""

    corners: Corners  # in the searched picture, from the card's own top left if it is verified
    nearest: list[Hit]  # rows of the index, best first
    verified: tuple[int, ...] = ()  # rows whose scans agree, the strongest first
    evidence: Evidence | None = None  # of the strongest one
    named: bool = False  # `nearest` are the cards whose title was read here
    fit: float = 1.0  # of the candidate

    @property
    def score(self) -> float:
        """Of the most similar row."""
        return self.nearest[0].score

    @property
    def worth(self) -> float:
        """How much speaks for a card, known or not: its outline fits, and it looks like one."""
        return self.score * self.fit

    @property
    def strength(self) -> float:
        """How much speaks for the strongest row; 0 for none."""
        return self.evidence.strength if self.evidence else 0.0


class PhotoSearch:
    """Looks for cards in one picture (RGB)."""

    def __init__(self, searcher: Searcher, scans: Scans, picture: Image.Image) -> None:
        self._searcher, self._scans, self._picture = searcher, scans, picture
        self.scale = min(1.0, _SIDE / max(picture.size))
        pixels = np.asarray(picture)
        size = (round(picture.width * self.scale), round(picture.height * self.scale))
        if self.scale < 1:
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        self.pixels = pixels
        self._frame = outlines.frame(size)
        self._comparison = Comparison(pixels, scans)
        self.found: list[Find] = []
        self.others: list[Find] = []  # candidates that nothing verified

    def run(self, *, whole: bool) -> None:
        """Fill `found` and `others`; what is `whole` is one upright card: look nowhere else."""
        if whole:
            self._try([Candidate(self._frame, (), as_it_is=True)])
            self._look_further()
            return
        is_card = _is_card_like(self._frame)
        turns = (0, 2) if is_card else (0, 1, 2, 3)
        first = Candidate(outlines.upright(self._frame), turns, as_it_is=True)
        with self._searcher.times.stage("find"):
            todo = detect.find_quads(self.pixels)
        todo.insert(0 if is_card else _ROUNDS[0], first)
        for count, size in enumerate(_ROUNDS):
            if count >= _IN_VAIN and not self.found:
                break
            todo = [each for each in todo if self._is_worth_trying(each.corners)]
            self._try(todo[:size])
            todo = todo[size:]
        self._try_neighbours()
        if self._look_further():
            self._try_neighbours()

    def unverified(self, least: float, most: int, named: Sequence[Find] = ()) -> list[Find]:
        """Return up to `most` candidates that nothing verified, apart from each other and cards.

        Where no card is verified, or `named` by its title, that is one at least; others only if
        they look like cards and score `least`.
        """
        chosen: list[Find] = []
        finds = [self._whole(find) for find in sorted(self.others, key=lambda find: -find.worth)]
        for find in sorted(finds, key=lambda find: find.score < least):
            is_needed = not (self.found or named or chosen)
            if is_needed or (
                find.score >= least
                and _is_card_like(find.corners)
                and self._is_worth_trying(find.corners)
                and _is_apart(find.corners, [*chosen, *named])
            ):
                chosen.append(find)
        return chosen[:most]

    def _whole(self, find: Find) -> Find:
        """Return the outline of the card that a candidate is a part of, and its most similar rows.

        Art and text box have the shape of a card, too, and often look more like some card than the
        whole does.
        """
        while wholes := [each for each in self.others if _is_whole(each, find)]:
            find = max(wholes, key=lambda each: each.worth)
        largest = _WHOLE[0] * outlines.area(find.corners)
        views = [
            each
            for each in self.others
            if outlines.area(each.corners) <= largest
            and outlines.overlap(each.corners, find.corners) >= _PART
        ]
        return Find(find.corners, max([find, *views], key=lambda view: view.score).nearest)

    def _is_worth_trying(self, corners: Corners) -> bool:
        """Tell whether a candidate lies apart from verified cards, and is of their size."""
        if not self.found:
            return True
        usual = float(np.median([outlines.area(find.corners) for find in self.found]))
        low, high = _SIZES
        is_usual = low * usual < outlines.area(corners) < high * usual
        return is_usual and _is_apart(corners, self.found)

    def _try_neighbours(self) -> None:
        """Look beside verified cards for more of them, until nothing new is verified."""
        seen: list[Find] = []
        for _ in range(_NEIGHBOUR_ROUNDS):
            new = [find for find in self.found if find not in seen]
            seen += new
            todo: list[Candidate] = []
            for corners in (place for find in new for place in outlines.beside(find.corners)):
                is_inside = outlines.overlap(corners, self._frame) >= _INSIDE
                if is_inside and _is_apart(corners, [*self.found, *todo]):
                    todo.append(Candidate(corners))
            if not todo:
                return
            self._try(todo)

    def _try(self, candidates: Sequence[Candidate]) -> None:
        """Embed candidates together, then compare the most similar ones with scans first."""
        views = [(each, found) for each in candidates if (found := list(self._views(each)))]
        if not views:
            return
        vectors = self._searcher.embed([view for _, group in views for view in group])
        groups = np.split(vectors, np.cumsum([len(group) for _, group in views])[:-1])
        tried = [
            Find(each.corners, self._searcher.rows(group, _NEAREST), fit=each.fit)
            for (each, _), group in zip(views, groups, strict=True)
        ]
        for find in sorted(tried, key=lambda find: -find.score):
            self._verify(find)

    def _views(self, candidate: Candidate) -> Iterator[Image.Image]:
        """Yield what is embedded: the crop in each turn, its colours equalised.

        The picture itself is also asked as it is. A flat outline is not asked at all.
        """
        if candidate.as_it_is:
            yield self._picture
        if candidate.turns:
            crop = rectify.rectify(self.pixels, candidate.corners)
            if crop[::8, ::8, 1].std() < _LEAST_CONTRAST:
                return
            crop = rectify.equalise(crop)
            for turn in candidate.turns:
                yield Image.fromarray(np.ascontiguousarray(np.rot90(crop, turn)))

    def _look_further(self) -> bool:
        """Compare what is left with further rows, the most similar first; True if one agrees."""
        before = len(self.found)
        for rows, comparisons in _FURTHER:
            until = self._comparison.made + comparisons
            for find in sorted(self.others, key=lambda find: -find.score):
                if self._comparison.made < until and self._is_worth_trying(find.corners):
                    self._verify(find, rows)
        return len(self.found) > before

    def _verify(self, find: Find, rows: int = _FIRST_ROWS) -> None:
        """Keep a candidate as found if a scan agrees, else among the others."""
        better = None
        is_open = find.score >= _LEAST_SCORE and _is_apart(find.corners, self.found)
        if self._scans.at_hand and is_open:
            with self._searcher.times.stage("compare"):
                better = self._compared(find, rows)
        if better is not None:
            self.add(better)
        else:
            self.others = [*(other for other in self.others if other is not find), find]

    def add(self, new: Find) -> None:
        """Keep one card of those found at one place, the strongest."""
        rivals = [find for find in self.found if not _is_apart(new.corners, [find])]
        if all(rival.strength < new.strength for rival in rivals):
            self.found = [*(find for find in self.found if find not in rivals), new]

    def _compared(self, find: Find, rows: int) -> Find | None:
        """Compare a candidate with the scans of its nearest rows; None if none of them agrees.

        The strongest is the card, of which further printings are compared.
        """
        nearest = [hit.row for hit in find.nearest]
        agreeing = self._comparison.agreeing(find.corners, nearest[:rows])
        if not agreeing:
            return None
        card = strongest_first(agreeing)[0]
        same = [row for row in nearest if self._searcher.is_same_card(row, card)]
        agreeing |= self._comparison.agreeing(find.corners, same)
        verified = [row for row in strongest_first(agreeing) if row in same]
        best = agreeing[verified[0]]
        return Find(best.corners, find.nearest, tuple(verified), best)


def _is_card_like(corners: Corners) -> bool:
    return _CARD_LIKE[0] < outlines.side_ratio(corners) < _CARD_LIKE[1]


def _is_apart(corners: Corners, others: Iterable[Find | Candidate]) -> bool:
    return all(outlines.overlap(corners, other.corners) <= _SAME_PLACE for other in others)


def _is_whole(find: Find, part: Find) -> bool:
    """Tell whether a candidate may be the card that another one is a part of."""
    low, high = (factor * outlines.area(part.corners) for factor in _WHOLE)
    return (
        low < outlines.area(find.corners) < high
        and outlines.overlap(find.corners, part.corners) >= _PART
        and find.worth >= _LEAST_WORTH * part.worth
    )
