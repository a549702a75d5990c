"""How views of cards are answered among the rows of a build, and when to believe an answer.

A cosine means something else for every model and every whitening, so no figure is built in: each
build measures its own, on distorted views of its own cards, and leaves them in its manifest.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DEPTH = 32  # nearest rows that are looked at: printings of one card may fill many places
_STEPS = 40  # thresholds tried for score and for margin
_PARTS = 10_000  # thresholds have 4 decimals
#: What came of a view: the cosine of its best row, the distance to the best row of another card,
#: whether the best row is of the right card, and the first two if the right card were not there.
ANSWER = np.dtype(
    {
        "names": ["score", "margin", "right", "score_without", "margin_without"],
        "formats": ["f4", "f4", "?", "f4", "f4"],
    }
)


def judge(
    scores: NDArray[np.float32], found: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[Any]:
    """Judge the nearest rows of each view, which is of the card `wanted`; return `ANSWER` [n].

    `scores`, float32 [n, k], are best first, `found`, int64 [n, k], says which card each row shows.
    """
    answers = np.empty(len(scores), ANSWER)
    answers["score"], answers["margin"] = best_card(scores, found)
    answers["right"] = found[:, 0] == wanted
    others = np.where(found == wanted[:, None], -np.inf, scores)
    answers["score_without"], answers["margin_without"] = best_card(others, found)
    return answers


def quality(answers: NDArray[Any]) -> tuple[float, float]:
    """Return what to compare two searches by: right answers, then how far they stand out."""
    spread = float(answers["score_without"].std()) or 1.0
    margin = float(np.median(np.where(answers["right"], answers["margin"], 0)))
    return float(answers["right"].mean()), margin / spread


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
    return np.where(counts, best, -1), np.where(counts, margin, 0)


def choose_thresholds(
    answers: NDArray[Any], unknown: NDArray[Any], precision: float
) -> tuple[float, float] | None:
    """Return the least score and margin that keep the most right answers at that precision.

    Pictures of what the index does not hold count together as much as the views of what it does.
    Of equally good pairs the higher one wins, since what was not sampled is further from a card
    rather than nearer. None if no pair reaches the precision, the share of right answers among
    those that are kept. `answers` are to views of cards that the index holds, `unknown` to pictures
    of anything else, as they are without the right card.
    """
    right, most, best = answers[answers["right"]], 0, None
    if len(right) == 0:
        return None
    levels = np.linspace(0, 1, _STEPS)
    scores, margins = (
        np.quantile(right[field], levels, method="lower") for field in ("score", "margin")
    )
    for least in itertools.product(scores.tolist(), margins.tolist()):
        good, kept = _passing(right, least), _passing(answers, least)
        wrong = _passing(unknown, least, "_without") / len(unknown) * len(answers)
        if good >= max(most, precision * (kept + wrong)):
            most, best = good, least
    if best is None:
        return None
    score, margin = (math.floor(each * _PARTS) / _PARTS for each in best)
    return score, margin


def _passing(answers: NDArray[Any], least: tuple[float, float], which: str = "") -> int:
    score, margin = answers[f"score{which}"], answers[f"margin{which}"]
    return int(((score >= least[0]) & (margin >= least[1])).sum())


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
