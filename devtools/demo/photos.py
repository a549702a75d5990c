"""Photos of drawn cards scattered on a table, and how many of the cards are found in them."""

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.demo.steps import Steps
from helpers.atomic_io import atomic_write, make_directory
from helpers.report import DOCUMENT_VERSION

#: What the demo makes in its directory.
MODEL, CACHE, INDEX, PHOTOS, SHEET = "model", "image_cache", "index_out", "photos", "answers.png"
ENCODERS_KEPT = "encoders"
#: How many cards lie in each photo.
COUNTS = (1, 2, 4, 6, 9)
#: Chooses the cards that are photographed, and what goes wrong with each photo.
SEED = 2026
#: A metadata line, or a hit of `query_index.py --json`: the same keys, with `rank` and `score`.
Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo, the cards that lie in it, and those that were found, surest hit of each."""

    path: Path
    shown: Sequence[Card]
    found: Sequence[Card] = ()

    def found_cards(self) -> int:
        """Return how many of the cards shown were found, in whatever printing."""
        return _in_common(self.shown, self.found, _card)

    def found_printings(self) -> int:
        """Return how many were found in their very printing."""
        return _in_common(self.shown, self.found, lambda card: card["face_id"])

    def wrong(self) -> int:
        """Return how many cards were found that do not lie there."""
        return len(self.found) - self.found_cards()


def _card(record: Card) -> object:
    return record["name"], record.get("oracle_id")


def _in_common(some: Sequence[Card], others: Sequence[Card], key: Callable[[Card], object]) -> int:
    return (Counter(map(key, some)) & Counter(map(key, others))).total()


def take_photos(work: Path) -> list[Photo]:
    """Make photos of cards of the index, chosen at random but always the same, none twice."""
    make_directory(work / PHOTOS)
    cards = read_cards(work / INDEX / "mtg_meta.jsonl")
    random.Random(SEED).shuffle(cards)
    photos = []
    for number, count in enumerate(COUNTS, start=1):
        shown, cards = cards[:count], cards[count:]
        if shown:
            path = work / PHOTOS / f"table-{number}.jpg"
            _take(path, work / CACHE, shown, SEED + number)
            photos.append(Photo(path, shown))
    return photos


def _take(path: Path, cache: Path, cards: Sequence[Card], seed: int) -> None:
    from PIL import Image

    from helpers.evaluation.scenes import compose

    pictures = []
    for card in cards:
        with Image.open(cache / card["image_file"]) as scan:
            pictures.append(scan.convert("RGB"))
    file = io.BytesIO()
    compose(pictures, seed)[0].save(file, "JPEG", quality=90)
    atomic_write(path, file.getvalue())


def read_cards(metadata: Path) -> list[Card]:
    """Read the metadata lines of an index."""
    return list(map(json.loads, metadata.read_text(encoding="utf-8").splitlines()))


def ask(steps: Steps, work: Path, photos: Sequence[Photo]) -> list[Photo]:
    """Ask about one photo the way a user sees it, and then about all of them with a sheet."""
    query = ("query_index.py", "--index", work / INDEX, "--k", 1)
    paths = [photo.path for photo in photos]
    steps.run(*query, paths[-1])
    answers = json.loads(steps.read(*query, "--json", "--sheet", work / SHEET, *paths))["queries"]
    return [
        Photo(photo.path, photo.shown, [card["hits"][0] for card in _matches(answer)])
        for photo, answer in zip(photos, answers, strict=True)
    ]


def _matches(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [card for card in answer["cards"] if card["verdict"] == "match"]


def show_answers(steps: Steps, photos: Sequence[Photo]) -> None:
    """Print one line a photo, and how many cards were found."""
    steps.show("\nphoto         cards  found  in this printing  wrong")
    for photo in photos:
        figures = (photo.found_cards(), photo.found_printings(), photo.wrong())
        cells = f"{figures[0]:5}  {figures[1]:16}  {figures[2]:5}"
        steps.show(f"{photo.path.name:12}  {len(photo.shown):5}  {cells}")
    steps.show(f"\n{summary(photos)}")


def summary(photos: Sequence[Photo]) -> str:
    """Return the result in one line."""
    totals = counts(photos)
    return (
        f"{totals['found']} of {totals['cards']} cards found and verified,"
        f" {totals['found_printings']} in their very printing, {totals['wrong']} wrong"
    )


def document(photos: Sequence[Photo], encoder: str, sheet: Path) -> dict[str, Any]:
    """Return the document of `--json`: what was asked, how it was answered, where that is shown."""
    return {
        "version": DOCUMENT_VERSION,
        "encoder": encoder,
        "sheet": str(sheet),
        **counts(photos),
    }


def counts(photos: Sequence[Photo]) -> dict[str, int]:
    """Return how many cards lie in the photos, and how many of them were found."""
    return {
        "photos": len(photos),
        "cards": sum(len(photo.shown) for photo in photos),
        "found": sum(photo.found_cards() for photo in photos),
        "found_printings": sum(photo.found_printings() for photo in photos),
        "wrong": sum(photo.wrong() for photo in photos),
    }
