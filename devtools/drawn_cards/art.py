"""Invented pictures for the art box: a coloured field, marks and figures upon it, grain.

Nothing here depicts anything. What counts is that two pictures differ in colour, shape and texture,
so that an encoder can tell them apart and a feature detector finds corners in them.
"""

import colorsys
import functools
import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

Color = tuple[int, int, int]
Point = tuple[float, float]
Size = tuple[int, int]
Grid = NDArray[Any]  # floats, one per pixel
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INK: Color = (20, 18, 16)
CHALK: Color = (240, 240, 240)
_HALF = 0.5
_GLYPH_SHARE = 0.3
_COARSE = 3  # fields are computed so much smaller than they appear
_GRAIN = 1024  # side of the tile of noise that all pictures take their grain from


def paint(seed: str, size: Size) -> Image.Image:
    """Paint an RGB picture of `size` (width, height) pixels; the seed decides everything.

    The composition is the same at any size.
    """
    rng = random.Random(f"art {seed}")
    colors = palette(rng)
    picture = field(rng, size, rng.sample(colors, rng.choice((2, 3))))
    if rng.random() < _HALF:
        _marks(rng, picture, rng.choice(colors))
    _figures(rng, picture, colors)
    picture = rng.choice(_FINISHES)(rng, picture)
    return _grained(rng, ImageOps.autocontrast(picture, 1, preserve_tone=True))


def palette(rng: random.Random) -> list[Color]:
    """Choose five colours around one, two or three hues, from dark to light."""
    hues = [rng.random() for _ in range(rng.choice((1, 2, 3)))]
    rich = rng.choice((0.1, 0.4, 0.7, 1))
    values = [rng.uniform(low, low + 0.25) for low in (0.05, 0.25, 0.45, 0.65, 0.75)]
    return [_color(rng.choice(hues) + rng.uniform(-0.05, 0.05), rich, value) for value in values]


def _color(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return int(red * 255), int(green * 255), int(blue * 255)


def shaded(color: Color, light: float) -> Color:
    """Mix a colour with white (light up to 1) or black (down to -1)."""
    aim = 255 if light > 0 else 0
    red, green, blue = (int(band + (aim - band) * abs(light)) for band in color)
    return red, green, blue


def field(rng: random.Random, size: Size, colors: Sequence[Color]) -> Image.Image:
    """Fill a picture with a random pattern in the given colours."""
    values = _pattern(rng, (size[0] // _COARSE + 2, size[1] // _COARSE + 2))
    wave = np.abs((values * rng.choice((0.4, 0.7, 1, 2)) + rng.random()) % 2 - 1)
    ramp = _ramp(colors, smooth=rng.random() < _HALF)
    shown = Image.fromarray(ramp[(wave * 255).astype(np.uint8)])
    return shown.resize(size, Image.Resampling.BILINEAR)


def _ramp(colors: Sequence[Color], *, smooth: bool) -> NDArray[np.uint8]:
    """Return 256 colours, uint8 of shape (256, 3), blended or in steps."""
    place = np.linspace(0, len(colors) - 1, 256)
    stops = np.arange(len(colors))
    bands = np.array(colors, dtype=np.float64).T
    steps = place if smooth else np.round(place)
    return np.stack([np.interp(steps, stops, band) for band in bands], axis=1).astype(np.uint8)


def _pattern(rng: random.Random, size: Size) -> Grid:
    """Return a pattern, turned, shifted and more or less warped, of shape (height, width)."""
    x: Grid
    y: Grid
    x, y = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in size))
    warp, turn = rng.choice((0, 0, 0.1, 0.3)), rng.uniform(0, math.tau)
    if warp:
        x, y = x + warp * noise(rng, size), y + warp * noise(rng, size)
    along, across = math.cos(turn), math.sin(turn)
    dx, dy = rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6)
    return rng.choice(_PATTERNS)(rng, x * along - y * across + dx, x * across + y * along + dy)


def noise(rng: random.Random, size: Size) -> Grid:
    """Return smooth noise of three octaves, between about -1 and 1, of shape (height, width)."""
    total = np.zeros((size[1], size[0]), dtype=np.float32)
    for cells, weight in ((3, 1), (6, 0.4), (15, 0.15)):
        layer = Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells))
        total += np.asarray(layer.resize(size, Image.Resampling.BICUBIC)) * np.float32(weight)
    return total / np.float32(1.55 * 127.5) - 1


def _cells(rng: random.Random, x: Grid, y: Grid) -> Grid:
    """Panes of glass: each point takes the value of the nearest of some random points."""
    near, value = np.full_like(x, np.inf), np.zeros_like(x)
    for _ in range(rng.randint(6, 20)):
        distance = np.hypot(x - rng.uniform(-1.5, 1.5), y - rng.uniform(-1.5, 1.5))
        value = np.where(distance < near, np.float32(rng.random() * 2), value)
        near = np.minimum(near, distance)
    shaded_panes: Grid = value + rng.choice((0, 1)) * near
    return shaded_panes


