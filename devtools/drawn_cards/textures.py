"""Finishes of drawn cards: how the same drawing looks as a woodcut, in dots or in watercolour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from devtools.drawn_cards.canvas import Canvas, around, noise, shaded

if TYPE_CHECKING:
    from collections.abc import Callable

_GRAIN = 0.06  # enough texture that a JPEG weighs about what a scan does
_INK = (14, 12, 16)


def _plain(c: Canvas) -> None:
    """Leave the picture as it is."""


def _lines(c: Canvas, spacing: int, slope: float, width: int) -> Image.Image:
    """Parallel lines, white on black; `spacing` of them across the canvas."""
    sheet = Image.new("L", c.size)
    pen, h, step = ImageDraw.Draw(sheet), c.size[1], c.unit / spacing
    for k in range(-2 * spacing, 3 * spacing):
        pen.line((k * step, 0, k * step + slope * h, h), fill=255, width=width)
    return sheet


def _above(image: Image.Image, level: int) -> Image.Image:
    """White where a greyscale image is lighter than the level."""
    return image.point([255 if k > level else 0 for k in range(256)])


def _hatching(c: Canvas) -> None:
    """Ink lines in the shadows, crossed in the deep ones."""
    shade, dense = c.image.convert("L"), c.rng.randint(20, 34)
    width = max(2, round(c.unit / dense / 3))
    for level, slope in ((150, 0.8), (85, -0.8)):
        dark = shade.point([255 if k < level else 0 for k in range(256)])
        c.image.paste(_INK, mask=ImageChops.multiply(dark, _lines(c, dense, slope, width)))


def _woodcut(c: Canvas) -> None:
    """Two inks only, with the gouge's strokes in the half-tones."""
    strokes = _lines(c, c.rng.randint(12, 26), c.rng.choice((0, 0.6, -0.5)), round(c.unit / 45))
    tone = ImageChops.add(ImageOps.equalize(c.image.convert("L")), strokes, 2.2)
    cut = _above(tone, 95)
    c.fill(ImageOps.colorize(cut, c.color(2, -0.55), c.color(3, 0.65)))


def _halftone(c: Canvas) -> None:
    """Dots, larger where the picture is darker."""
    count = c.rng.randint(22, 34)
    shade = ImageOps.equalize(c.image.convert("L").resize((count, count), Image.Resampling.BOX))
    tints: Any = c.image.resize((count, count), Image.Resampling.BOX).load()
    depth: Any = shade.load()
    c.fill(Image.new("RGB", c.size, c.rng.choice((c.color(1, 0.7), c.color(0, -0.7)))))
    for row in range(count):
        for column in range(count):
            at, deep = ((column + row % 2 / 2) / count, (row + 0.5) / count), depth[column, row]
            c.disc(at, (0.2 + 0.45 * (255 - deep) / 255) / count, tints[column, row])


