"""How good is this index? The parts of `scripts/evaluate_index.py`, put together."""

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from helpers import worker_process
from helpers.errors import DataError, IncompleteError
from helpers.evaluation import graph_recall, identify, labelled_photos
from helpers.evaluation.identify import Outcome, Source
from helpers.evaluation.labelled_photos import Heard, Label
from helpers.evaluation.photo_recall import losses
from helpers.evaluation.photo_totals import counts, stages, totals
from helpers.evaluation.simulated_scenes import identify_scenes
from helpers.images.distort import LEVELS
from helpers.index.manifest import read_manifest
from helpers.query import inputs
from helpers.query.open_index import OpenIndex
from helpers.query.options import QueryOptions
from helpers.report import DOCUMENT_VERSION, Reporter

BINS = 50  # of a histogram of cosines from 0 to 1
_PERCENTILES = (5, 25, 50, 75, 95)
#: What is switched off → the field of `QueryOptions` that does it, and its value.
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
    document: dict[str, Any] = {
        "version": DOCUMENT_VERSION,
        "index": {**manifest["index"], "build_id": manifest["build_id"]},
        "model": manifest["model"],
        "seed": args.seed,
    }
    if {"recall", "grid"} & set(args.parts):
        document |= _measure_graph(args, report)
    labels = labelled_photos.read_labels(args.photos) if args.photos else []
    if "identify" in args.parts:
        document |= _identify(args, report)
    if labels:
        document |= _ask_photos(labels, args, report)
    return document


# --- the graph, in a process of its own ------------------------------------------------------


def _measure_graph(args: Namespace, report: Reporter) -> dict[str, Any]:
    parts = {
        "recall": args.ladder if "recall" in args.parts else (),
        "grid": args.grid if "grid" in args.parts else (),
    }
    result: dict[str, Any] = {"graph": {}, **{name: [] for name in parts if parts[name]}}
    steps = sum(map(len, parts.values()))
    measurements = worker_process.stream(
        graph_recall.measure, args.index.absolute(), args.seed, parts["recall"], parts["grid"]
    )
    with (
        report.progress(steps, "Measuring the graph", "settings") as progress,
        closing(measurements),
    ):
        for kind, content in measurements:
            if kind == "graph":
                result["graph"] = content
            else:
                result[kind].append(content)
                progress.advance()
    return result


# --- pictures --------------------------------------------------------------------------------


def _identify(args: Namespace, report: Reporter) -> dict[str, Any]:
    # Each picture is one card, compared exactly, and nothing is verified.
    options = QueryOptions(args.index, k=identify.CARDS, exact=True, whole=True, verify=False)
    index = OpenIndex(options, report)
    cache = args.cache or index.cache
    sources = identify.sample_sources(index, cache, args.sample, args.seed)
    if len(sources) < args.sample:
        report.info(f"Pictures: {len(sources):,} of {args.sample:,}; the cache holds no more")
    found = _describe(*_ask(index, sources, args, report))
    tables = OpenIndex(QueryOptions(args.index, cache=cache), report)
    return {"identify": found, "scenes": identify_scenes(tables, sources, args.seed, report)}


def _ask(
    index: OpenIndex, sources: Sequence[Source], args: Namespace, report: Reporter
) -> tuple[dict[str, list[Outcome]], list[Outcome]]:
    """Return what came of the sources, by condition, and of pictures of no card."""
    negatives = list(identify.non_cards(len(sources), args.seed))
    if args.negatives:
        negatives += map(identify.load_file, inputs.expand(str(args.negatives)))
    total = len(sources) * len(identify.CONDITIONS) + len(negatives)
    with report.progress(total, "Asking about pictures", "pictures") as progress:
        cards = identify.identify_cards(index, sources, args.seed, progress)
        return cards, identify.identify_non_cards(index, negatives, progress)


def _ask_photos(labels: Sequence[Label], args: Namespace, report: Reporter) -> dict[str, Any]:
    index = OpenIndex(QueryOptions(args.index, cache=args.cache), report)
    heard: list[Heard] = []
    with report.progress(len(labels), "Asking about photos", "photos") as progress:
        photos = labelled_photos.identify_photos(index, labels, progress, heard)
    found: dict[str, Any] = {
        "photos": photos,
        "photo_totals": totals(photos),
        "photo_recall": losses(index.searcher.index, heard, args.ladder),
    }
    if args.ablate:
        runs = _without_each(labels, args, report)
        found["ablation"] = [_summary(name, each) for name, each in (("full", photos), *runs)]
    return found


def _without_each(
    labels: Sequence[Label], args: Namespace, report: Reporter
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Ask again with one stage switched off at a time; yield its name and what came of it."""
    for name, changed in SWITCHES.items():
        index = OpenIndex(QueryOptions(args.index, cache=args.cache, **changed), report)
        with report.progress(len(labels), f"Photos without {name}", "photos") as progress:
            yield name, labelled_photos.identify_photos(index, labels, progress)


def _summary(without: str, photos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    total = [row for row in stages(photos) if row["stage"] == "total"]
    return {"without": without, **counts(photos), "seconds": total[0]["median"] if total else None}


def _describe(cards: dict[str, list[Outcome]], no_card: list[Outcome]) -> dict[str, Any]:
    levels = [outcome for level in LEVELS for outcome in cards[level]]
    groups = {
        "right": [(o.score, o.margin) for o in levels if o.right],
        "wrong": [(o.score, o.margin) for o in levels if not o.right],
        "unknown_card": [o.without for o in cards[identify.UNKNOWN_LEVEL]],
        "no_card": [(o.score, o.margin) for o in no_card],
    }
    return {
        "sample": len(cards[identify.CLEAN]),
        "conditions": [_condition(name, found) for name, found in cards.items()],
        "answers": {name: _distribution(pairs) for name, pairs in groups.items()},
    }


def _condition(name: str, found: Sequence[Outcome]) -> dict[str, Any]:
    def share(ranks: list[int | None], first: int) -> float:
        return sum(rank is not None and rank <= first for rank in ranks) / len(ranks)

    cards = [outcome.card_rank for outcome in found]
    printings = [outcome.printing_rank for outcome in found]
    return {
        "condition": name,
        "pictures": len(found),
        "card_top_1": share(cards, 1),
        "card_top_5": share(cards, 5),
        "printing_top_1": share(printings, 1),
        "printing_top_5": share(printings, 5),
    }


def _distribution(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    scores, margins = ([pair[place] for pair in pairs] for place in (0, 1))
    counts, _ = np.histogram(np.clip(scores, 0, 1), bins=BINS, range=(0, 1))
    return {
        "pictures": len(pairs),
        "scores": _percentiles(scores),
        "margins": _percentiles(margins),
        "histogram": counts.tolist(),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = np.percentile(values, _PERCENTILES).round(4).tolist()
    return {f"p{name}": value for name, value in zip(_PERCENTILES, found, strict=True)}


# --- what follows from it --------------------------------------------------------------------


def check_photos(document: dict[str, Any]) -> None:
    """Raise `DataError` if no photo could be read, `IncompleteError` if some could not."""
    results = Counter(photo["result"] for photo in document.get("photos", ()))
    unreadable, total = results[labelled_photos.UNREADABLE], results.total()
    if unreadable:
        kind = DataError if unreadable == total else IncompleteError
        raise kind("photos could not be read", details=f"{unreadable} of {total}, named above")
