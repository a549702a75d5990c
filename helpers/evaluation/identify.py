"""Does a photo-like picture of a card find that card? Pictures from the cache are asked, distorted.

The search is exact and nothing is verified, so that only the model and its preprocessing are
judged; simulated tables are asked about as photos are.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError
from helpers.evaluation.labelled_photos import Label, Shown, holdings_of, judge, read_photo
from helpers.evaluation.photo_totals import counts
from helpers.evaluation.scenes import compose
from helpers.images.distort import DEFAULT_STRENGTH, KINDS, LEVELS, distort
from helpers.images.non_cards import non_card
from helpers.images.preprocess import load_image_rgb
from helpers.query.grouping import group_key
from helpers.query.inputs import Picture
from helpers.query.open_index import OpenIndex
from helpers.report import Progress, Reporter
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
#: Ranks of the right card and of the right printing, from 1, None if not among the first; how sure
#: the answer is; and how sure it were if the right card were not in the index.
Outcome = tuple[int | None, int | None, Sureness, Sureness]


@dataclass(frozen=True, slots=True)
class Source:
    """A card of the index whose picture is in the cache."""

    row: int
    record: dict[str, Any]
    path: Path


def sample_sources(index: OpenIndex, cache: Path, count: int, seed: int) -> list[Source]:
    """Return up to `count` random rows of the index whose pictures are in the cache, undamaged.

    Raises:
        DataError: there is none.
    """
    rows = index.searcher.index
    order = np.random.default_rng(seed).permutation(rows.vectors).tolist()
    records = ((row, rows.card(row)) for row in order)
    found = (Source(row, record, cache / record["image_file"]) for row, record in records)
    whole = (source for source in found if validate_image(source.path).valid)
    sources = list(itertools.islice(whole, count))
    if not sources:
        raise DataError(
            f"no picture of the index is in {cache}",
            details=f"{rows.vectors:,} rows looked for",
            suggestion="name the cache that the index was built from: --cache DIR",
        )
    return sources


def identify_cards(
    index: OpenIndex, sources: Sequence[Source], seed: int, progress: Progress
) -> dict[str, list[Outcome]]:
    """Ask about every source in every condition; return what came of each, by condition."""
    found: dict[str, list[Outcome]] = {name: [] for name in CONDITIONS}
    for source in sources:
        clean = load_image_rgb(source.path)
        for name, strengths in CONDITIONS.items():
            variant = _SEEDS * seed + source.row
            view = clean if strengths is None else distort(clean, strengths, variant)
            found[name].append(_outcome(index.ask(view).hits, source.record))
            progress.advance()
    return found


def _outcome(hits: Sequence[dict[str, Any]], wanted: dict[str, Any]) -> Outcome:
    card = group_key(wanted, "card")
    cards = [group_key(hit, "card") for hit in hits]
    rows = [row for hit in hits for row in (hit, *hit["also"])]
    rows.sort(key=lambda row: (-row["score"], row["row"]))
    faces = [row["face_id"] for row in rows]
    others = [hit for hit, key in zip(hits, cards, strict=True) if key != card]
    ranks = _rank(card, cards), _rank(wanted["face_id"], faces)
    return *ranks, _sureness(hits, tie=hits[0]["tie"]), _sureness(others)


def _rank(wanted: object, found: Sequence[object]) -> int | None:
    return found.index(wanted) + 1 if wanted in found else None


def _sureness(hits: Sequence[dict[str, Any]], *, tie: bool = False) -> Sureness:
    first, second, *_ = (*(float(hit["score"]) for hit in hits), -1.0, -1.0)
    return first, -1.0 if tie else first - second


def identify_non_cards(
    index: OpenIndex, seeds: Iterable[int], paths: Iterable[str], progress: Progress
) -> list[Sureness]:
    """Ask about pictures that show no card, drawn ones and files; unreadable ones are left out."""
    drawn = (Picture(f"non-card {seed}", non_card(seed)) for seed in seeds)
    found = []
    for picture in itertools.chain(drawn, map(read_photo, paths)):
        if picture.image is not None:
            hits = index.ask(picture.image).hits
            found.append(_sureness(hits, tie=hits[0]["tie"]))
        progress.advance()
    return found


def describe(cards: Mapping[str, Sequence[Outcome]], no_card: Sequence[Sureness]) -> dict[str, Any]:
    """Return the `identify` of the document: shares of right answers, and how sure they were."""
    levels = [outcome for level in LEVELS for outcome in cards[level]]
    groups = {
        "right": [best for rank, _, best, _ in levels if rank == 1],
        "wrong": [best for rank, _, best, _ in levels if rank != 1],
        "unknown_card": [without for *_, without in cards[UNKNOWN_LEVEL]],
        "no_card": no_card,
    }
    return {
        "sample": len(cards[UNKNOWN_LEVEL]),
        "conditions": [_condition(name, found) for name, found in cards.items()],
        "answers": {name: _distribution(found) for name, found in groups.items()},
    }


def _condition(name: str, found: Sequence[Outcome]) -> dict[str, Any]:
    document: dict[str, Any] = {"condition": name, "pictures": len(found)}
    cards, printings, *_ = zip(*found, strict=True)
    for what, ranks in (("card", cards), ("printing", printings)):
        for first in (1, 5):
            right = sum(rank is not None and rank <= first for rank in ranks)
            document[f"{what}_top_{first}"] = right / len(ranks)
    return document


def _distribution(found: Sequence[Sureness]) -> dict[str, Any]:
    scores, margins = np.array(found, dtype=float).reshape(-1, 2).T
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


def identify_scenes(
    index: OpenIndex, sources: Sequence[Source], seed: int, report: Reporter
) -> dict[str, int]:
    """Lay the cards on tables, ask about each, and return `photo_totals.counts` of the answers."""
    holdings = holdings_of(source.record for source in sources)
    entries = []
    tables = [sources[at : at + TABLE] for at in range(0, len(sources), TABLE)]
    with report.progress(len(tables), "Asking about tables with cards", "scenes") as progress:
        for number, cards in enumerate(tables):
            scene = compose([load_image_rgb(card.path) for card in cards], seed + number)
            records = [card.record for card in cards]
            shown = tuple(Shown(record["name"], record["scryfall_id"]) for record in records)
            label = Label(f"scene {number}", Path(), "", shown)
            entries.append(judge(label, index.ask(scene.photo), holdings))
            progress.advance()
    return counts(entries)
