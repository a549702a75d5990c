"""Do two encoders give the same answers? Compared on pictures of cards, clean and distorted."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers.images.distort import LEVELS, distort
from helpers.images.preprocess import load_image_rgb, prepare
from helpers.model.embedder import Embedder
from helpers.parallel import cpu_count
from helpers.validation import InvalidImageError

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


#: Distortions at which a good model is mostly right; beyond, answers are guesses, and two guesses
#: differ for no reason.
_DISTORTIONS = (LEVELS["easy"], LEVELS["photo"])
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


def agreement(gallery: Pair, asked: Pair, truth: Sequence[int]) -> dict[str, Any]:
    """Return counts, the share of equal answers, and cosines, for the manifest.

    Args:
        gallery: float32 [cards, dim] of each encoder, the clean pictures.
        asked: float32 [cases, dim] of each encoder, distorted pictures.
        truth: the card that each case shows.
    """
    first, second = (
        np.argmax(vectors @ cards.T, axis=1) for vectors, cards in zip(asked, gallery, strict=True)
    )
    same = int(np.sum(first == second))
    alike = cosines(*asked)
    return {
        "cards": len(gallery[0]),
        "cases": len(truth),
        "same": same,
        "agreement": same / len(truth),
        "least_cosine": float(alike.min()),
        "mean_cosine": float(alike.mean()),
        "right": {
            "reference": int(np.sum(first == truth)),
            "other": int(np.sum(second == truth)),
        },
    }


def compare(
    reference: Embedder, other: Embedder, images: Sequence[Image.Image], least: int
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Ask both encoders about distorted pictures of each card, until there are enough cases.

    Each encoder answers by its own vectors of the clean pictures.

    Args:
        reference: the encoder that is right by definition; ready for several threads.
        other: the one that is judged; likewise.
        images: one of each card.
        least: cases to ask about at the least.

    Yields:
        For each case how many there are, and None; at the end instead of None the `agreement`.
    """

    def embed(image: Image.Image) -> Pair:
        pixels = prepare(image, reference.preprocessing)[np.newaxis]
        return reference.embed(pixels)[0], other.embed(pixels)[0]

    def ask(case: tuple[int, int]) -> Pair:
        card, number = case
        strengths = _DISTORTIONS[number % len(_DISTORTIONS)]
        return embed(distort(images[card], strengths, number * len(images) + card))

    per_card = -(-least // len(images))
    cases = [(card, number) for number in range(per_card) for card in range(len(images))]
    asked: list[Pair] = []
    with ThreadPoolExecutor(cpu_count()) as pool:
        gallery = list(pool.map(embed, images))
        for vectors in pool.map(ask, cases):
            asked.append(vectors)
            if len(asked) < len(cases):
                yield len(cases), None
    yield len(cases), agreement(_stacked(gallery), _stacked(asked), [card for card, _ in cases])


def _stacked(pairs: list[Pair]) -> Pair:
    first, second = zip(*pairs, strict=True)
    return np.stack(first), np.stack(second)
