"""Drawn cards laid on a drawn table, for tests of photos."""

import functools
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from devtools.drawn_cards.cards import deck
from devtools.drawn_cards.drawing import draw

Pixels = NDArray[np.uint8]
Corners = NDArray[np.float32]


@functools.cache
def cards() -> list[dict[str, Any]]:
    """Return invented cards without a second picture, each name once."""
    named = {card["name"]: card for card in deck(80) if "image_uris" in card}
    return list(named.values())


@functools.cache
def scan(number: int) -> Pixels:
    """Return the picture of a drawn card as its scan shows it, uint8 [680, 488, 3]."""
    return np.asarray(draw(cards()[number], 0, "normal").convert("RGB"))


def table(width: int, height: int, seed: int = 0) -> Pixels:
    """Return a brown table with a soft grain, uint8 [height, width, 3]."""
    grain = np.random.default_rng(seed).normal(0, 12, (height // 8 + 1, width // 8 + 1))
    soft = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    photo: Pixels = np.clip(np.asarray((150.0, 115.0, 80.0)) + soft, 0, 255).astype(np.uint8)
    return photo


def place(centre: tuple[float, float], height: float, degrees: float = 0) -> Corners:
    """Return the corners of a card, clockwise from its own top left; turned clockwise."""
    x, y = height * 63 / 88 / 2, height / 2
    angle = math.radians(degrees)
    turn = np.asarray([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners = np.asarray([[-x, -y], [x, -y], [x, y], [-x, y]]) @ turn
    placed: Corners = (corners + centre).astype(np.float32)
    return placed


def lay(photo: Pixels, card: Pixels, corners: Corners) -> Pixels:
    """Return a photo with a card laid on it, as a camera sees it: slightly blurred."""
    height, width = card.shape[:2]
    frame = np.asarray([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(frame, corners)
    size = (photo.shape[1], photo.shape[0])
    soft = cv2.GaussianBlur(card, (3, 3), 0)
    warped = cv2.warpPerspective(soft, matrix, size, flags=cv2.INTER_LINEAR)
    covered = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, size)
    return np.where(covered[..., None] > 127, warped, photo).astype(np.uint8)


def distance(one: Corners, other: Corners) -> float:
    """Return how far the corners of two outlines lie apart at the most, first from first."""
    return float(np.linalg.norm(one - other, axis=1).max())
