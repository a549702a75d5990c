"""Do two encoders give the same answers? Compared on pictures of cards, clean and distorted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.images.distort import distort
from helpers.images.preprocess import load_image_rgb, prepare
from helpers.parallel import cpu_count
from helpers.validation import InvalidImageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from helpers.model.embedder import Embedder

    #: One array of each encoder.
    Pair = tuple[NDArray[np.float32], NDArray[np.float32]]

#: Levels of `helpers.images.distort` at which a good model is mostly right; beyond, answers are
#: guesses, and two guesses differ for no reason.
LEVELS = ("easy", "photo")
#: Answers that int8 must share with fp32, and the cases that it takes to tell; answers of untrained
#: weights are guesses, and are not judged.
LEAST_AGREEMENT = 0.995
CASES, CASES_UNTRAINED = 800, 80


def readable(paths: Sequence[Path]) -> Iterator[Image.Image]:
    """Yield the pictures that can be read; the scan names the others."""
    for path in paths:
        try:
            yield load_image_rgb(path)
        except InvalidImageError:
            continue


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return float64 [n], the cosine of each row of one with its row of the other."""
    found: NDArray[np.float64] = np.einsum("nd,nd->n", one.astype(np.float64), other)
    return found


@dataclass(slots=True)
class Agreement:
    """What two encoders answer to the same pictures.

    Attributes:
        gallery: float32 [n, dim] of each encoder, the clean pictures.
        best: the row of `gallery` that each encoder answered, for every case; and the right one.
        cosines: between the two vectors of each picture.
    """

    gallery: Pair
    best: list[tuple[int, int, int]] = field(default_factory=list)
    cosines: list[float] = field(default_factory=list)

    def add(self, truth: int, vectors: Pair) -> None:
        """Note the answers to a picture of card `truth`, by the vectors float32 [dim] of each."""
        first, second = (
            int((gallery @ vector).argmax())
            for gallery, vector in zip(self.gallery, vectors, strict=True)
        )
        self.best.append((first, second, truth))
        self.cosines.append(float(vectors[0].astype(np.float64) @ vectors[1]))

    def to_json(self) -> dict[str, Any]:
        """Return counts, the share of equal answers, and the cosines, for the manifest."""
        same = sum(first == second for first, second, _ in self.best)
        return {
            "cards": len(self.gallery[0]),
            "cases": len(self.best),
            "same": same,
            "agreement": same / len(self.best),
            "least_cosine": min(self.cosines),
            "mean_cosine": sum(self.cosines) / len(self.cosines),
            "right": {
                "reference": sum(first == truth for first, _, truth in self.best),
                "other": sum(second == truth for _, second, truth in self.best),
            },
        }


def compare(
    reference: Embedder, other: Embedder, images: Sequence[Image.Image], least: int
) -> Iterator[tuple[int, int, Agreement]]:
    """Ask both encoders about distorted pictures of each card, until there are enough cases.

    Each encoder answers by its own vectors of the clean pictures.

    Args:
        reference: the encoder that is right by definition; ready for several threads.
        other: the one that is judged; likewise.
        images: one of each card.
        least: cases to ask about at the least.

    Yields:
        Cases asked about, of how many, and what came of them.
    """

    def embed(image: Image.Image) -> Pair:
        pixels = prepare(image, reference.preprocessing)[np.newaxis]
        return reference.embed(pixels)[0], other.embed(pixels)[0]

    def ask(case: tuple[int, int]) -> Pair:
        card, number = case
        level = LEVELS[number % len(LEVELS)]
        return embed(distort(images[card], level, number * len(images) + card))

    per_card = -(-least // len(images))
    cases = [(card, number) for number in range(per_card) for card in range(len(images))]
    with ThreadPoolExecutor(cpu_count()) as pool:
        clean = list(pool.map(embed, images))
        found = Agreement((np.stack([a for a, _ in clean]), np.stack([b for _, b in clean])))
        for done, ((card, _), vectors) in enumerate(
            zip(cases, pool.map(ask, cases), strict=True), start=1
        ):
            found.add(card, vectors)
            yield done, len(cases), found
