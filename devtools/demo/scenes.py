"""Photos of drawn cards scattered on a table, and which cards they show."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devtools.demo.photos import CACHE, INDEX, SEED, read_cards
from helpers.atomic_io import atomic_write, make_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from devtools.demo.photos import Card
    from helpers.evaluation.scenes import Placed

SCENES = "scenes"
COUNTS = (1, 4, 6, 9)
"""How many cards lie in each photo."""


@dataclass(frozen=True, slots=True)
class TablePhoto:
    """A photo of several cards.

    Args:
        path: the photo.
        cards: the metadata lines of the cards in it.
        placed: where they lie, in the same order.
    """

    path: Path
    cards: Sequence[Card]
    placed: Sequence[Placed]


def take_table_photos(work: Path, counts: Sequence[int] = COUNTS) -> list[TablePhoto]:
    """Make photos of cards of the index, chosen at random but always the same.

    Args:
        work: the demo's directory, with index and image cache.
        counts: how many cards lie in each photo, none of them twice.
    """
    make_directory(work / SCENES)
    cards = read_cards(work / INDEX / "mtg_meta.jsonl")
    random.Random(SEED).shuffle(cards)
    taken = []
    for number, count in enumerate(counts, start=1):
        shown, cards = cards[:count], cards[count:]
        if shown:
            path = work / SCENES / f"table-{number:02}.jpg"
            taken.append(_take(path, work / CACHE, shown, SEED + number))
    return taken


def _take(path: Path, cache: Path, cards: Sequence[Card], seed: int) -> TablePhoto:
    from PIL import Image

    from helpers.evaluation.scenes import compose

    pictures = []
    for card in cards:
        with Image.open(cache / card["image_file"]) as scan:
            pictures.append(scan.convert("RGB"))
    scene, file = compose(pictures, seed), io.BytesIO()
    scene.photo.save(file, "JPEG", quality=90)
    atomic_write(path, file.getvalue())
    return TablePhoto(path, cards, scene.placed)
