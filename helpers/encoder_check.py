"""Do two encoders give the same answers? Compared on pictures of cards, clean and distorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.distort import distort
from helpers.images import load_image_rgb, prepare
from helpers.validation import InvalidImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from helpers.embedder import Embedder

#: Levels of `helpers.distort` at which a good model is mostly right; beyond, answers are guesses,
#: and two guesses differ for no reason.
LEVELS = ("easy", "photo")
#: Answers that int8 must share with fp32.
LEAST_AGREEMENT = 0.995


def readable(paths: Sequence[Path]) -> Iterator[Image.Image]:
    """Yield the pictures that can be read; the census names the others."""
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
    reference: Embedder,
    other: Embedder,
    images: Sequence[Image.Image],
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask both encoders which card each picture shows, each by its own vectors of the clean ones.

    Args:
        reference: the encoder that is right by definition.
        other: the one that is judged.
        images: one of each card.
        advance: told how many pictures have been asked about.

    Returns:
        `cards`, `cases`, `same` (cases with the same best card), `agreement` (their share),
        `least_cosine` and `mean_cosine` between the vectors of one picture, and `right`: cases in
        which the best card is the one shown, for `reference` and `other`.
    """
    truth = np.arange(len(images))
    galleries = _embed(reference, other, images)
    advance(len(images))
    best: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    found = [cosines(*galleries)]
    for number, level in enumerate(LEVELS):
        asked = [distort(image, level, 2 * seed + number) for seed, image in enumerate(images)]
        queries = _embed(reference, other, asked)
        found.append(cosines(*queries))
        first, second = (
            (query @ gallery.T).argmax(axis=1)
            for query, gallery in zip(queries, galleries, strict=True)
        )
        best.append((first, second))
        advance(len(images))
    same = sum(int((first == second).sum()) for first, second in best)
    cases = len(best) * len(images)
    values = np.concatenate(found)
    return {
        "cards": len(images),
        "cases": cases,
        "same": same,
        "agreement": same / cases,
        "least_cosine": float(values.min()),
        "mean_cosine": float(values.mean()),
        "right": {
            "reference": sum(int((first == truth).sum()) for first, _ in best),
            "other": sum(int((second == truth).sum()) for _, second in best),
        },
    }


def _embed(
    reference: Embedder, other: Embedder, images: Sequence[Image.Image]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return float32 [n, dim] twice, one picture at a time: memory stays small."""
    pairs = []
    for image in images:
        pixels = prepare(image, reference.preprocessing)[np.newaxis]
        pairs.append((reference.embed(pixels)[0], other.embed(pixels)[0]))
    first, second = (np.stack(column) for column in zip(*pairs, strict=True))
    return first, second
