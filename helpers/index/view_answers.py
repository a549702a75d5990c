"""How views of cards are answered among the rows of a build, and when to believe an answer.

A cosine means something else for every model and every whitening, so no figure is built in: each
build measures its own, on distorted views of its own cards, and leaves them in its manifest.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DEPTH = 32  # nearest rows that are looked at: printings of one card may fill many places
_STEPS = 40  # thresholds tried for score and for margin
_PARTS = 10_000  # thresholds have 4 decimals


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of the views, each array [n].

    Attributes:
        score: cosine of the best row, float32.
        margin: its distance to the best row of another card, float32.
        right: whether the best row is of the right card.
        score_without, margin_without: the same if the right card were not there.
    """

    score: NDArray[np.float32]
    margin: NDArray[np.float32]
    right: NDArray[np.bool_]
    score_without: NDArray[np.float32]
    margin_without: NDArray[np.float32]

    @property
    def top_1(self) -> float:
        """Share of right answers."""
        return float(self.right.mean())

    @property
    def quality(self) -> tuple[float, float]:
        """What to compare two searches by: right answers, then how far they stand out."""
        spread = float(self.score_without.std()) or 1.0
        return self.top_1, float(np.median(np.where(self.right, self.margin, 0))) / spread


def judge(
    scores: NDArray[np.float32], found: NDArray[np.int64], wanted: NDArray[np.int64]
) -> Answers:
    """Judge the nearest rows of each view.

    Args:
        scores: float32 [n, k], best first.
        found: int64 [n, k], the card of each of these rows.
        wanted: int64 [n], the card that the view is of.
    """
    others = np.where(found == wanted[:, None], -np.inf, scores)
    return Answers(*best_card(scores, found), found[:, 0] == wanted, *best_card(others, found))


def best_card(
    scores: NDArray[np.float32], found: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return float32 [n] the best score, and float32 [n] its distance to the next other card.

    A score of -inf does not count. Where only one card is left, the distance is at least that to
    the last row looked at; where none is, the score is -1.
    """
    place = scores.argmax(axis=1)[:, None]
    best = np.take_along_axis(scores, place, axis=1)[:, 0]
    same = found == np.take_along_axis(found, place, axis=1)
    rest = np.where(same, -np.inf, scores).max(axis=1)
    last = np.where(np.isfinite(scores), scores, np.inf).min(axis=1)
    margin = best - np.where(np.isfinite(rest), rest, last)
    counts = np.isfinite(best)
    return np.where(counts, best, -1).astype(np.float32), np.where(counts, margin, 0).astype(
        np.float32
    )


def choose_thresholds(
    answers: Answers, unknown: Answers, precision: float
) -> tuple[float, float] | None:
    """Return the least score and margin that keep the most right answers at that precision.

    Pictures of what the index does not hold count together as much as the views of what it does.
    Of equally good pairs the higher one wins, since what was not sampled is further from a card
    rather than nearer. None if no pair reaches the precision.

    Args:
        answers: to views of cards that the index holds.
        unknown: to pictures of anything else, as they are without the right card.
        precision: share of right answers among those that are kept.
    """
    best: tuple[int, float, float] | None = None
    levels = np.linspace(0, 1, _STEPS)
    score, margin, right = answers.score, answers.margin, answers.right
    if not right.any():
        return None
    for least in np.quantile(score[right], levels, method="lower"):
        for distance in np.quantile(margin[right], levels, method="lower"):
            kept = (score >= least) & (margin >= distance)
            good = int((kept & right).sum())
            passed = (unknown.score_without >= least) & (unknown.margin_without >= distance)
            wrong = passed.mean() * len(right)
            if good >= precision * (kept.sum() + wrong) and (best is None or good >= best[0]):
                best = (good, float(least), float(distance))
    return None if best is None else (_floor(best[1]), _floor(best[2]))


def _floor(value: float) -> float:
    return math.floor(value * _PARTS) / _PARTS


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores (cosines) that a build measured.

    Args:
        score: together with `margin`, right in 99 of 100 pictures, half of them of cards that the
            index does not hold; None where nothing is so sure.
        margin: least distance from the next card.
        noise: what pictures of no card reach.
    """

    score: float | None
    margin: float | None
    noise: float

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self | None:
        """Return what the build measured; None where it learned no whitening."""
        measured = (manifest.get("whitening") or {}).get("thresholds")
        if not measured:
            return None
        return cls(measured["score"], measured["margin"], measured["noise_score"])

    def are_met(self, score: float | None, margin: float | None) -> bool:
        """Tell whether a best hit may be believed without a scan to compare it with."""
        if self.score is None or self.margin is None:
            return False
        return (score or -1.0) >= self.score and (margin or 0.0) >= self.margin
