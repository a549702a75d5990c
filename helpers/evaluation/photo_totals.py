"""What the answers to labelled photos add up to: counts by kind, precision, recall, and times."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.evaluation.labelled_photos import ABSENT, FOUND, MISSED, UNREADABLE, UNSURE_FIRST

Entry = dict[str, Any]


def totals(photos: Sequence[Entry]) -> dict[str, Any]:
    """Return `kinds` (the last one `all`), `precision` and `stages` of entries of `judge`."""
    kinds = sorted({photo["kind"] for photo in photos})
    rows = [
        {"kind": kind or "-", **counts([photo for photo in photos if photo["kind"] == kind])}
        for kind in kinds
    ]
    return {
        "kinds": [*rows, {"kind": "all", **counts(photos)}],
        "precision": precision(photos),
        "stages": stages(photos),
    }


def counts(photos: Sequence[Entry]) -> dict[str, int]:
    """Return how often what happened, as docs/json.md says."""
    readable = [photo for photo in photos if photo["result"] != UNREADABLE]
    outcomes = Counter(card["outcome"] for photo in readable for card in photo["cards"])
    matches = Counter(match["right"] for photo in readable for match in photo["matches"])
    absent = [photo for photo in readable if photo["result"] == ABSENT and photo["complete"]]
    return {
        "photos": len(photos),
        "unreadable": len(photos) - len(readable),
        "cards": outcomes.total() - outcomes[ABSENT],
        "found": outcomes[FOUND],
        "unsure": outcomes[UNSURE_FIRST],
        "missed": outcomes[MISSED],
        "matches": matches.total(),
        "false_matches": matches[False],
        "unlabelled": matches[None],
        "absent_photos": len(absent),
        "absent_matched": sum(bool(photo["matches"]) for photo in absent),
    }


def precision(photos: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return precision and recall of the matches for each number of inliers that one of them has.

    Matches below the threshold of the search itself are not known, so the first entry is what the
    search does, and the others are what a higher threshold would do. `recall` is the share of the
    cards that are shown and in the index.
    """
    judged = [
        (match["inliers"], match["right"])
        for photo in photos
        for match in photo["matches"]
        if match["inliers"] is not None and match["right"] is not None
    ]
    cards = counts(photos)["cards"]
    found = [card["inliers"] or 0 for photo in photos for card in photo["cards"]]
    rows = []
    for least in sorted({inliers for inliers, _ in judged}):
        above = Counter(right for inliers, right in judged if inliers >= least)
        rows.append(
            {
                "inliers": least,
                "right": above[True],
                "false": above[False],
                "precision": above[True] / above.total(),
                "recall": sum(inliers >= least for inliers in found) / max(1, cards),
            }
        )
    return rows


def stages(photos: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return median and 90th percentile of each stage's seconds per readable photo."""
    readable = [photo["seconds"] for photo in photos if photo["result"] != UNREADABLE]
    names = dict.fromkeys(stage for seconds in readable for stage in seconds)
    rows = []
    for name in sorted(names, key=lambda stage: stage == "total"):
        spent = [seconds.get(name, 0.0) for seconds in readable]
        median, high = np.percentile(spent, (50, 90)).round(4).tolist()
        rows.append({"stage": name, "median": median, "p90": high})
    return rows
