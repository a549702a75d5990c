"""Backdrops of drawn cards: each fills the whole canvas, mostly in the two ground colours.

Skies, places to stand, and patterns as of cloth and tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageOps

from devtools.drawn_cards.canvas import HALF, Canvas, Point, around, noise


def _ramp(c: Canvas) -> None:
    """Fill with a gradient between the ground colours, upright, lying or aslant."""
    ramp = Image.linear_gradient("L").rotate(c.rng.choice((0, 90, 180, 45)))
    c.fill(ImageOps.colorize(ramp.resize(c.size), c.color(0), c.color(1)))


def _sky(c: Canvas) -> None:
    """A gradient with a sun or moon and its haloes."""
    _ramp(c)
    sun, radius = (c.rng.random(), c.rng.uniform(0.05, 0.6)), c.rng.uniform(0.05, 0.25)
    for glow in range(4):
        c.disc(sun, radius * (1 + 0.5 * (3 - glow)), (*c.color(3, 0.4), 30 + 70 * glow))


def _clouds(c: Canvas) -> None:
    """Marbled clouds."""
    clouds = ImageOps.autocontrast(noise(c.rng, c.size))
    c.fill(ImageOps.colorize(clouds, c.color(0), c.color(1, 0.3), mid=c.color(1)))


def _stars(c: Canvas) -> None:
    """A nebula and stars."""
    nebula = ImageOps.autocontrast(noise(c.rng, c.size, octaves=3))
    c.fill(ImageOps.colorize(nebula, (4, 4, 16), c.color(2, -0.1), mid=c.color(0, -0.7)))
    for _ in range(c.rng.choice((40, 90, 200))):
        size = c.rng.choice((0.002, 0.004, 0.009))
        c.disc((c.rng.random(), c.rng.random()), size, (255, 255, 235, c.rng.randint(90, 255)))


def _rays(c: Canvas) -> None:
    """A sunburst from anywhere."""
    x, y, count = c.rng.random(), c.rng.random(), c.rng.randint(5, 22)
    for k in range(count):
        wedge = [(math.tau * (k + part) / count) for part in (0, 0.5)]
        c.polygon([(x, y), *[(x + 2 * math.cos(a), y + 2 * math.sin(a)) for a in wedge]],
                  c.color(1))  # fmt: skip


def _rings(c: Canvas) -> None:
    """Circles one inside the other."""
    center, count = (c.rng.random(), c.rng.random()), c.rng.randint(4, 14)
    for k in range(count, 0, -1):
        c.disc(center, 1.2 * k / count, c.color(k % 2, 0.15 * (k % 3) - 0.15))


def _stripes(c: Canvas) -> None:
    """Bars across, straight or waving."""
    count, slant = c.rng.randint(3, 14), c.rng.uniform(-0.8, 0.8)
    wave, upright = c.rng.choice((0, 0, 0.04, 0.1)), c.rng.random() < HALF
    for k in range(-count, 2 * count, 2):
        edge = [(t / 20, (k + slant * count * t / 20) / count + wave * math.sin(t * 0.9))
                for t in range(21)]  # fmt: skip
        band = edge + [(x, y + 1 / count) for x, y in reversed(edge)]
        c.polygon([(y, x) for x, y in band] if upright else band, c.color(1, 0.1 * (k % 3)))


def _chevrons(c: Canvas) -> None:
    """Zigzag bands."""
    rows, teeth = c.rng.randint(4, 11), c.rng.randint(2, 9)
    for row in range(-2, rows + 1, 2):
        top = [(k / teeth / 2, (row + k % 2 * 1.2) / rows) for k in range(2 * teeth + 1)]
        c.polygon(top + [(x, y + 1 / rows) for x, y in reversed(top)], c.color(1, 0.1))


def _checks(c: Canvas) -> None:
    """A chess board, turned or as a floor that runs to a horizon."""
    count, floor = c.rng.randint(4, 9), c.rng.random() < HALF
    for row in range(-count, 2 * count):
        for column in range(-count + row % 2, 2 * count, 2):
            corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
            if floor and row < 0:
                continue
            place = _receding if floor else _diagonal
            c.polygon([place(x / count, y / count) for x, y in corners], c.color(1))


def _receding(x: float, y: float) -> Point:
    depth = 1 / (0.35 + y)
    return 0.5 + (x - 0.5) * 3 / depth, 1.25 - 0.3 * depth


def _diagonal(x: float, y: float) -> Point:
    return x + 0.3 * y - 0.15, y - 0.3 * x + 0.15


def _scales(c: Canvas) -> None:
    """Overlapping scales, as of a fish or of waves on a screen."""
    count = c.rng.randint(4, 11)
    for row in range(2 * count + 3, -2, -1) if c.rng.random() < HALF else range(2 * count + 3):
        for column in range(count + 2):
            at = ((column - row % 2 / 2) / count, row / count / 2)
            for k, share in enumerate((0.62, 0.46, 0.3, 0.14)):
                c.disc(at, share / count, c.color(k % 2))


def _dots(c: Canvas) -> None:
    """A grid of discs, some larger."""
    count, big, which = c.rng.randint(4, 12), c.rng.uniform(0.25, 0.5), c.rng.choice((1, 1, 2, 4))
    for row in range(count + 1):
        for column in range(count + 1):
            at = ((column + row % 2 / 2) / count, row / count)
            c.disc(at, big / count * (1 if (row + column) % 3 else 0.6), c.color(which))


def _bricks(c: Canvas) -> None:
    """A wall."""
    rows, wide = c.rng.randint(5, 12), c.rng.uniform(1.2, 2.6)
    for row in range(rows):
        x = -c.rng.random() * wide / rows
        while x < 1:
            right = x + wide / rows * c.rng.uniform(0.7, 1.3)
            top, low, light = row / rows, (row + 0.88) / rows, c.rng.uniform(-0.35, 0.25)
            c.polygon([(x, top), (right, top), (right, low), (x, low)], c.color(1, light))
            x = right + 0.008


def _facets(c: Canvas) -> None:
    """A jittered grid of triangles, with or without lead between them."""
    n, lead, loud = c.rng.randint(3, 8), c.rng.random() < HALF, c.rng.random() < HALF
    nodes = {(i, j): ((i + c.rng.uniform(-0.4, 0.4)) / n, (j + c.rng.uniform(-0.4, 0.4)) / n)
             for i in range(-1, n + 2) for j in range(-1, n + 2)}  # fmt: skip
    for i in range(-1, n + 1):
        for j in range(-1, n + 1):
            a, b, d, e = (nodes[i + k, j + m] for m in (0, 1) for k in (0, 1))
            for corners in ((a, b, d), (b, d, e)):
                which = c.rng.randrange(5) if loud else c.rng.randrange(2)
                c.polygon(corners, c.color(which, c.rng.uniform(-0.4, 0.4)))
                if lead:
                    c.stroke([*corners, corners[0]], 0.01, (15, 15, 20))


def _hexes(c: Canvas) -> None:
    """Honeycomb."""
    count = c.rng.randint(4, 9)
    for row in range(int(count * 1.4) + 2):
        for column in range(count + 2):
            x, y = (column + row % 2 / 2) / count, row * 0.8 / count
            cell = [(x + px, y + py) for px, py in around(6, 0.5 / count, 1 / 12)]
            c.polygon(cell, c.color(1, c.rng.uniform(-0.3, 0.3)))


def _rain(c: Canvas) -> None:
    """Slanting rain, or a wind."""
    _ramp(c)
    lean, long = c.rng.uniform(-0.4, 0.4), c.rng.uniform(0.05, 0.4)
    for _ in range(c.rng.choice((40, 90, 160))):
        x, y = c.rng.uniform(-0.2, 1.2), c.rng.uniform(-0.2, 1)
        c.stroke([(x, y), (x + lean * long, y + long)], 0.007, (*c.color(3, 0.3), 150))


def _plaid(c: Canvas) -> None:
    """Woven bands of several widths."""
    for _ in range(c.rng.randint(5, 14)):
        at, wide, which = c.rng.random(), c.rng.uniform(0.01, 0.14), c.rng.choice((1, 1, 2, 3))
        band = [(at, 0), (at + wide, 0), (at + wide, 1), (at, 1)]
        upright = c.rng.random() < HALF
        c.polygon(band if upright else [(y, x) for x, y in band], (*c.color(which), 130))


def _ridges(c: Canvas) -> None:
    """Mountain ranges under a sky, each nearer and another shade."""
    _sky(c)
    layers, start = c.rng.randint(2, 6), c.rng.uniform(0.2, 0.6)
    for layer in range(layers):
        base, rough = start + (1 - start) * layer / layers, c.rng.uniform(0.02, 0.22)
        waves = [(c.rng.uniform(1, 4) * 2**k, c.rng.random() * 7, rough / 1.7**k) for k in range(5)]
        crest = [(x / 60, base - sum(a * abs(math.sin(f * x / 60 + p)) for f, p, a in waves))
                 for x in range(61)]  # fmt: skip
        c.polygon([*crest, (1, 1.1), (0, 1.1)], c.color(2, 0.5 - 0.9 * layer / layers))


def _sea(c: Canvas) -> None:
    """A horizon and rows of waves before it."""
    _sky(c)
    rows, level = c.rng.randint(3, 9), c.rng.uniform(0.3, 0.7)
    for row in range(rows):
        y, step = level + (1 - level) * row / rows, 0.04 + 0.12 * row / rows
        crest: list[Point] = []
        for k in range(int(1.2 / step) + 1):
            crest += [(k * step - 0.1, y), (k * step - 0.1 + step * 0.6, y - step * 0.5)]
        c.polygon([*crest, (1.2, 1.1), (-0.2, 1.1)], c.color(2 + row % 2, 0.4 - 0.6 * row / rows))


def _halves(c: Canvas) -> None:
    """Two or four plain fields, as on a coat of arms."""
    split, lean = c.rng.uniform(0.3, 0.7), c.rng.uniform(-0.4, 0.4)
    c.polygon([(split + lean, 0), (1, 0), (1, 1), (split - lean, 1)], c.color(1))
    if c.rng.random() < HALF:
        c.polygon([(0, 1), (0, 0.55), (split, 0.55), (split - lean, 1)], c.color(3))
        c.polygon([(1, 0), (1, 0.55), (split, 0.55), (split + lean, 0)], c.color(3, -0.2))


def _confetti(c: Canvas) -> None:
    """Leaves, snow or sparks in the air."""
    _ramp(c)
    sides, size = c.rng.choice((3, 4, 4, 5)), c.rng.uniform(0.01, 0.045)
    for _ in range(c.rng.choice((40, 80, 140))):
        x, y = c.rng.random(), c.rng.random()
        shape = around(sides, size * c.rng.uniform(0.5, 1.4), c.rng.random())
        c.polygon([(x + dx, y + dy) for dx, dy in shape], c.color(c.rng.randrange(1, 5), 0.1))


def _swirl(c: Canvas) -> None:
    """Arms that wind out of one point."""
    x, y, arms = c.rng.uniform(0.2, 0.8), c.rng.uniform(0.2, 0.8), c.rng.randint(2, 7)
    wind = c.rng.choice((-1, 1)) * c.rng.uniform(1, 5)
    for arm in range(arms):
        edges: list[list[Point]] = []
        for side in (0, 0.5):
            turns = [math.tau * (arm + side) / arms + wind * t / 30 for t in range(31)]
            edges.append([(x + t / 24 * math.cos(a), y + t / 24 * math.sin(a))
                          for t, a in enumerate(turns)])  # fmt: skip
        c.polygon(edges[0] + edges[1][::-1], c.color(1))


Backdrop = Callable[[Canvas], None]
PLACES: tuple[Backdrop, ...] = (
    _clouds,
    _clouds,
    _stars,
    _stars,
    _sky,
    _ridges,
    _sea,
    _rain,
    _confetti,
    _rays,
)
PATTERNS: tuple[Backdrop, ...] = (
    _rings, _stripes, _chevrons, _checks, _scales, _dots, _bricks, _facets, _hexes, _plaid,
    _halves, _swirl,
)  # fmt: skip
