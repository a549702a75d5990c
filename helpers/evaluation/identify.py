"""Does a photo-like picture of a card find that card? Pictures from the cache are asked, distorted.

The search is exact and nothing is verified, so that only the model and its preprocessing are
judged; simulated tables are asked about as photos are.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import DataError
from helpers.evaluation.labelled_photos import Label, Shown, holdings_of, judge
from helpers.evaluation.photo_totals import counts
from helpers.evaluation.scenes import compose
from helpers.images.distort import DEFAULT_STRENGTH, KINDS, LEVELS, distort
from helpers.images.preprocess import load_image_rgb
from helpers.query.grouping import group_key
from helpers.query.open_index import OpenIndex
from helpers.report import Progress, Reporter
from helpers.validation import validate_image

#: What a card goes through before it is asked about: nothing, one thing, or a named level.
CONDITIONS: Mapping[str, Mapping[str, float] | None] = {
    "clean": None,
    **{kind: {kind: DEFAULT_STRENGTH} for kind in KINDS},
    **LEVELS,
}
CARDS = 5  # that an answer names; and that lie on a simulated table
_SEEDS = 1_000_003  # rows of an index per seed

#: Ranks of the right card and of the right printing, from 1; None if not among the first.
Ranks = tuple[int | None, int | None]


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
) -> list[dict[str, Any]]:
    """Ask about every source in every condition; return the shares of right answers of each."""
    found: dict[str, list[Ranks]] = {name: [] for name in CONDITIONS}
    for source in sources:
        clean = load_image_rgb(source.path)
        for name, strengths in CONDITIONS.items():
            variant = _SEEDS * seed + source.row
            view = clean if strengths is None else distort(clean, strengths, variant)
            found[name].append(_ranks(index.ask(view).hits, source.record))
            progress.advance()
    return [_condition(name, ranks) for name, ranks in found.items()]


def _ranks(hits: Sequence[dict[str, Any]], wanted: dict[str, Any]) -> Ranks:
    cards = [group_key(hit, "card") for hit in hits]
    rows = [row for hit in hits for row in (hit, *hit["also"])]
    rows.sort(key=lambda row: (-row["score"], row["row"]))
    faces = [row["face_id"] for row in rows]
    return _rank(group_key(wanted, "card"), cards), _rank(wanted["face_id"], faces)


def _rank(wanted: object, found: Sequence[object]) -> int | None:
    return found.index(wanted) + 1 if wanted in found else None


def _condition(name: str, found: Sequence[Ranks]) -> dict[str, Any]:
    document: dict[str, Any] = {"condition": name, "pictures": len(found)}
    for what, ranks in zip(("card", "printing"), zip(*found, strict=True), strict=True):
        for first in (1, 5):
            right = sum(rank is not None and rank <= first for rank in ranks)
            document[f"{what}_top_{first}"] = right / len(ranks)
    return document


def identify_scenes(
    index: OpenIndex, sources: Sequence[Source], seed: int, report: Reporter
) -> dict[str, int]:
    """Lay the cards on tables, ask about each, and return `photo_totals.counts` of the answers."""
    holdings = holdings_of(source.record for source in sources)
    entries = []
    tables = [sources[at : at + CARDS] for at in range(0, len(sources), CARDS)]
    with report.progress(len(tables), "Asking about tables with cards", "scenes") as progress:
        for number, cards in enumerate(tables):
            scene = compose([load_image_rgb(card.path) for card in cards], seed + number)
            records = [card.record for card in cards]
            shown = tuple(Shown(record["name"], record["scryfall_id"]) for record in records)
            label = Label(f"scene {number}", Path(), "", shown)
            entries.append(judge(label, index.ask(scene.photo), holdings))
            progress.advance()
    return counts(entries)
