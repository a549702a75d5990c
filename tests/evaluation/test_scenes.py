"""Scenes of several cards: what is said about them is what the photo shows."""

import functools

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from devtools.drawn_cards.cards import deck, image_faces
from devtools.drawn_cards.drawing import draw
from helpers.evaluation.scenes import compose
from helpers.images.distort import projection

SIZE = (800, 600)
Scene = tuple[Image.Image, NDArray[np.float64]]
SEEDS = range(4)


@functools.cache
def cards(count: int) -> tuple[Image.Image, ...]:
    """Return pictures of so many cards."""
    faces = list(image_faces(deck(count)))[:count]
    return tuple(draw(card, face, "normal").convert("RGB") for card, face in faces)


@functools.cache
def scene(seed: int) -> Scene:
    """Return a scene with one card more for each seed."""
    return compose(cards(9)[: 1 + 2 * seed], seed, SIZE)


def likeness(found: Scene, card: int, turn: int) -> float:
    """Return how well a card of the photo, turned `turn` times by 180°, fits its picture."""
    own = [(0, 0), (61, 0), (61, 85), (0, 85)]
    photo, corners = found
    seen = np.roll(corners[card], 2 * turn, axis=0).tolist()
    method, filtering = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    flat = photo.transform((61, 85), method, projection(own, seen), filtering).convert("L")
    picture = cards(9)[card].resize(flat.size).convert("L")
    return float(np.corrcoef(np.asarray(flat).ravel(), np.asarray(picture).ravel())[0, 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_corners_are_those_of_the_cards(seed: int) -> None:
    """The photo between the corners shows the card, upright and not upside down."""
    found = scene(seed)
    lowest = found[1][:, :, 1].max(axis=1).argmax()
    assert len(found[1]) == 1 + 2 * seed
    for card in set(range(1 + 2 * seed)) - {lowest}:
        upright = likeness(found, card, 0)
        assert upright > 0.6
        assert upright > likeness(found, card, 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_cards_lie_open_and_inside(seed: int) -> None:
    """No card lies on another or leaves the photo; one is upside down."""
    _, corners = scene(seed)
    taken = np.zeros(SIZE[::-1], dtype=int)
    assert (corners >= 0).all()
    assert (corners <= SIZE).all()
    for card in corners.tolist():
        mask = Image.new("1", SIZE)
        ImageDraw.Draw(mask).polygon([(x, y) for x, y in card], 1)
        taken += np.asarray(mask)
    assert taken.max() == 1
    assert sum(corners[:, 0, 1] > corners[:, 3, 1]) == 1


def test_a_scene_follows_from_its_seed() -> None:
    """The same seed takes the same photo, another one another."""
    again, _ = compose(cards(9)[:3], 1, SIZE)
    assert again.tobytes() == scene(1)[0].tobytes()
    assert compose(cards(9)[:3], 2, SIZE)[0].tobytes() != again.tobytes()
