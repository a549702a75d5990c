"""Does a photo-like picture of a card find that card? Pictures from the cache are asked, distorted.

The search is exact and nothing is verified, so that only the model and its preprocessing are
judged; simulated tables are asked about as photos are.
"""

import itertools
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError
from helpers.evaluation.labelled_photos import Label, Shown, judge, known_as
from helpers.evaluation.photo_totals import counts
from helpers.evaluation.scenes import compose
from helpers.images.distort import DEFAULT_STRENGTH, KINDS, LEVELS, distort
from helpers.images.non_cards import non_card
from helpers.images.preprocess import load_image_rgb
from helpers.query.answer import Hit
from helpers.query.grouping import group_key
from helpers.query.open_index import OpenIndex
from helpers.query.options import QueryOptions
from helpers.report import Reporter
from helpers.validation import validate_image

#: What a card goes through before it is asked about: nothing, one thing, or a named level.
CONDITIONS: Mapping[str, Mapping[str, float] | None] = {
    "clean": None,
    **{kind: {kind: DEFAULT_STRENGTH} for kind in KINDS},
    **LEVELS,
}
UNKNOWN_LEVEL = "photo"  # of the pictures that are judged as if their card were not in the index
CARDS = 6  # that an answer names: the first 5, and one more should the right one be left out
TABLE = 5  # cards that lie on a simulated table
BINS = 50  # of a histogram of cosines from 0 to 1
_PERCENTILES = (5, 25, 50, 75, 95)
_SEEDS = 1_000_003  # rows of an index per seed

#: Cosine of the best card, and its distance to the next: -1 for a tie.
Sureness = tuple[float, float]
#: Of an answer: the ranks of the right card and of the right printing, from 1, infinite if not
#: among the first; how sure it is; and how sure it were if the right card were not in the index.
OUTCOME = np.dtype([("card", "f8"), ("printing", "f8"), ("best", "f8", 2), ("without", "f8", 2)])
Outcomes = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Source:
    """A card of the index whose picture is in the cache."""

    row: int
    record: dict[str, Any]
    path: Path