def _clouds(rng: random.Random, x: Grid, _y: Grid) -> Grid:
    return noise(rng, (x.shape[1], x.shape[0])) * 2


def _rays(rng: random.Random, x: Grid, y: Grid) -> Grid:
    rays = np.arctan2(y, x) / math.pi * rng.randint(1, 6)
    spiral: Grid = rays + rng.choice((0, 2)) * np.hypot(x, y)
    return spiral


_PATTERNS: Sequence[Callable[[random.Random, Grid, Grid], Grid]] = (
    lambda _rng, x, _y: 2 * x,
    lambda rng, x, y: rng.choice((1, 2, 3)) * np.hypot(x, y),
    lambda rng, x, y: np.sin(x * rng.uniform(3, 9)) * np.sin(y * rng.uniform(3, 9)),
    lambda rng, x, y: np.floor(x * rng.uniform(1, 4)) * 0.4 + np.floor(y * rng.uniform(1, 4)) * 0.6,
    _rays,
    _cells,
    _clouds,
)


def _grained(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Lay the grain of print over an RGB picture."""
    left, top = (rng.randrange(max(1, _GRAIN - side)) for side in picture.size)
    grain = _grain().crop((left, top, left + picture.width, top + picture.height))
    return ImageChops.add(picture, grain, offset=-128)


@functools.cache
def _grain() -> Image.Image:
    """Return a tile of grey noise, mode RGB."""
    side = _GRAIN // 3
    layer = Image.frombytes("L", (side, side), random.Random("grain").randbytes(side * side))
    flat = Image.new("L", (_GRAIN, _GRAIN), 128)
    return Image.blend(flat, layer.resize(flat.size), 0.08).convert("RGB")


def _marks(rng: random.Random, picture: Image.Image, color: Color) -> None:
    """Draw a bundle of waves or a fan of rays over the whole picture."""
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    thick, count = max(1, round(width * rng.uniform(0.006, 0.03))), rng.randint(5, 14)
    swing, length = rng.uniform(0.02, 0.12), rng.uniform(1, 4)
    shares, fan = [k / count for k in range(count + 1)], rng.random() < _HALF
    for share in shares:
        line = [(x, share + swing * math.sin(math.tau * (x * length + share))) for x in shares]
        if fan:
            angle = math.tau * (share + length)
            line = [(_HALF, 6 * swing), (_HALF + math.cos(angle), 6 * swing + math.sin(angle))]
        pen.line([(x * width, y * height) for x, y in line], color, thick)


def _figures(rng: random.Random, picture: Image.Image, colors: Sequence[Color]) -> None:
    """Set one figure, or several of a kind: a body, and upon it parts in pairs, as eyes are."""
    unit = math.sqrt(picture.width * picture.height)
    edge = rng.choice((INK, INK, CHALK, rng.choice(colors)))
    thick = max(1, round(unit * rng.choice((0.003, 0.006, 0.012))))
    fills: list[Image.Image | Color] = list(rng.sample(colors, 4))
    if rng.random() < _HALF:
        fills[0] = field(rng, picture.size, rng.sample(colors, 2))
    parts = [(outline(rng), 0.0, 0.0, 1.0)]
    for _ in fills[1:]:
        aside, up = rng.choice((0, rng.uniform(0.1, 0.5))), rng.uniform(-0.5, 0.5)
        parts.append((outline(rng), aside, up, rng.uniform(0.1, 0.35 if aside else 0.6)))
    for x, y, scale, turn in _places(rng):
        center = (x * picture.width, y * picture.height)
        for (points, aside, up, share), fill in zip(parts, fills, strict=True):
            for side in (aside, -aside) if aside else (0,):
                shifted = [(px * share + side, py * share + up) for px, py in points]
                corners = placed(shifted, center, scale * unit, turn)
                _filled(picture, corners, fill)
                ImageDraw.Draw(picture).line((*corners, corners[0]), edge, thick, joint="curve")
    if rng.random() < _GLYPH_SHARE:
        _glyph(rng, picture, edge)


def _filled(picture: Image.Image, corners: Sequence[Point], fill: Image.Image | Color) -> None:
    """Fill a polygon with a colour, or with what another picture of that size shows there."""
    if not isinstance(fill, Image.Image):
        ImageDraw.Draw(picture).polygon(corners, fill)
        return
    mask = Image.new("1", picture.size)
    ImageDraw.Draw(mask).polygon(corners, 1)
    picture.paste(fill, mask=mask)


def _glyph(rng: random.Random, picture: Image.Image, color: Color) -> None:
    """Write one large letter or sign somewhere."""
    size = round(min(picture.size) * rng.uniform(0.25, 0.6))
    at = (rng.uniform(0.2, 0.8) * picture.width, rng.uniform(0.2, 0.8) * picture.height)
    sign = rng.choice("ABEFGHKMNPQRSTWXYZ23456789&@#%?")
    ImageDraw.Draw(picture).text(at, sign, color, font(size // 4 * 4 + 4), anchor="mm")


def placed(points: Sequence[Point], center: Point, scale: float, turn: float = 0) -> list[Point]:
    """Bring points of the unit circle to a place on a picture; scale in pixels, turn in radians."""
    along, across = math.cos(turn) * scale, math.sin(turn) * scale
    return [
        (center[0] + x * along - y * across, center[1] + x * across + y * along) for x, y in points
    ]


def outline(rng: random.Random) -> list[Point]:
    """Return a closed shape about the unit circle: polygon, star, gear, blob, or a mirrored one."""
    count = rng.randint(3, 8)
    match rng.choice(("polygon", "star", "gear", "blob", "flower", "disc", "mirrored")):
        case "polygon":
            radii = [1.0] * count
        case "star":
            radii = [1, rng.uniform(0.3, 0.7)] * count
        case "gear":
            inner = rng.uniform(0.6, 0.8)
            radii = [1, 1, inner, inner] * count
        case "flower":
            radii = [0.7 + 0.3 * math.cos(math.tau * k * count / 60) for k in range(60)]
        case "disc":
            radii = [1.0] * 30
        case "blob":
            radii = [rng.uniform(0.4, 1) for _ in range(count + 4)]
        case _:
            half = [rng.uniform(0.25, 1) for _ in range(count + 2)]
            radii = half + half[::-1]
    angles = [math.tau * (k + _HALF) / len(radii) - math.pi / 2 for k in range(len(radii))]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


Place = tuple[float, float, float, float]  # x, y, scale (shares of the picture), turn in radians


def _places(rng: random.Random) -> list[Place]:
    """Choose one place for a figure, or a row, a ring or a swarm of them."""
    count, turn = rng.randint(3, 6), rng.uniform(-0.5, 0.5)
    shares = [(k + _HALF) / count for k in range(count)]
    match rng.choice(("one", "one", "row", "ring", "swarm")):
        case "one":
            return [(rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.6), turn)]
        case "row":
            return [(share, 0.5 + turn * (share - 0.5), 0.6 / count, turn) for share in shares]
        case "ring":
            points = [(math.cos(share * math.tau), math.sin(share * math.tau)) for share in shares]
            ring = placed(points, (0.5, 0.5), 0.34, turn)
            return [*((x, y, 0.12, turn) for x, y in ring), (0.5, 0.5, 0.2, turn)]
    return [(rng.random(), rng.random(), rng.uniform(0.06, 0.2), turn) for _ in range(2 * count)]


def _tiled(rng: random.Random, picture: Image.Image) -> Image.Image:
    """The same picture several times, every other one inverted or turned upside down."""
    columns, rows = rng.randint(1, 3), rng.randint(2, 3)
    turn = rng.choice((ImageOps.invert, ImageOps.flip, ImageOps.mirror))
    small = picture.resize((picture.width // columns + 1, picture.height // rows + 1))
    for column, row in itertools.product(range(columns), range(rows)):
        tile = turn(small) if (column + row) % 2 else small
        picture.paste(tile, (column * (small.width - 1), row * (small.height - 1)))
    return picture


def _mirrored(_rng: random.Random, picture: Image.Image) -> Image.Image:
    """The right half is the left one's mirror image."""
    half = picture.crop((0, 0, picture.width // 2, picture.height))
    picture.paste(ImageOps.mirror(half), (picture.width - half.width, 0))
    return picture


def _screened(rng: random.Random, picture: Image.Image) -> Image.Image:
    """A coarse screen of lines or dots, through which the negative or something paler shows."""
    x, y = np.meshgrid(*(np.linspace(0, 1, side, dtype=np.float32) for side in picture.size))
    lines, turn = rng.uniform(30, 140), rng.uniform(0, math.pi)
    y = y * np.float32(picture.height / picture.width)
    wave = np.sin(lines * (x * math.cos(turn) + y * math.sin(turn)))
    if rng.random() < _HALF:
        wave = wave * np.sin(lines * (y * math.cos(turn) - x * math.sin(turn)))
    mask = Image.fromarray(wave > rng.uniform(0.1, 0.5))
    other = ImageOps.invert(picture)
    if rng.random() < _HALF:
        other = Image.blend(picture, Image.new("RGB", picture.size, CHALK), 0.7)
    return Image.composite(other, picture, mask)


_FINISHES = (_tiled, _tiled, _mirrored, _screened, _screened, lambda _rng, picture: picture)


@functools.cache
def font(size: int) -> Font:
    """Return Pillow's built-in font in a size in pixels."""
    return ImageFont.load_default(size)
