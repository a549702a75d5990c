"""What the graph loses against exact search on the candidates of real photos."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.evaluation.labelled_photos import Heard
from helpers.index.card_index import CardIndex, Hit

#: Rows of a candidate that count: the search compares the scans of that many with the photo.
COMPARED = 8


def losses(index: CardIndex, heard: Sequence[Heard], ladder: Sequence[int]) -> list[dict[str, Any]]:
    """Compare the graph with exact search at several efSearch.

    Returns:
        For each efSearch: `candidates`, the shares `recall_at_1` and `recall_at_8` of the true best
        rows that the graph finds, and `lost` of `right`: vectors among whose true best 8 rows is a
        card that the photo shows, and none is among those of the graph.
    """
    if not heard:
        return []
    vectors = np.stack([vector for _, vector in heard])
    truth = index.search_exactly(vectors, COMPARED)
    right = [
        {hit.row for hit in hits if label.fits(index.card(hit.row))}
        for (label, _), hits in zip(heard, truth, strict=True)
    ]
    rows = []
    for ef_search in ladder:
        found = index.search(vectors, COMPARED, ef_search)
        rows.append(
            {
                "ef_search": ef_search,
                "candidates": len(heard),
                "recall_at_1": _recall(found, truth, 1),
                "recall_at_8": _recall(found, truth, COMPARED),
                "right": sum(map(bool, right)),
                "lost": sum(
                    bool(wanted) and wanted.isdisjoint(hit.row for hit in hits)
                    for wanted, hits in zip(right, found, strict=True)
                ),
            }
        )
    return rows


def _recall(found: Sequence[Sequence[Hit]], truth: Sequence[Sequence[Hit]], k: int) -> float:
    shared = wanted = 0
    for ours, theirs in zip(found, truth, strict=True):
        best = {hit.row for hit in theirs[:k]}
        wanted += len(best)
        shared += len(best & {hit.row for hit in ours[:k]})
    return shared / wanted