def measure(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Return `identify`: shares of right answers and how sure they were; and `scenes`.

    Raises:
        DataError: no picture of the index is in the cache.
    """
    as_photos = QueryOptions(args.index, cache=args.cache)
    # Each picture is one card, compared exactly, and nothing is verified.
    as_cards = replace(as_photos, k=CARDS, exact=True, whole=True, verify=False)
    index = OpenIndex(as_cards, report)
    sources = sample_sources(index, args.sample, args.seed)
    if len(sources) < args.sample:
        report.info(f"Pictures: {len(sources):,} of {args.sample:,}; the cache holds no more")
    answers = _ask_cards(index, sources, args.seed, report)
    return {
        "identify": _described(*answers),
        "scenes": _ask_scenes(OpenIndex(as_photos, report), sources, args.seed, report),
    }


def sample_sources(index: OpenIndex, count: int, seed: int) -> list[Source]:
    """Return up to `count` random rows of the index whose pictures are in the cache, undamaged.

    Raises:
        DataError: there is none.
    """
    rows = index.searcher.index
    order = np.random.default_rng(seed).permutation(rows.vectors).tolist()
    records = ((row, rows.card(row)) for row in order)
    found = (Source(row, record, index.cache / record["image_file"]) for row, record in records)
    whole = (source for source in found if validate_image(source.path).valid)
    sources = list(itertools.islice(whole, count))
    if not sources:
        raise DataError(
            f"no picture of the index is in {index.cache}",
            details=f"{rows.vectors:,} rows looked for",
            suggestion="name the cache that the index was built from: --cache DIR",
        )
    return sources


def _ask_cards(
    index: OpenIndex, sources: Sequence[Source], seed: int, report: Reporter
) -> tuple[dict[str, Outcomes], NDArray[np.float64]]:
    """Ask about every source in every condition, and each time about a picture of no card.

    Returns:
        An outcome of each source, by condition; and how sure the answers to no card are.
    """
    cards = {name: np.empty(len(sources), OUTCOME) for name in CONDITIONS}
    no_card = np.empty((len(sources), 2))
    with report.progress(len(sources), "Asking about distorted cards", "cards") as progress:
        for number, source in enumerate(sources):
            clean, variant = load_image_rgb(source.path), _SEEDS * seed + source.row
            for name, strengths in CONDITIONS.items():
                view = clean if strengths is None else distort(clean, strengths, variant)
                cards[name][number] = _outcome(index.ask(view).hits, source.record)
            hits = index.ask(non_card(len(sources) * seed + number)).hits
            no_card[number] = _sureness(hits, tie=hits[0]["tie"])
            progress.advance()
    return cards, no_card


def _outcome(
    hits: Sequence[Hit], wanted: dict[str, Any]
) -> tuple[float, float, Sureness, Sureness]:
    card = group_key(wanted, "card")
    cards = [group_key(hit, "card") for hit in hits]
    rows = [row for hit in hits for row in (hit, *hit["also"])]
    rows.sort(key=lambda row: (-row["score"], row["row"]))
    faces = [row["face_id"] for row in rows]
    others = [hit for hit, key in zip(hits, cards, strict=True) if key != card]
    ranks = _rank(card, cards), _rank(wanted["face_id"], faces)
    return *ranks, _sureness(hits, tie=hits[0]["tie"]), _sureness(others)


def _rank(wanted: object, found: Sequence[object]) -> float:
    return found.index(wanted) + 1 if wanted in found else np.inf


def _sureness(hits: Sequence[Hit], *, tie: bool = False) -> Sureness:
    first, second, *_ = (*(float(hit["score"]) for hit in hits), -1.0, -1.0)
    return first, -1.0 if tie else first - second


def _described(cards: Mapping[str, Outcomes], no_card: NDArray[np.float64]) -> dict[str, Any]:
    levels = np.concatenate([cards[level] for level in LEVELS])
    is_right = levels["card"] == 1
    groups = {
        "right": levels["best"][is_right],
        "wrong": levels["best"][~is_right],
        "unknown_card": cards[UNKNOWN_LEVEL]["without"],
        "no_card": no_card,
    }
    return {
        "sample": len(cards[UNKNOWN_LEVEL]),
        "conditions": [_condition(name, found) for name, found in cards.items()],
        "answers": {name: _distribution(found) for name, found in groups.items()},
    }


def _condition(name: str, found: Outcomes) -> dict[str, Any]:
    shares = {
        f"{what}_top_{first}": float((found[what] <= first).mean())
        for what in ("card", "printing")
        for first in (1, 5)
    }
    return {"condition": name, "pictures": len(found), **shares}


def _distribution(found: NDArray[np.float64]) -> dict[str, Any]:
    """Describe float64 [n, 2]: scores and margins of a group of answers."""
    scores, margins = found.T
    histogram, _ = np.histogram(np.clip(scores, 0, 1), bins=BINS, range=(0, 1))
    return {
        "pictures": len(found),
        "scores": _percentiles(scores),
        "margins": _percentiles(margins),
        "histogram": histogram.tolist(),
    }


def _percentiles(values: NDArray[np.float64]) -> dict[str, float] | None:
    if not len(values):
        return None
    found = np.percentile(values, _PERCENTILES).round(4).tolist()
    return {f"p{name}": value for name, value in zip(_PERCENTILES, found, strict=True)}


def _ask_scenes(
    index: OpenIndex, sources: Sequence[Source], seed: int, report: Reporter
) -> dict[str, int]:
    """Lay the cards on tables, ask about each, and return `photo_totals.counts` of the answers."""
    holdings = known_as(source.record for source in sources)
    entries = []
    tables = [sources[at : at + TABLE] for at in range(0, len(sources), TABLE)]
    with report.progress(len(tables), "Asking about tables with cards", "scenes") as progress:
        for number, cards in enumerate(tables):
            photo, _ = compose([load_image_rgb(card.path) for card in cards], seed + number)
            records = [card.record for card in cards]
            shown = tuple(Shown(record["name"], record["scryfall_id"]) for record in records)
            label = Label(f"scene {number}", Path(), "", shown)
            entries.append(judge(label, index.ask(photo), holdings))
            progress.advance()
    return counts(entries)
