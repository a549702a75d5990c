"""Photo-like pictures of the drawn cards, what was answered, and how many answers were right."""

from __future__ import annotations

import io
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import atomic_write, atomic_write_stream, make_directory
from helpers.errors import DataError
from helpers.report import safe_percentage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from devtools.demo.steps import Steps
    from helpers.query.output.sheet_rows import SheetHit, SheetRow


#: What the demo makes in its directory.
MODEL, CACHE, INDEX, PHOTOS, SHEET = "model", "image_cache", "index_out", "photos", "answers.png"
ENCODERS_KEPT = "encoders"
K = 5
LEVEL = "photo"
#: Chooses the cards that are photographed, and what goes wrong with each photo.
SEED = 2026
#: A metadata line, or a hit of `query_index.py --json`: the same keys, with `rank` and `score`.
Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo-like picture, and the card that it shows."""

    path: Path
    card: Card


@dataclass(frozen=True, slots=True)
class PhotoHits:
    """What was found for one photo, best first."""

    photo: Photo
    hits: Sequence[Card]

    def card_rank(self) -> int | None:
        """Return the rank of the card that was photographed, in whatever printing, if found."""
        return _rank(self.hits, self.photo.card, is_same_card)

    def printing_rank(self) -> int | None:
        """Return the rank of the very printing, if found, were each printing a hit of its own."""
        printings = [row for hit in self.hits for row in (hit, *hit["also"])]
        return _rank(printings, self.photo.card, is_same_printing)


def _rank(found: Sequence[Card], wanted: Card, is_same: Callable[[Card, Card], bool]) -> int | None:
    ranks = (rank for rank, card in enumerate(found[:K], start=1) if is_same(card, wanted))
    return next(ranks, None)


def is_same_printing(one: Card, other: Card) -> bool:
    """Tell whether two records are the same face of the same printing."""
    return all(one[key] == other[key] for key in ("scryfall_id", "face_id"))


def is_same_card(one: Card, other: Card) -> bool:
    """Tell whether two records are the same face of the same card, whatever the printing."""
    return all(one.get(key) == other.get(key) for key in ("name", "oracle_id"))


def take_photos(work: Path, wanted: int) -> list[Photo]:
    """Make photo-like pictures of some cards, chosen at random but always the same."""
    from PIL import Image

    from helpers.images.distort import distort

    cards = read_cards(work / INDEX / "mtg_meta.jsonl")
    chosen = random.Random(SEED).sample(cards, min(wanted, len(cards)))
    folder = work / PHOTOS
    make_directory(folder)
    for old in folder.glob("photo-*.jpg"):
        old.unlink()
    photos = []
    for number, card in enumerate(chosen, start=1):
        path = folder / f"photo-{number:02}-{slug(card['name'])}.jpg"
        with Image.open(work / CACHE / card["image_file"]) as scan:
            photo, file = distort(scan.convert("RGB"), LEVEL, SEED + number), io.BytesIO()
        photo.save(file, "JPEG", quality=95)
        atomic_write(path, file.getvalue())
        photos.append(Photo(path, card))
    return photos


def read_cards(metadata: Path) -> list[Card]:
    """Read the metadata lines of an index."""
    try:
        text = metadata.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"the build left no {metadata}") from error
    return [json.loads(line) for line in text.splitlines()]


def slug(name: str) -> str:
    """Return a card's name as a part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def ask(steps: Steps, work: Path, photos: Sequence[Photo]) -> list[PhotoHits]:
    """Ask about one photo the way a user sees it, and then about all of them as JSON."""
    query = ("query_index.py", "--index", work / INDEX, "--k", K)
    steps.run(*query, photos[0].path)
    document = json.loads(steps.read(*query, "--json", work / PHOTOS))
    hits = {Path(found["query"]).name: found["hits"] for found in document["queries"]}
    return [PhotoHits(photo, hits[photo.path.name]) for photo in photos]


def show_answers(steps: Steps, answers: Sequence[PhotoHits]) -> None:
    """Print one line a photo, and how many answers were right."""
    header = ("photo of", "best answer", "score", "")
    rows = [header, *(_table_row(answer) for answer in answers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    steps.show("")
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        steps.show("  ".join(cells).rstrip())
    steps.show("")
    for what, ranks in _ranks(answers).items():
        steps.show(f"{what}: {_score(ranks)}")


def document(answers: Sequence[PhotoHits]) -> dict[str, Any]:
    """Return for `--json` each photo with what was found, and how many answers were right."""
    ranks = [answer.card_rank() for answer in answers]
    return {
        "photos": [
            {
                "photo": answer.photo.path.name,
                "card": _title(answer.photo.card),
                "best": _title(answer.hits[0]),
                "score": answer.hits[0]["score"],
                "rank": answer.card_rank(),
                "rank_of_printing": answer.printing_rank(),
            }
            for answer in answers
        ],
        "right_first": sum(rank == 1 for rank in ranks),
        f"right_in_first_{K}": sum(rank is not None for rank in ranks),
    }


def _table_row(answer: PhotoHits) -> tuple[str, ...]:
    best = answer.hits[0]
    return (_title(answer.photo.card), _title(best), f"{best['score']:.3f}", verdict(answer))


def _title(card: Card) -> str:
    return f"{card['name']} ({card['set'].upper()} {card['collector_number']})"


def verdict(answer: PhotoHits) -> str:
    """Say in a few words how good an answer was."""
    if answer.printing_rank() == 1:
        return "right"
    if answer.card_rank() == 1:
        return "right card, other printing"
    rank = answer.card_rank()
    return f"wrong (it is hit {rank})" if rank else "wrong"


def _ranks(answers: Sequence[PhotoHits]) -> dict[str, list[int | None]]:
    """Return the ranks by what is asked for; one entry if card and printing do not differ."""
    printings = [answer.printing_rank() for answer in answers]
    cards = [answer.card_rank() for answer in answers]
    if printings == cards:
        return {"The card": cards}
    return {"The card": cards, "The very printing and face": printings}


def _score(ranks: Sequence[int | None]) -> str:
    first = sum(rank == 1 for rank in ranks)
    found = sum(rank is not None for rank in ranks)
    return (
        f"{first} of {len(ranks)} right at rank 1 ({safe_percentage(first, len(ranks))}),"
        f" {found} within the first {K} ({safe_percentage(found, len(ranks))})"
    )


def summary(answers: Sequence[PhotoHits]) -> str:
    """Return the result in one line."""
    return _score([answer.card_rank() for answer in answers])


def draw_sheet(answers: Iterable[PhotoHits], work: Path, title: str) -> None:
    """Write the picture that shows every photo beside its hits."""
    from helpers.query.output.sheet_png import png

    atomic_write_stream(work / SHEET, png([_sheet_row(answer, work) for answer in answers], title))


def _sheet_row(answer: PhotoHits, work: Path) -> SheetRow:
    from helpers.query.output.sheet_rows import SheetCard, SheetRow

    card = answer.photo.card
    hits = [_sheet_hit(hit, card, work) for hit in answer.hits]
    return SheetRow(
        answer.photo.path, f"photo of {_title(card)}", [SheetCard(verdict(answer), hits)]
    )


def _sheet_hit(hit: Card, card: Card, work: Path) -> SheetHit:
    from helpers.query.output.sheet_rows import SheetHit

    caption = (
        f"#{hit['rank']}   {hit['score']:.3f}",
        hit["name"],
        f"{hit['set'].upper()} {hit['collector_number']}",
    )
    return SheetHit(work / CACHE / hit["image_file"], caption, is_same_card(hit, card) or None)
