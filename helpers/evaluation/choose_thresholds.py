"""From measured answers to thresholds: when may an answer be believed?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.query.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Of the answers that are kept, this share must be right.
PRECISION = 0.95
_STEPS = 200  # candidate scores at the most
_PARTS = 10_000  # thresholds have 4 decimals


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer to learn from.

    Attributes:
        score: cosine of the best card.
        margin: its distance to the next card; below 0 for a tie, which is never a match.
        right: whether it is the right card; False for a picture of none.
        picture: names what was asked about; all answers about one card are held out together.
    """

    score: float
    margin: float
    right: bool
    picture: int


def choose(samples: Sequence[Sample], precision: float = PRECISION) -> Thresholds | None:
    """Return the thresholds that keep the most right answers at the wanted precision.

    Of equally good pairs the one with the higher score wins, since what was not sampled is
    further from a card rather than nearer.

    Returns:
        None if no pair reaches the precision.
    """
    best: tuple[int, float, float] | None = None
    ordered = sorted(samples, key=lambda sample: -sample.margin)
    scores = np.array([sample.score for sample in ordered])
    margins = np.array([sample.margin for sample in ordered])
    right = np.array([sample.right for sample in ordered], dtype=bool)
    for least in _candidates(scores[right]):
        kept = (scores >= least) & (margins >= 0)
        good = np.cumsum(kept & right)
        enough = good >= precision * np.maximum(np.cumsum(kept), 1)
        last = np.append(margins[:-1] > margins[1:], True)  # equal margins cannot be parted
        allowed = np.flatnonzero(enough & last & (good > 0))
        if len(allowed):
            place = allowed[np.argmax(good[allowed])]
            if best is None or good[place] >= best[0]:
                best = (int(good[place]), least, float(margins[place]))
    return None if best is None else Thresholds(_floor(best[1]), _floor(max(0.0, best[2])))


def _candidates(scores: NDArray[np.float64]) -> list[float]:
    if len(scores) == 0:
        return []
    levels = np.linspace(0, 1, min(_STEPS, len(scores)))
    return [float(score) for score in np.unique(np.quantile(scores, levels, method="lower"))]


def _floor(value: float) -> float:
    return math.floor(value * _PARTS) / _PARTS


def keeps(thresholds: Thresholds, sample: Sample) -> bool:
    """Tell whether the answer would be called a match."""
    return sample.score >= thresholds.min_score and sample.margin >= max(0, thresholds.min_margin)


def held_out(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return precision and share of kept answers on pictures that did not choose the thresholds.

    Thresholds chosen on one half of the pictures judge the other half, and the other way round.

    Returns:
        `{"kept", "right", "answers"}`: counts, over both halves.
    """
    kept: list[Sample] = []
    for half in (0, 1):
        thresholds = choose([sample for sample in samples if sample.picture % 2 == half])
        judged = [sample for sample in samples if sample.picture % 2 != half]
        kept += [sample for sample in judged if thresholds and keeps(thresholds, sample)]
    right = sum(sample.right for sample in kept)
    return {"kept": len(kept), "right": right, "answers": len(samples)}
