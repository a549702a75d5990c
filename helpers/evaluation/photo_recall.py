"""What the graph loses against exact search on the candidates of real photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from helpers.evaluation.labelled_photos import Label
    from helpers.index.card_index import CardIndex, Hit

    Heard = tuple[Label, NDArray[np.float32]]

#: Rows of a candidate that count: the search compares the scans of that many with the photo.
COMPARED = 8


class Recorder:
    """Keeps the vectors of the candidates that are searched for, with the photo they are of."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._label: Label | None = None

    def next_photo(self, label: Label) -> None:
        """Take what is heard from now on as candidates of this photo."""
        self._label = label

    def listen(self, vectors: NDArray[np.float32]) -> None:
        """Keep the vectors of one candidate: float32 [views, D]."""
        if self._label is not None:
            self.heard += [(self._label, vector) for vector in vectors]


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
