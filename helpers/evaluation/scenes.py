"""Photos of several cards on a table, made from pictures of cards: with the truth about them.

Cards lie scattered, each turned by some degrees and one upside down; the camera looks at an angle,
a lamp lights one side, and a thumb holds one card at a corner. The same pictures and seed always
give the same scene.
"""

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from helpers.images import distort
from helpers.images.distort import Point, projection

CARD_RATIO = 63 / 88  # width to height of a card, in millimetres
_MOST_TURN = 22.0  # degrees
_SLANT = (0.04, 0.14)  # by how much of its width the far edge of the table looks shorter
_ROOM = 0.94  # of its cell that a card may take, so that neighbours do not touch
_DIM, _BLUR, _JPEG = 0.2, 0.12, 0.35  # strengths, see helpers.images.distort


def compose(
    cards: Sequence[Image.Image], seed: int, size: tuple[int, int] = (1600, 1200)
) -> tuple[Image.Image, NDArray[np.float64]]:
    """Lay cards (upright RGB pictures of any size) on a table and take a photo of them.

    Returns:
        The photo, and float64 [cards, 4, 2], x and y in pixels: of each card its own top left, top
        right, bottom right, bottom left, wherever they lie in it. A thumb holds the lowest card.
    """
    rng = Random(f"scene {seed}")
    photo = distort.table(size, rng.choice(distort.TABLES), rng)
    corners = _seen_by_camera(_scattered(len(cards), size, rng), size, rng)
    drop = (rng.choice((-1, 1)) * size[0] / 160, size[1] / 120)
    for card, place in zip(cards, corners, strict=True):
        _lay(photo, card, place, drop)
    _hold(photo, corners[corners[:, :, 1].max(axis=1).argmax()], rng)
    return _exposed(photo, rng), corners


def _scattered(count: int, size: tuple[int, int], rng: Random) -> NDArray[np.float64]:
    """Return float64 [count, 4, 2]: the corners of the cards, all of one size, seen from above."""
    turns = [math.radians(rng.uniform(-_MOST_TURN, _MOST_TURN)) for _ in range(count)]
    turns[rng.randrange(count)] += math.pi
    columns, rows, height = _grid(count, size, max(abs(math.sin(turn)) for turn in turns))
    cells = rng.sample(range(columns * rows), count)
    card = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (height * CARD_RATIO / 2, height / 2)
    found = []
    for cell, turn in zip(cells, turns, strict=True):
        cosine, sine = math.cos(turn), math.sin(turn)
        turned = card @ np.array([(cosine, sine), (-sine, cosine)])
        slack = (np.array(size) / (columns, rows) - np.ptp(turned, axis=0)) / 2
        middle = np.array((cell % columns + 0.5, cell // columns + 0.5)) / (columns, rows) * size
        found.append(turned + middle + slack * (rng.uniform(-1, 1), rng.uniform(-1, 1)) * _ROOM)
    return np.array(found)


def _grid(count: int, size: tuple[int, int], sine: float) -> tuple[int, int, float]:
    """Return the columns and rows in which cards may be largest, and how high a card is then."""
    cosine = math.sqrt(1 - sine**2)
    across, down = CARD_RATIO * cosine + sine, cosine + CARD_RATIO * sine
    grids = []
    for columns in range(1, count + 1):
        rows = math.ceil(count / columns)
        height = _ROOM * min(size[0] / columns / across, size[1] / rows / down)
        grids.append((columns, rows, height))
    return max(grids, key=lambda grid: grid[2])


def _seen_by_camera(
    cards: NDArray[np.float64], size: tuple[int, int], rng: Random
) -> NDArray[np.float64]:
    """Return the corners as a camera sees them that looks over the table at an angle."""
    width, height = size
    left, right, down = (rng.uniform(*_SLANT) for _ in range(3))
    frame = [(0, 0), (width, 0), (width, height), (0, height)]
    tilted = [(left * width, down * height), ((1 - right) * width, down * height), *frame[2:]]
    matrix = np.array([*projection(frame, tilted), 1]).reshape(3, 3)
    points = np.concatenate([cards, np.ones((*cards.shape[:2], 1))], axis=2) @ matrix.T
    seen: NDArray[np.float64] = points[:, :, :2] / points[:, :, 2:]
    return seen


def _lay(photo: Image.Image, card: Image.Image, corners: NDArray[np.float64], drop: Point) -> None:
    """Draw one card, and before it the shadow that it casts, `drop` pixels aside and below."""
    longest = max(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1))
    small = distort.die_cut(card.resize((round(longest * CARD_RATIO), round(longest))))
    margin = 8
    left, top = (math.floor(side) - margin for side in corners.min(axis=0))
    right, bottom = (math.ceil(side) + margin for side in corners.max(axis=0))
    own = [(0, 0), (small.width, 0), small.size, (0, small.height)]
    seen = [(x - left, y - top) for x, y in corners.tolist()]
    flat = small.transform(
        (right - left, bottom - top),
        Image.Transform.PERSPECTIVE,
        projection(seen, own),
        Image.Resampling.BICUBIC,
    )
    shadow = Image.new("L", photo.size)
    shadow.paste(150, (left + round(drop[0]), top + round(drop[1])), flat.getchannel("A"))
    photo.paste((0, 0, 0), mask=shadow.filter(ImageFilter.GaussianBlur(abs(drop[0]))))
    photo.paste(flat, (left, top), flat)


def _hold(photo: Image.Image, corners: NDArray[np.float64], rng: Random) -> None:
    """Let a thumb reach from below to the lowest corner of a card."""
    corner = corners[corners[:, 1].argmax()]
    tip = corner + (corners.mean(axis=0) - corner) * 0.25
    radius = float(np.linalg.norm(corners[1] - corners[0])) * 0.13
    root = (tip[0] + rng.uniform(-2, 2) * radius, photo.height + 3 * radius)
    skin = rng.choice(distort.SKINS)
    nail = tuple(min(255, channel + 22) for channel in skin)
    thumb = Image.new("RGBA", photo.size)
    pen = ImageDraw.Draw(thumb)
    pen.line((*tip, *root), skin, round(2 * radius))
    pen.circle(tuple(tip), radius, skin)
    pen.ellipse((*(tip - radius * 0.6), *(tip + radius * 0.6)), nail)
    photo.alpha_composite(thumb.filter(ImageFilter.GaussianBlur(photo.width / 800)))


def _exposed(photo: Image.Image, rng: Random) -> Image.Image:
    """Light the table with one lamp, and take the photo as a phone does."""
    lamp = ImageChops.invert(Image.radial_gradient("L")).resize((photo.width * 3, photo.height * 3))
    left, top = rng.randint(photo.width // 2, photo.width), rng.randint(0, photo.height)
    light = lamp.crop((left, top, left + photo.width, top + photo.height))
    light = light.point([min(255, 120 + level) for level in range(256)])
    lit = ImageChops.multiply(photo.convert("RGB"), Image.merge("RGB", (light,) * 3))
    lit.putalpha(255)
    dim = distort.low_light(lit, rng, _DIM)
    return distort.jpeg(distort.blur(dim, rng, _BLUR), rng, _JPEG).convert("RGB")
