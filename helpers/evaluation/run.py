"""How good is this index? The parts of `scripts/evaluate_index.py`, put together."""

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from helpers.errors import DataError, IncompleteError
from helpers.evaluation import graph_recall, identify
from helpers.evaluation.labelled_photos import (
    UNREADABLE,
    Label,
    Record,
    identify_photos,
    read_labels,
)
from helpers.evaluation.photo_totals import counts, stages, totals
from helpers.index.manifest import read_manifest
from helpers.query.open_index import OpenIndex
from helpers.query.options import QueryOptions
from helpers.report import DOCUMENT_VERSION, Reporter

#: What is switched off → the fields of `QueryOptions` that do it, and their values.
SWITCHES: dict[str, dict[str, Any]] = {
    "graph": {"exact": True},
    "finding": {"whole": True},
    "whitening": {"whitened": False},
    "verification": {"verify": False},
    "all of these": {"exact": True, "whole": True, "whitened": False, "verify": False},
}


def evaluate(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Measure the parts that were asked for.

    Returns:
        The `--json` document; a part that was not asked for is missing.

    Raises:
        DataError: the index, its model, its pictures or the list of photos cannot be used.
    """
    manifest = read_manifest(args.index)
    labels = read_labels(args.photos) if args.photos else []
    document: dict[str, Any] = {
        "version": DOCUMENT_VERSION,
        "index": {**manifest["index"], "build_id": manifest["build_id"]},
        "model": manifest["model"],
        "seed": args.seed,
    }
    if {"recall", "grid"} & set(args.parts):
        document |= graph_recall.measure(args, report)
    if "identify" in args.parts:
        document |= identify.measure(args, report)
    if labels:
        document |= _ask_photos(labels, args, report)
    return document


def _ask_photos(labels: Sequence[Label], args: Namespace, report: Reporter) -> dict[str, Any]:
    """Ask about the photos; with `--ablate` again, with one stage switched off at a time."""
    options = QueryOptions(args.index, cache=args.cache)
    index = OpenIndex(options, report)
    photos, heard = identify_photos(index, labels, report)
    found: dict[str, Any] = {
        "photos": photos,
        "photo_totals": totals(photos),
        "photo_recall": graph_recall.losses(index.searcher.index, heard, args.ladder),
    }
    if args.ablate:
        found["ablation"] = [_summary("full", photos)]
        for name, changed in SWITCHES.items():
            report.info(f"Switched off: {name}")
            index = OpenIndex(replace(options, **changed), report)
            photos, _ = identify_photos(index, labels, report)
            found["ablation"].append(_summary(name, photos))
    return found


def _summary(without: str, photos: Sequence[Record]) -> dict[str, Any]:
    times = {row["stage"]: row["median"] for row in stages(photos)}
    return {"without": without, **counts(photos), "seconds": times.get("total")}


def check_photos(document: dict[str, Any]) -> None:
    """Raise `DataError` if no photo could be read, `IncompleteError` if some could not."""
    results = Counter(photo["result"] for photo in document.get("photos", ()))
    unreadable, total = results[UNREADABLE], results.total()
    if unreadable:
        kind = DataError if unreadable == total else IncompleteError
        raise kind("photos could not be read", details=f"{unreadable} of {total}, named above")
