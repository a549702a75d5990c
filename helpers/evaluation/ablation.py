"""Labelled photos asked again with one stage of the search switched off at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helpers.evaluation.labelled_photos import identify_photos
from helpers.evaluation.photo_totals import counts, stages
from helpers.query.open_index import OpenIndex
from helpers.query.options import QueryOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from helpers.evaluation.labelled_photos import Label
    from helpers.report import Reporter

FULL = "full"
#: What is switched off → the field of `QueryOptions` that does it, and its value.
SWITCHES: dict[str, dict[str, Any]] = {
    "graph": {"exact": True},
    "finding": {"whole": True},
    "whitening": {"whitened": False},
    "verification": {"verify": False},
    "all of these": {"exact": True, "whole": True, "whitened": False, "verify": False},
}


def without_each(
    index: Path, cache: Path | None, labels: Sequence[Label], report: Reporter
) -> Iterator[dict[str, Any]]:
    """Yield `{"without", …}` with the counts and the median seconds of each run.

    Args:
        index: directory of a build.
        cache: pictures of its cards; None for the cache that it was built from.
        labels: of the photos.
        report: shows how far it is.

    Raises:
        DataError: the index or its model cannot be used.
    """
    for name, changed in SWITCHES.items():
        opened = OpenIndex(QueryOptions(index, cache=cache, **changed), report)
        with report.progress(len(labels), f"Photos without {name}", "photos") as progress:
            yield summary(name, identify_photos(opened, labels, progress))


def summary(without: str, photos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one row of the comparison."""
    total = [row for row in stages(photos) if row["stage"] == "total"]
    return {"without": without, **counts(photos), "seconds": total[0]["median"] if total else None}
