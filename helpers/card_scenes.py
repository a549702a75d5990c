"""Procedural illustrations: what stands in the art box of a drawn card.

Each picture follows from its seed alone, and nothing in it is anybody's art. Lengths inside a
scene are shares of the canvas, so that every scene fits any art box.
"""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageOps

Color = tuple[int, int, int]
Point = tuple[float, float]

_GRAIN = 0.07  # enough texture that a JPEG weighs about what a scan does
_HALF = 0.5


def illustrate(seed: str, subject: str, size: tuple[int, int]) -> Image.Image:
    """Paint an RGB picture of `size` (width, height) pixels.

    Args:
        seed: decides everything; the same seed and size give the same pixels.
        subject: a type line; creatures, lands and artifacts get scenes of their kind.
        size: width and height in pixels.
    """
    canvas = _Canvas(random.Random(f"art {seed}"), size)
    kind = next((word for word in _SCENES if word in subject), "")
    backdrop, motif = canvas.rng.choice(_SCENES[kind])
    backdrop(canvas)
    motif(canvas)
    picture = ImageOps.mirror(canvas.image) if canvas.rng.random() < _HALF else canvas.image
    grain = noise(canvas.rng, (size[0] // 2, size[1] // 2), octaves=1).resize(size)
    return Image.blend(picture, grain.convert("RGB"), _GRAIN)


def noise(rng: random.Random, size: tuple[int, int], octaves: int = 4) -> Image.Image:
    """Fractal noise as a greyscale image: each octave twice as fine and half as strong."""
    cells = max(size) if octaves == 1 else rng.choice((3, 4, 5))
    total = Image.new("L", size, 128)
    for octave in range(octaves):
        grid = (max(2, size[0] * cells // max(size)), max(2, size[1] * cells // max(size)))
        layer = Image.frombytes("L", grid, rng.randbytes(grid[0] * grid[1]))
        total = Image.blend(
            total, layer.resize(size, Image.Resampling.BICUBIC), 1 / (2 ** (octave + 1) - 1)
        )
        cells *= 2
    return total


@dataclass
class _Canvas:
    """A picture in the making: a palette of three related hues, a pen, a source of chance."""

    rng: random.Random
    size: tuple[int, int]
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)
    hues: tuple[float, float, float] = field(init=False)

    def __post_init__(self) -> None:
        base = self.rng.random()
        apart = self.rng.choice((0.08, 0.33, 0.5))
        self.hues = (base, (base + apart) % 1, (base + apart / 2 + 0.5) % 1)
        self.fill(Image.new("RGB", self.size))

    def fill(self, image: Image.Image) -> None:
        """Replace the whole picture."""
        self.image = image
        self.pen = ImageDraw.Draw(image, "RGBA")

    def tone(self, which: int, value: float, saturation: float = 0.6) -> Color:
        """Mix a colour of one of the three hues; value and saturation from 0 to 1."""
        red, green, blue = colorsys.hsv_to_rgb(self.hues[which], saturation, value)
        return int(red * 255), int(green * 255), int(blue * 255)

    def at(self, points: Sequence[Point]) -> list[Point]:
        """Map shares of the canvas to pixels."""
        return [(x * self.size[0], y * self.size[1]) for x, y in points]

    def polygon(self, points: Sequence[Point], color: tuple[int, ...]) -> None:
        """Fill a polygon given in shares of the canvas."""
        self.pen.polygon(self.at(points), fill=color)

    def mirrored(self, points: Sequence[Point], color: tuple[int, ...]) -> None:
        """Fill a polygon and its mirror image about the vertical axis."""
        self.polygon(points, color)
        self.polygon([(1 - x, y) for x, y in points], color)

    def disc(self, center: Point, radius: float, color: tuple[int, ...]) -> None:
        """Fill a circle; the radius is a share of the canvas's height."""
        (x, y), r = self.at([center])[0], radius * self.size[1]
        self.pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def stroke(self, points: Sequence[Point], width: float, color: tuple[int, ...]) -> None:
        """Draw a rounded line; the width is a share of the canvas's height."""
        pixels = max(1, round(width * self.size[1]))
        self.pen.line(self.at(points), fill=color, width=pixels, joint="curve")


# Backdrops fill the whole canvas.


def _sky(c: _Canvas) -> None:
    """A gradient from above to the horizon, with a sun or moon."""
    ramp = Image.linear_gradient("L").resize(c.size)
    light = c.rng.random() < _HALF
    top, low = (c.tone(0, 0.75), c.tone(1, 1, 0.25)) if light else (c.tone(0, 0.12), c.tone(1, 0.5))
    c.fill(ImageOps.colorize(ramp, top, low))
    sun, radius = (c.rng.uniform(0.15, 0.85), c.rng.uniform(0.1, 0.4)), c.rng.uniform(0.06, 0.16)
    for glow in range(4):
        c.disc(sun, radius * (1 + 0.5 * (3 - glow)), (*c.tone(1, 1, 0.2), 40 + 70 * glow))


def _clouds(c: _Canvas) -> None:
    """Marbled clouds in two hues."""
    clouds = ImageOps.autocontrast(noise(c.rng, c.size))
    c.fill(ImageOps.colorize(clouds, c.tone(0, 0.15), c.tone(1, 0.95, 0.4), mid=c.tone(2, 0.5)))


def _glow(c: _Canvas) -> None:
    """Light from the middle, and rays."""
    c.fill(
        ImageOps.colorize(
            Image.radial_gradient("L").resize(c.size),
            c.tone(1, 1, 0.3),
            c.tone(0, 0.1),
            mid=c.tone(0, 0.55),
        )
    )
    rays = c.rng.randint(5, 14)
    for ray in range(rays):
        angle, half = math.tau * ray / rays, math.tau / rays / 4
        tip = [(0.5 + math.cos(a), 0.5 + math.sin(a)) for a in (angle - half, angle + half)]
        c.polygon([(0.5, 0.5), *tip], (*c.tone(1, 1, 0.3), 45))


def _stars(c: _Canvas) -> None:
    """A nebula and stars."""
    nebula = ImageOps.autocontrast(noise(c.rng, c.size, octaves=3))
    c.fill(ImageOps.colorize(nebula, (4, 4, 16), c.tone(0, 0.7), mid=c.tone(1, 0.2)))
    for _ in range(130):
        size = c.rng.choice((0.002, 0.003, 0.006))
        c.disc((c.rng.random(), c.rng.random()), size, (255, 255, 235, c.rng.randint(90, 255)))


# Motifs stand before a backdrop.


def _ridges(c: _Canvas) -> None:
    """Mountain ranges, each nearer and darker, before water or plain."""
    layers = c.rng.randint(3, 5)
    for layer in range(layers):
        base, rough = 0.45 + 0.5 * layer / layers, c.rng.uniform(0.04, 0.16)
        waves = [(c.rng.uniform(1, 4) * 2**k, c.rng.random() * 7, rough / 1.7**k) for k in range(5)]
        crest = [
            (x / 60, base - sum(a * abs(math.sin(f * x / 60 + p)) for f, p, a in waves))
            for x in range(61)
        ]
        c.polygon([*crest, (1, 1.1), (0, 1.1)], c.tone(2, 0.75 - 0.65 * layer / layers, 0.5))


def _towers(c: _Canvas) -> None:
    """A skyline with lit windows."""
    for row in range(3):
        x, dark = -0.05, c.tone(2, 0.45 - 0.16 * row, 0.5)
        while x < 1:
            width, top = c.rng.uniform(0.05, 0.13), c.rng.uniform(0.2, 0.6) + 0.12 * row
            c.polygon([(x, 1), (x, top), (x + width, top), (x + width, 1)], dark)
            if c.rng.random() < _HALF:
                c.polygon([(x, top), (x + width / 2, top - 0.16), (x + width, top)], dark)
            for _ in range(5):
                spot = (x + width * c.rng.uniform(0.2, 0.8), c.rng.uniform(top + 0.04, 1))
                c.disc(spot, 0.008, c.tone(1, 1, 0.4))
            x += width * c.rng.uniform(1, 1.6)


def _forest(c: _Canvas) -> None:
    """Trunks in fog, and crowns."""
    for layer in range(3):
        bark, leaf = c.tone(2, 0.5 - 0.2 * layer, 0.4), c.tone(0, 0.65 - 0.2 * layer, 0.6)
        for _ in range(5):
            x, width = c.rng.random(), 0.012 + 0.014 * layer
            lean, foot = c.rng.uniform(-0.06, 0.06), 0.75 + 0.15 * layer
            c.polygon([(x - width, foot), (x + lean, 0.1), (x + width, foot)], bark)
            for _ in range(9):
                crown = (x + lean + c.rng.uniform(-0.09, 0.09), c.rng.uniform(0.02, 0.4))
                c.disc(crown, c.rng.uniform(0.03, 0.09), (*leaf, 190))
        c.polygon([(0, foot), (1, foot), (1, 1), (0, 1)], bark)


def _planets(c: _Canvas) -> None:
    """One large world, ringed or banded, and moons."""
    center, radius = (c.rng.uniform(0.3, 0.7), c.rng.uniform(0.4, 0.65)), c.rng.uniform(0.2, 0.36)
    steps = 14
    for step in range(steps):
        share = step / steps
        lit = (center[0] - 0.12 * radius * share, center[1] - 0.35 * radius * share)
        c.disc(lit, radius * (1 - 0.6 * share), c.tone(2, 0.2 + 0.75 * share))
    if c.rng.random() < _HALF:
        tilt = c.rng.uniform(-0.25, 0.25)
        ring = [(0.42 * math.cos(t / 20), 0.07 * math.sin(t / 20)) for t in range(-12, 76)]
        c.stroke([(center[0] + x, center[1] + y + tilt * x) for x, y in ring], 0.02, c.tone(1, 1))
    for _ in range(c.rng.randint(0, 3)):
        c.disc((c.rng.random(), c.rng.uniform(0, 0.5)), c.rng.uniform(0.02, 0.07), c.tone(1, 0.8))


def _sigil(c: _Canvas) -> None:
    """Rings and a star polygon, as spells have them."""
    points, skip, turn = c.rng.randint(5, 12), c.rng.randint(2, 4), c.rng.random()
    color, aspect = c.tone(1, 1, c.rng.uniform(0.1, 0.6)), c.size[1] / c.size[0]

    def around(k: float, radius: float) -> Point:
        angle = math.tau * (k / points + turn)
        return 0.5 + aspect * radius * math.cos(angle), 0.5 + radius * math.sin(angle)

    for radius in sorted(c.rng.sample((0.1, 0.18, 0.26, 0.34, 0.42, 0.46), 3)):
        c.stroke([around(k / 8, radius) for k in range(points * 8 + 1)], 0.012, color)
    star = [around(k * skip, 0.42) for k in range(points + 1)]
    c.stroke(star, 0.014, color)
    for k in range(points):
        c.disc(around(k, 0.42), 0.035, c.tone(2, 0.9))
        c.stroke([around(k + 0.5, 0.2), around(k + 0.5, 0.3)], 0.03, color)
    c.disc((0.5, 0.5), c.rng.uniform(0.04, 0.12), c.tone(2, 1, 0.4))


def _shards(c: _Canvas) -> None:
    """A cluster of crystals, each lit from the left."""
    for _ in range(c.rng.randint(7, 14)):
        x, lean = c.rng.uniform(0.1, 0.9), c.rng.uniform(-0.25, 0.25)
        height, half = c.rng.uniform(0.3, 0.8), c.rng.uniform(0.02, 0.06)
        tip, neck = (x + lean, 1 - height), (x + 0.8 * lean, 1 - 0.82 * height)
        which = c.rng.randrange(3)
        c.polygon([(x - half, 1.05), (neck[0] - half, neck[1]), tip, neck, (x, 1.05)],
                  c.tone(which, 0.95, 0.35))  # fmt: skip
        c.polygon([(x + half, 1.05), (neck[0] + half, neck[1]), tip, neck, (x, 1.05)],
                  c.tone(which, 0.45, 0.7))  # fmt: skip


def _ribbons(c: _Canvas) -> None:
    """Streams of light or flame across the picture."""
    for _ in range(c.rng.randint(4, 9)):
        y, rise, wave = c.rng.random(), c.rng.uniform(-0.6, 0.6), c.rng.uniform(0.03, 0.2)
        speed, phase = c.rng.uniform(3, 11), c.rng.random() * 6
        path = [
            (x / 40, y + rise * x / 40 + wave * math.sin(speed * x / 40 + phase))
            for x in range(-2, 43)
        ]
        width, which = c.rng.uniform(0.02, 0.09), c.rng.randrange(3)
        c.stroke(path, width, (*c.tone(which, 0.9), 150))
        c.stroke(path, width / 3, (*c.tone(which, 1, 0.15), 220))


def _mosaic(c: _Canvas) -> None:
    """Stained glass: a jittered grid of triangles."""
    n = c.rng.randint(4, 8)
    jitter = [[(c.rng.uniform(-0.4, 0.4), c.rng.uniform(-0.4, 0.4)) for _ in range(n + 1)]
              for _ in range(n + 1)]  # fmt: skip

    def node(i: int, j: int) -> Point:
        return (i + jitter[i][j][0]) / n, (j + jitter[i][j][1]) / n

    for i in range(n):
        for j in range(n):
            a, b, d, e = node(i, j), node(i + 1, j), node(i, j + 1), node(i + 1, j + 1)
            for corners in ((a, b, d), (b, d, e)):
                which, value = c.rng.randrange(3), c.rng.uniform(0.25, 1)
                c.polygon(corners, (*c.tone(which, value), 205))
                c.stroke([*corners, corners[0]], 0.008, (15, 15, 20))


def _guardian(c: _Canvas) -> None:
    """A creature seen from the front: wings, body, horned head, eyes."""
    rng = c.rng
    dark, light = c.tone(2, rng.uniform(0.15, 0.35)), c.tone(2, rng.uniform(0.5, 0.8))
    span = rng.uniform(0.2, 0.48)
    wing = [(0.5, 0.5)] + [
        (0.5 - span * x, 0.55 - y + rng.uniform(-0.06, 0.06))
        for x, y in ((0.5, 0.4), (1, 0.5), (0.9, 0.2), (0.75, 0.25), (0.65, -0.05), (0.4, 0.05))
    ]
    c.mirrored(wing, c.tone(rng.randrange(3), 0.4))
    body = [(0.5 - rng.uniform(0.06, 0.2), 0.42 + k / 12) for k in range(8)]
    c.polygon(body + [(1 - x, y) for x, y in reversed(body)], dark)
    c.polygon([(0.5 + (x - 0.5) * s, y) for s, side in ((0.5, body), (-0.5, body[::-1]))
               for x, y in side], light)  # fmt: skip
    head = rng.uniform(0.1, 0.17)
    c.disc((0.5, 0.34), head, dark)
    x, y = rng.uniform(0.05, 0.2), rng.uniform(0.02, 0.25)
    c.mirrored([(0.5 - head / 2, 0.36 - head), (0.5 - x, y), (0.46, 0.3)], light)
    for k in range(rng.randint(1, 3)):
        for side in (-1, 1):
            eye = (0.5 + side * (0.03 + 0.022 * k), 0.33 - 0.035 * k)
            c.disc(eye, 0.03 - 0.006 * k, c.tone(1, 1, 0.7))
            c.disc(eye, 0.011, (10, 10, 10))
    teeth = [(0.46 + 0.01 * k, 0.40 + 0.035 * (k % 2)) for k in range(9)]
    c.polygon([(0.46, 0.39), *teeth, (0.54, 0.39)], (245, 240, 220))


def _beast(c: _Canvas) -> None:
    """A creature in profile: legs, body with spots and a crest of spines, neck, head, tail."""
    rng, hide, shade = c.rng, c.tone(2, c.rng.uniform(0.25, 0.7), 0.5), c.tone(2, 0.15, 0.5)
    back, length = rng.uniform(0.38, 0.58), rng.uniform(0.12, 0.26)
    left, right, belly = 0.5 - length, 0.5 + length, back + rng.uniform(0.1, 0.26)
    foot, thick = belly + rng.uniform(0.12, 0.34), rng.uniform(0.015, 0.05)
    for x, color in ((left + 0.07, shade), (right - 0.07, shade), (left, hide), (right, hide)):
        c.polygon([(x - thick, back), (x + 2 * thick, back), (x + thick, foot), (x, foot)], color)
    crest, tall, spines = c.tone(0, 0.9, 0.7), rng.uniform(0, 0.25), rng.randint(3, 9)
    for x in (left + k * 2 * length / spines for k in range(spines)):
        c.polygon([(x - 0.02, back + 0.03), (x, back - tall), (x + 0.05, back + 0.03)], crest)
    c.polygon([(left - 0.06, back + 0.08), (left, back), (right, back - 0.04), (right + 0.07, back),
               (right + 0.05, belly), (left, belly)], hide)  # fmt: skip
    for _ in range(rng.randint(0, 14)):
        spot = (rng.uniform(left, right), rng.uniform(back + 0.04, belly - 0.03))
        c.disc(spot, rng.uniform(0.008, 0.03), (*crest, 200))
    wag = rng.uniform(-0.3, 0.25)
    tail = [(left - 0.22 * t / 9, back + 0.06 + wag * math.sin(t / 4)) for t in range(10)]
    c.stroke(tail, rng.uniform(0.015, 0.06), hide)
    head = (right + rng.uniform(0.05, 0.17), back - rng.uniform(-0.02, 0.28))
    c.stroke([(right, back + 0.06), head], rng.uniform(0.06, 0.16), hide)
    _profile_head(c, head, hide)


def _profile_head(c: _Canvas, head: Point, hide: Color) -> None:
    """Skull, snout, eye and horn, looking right."""
    (x, y), size = head, c.rng.uniform(0.06, 0.12)
    snout, horn = c.rng.uniform(0.06, 0.17), (c.rng.uniform(-0.12, 0.1), c.rng.uniform(0.05, 0.24))
    c.polygon([(x - 0.03, y), (x - 0.03 + horn[0], y - size - horn[1]), (x + 0.02, y - size / 2)],
              c.tone(1, 0.9, 0.2))  # fmt: skip
    c.disc(head, size, hide)
    c.polygon([(x, y - size * 0.9), (x + snout, y + 0.03), (x, y + size)], hide)
    c.disc((x + 0.015, y - 0.02), 0.022, c.tone(1, 1, 0.8))


def _serpent(c: _Canvas) -> None:
    """A long body in loops, thick to thin, with a spotted back."""
    rng, hide, spot = c.rng, c.tone(2, c.rng.uniform(0.3, 0.6)), c.tone(0, 0.95, 0.5)
    loops, phase, swing = rng.uniform(1.2, 3), rng.random() * 6, rng.uniform(0.15, 0.32)
    path = [
        (0.92 - 0.8 * t / 80, 0.55 + swing * math.sin(loops * math.tau * t / 80 + phase))
        for t in range(81)
    ]
    for t, point in enumerate(path):
        c.disc(point, 0.02 + 0.07 * t / 80, hide)
    for t, point in enumerate(path[::5]):
        c.disc(point, 0.008 + 0.03 * t / 16, spot)
    x, y = path[-1]
    c.polygon([(x + 0.05, y - 0.1), (x - 0.12, y), (x + 0.05, y + 0.1)], hide)
    c.disc((x, y - 0.03), 0.02, c.tone(1, 1, 0.8))
    c.stroke([(x - 0.1, y), (x - 0.16, y + 0.02), (x - 0.19, y - 0.02)], 0.012, (200, 30, 40))


def _relic(c: _Canvas) -> None:
    """A thing of metal: a blade, a chalice, a wheel or a mask."""
    metal, shade = c.tone(1, 0.85, 0.2), c.tone(1, 0.45, 0.35)
    outline = c.rng.choice(_RELICS)
    width = c.rng.uniform(0.8, 1.5)
    half = [(0.5 - x * width, y) for x, y in outline]
    c.polygon([*half, *[(0.5, y) for _, y in reversed(half)]], metal)
    c.polygon([*[(1 - x, y) for x, y in half], *[(0.5, y) for _, y in reversed(half)]], shade)
    for k in range(c.rng.randint(1, 4)):
        c.disc((0.5, 0.25 + 0.15 * k), c.rng.uniform(0.02, 0.05), c.tone(2, 0.9, 0.8))


_RELICS: tuple[tuple[Point, ...], ...] = (
    ((0, 0.05), (0.04, 0.15), (0.035, 0.62), (0.15, 0.64), (0.15, 0.69), (0.03, 0.7), (0.02, 0.93)),
    ((0.16, 0.15), (0.15, 0.4), (0.05, 0.52), (0.02, 0.75), (0.12, 0.85), (0.13, 0.9)),
    ((0.05, 0.12), (0.17, 0.22), (0.2, 0.5), (0.12, 0.75), (0.03, 0.92)),
    ((0.02, 0.08), (0.2, 0.2), (0.08, 0.35), (0.2, 0.5), (0.08, 0.65), (0.2, 0.8), (0.02, 0.92)),
)  # fmt: skip

_Painter = Callable[[_Canvas], None]
_SCENES: dict[str, tuple[tuple[_Painter, _Painter], ...]] = {
    "Creature": tuple((b, m) for b in (_sky, _clouds, _glow, _stars)
                      for m in (_guardian, _beast, _serpent)),
    "Land": tuple((b, m) for b in (_sky, _stars) for m in (_ridges, _towers, _forest)),
    "Artifact": tuple((b, _relic) for b in (_clouds, _glow, _stars)),
    "": ((_clouds, _sigil), (_glow, _sigil), (_stars, _planets), (_sky, _shards), (_stars, _shards),
         (_clouds, _ribbons), (_glow, _ribbons), (_stars, _ribbons), (_glow, _mosaic),
         (_sky, _mosaic), (_clouds, _planets)),
}  # fmt: skip
