"""The painter's tools for drawn cards: noise, palettes, a canvas, and stamps that stand on it.

Lengths are shares of the canvas or of the stamp, never pixels, so that a picture keeps its
composition in any art box.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Color = tuple[int, int, int]
Ink = tuple[int, ...]
Point = tuple[float, float]

HALF = 0.5
_CELLS = 4
#: How far the hues of a palette stand from its first, and how saturated it is.
_SCHEMES: tuple[tuple[tuple[float, float, float], float], ...] = (
    ((0.5, 0.5, 0.04), 0.75),  # complementary
    ((0.33, 0.67, 0.5), 0.7),  # triadic
    ((0.0, 0.02, 0.98), 0.65),  # one colour
    ((0.08, 0.16, 0.92), 0.8),  # neighbours
    ((0.42, 0.58, 0.1), 0.7),  # split complementary
    ((0.25, 0.5, 0.75), 0.32),  # pastel
    ((0.3, 0.55, 0.85), 1.0),  # neon
    ((0.05, 0.5, 0.02), 0.12),  # ink and ash
    ((0.02, 0.04, 0.55), 0.45),  # sepia, where the first hue is warm
)


def noise(rng: random.Random, size: tuple[int, int], octaves: int = 4) -> Image.Image:
    """Fractal noise as a greyscale image: each octave twice as fine and half as strong.

    It takes the same share of chance whatever the size.
    """
    cells = 256 if octaves == 1 else _CELLS
    total = Image.new("L", size, 128)
    for octave in range(octaves):
        layer = Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells))
        layer = layer.resize(size, Image.Resampling.BILINEAR)
        total = Image.blend(total, layer, 1 / (2 ** (octave + 1) - 1))
        cells *= 2
    return total


def palette(rng: random.Random) -> tuple[Color, ...]:
    """Mix five colours: two of the ground, three that stand out from it."""
    (second, third, fourth), rich = rng.choice(_SCHEMES)
    base, dark = rng.random(), rng.random() < HALF
    ground = rng.uniform(0.08, 0.3) if dark else rng.uniform(0.75, 1)
    far = rng.uniform(0.28, 0.5) if dark else rng.uniform(0.55, 0.85)
    near = rng.sample((0.5, 0.75, 1.0) if dark else (0.2, 0.4, 0.6), 3)
    return tuple(
        _mixed(base + apart, rich * rng.uniform(0.7, 1.15), value)
        for apart, value in zip(
            (0, fourth, second, third, fourth + second), (ground, far, *near), strict=True
        )
    )


def _mixed(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(1, saturation), value)
    return int(red * 255), int(green * 255), int(blue * 255)


def shaded(color: Color, light: float) -> Color:
    """Mix a colour with white (light up to 1) or black (down to -1)."""
    red, green, blue = color
    aim, share = (255 if light > 0 else 0), abs(light)
    return (
        int(red + (aim - red) * share),
        int(green + (aim - green) * share),
        int(blue + (aim - blue) * share),
    )


@dataclass
class Canvas:
    """A picture in the making: a palette, a pen, a source of chance."""

    rng: random.Random
    size: tuple[int, int]
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)
    colors: tuple[Color, ...] = field(init=False)
    outline: Ink | None = field(init=False)

    def __post_init__(self) -> None:
        self.colors = palette(self.rng)
        self.outline = self.rng.choice((None, (12, 12, 18), (12, 12, 18), (250, 246, 235)))
        self.fill(Image.new("RGB", self.size, self.colors[0]))

    def fill(self, image: Image.Image) -> None:
        """Replace the whole picture."""
        self.image = image
        self.pen = ImageDraw.Draw(image, "RGBA")

    def color(self, which: int, light: float = 0) -> Color:
        """Take a colour of the palette (0 and 1 are ground), lighter or darker."""
        return shaded(self.colors[which % 5], light)

    def at(self, points: Sequence[Point]) -> list[Point]:
        """Map shares of the canvas to pixels."""
        return [(x * self.size[0], y * self.size[1]) for x, y in points]

    def polygon(self, points: Sequence[Point], color: Ink) -> None:
        """Fill a polygon given in shares of the canvas."""
        self.pen.polygon(self.at(points), fill=color)

    def disc(self, center: Point, radius: float, color: Ink) -> None:
        """Fill a circle; the radius is a share of the canvas's mean side."""
        (x, y), r = self.at([center])[0], radius * self.unit
        self.pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def stroke(self, points: Sequence[Point], width: float, color: Ink) -> None:
        """Draw a rounded line; the width is a share of the canvas's mean side."""
        self.pen.line(self.at(points), color, max(1, round(width * self.unit)), joint="curve")

    @property
    def unit(self) -> float:
        """The length to which widths and radii refer, in pixels."""
        return math.sqrt(self.size[0] * self.size[1])


@dataclass
class Stamp:
    """A place on a canvas where a motif stands: about -1 to 1 both ways, y downwards."""

    canvas: Canvas
    center: Point
    scale: float
    turn: float = 0
    flip: bool = False
    shift: int = 0  # of the palette, so that neighbours differ

    @property
    def rng(self) -> random.Random:
        """The chance of the canvas."""
        return self.canvas.rng

    def color(self, which: int, light: float = 0) -> Color:
        """Take one of the three colours (0 to 2) that stand out from the ground."""
        return self.canvas.color(2 + (which + self.shift) % 3, light)

    def at(self, points: Sequence[Point]) -> list[Point]:
        """Map the stamp's coordinates to pixels."""
        reach = self.scale * self.canvas.unit
        along, across = math.cos(self.turn) * reach, math.sin(self.turn) * reach
        x0, y0 = self.canvas.at([self.center])[0]
        side = -1 if self.flip else 1
        return [
            (x0 + side * x * along - y * across, y0 + side * x * across + y * along)
            for x, y in points
        ]

    def polygon(self, points: Sequence[Point], color: Ink) -> None:
        """Fill a polygon, with the canvas's outline."""
        corners = self.at(points)
        self.canvas.pen.polygon(corners, fill=color)
        if self.canvas.outline:
            width = max(1, round(self.scale * self.canvas.unit * 0.03))
            self.canvas.pen.line([*corners, corners[0]], self.canvas.outline, width, joint="curve")

    def mirrored(self, half: Sequence[Point], color: Ink) -> None:
        """Fill a polygon whose right half is given, from top to bottom."""
        self.polygon([*half, *[(-x, y) for x, y in reversed(half)]], color)

    def twice(self, points: Sequence[Point], color: Ink) -> None:
        """Fill a polygon and its mirror image about the vertical axis."""
        self.polygon(points, color)
        self.polygon([(-x, y) for x, y in points], color)

    def disc(self, center: Point, radius: float, color: Ink) -> None:
        """Fill a circle."""
        (x, y), r = self.at([center])[0], radius * self.scale * self.canvas.unit
        self.canvas.pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def stroke(self, points: Sequence[Point], width: float, color: Ink) -> None:
        """Draw a rounded line."""
        pixels = max(1, round(width * self.scale * self.canvas.unit))
        self.canvas.pen.line(self.at(points), color, pixels, joint="curve")


def around(count: int, radius: float, turn: float = 0) -> list[Point]:
    """Points on a circle."""
    angles = [math.tau * (k / count + turn) for k in range(count)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]