def _watercolour(c: Canvas) -> None:
    """Soft washes on white paper, pooling at the rim."""
    small = c.image.resize((c.size[0] // 4, c.size[1] // 4)).filter(ImageFilter.ModeFilter(7))
    wash = small.resize(c.size, Image.Resampling.BICUBIC)
    stains = ImageOps.autocontrast(noise(c.rng, c.size)).point([k * 100 // 255 for k in range(256)])
    rim = _above(Image.radial_gradient("L").resize(c.size), 200)
    paper = ImageChops.lighter(stains, rim.filter(ImageFilter.GaussianBlur(12)))
    c.fill(Image.composite(Image.new("RGB", c.size, (247, 243, 232)), wash, paper))


def _mosaic(c: Canvas) -> None:
    """Square tiles with joints between them."""
    count = c.rng.randint(16, 30)
    tiles = c.image.resize((count, count), Image.Resampling.BOX)
    c.fill(tiles.resize(c.size, Image.Resampling.NEAREST))
    joint = c.rng.choice((_INK, (235, 230, 215)))
    for k in range(count + 1):
        c.stroke([(k / count, 0), (k / count, 1)], 0.006, joint)
        c.stroke([(0, k / count), (1, k / count)], 0.006, joint)


def _duotone(c: Canvas) -> None:
    """Two colours, as a poster has them."""
    grey = ImageOps.autocontrast(c.image.convert("L"))
    c.fill(ImageOps.colorize(grey, c.color(3, -0.8), c.color(2, 0.6), mid=c.color(4)))


def _poster(c: Canvas) -> None:
    """Few flat tones and strong edges."""
    flat = ImageOps.posterize(ImageOps.autocontrast(c.image), 2)
    edges = c.image.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(5))
    flat.paste(_INK, mask=_above(edges, 40))
    c.fill(flat)


def _ripples(c: Canvas) -> None:
    """Everything seen through moving water."""
    (w, h), n, swing = c.size, 14, c.rng.uniform(0.015, 0.05)
    fast, phase = c.rng.uniform(4, 14), c.rng.random() * 6

    def moved(x: float, y: float) -> tuple[float, float]:
        return (
            (x + swing * math.sin(fast * y + phase)) * w,
            (y + swing * math.sin(fast * x)) * h,
        )

    mesh = []
    for i in range(n):
        for j in range(n):
            corners = ((i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j))
            box = (i * w // n, j * h // n, (i + 1) * w // n, (j + 1) * h // n)
            mesh.append((box, tuple(v for x, y in corners for v in moved(x / n, y / n))))
    c.fill(c.image.transform(c.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR))


def _mirror(c: Canvas) -> None:
    """One half, and the same half reversed."""
    w, h = c.size
    c.image.paste(ImageOps.mirror(c.image.crop((0, 0, w // 2, h))), (w - w // 2, 0))


def _glass(c: Canvas) -> None:
    """Leaded panes: spokes and rings of black."""
    x, y, spokes = c.rng.uniform(0.3, 0.7), c.rng.uniform(0.3, 0.7), c.rng.randint(5, 13)
    for dx, dy in around(spokes, 1.5, c.rng.random()):
        c.polygon([(x, y), (x + dx, y + dy), (x + dx + dy / 4, y + dy - dx / 4)],
                  (*c.color(c.rng.randrange(2, 5)), 90))  # fmt: skip
        c.stroke([(x, y), (x + dx, y + dy)], 0.016, _INK)
    for radius in (0.2, 0.4, 0.65):
        ring = [(x + dx, y + dy) for dx, dy in around(spokes * 2, radius)]
        c.stroke([*ring, ring[0]], 0.016, _INK)


def _blinds(c: Canvas) -> None:
    """Every other band in negative."""
    count, negative = c.rng.randint(3, 9), ImageOps.invert(c.image)
    bands = _lines(c, count, c.rng.choice((0, 0.5, -0.7)), round(c.unit / count / 2.2))
    c.image.paste(negative, mask=bands)


def _crewel(c: Canvas) -> None:
    """Short stitches in the colours of the picture."""
    rows = 34
    tints: Any = c.image.resize((rows, rows), Image.Resampling.BOX).load()
    lean = c.rng.choice((0.015, -0.015, 0.028))
    c.fill(Image.new("RGB", c.size, c.color(0, -0.5)))
    for row in range(rows):
        for column in range(rows):
            x, y, tint = (column + 0.5) / rows, (row + 0.5) / rows, tints[column, row]
            end = lean if column % 2 else -lean
            c.stroke([(x - end, y - 0.014), (x + end, y + 0.014)], 0.011, tint)


def _spotlight(c: Canvas) -> None:
    """Darkness around a pool of light."""
    pool = Image.radial_gradient("L").resize(c.size).point([min(255, k * 2) for k in range(256)])
    c.image.paste(shaded(c.color(0), -0.85), mask=pool)


def _framed(c: Canvas) -> None:
    """A painted border of beads."""
    tint, bead, count = c.color(2, -0.3), c.color(4, 0.4), c.rng.randint(8, 18)
    for a, b in (((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (0, 1)), ((0, 1), (0, 0))):
        c.stroke([a, b], 0.13, tint)
        for k in range(count + 1):
            at = (a[0] + (b[0] - a[0]) * k / count, a[1] + (b[1] - a[1]) * k / count)
            c.disc(at, 0.034, bead)


_FINISHES: tuple[tuple[Callable[[Canvas], None], int], ...] = (
    (_plain, 5), (_hatching, 1), (_woodcut, 1), (_halftone, 2), (_watercolour, 1), (_mosaic, 1),
    (_duotone, 4), (_poster, 4), (_ripples, 2), (_mirror, 1), (_glass, 1), (_blinds, 1),
    (_crewel, 1), (_spotlight, 2), (_framed, 2),
)  # fmt: skip


def wash(c: Canvas) -> None:
    """Let clouds of two other colours run over what has been painted so far."""
    clouds = ImageOps.autocontrast(noise(c.rng, c.size, octaves=5))
    tint = ImageOps.colorize(clouds, c.color(2, -0.6), c.color(4, 0.4), mid=c.color(0))
    c.fill(Image.blend(c.image, tint, c.rng.uniform(0.2, 0.5)))


def finish(c: Canvas) -> None:
    """Give the picture one of the finishes, and a grain."""
    c.fill(ImageOps.autocontrast(c.image, cutoff=1))
    finishes, weights = zip(*_FINISHES, strict=True)
    c.rng.choices(finishes, weights)[0](c)
    grain = noise(c.rng, c.size, octaves=1)
    c.fill(Image.blend(c.image, Image.merge("RGB", (grain,) * 3), _GRAIN))
