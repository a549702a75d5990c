"""Procedural illustrations: what stands in the art box of a drawn card.

Each picture follows from its seed alone, and nothing in it is anybody's art: a backdrop, a minor
motif, the main motif in one of several compositions, and a finish.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from devtools.drawn_cards import backdrops, creatures, motifs, textures
from devtools.drawn_cards.canvas import HALF, Canvas, Stamp
from devtools.drawn_cards.motifs import Motif

if TYPE_CHECKING:
    from PIL import Image

_LEAN = 0.25
_TRUE_TO_TYPE = 0.75


def illustrate(seed: str, subject: str, size: tuple[int, int]) -> Image.Image:
    """Paint an RGB picture of `size` (width, height) pixels.

    Args:
        seed: decides everything; the same seed gives the same composition at any size.
        subject: a type line; creatures, lands and artifacts get motifs of their kind.
        size: width and height in pixels.
    """
    canvas = Canvas(random.Random(f"art {seed}"), size)
    rng = canvas.rng
    style = rng.choices((backdrops.PLACES, backdrops.PATTERNS), (2, 1))[0]
    rng.choice(style)(canvas)
    textures.wash(canvas)
    main, minor = _motifs(rng, subject)
    if rng.random() < HALF:
        rng.choice(_MINOR)(canvas, minor)
    rng.choice(_MAIN)(canvas, main)
    textures.finish(canvas)
    return canvas.image


def _motifs(rng: random.Random, subject: str) -> tuple[Motif, Motif]:
    """Choose what a card of this type shows, and what else stands about."""
    things = (*motifs.ARMS, *motifs.PLACES, *motifs.SIGNS)
    if "Creature" in subject:
        kind = next((word for word in creatures.KINDS if word in subject), "Beast")
        alike = rng.random() < _TRUE_TO_TYPE
        pool = creatures.KINDS[kind] if alike else creatures.CREATURES
    elif "Land" in subject:
        pool = motifs.PLACES
    elif "Artifact" in subject:
        pool = motifs.ARMS
    else:
        pool = (*things, *motifs.SIGNS, *creatures.CREATURES)
    return rng.choice(pool), rng.choice(things)


def _portrait(c: Canvas, motif: Motif) -> None:
    """One, large, in or near the middle."""
    rng = c.rng
    center = (rng.uniform(0.38, 0.62), rng.uniform(0.42, 0.58))
    lean = rng.uniform(-_LEAN, _LEAN)
    motif(Stamp(c, center, rng.uniform(0.34, 0.48), lean, rng.random() < HALF))


def _close_up(c: Canvas, motif: Motif) -> None:
    """One, so large that the picture cuts it."""
    rng = c.rng
    center, turn = (rng.uniform(0.25, 0.75), rng.uniform(0.35, 0.75)), rng.uniform(-0.6, 0.6)
    motif(Stamp(c, center, rng.uniform(0.6, 0.95), turn, rng.random() < HALF))


def _aside(c: Canvas, motif: Motif) -> None:
    """One to the left or right, and a smaller one far away."""
    rng = c.rng
    x, low = rng.choice((0.27, 0.73)), rng.uniform(0.5, 0.66)
    motif(Stamp(c, (1 - x, rng.uniform(0.2, 0.4)), rng.uniform(0.1, 0.22), flip=True, shift=1))
    motif(Stamp(c, (x, low), rng.uniform(0.28, 0.42), rng.uniform(-_LEAN, _LEAN), x > HALF))


def _pair(c: Canvas, motif: Motif) -> None:
    """Two that face each other."""
    scale, y, tilt = c.rng.uniform(0.22, 0.33), c.rng.uniform(0.4, 0.6), c.rng.uniform(-0.6, 0.6)
    shift = c.rng.randint(0, 2)
    motif(Stamp(c, (0.27, y), scale, tilt))
    motif(Stamp(c, (0.73, y), scale, tilt, flip=True, shift=shift))


def _trio(c: Canvas, motif: Motif) -> None:
    """Three: one before two."""
    wide, up = c.rng.uniform(0.2, 0.32), c.rng.choice((-1, 1))
    for k, (x, y) in enumerate(((-wide, -0.14), (wide, -0.14), (0, 0.16))):
        motif(Stamp(c, (0.5 + x, 0.5 + up * y), 0.2 + 0.05 * k, 0, k == 1, k))


def _row(c: Canvas, motif: Motif) -> None:
    """A procession, rising or level."""
    count, rise, grow = c.rng.randint(3, 5), c.rng.uniform(-0.3, 0.3), c.rng.uniform(0.7, 1.5)
    for k in range(count):
        share = (k + 0.5) / count
        scale = 0.55 / count * (1 + (grow - 1) * share)
        motif(Stamp(c, (share, 0.55 + rise * (share - 0.5)), scale, shift=k))


def _ring(c: Canvas, motif: Motif) -> None:
    """Several around a middle one, heads outwards."""
    count, start = c.rng.randint(4, 8), c.rng.random()
    for k in range(count):
        angle = math.tau * (k / count + start)
        at = (0.5 + 0.34 * math.cos(angle), 0.5 + 0.36 * math.sin(angle))
        motif(Stamp(c, at, 0.13, angle + math.pi / 2, shift=k % 2))
    motif(Stamp(c, (0.5, 0.5), 0.19, shift=2))


def _flock(c: Canvas, motif: Motif) -> None:
    """Many, small ones behind large ones."""
    for size in sorted(c.rng.uniform(0.06, 0.2) for _ in range(c.rng.randint(6, 11))):
        at = (c.rng.uniform(0.05, 0.95), c.rng.uniform(0.08, 0.92))
        motif(
            Stamp(c, at, size, c.rng.uniform(-0.5, 0.5), c.rng.random() < HALF, c.rng.randrange(3))
        )


def _quilt(c: Canvas, motif: Motif) -> None:
    """A grid, every other one reversed."""
    columns, rows = c.rng.randint(2, 4), c.rng.randint(2, 3)
    for k in range(columns * rows):
        column, row = k % columns, k // columns
        odd = (column + row) % 2 == 1
        at = ((column + 0.5) / columns, (row + 0.5) / rows)
        motif(Stamp(c, at, 0.45 / max(columns, rows), 0, odd, int(odd)))


def _far_off(c: Canvas, motif: Motif) -> None:
    """One, small, with much room around it, on a disc."""
    at = (c.rng.uniform(0.3, 0.7), c.rng.uniform(0.35, 0.65))
    c.disc(at, c.rng.uniform(0.24, 0.36), c.color(c.rng.choice((0, 4)), 0.2))
    motif(Stamp(c, at, c.rng.uniform(0.17, 0.24), c.rng.uniform(-_LEAN, _LEAN)))


Composition = Callable[[Canvas, Motif], None]
_MAIN: tuple[Composition, ...] = (
    _portrait, _portrait, _close_up, _close_up, _aside, _pair, _trio, _row, _ring, _flock, _quilt,
    _far_off,
)  # fmt: skip
_MINOR: tuple[Composition, ...] = (_row, _flock, _close_up, _aside, _quilt, _trio)
