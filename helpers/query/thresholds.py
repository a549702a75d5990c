"""When an answer may be believed: thresholds that were measured on this very index.

A cosine means something else for every model, so no figure is built in. `scripts/evaluate_index.py
--save-thresholds` measures right and wrong answers and pictures that are no card, and leaves
`thresholds.json` beside the index; without it an answer has no verdict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import atomic_write_json
from helpers.model.fingerprint import fingerprint_digest

if TYPE_CHECKING:
    from pathlib import Path

NAME = "thresholds.json"
MATCH, TIE, UNSURE = "match", "tie", "no confident match"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least cosine of a believable answer, and its least distance from the next card."""

    min_score: float
    min_margin: float

    def verdict(self, hits: list[dict[str, Any]]) -> str:
        """Judge grouped hits, best first (see `helpers.query.grouping`).

        Returns:
            `match`; `tie` if cards that look the same share the first place; or
            `no confident match`.
        """
        if not hits or hits[0]["score"] < self.min_score:
            return UNSURE
        if hits[0]["tie"]:
            return TIE
        rest = hits[1]["score"] if len(hits) > 1 else -1.0
        return MATCH if hits[0]["score"] - rest >= self.min_margin else UNSURE


def load_thresholds(index: Path, fingerprint: dict[str, Any]) -> Thresholds | None:
    """Return the thresholds measured for this index's model, None if there are none."""
    try:
        document = json.loads((index / NAME).read_bytes())
        if document["model_sha256"] != fingerprint_digest(fingerprint):
            return None
        return Thresholds(float(document["min_score"]), float(document["min_margin"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_thresholds(
    index: Path, fingerprint: dict[str, Any], thresholds: Thresholds, measured: dict[str, Any]
) -> None:
    """Leave thresholds beside the index, and with them what they were measured on.

    Raises:
        WriteError: the disk refuses.
    """
    atomic_write_json(
        index / NAME,
        {
            "version": "1.0",
            "model_sha256": fingerprint_digest(fingerprint),
            "min_score": thresholds.min_score,
            "min_margin": thresholds.min_margin,
            "measured": measured,
        },
    )
