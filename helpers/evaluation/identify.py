"""Does a photo-like picture of a card find that card? Distorted pictures from the cache are asked.

The search is exact, so that only the model and its preprocessing are judged; what the graph loses
on top is measured by `helpers.evaluation.graph_recall`.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import DataError
from helpers.images.distort import DEFAULT_STRENGTH, KINDS, LEVELS, distort
from helpers.images.non_cards import non_card
from helpers.images.preprocess import load_image_rgb
from helpers.query.grouping import group_key
from helpers.query.inputs import Picture
from helpers.query.open_index import OpenIndex
from helpers.query.photo_file import load_photo
from helpers.report import Progress
from helpers.validation import InvalidImageError

CLEAN = "clean"
#: What a card goes through before it is asked about: nothing, one thing, or a named level.
CONDITIONS: Mapping[str, Mapping[str, float] | None] = {
    CLEAN: None,
    **{kind: {kind: DEFAULT_STRENGTH} for kind in KINDS},
    **LEVELS,
}
UNKNOWN_LEVEL = "photo"
CARDS = 6  # the first 5, and one more should the right one be left out
_SEEDS = 1_000_003  # rows of an index per seed


@dataclass(frozen=True, slots=True)
class Source:
    """A card of the index whose picture is in the cache."""

    row: int
    record: dict[str, Any]
    path: Path


@dataclass(slots=True)
class Outcome:
    """What came of one picture.

    Attributes:
        score: cosine of the best card.
        margin: its distance to the next card, -1 for a tie.
        card_rank: rank of the right card, from 1; None if it is not among the first.
        printing_rank: rank of the right printing among all rows, likewise.
        without: score and margin of the best card if the right one were not in the index.
    """

    score: float
    margin: float
    card_rank: int | None = None
    printing_rank: int | None = None
    without: tuple[float, float] = (0.0, 0.0)

    @property
    def right(self) -> bool:
        """True if the best card is the right one."""
        return self.card_rank == 1


def sample_sources(index: OpenIndex, cache: Path, count: int, seed: int) -> list[Source]:
    """Return up to `count` random rows of the index whose pictures are in the cache.

    Raises:
        DataError: there is none.
    """
    order = np.random.default_rng(seed).permutation(index.searcher.index.vectors)
    found = (_source(index, int(row), cache) for row in order)
    sources = list(itertools.islice((each for each in found if each is not None), count))
    if not sources:
        raise DataError(
            f"no picture of the index is in {cache}",
            details=f"{index.searcher.index.vectors:,} rows looked for",
            suggestion="name the cache that the index was built from: --cache DIR",
        )
    return sources


def _source(index: OpenIndex, row: int, cache: Path) -> Source | None:
    record = index.searcher.index.card(row)
    path = cache / record["image_file"]
    return Source(row, record, path) if path.is_file() else None


def identify_cards(
    index: OpenIndex, sources: Sequence[Source], seed: int, progress: Progress
) -> dict[str, list[Outcome]]:
    """Ask about every source in every condition.

    Returns:
        Condition → one outcome per source, in the order of `sources`.

    Raises:
        DataError: a picture of the cache cannot be read.
    """
    result: dict[str, list[Outcome]] = {name: [] for name in CONDITIONS}
    for source in sources:
        try:
            clean = load_image_rgb(source.path)
        except InvalidImageError as error:
            raise DataError(
                f"a picture of the cache cannot be read: {source.path}",
                details=str(error),
                suggestion=f"python scripts/validate_cache.py --cache {source.path.parent} --fix",
            ) from error
        for name, strengths in CONDITIONS.items():
            variant = _SEEDS * seed + source.row
            view = clean if strengths is None else distort(clean, strengths, variant)
            result[name].append(_judge(index.ask(view).hits, source))
            progress.advance()
    return result


def _judge(hits: list[dict[str, Any]], source: Source) -> Outcome:
    wanted = group_key(source.record, "card")
    keys = [group_key(hit, "card") for hit in hits]
    outcome = _outcome(hits)
    if wanted in keys:
        outcome.card_rank = keys.index(wanted) + 1
    rows = [row for hit in hits for row in (hit, *hit["also"])]
    rows.sort(key=lambda row: (-row["score"], row["row"]))
    faces = [row["face_id"] for row in rows]
    if source.record["face_id"] in faces:
        outcome.printing_rank = faces.index(source.record["face_id"]) + 1
    others = [hit for hit, key in zip(hits, keys, strict=True) if key != wanted]
    outcome.without = (_score(others, 0), _score(others, 0) - _score(others, 1))
    return outcome


def _outcome(hits: list[dict[str, Any]]) -> Outcome:
    margin = -1.0 if hits[0]["tie"] else _score(hits, 0) - _score(hits, 1)
    return Outcome(_score(hits, 0), margin)


def _score(hits: list[dict[str, Any]], place: int) -> float:
    return float(hits[place]["score"]) if place < len(hits) else -1.0


def identify_non_cards(
    index: OpenIndex, found: Iterable[Picture], progress: Progress
) -> list[Outcome]:
    """Ask about pictures that show no card; unreadable ones are left out."""
    result: list[Outcome] = []
    for picture in found:
        if picture.image is not None:
            result.append(_outcome(index.ask(picture.image).hits))
        progress.advance()
    return result


def non_cards(count: int, seed: int) -> Iterator[Picture]:
    """Yield drawn pictures that show no card."""
    for place in range(count):
        yield Picture(f"non-card {place}", non_card(count * seed + place))


def load_file(name: str) -> Picture:
    """Return a picture of this machine, read as a query reads it; a failure is a value."""
    try:
        return Picture(name, load_photo(name))
    except InvalidImageError as error:
        return Picture(name, error=str(error))
