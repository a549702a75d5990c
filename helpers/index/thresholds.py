"""When an answer may be believed without a scan to compare it with.

A cosine means something else for every model and every whitening, so no figure is built in: each
build measures its own, on distorted views of its own cards, and leaves them in its manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores (cosines) that a build measured.

    Args:
        score: together with `margin`, right in 99 of 100 views.
        margin: least distance from the next card.
        noise: what pictures of no card reach.
    """

    score: float
    margin: float
    noise: float

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Thresholds | None:
        """Return what the build measured; None where it learned no whitening."""
        measured = (manifest.get("whitening") or {}).get("thresholds")
        if not measured:
            return None
        return cls(measured["score"], measured["margin"], measured["noise_score"])

    def are_met(self, score: float | None, margin: float | None) -> bool:
        """Tell whether a best hit may be believed without a scan to compare it with."""
        return (score or -1.0) >= self.score and (margin or 0.0) >= self.margin
