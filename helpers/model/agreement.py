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


def agreement(
    gallery: NDArray[np.float32], asked: NDArray[np.float32], truth: Sequence[int]
) -> dict[str, Any]:
    """Return counts, the share of equal answers, and cosines, for the manifest.

    `gallery` holds float32 [cards, 2, dim], what both encoders make of clean pictures, `asked`
    float32 [cases, 2, dim] of distorted ones; `truth` is the card that each case shows.
    """
    first, second = (np.argmax(asked[:, which] @ gallery[:, which].T, axis=1) for which in (0, 1))
    same = int(np.sum(first == second))
    alike = cosines(asked[:, 0], asked[:, 1])
    return {
        "cards": len(gallery),
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
) -> dict[str, Any]:
    """Ask both encoders about distorted pictures of each card; return their `agreement`.

    Each answers at least `least` cases by its own vectors of the clean pictures, of which
    `images` holds one of each card. Both must be ready for several threads.
    """

    def embed(image: Image.Image) -> NDArray[np.float32]:
        pixels = prepare(image, reference.preprocessing)[np.newaxis]
        return np.concatenate([reference.embed(pixels), other.embed(pixels)])

    def ask(case: tuple[int, int]) -> NDArray[np.float32]:
        card, number = case
        strengths = _DISTORTIONS[number % len(_DISTORTIONS)]
        return embed(distort(images[card], strengths, number * len(images) + card))

    per_card = -(-least // len(images))
    cases = [(card, number) for number in range(per_card) for card in range(len(images))]
    with ThreadPoolExecutor(cpu_count()) as pool:
        gallery = np.stack(list(pool.map(embed, images)))
        asked = np.stack(list(pool.map(ask, cases)))
    return agreement(gallery, asked, [card for card, _ in cases])
