"""How good is this index? The parts of `scripts/evaluate_index.py`, put together."""

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from typing import Any

from helpers.errors import DataError, IncompleteError
from helpers.evaluation import graph_recall, identify, labelled_photos
from helpers.evaluation.labelled_photos import Label
from helpers.evaluation.photo_totals import counts, stages, totals
from helpers.index.card_index import CardIndex
from helpers.index.manifest import read_manifest
from helpers.query.inputs import expand
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
    labels = labelled_photos.read_labels(args.photos) if args.photos else []
    document: dict[str, Any] = {
        "version": DOCUMENT_VERSION,
        "index": {**manifest["index"], "build_id": manifest["build_id"]},
        "model": manifest["model"],
        "seed": args.seed,
    }
    if {"recall", "grid"} & set(args.parts):
        document |= _measure_graphs(args, report)
    if "identify" in args.parts:
        document |= _identify(args, report)
    if labels:
        document |= _ask_photos(labels, args, report)
    return document


def _measure_graphs(args: Namespace, report: Reporter) -> dict[str, Any]:
    ladder = args.ladder if "recall" in args.parts else ()
    grid = args.grid if "grid" in args.parts else ()
    steps = len(ladder) + len(grid)
    with report.progress(steps, "Measuring the graph", "settings") as progress:
        return graph_recall.measure(CardIndex(args.index), args.seed, ladder, grid, progress)


def _identify(args: Namespace, report: Reporter) -> dict[str, Any]:
    # Each picture is one card, compared exactly, and nothing is verified.
    options = QueryOptions(args.index, k=identify.CARDS, exact=True, whole=True, verify=False)
    index = OpenIndex(options, report)
    cache = args.cache or index.cache
    sources = identify.sample_sources(index, cache, args.sample, args.seed)
    if len(sources) < args.sample:
        report.info(f"Pictures: {len(sources):,} of {args.sample:,}; the cache holds no more")
    negatives = list(expand(str(args.negatives))) if args.negatives else []
    total = len(sources) * (len(identify.CONDITIONS) + 1) + len(negatives)
    with report.progress(total, "Asking about pictures", "pictures") as progress:
        cards = identify.identify_cards(index, sources, args.seed, progress)
        drawn = range(len(sources) * args.seed, len(sources) * (args.seed + 1))
        no_card = identify.identify_non_cards(index, drawn, negatives, progress)
    tables = OpenIndex(QueryOptions(args.index, cache=cache), report)
    return {
        "identify": identify.describe(cards, no_card),
        "scenes": identify.identify_scenes(tables, sources, args.seed, report),
    }


def _ask_photos(labels: Sequence[Label], args: Namespace, report: Reporter) -> dict[str, Any]:
    index = OpenIndex(QueryOptions(args.index, cache=args.cache), report)
    with report.progress(len(labels), "Asking about photos", "photos") as progress:
        photos, heard = labelled_photos.identify_photos(index, labels, progress)
    found: dict[str, Any] = {
        "photos": photos,
        "photo_totals": totals(photos),
        "photo_recall": graph_recall.losses(index.searcher.index, heard, args.ladder),
    }
    if args.ablate:
        found["ablation"] = [_summary("full", photos), *_without_each(labels, args, report)]
    return found


def _without_each(
    labels: Sequence[Label], args: Namespace, report: Reporter
) -> list[dict[str, Any]]:
    """Ask again with one stage switched off at a time."""
    rows = []
    for name, changed in SWITCHES.items():
        index = OpenIndex(QueryOptions(args.index, cache=args.cache, **changed), report)
        with report.progress(len(labels), f"Photos without {name}", "photos") as progress:
            photos, _ = labelled_photos.identify_photos(index, labels, progress)
        rows.append(_summary(name, photos))
    return rows


def _summary(without: str, photos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    times = {row["stage"]: row["median"] for row in stages(photos)}
    return {"without": without, **counts(photos), "seconds": times.get("total")}


def check_photos(document: dict[str, Any]) -> None:
    """Raise `DataError` if no photo could be read, `IncompleteError` if some could not."""
    results = Counter(photo["result"] for photo in document.get("photos", ()))
    unreadable, total = results[labelled_photos.UNREADABLE], results.total()
    if unreadable:
        kind = DataError if unreadable == total else IncompleteError
        raise kind("photos could not be read", details=f"{unreadable} of {total}, named above")
