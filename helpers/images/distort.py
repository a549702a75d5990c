"""Photo-like distortions of a card picture, seeded and by name.

A clean scan goes in; out comes what a phone might make of that card. The same picture, kinds and
seed always give the same result, so a measurement made with them can be repeated.

Every kind takes a strength: 0 changes next to nothing, 0.5 is an ordinary careless photo, 1 is the
worst that a person would still call a picture of the card.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Kind = Callable[[Image.Image, Random, float], Image.Image]
Point = tuple[float, float]
Colour = tuple[int, int, int]

DEFAULT_STRENGTH = 0.5

_SLEEVES: Sequence[Colour] = ((20, 20, 22), (30, 44, 92), (104, 24, 30), (225, 225, 222))
#: The dark and the light tone of each table, from the quietest to the most distracting.
TABLES: Sequence[tuple[Colour, Colour]] = (
    ((18, 18, 20), (48, 48, 54)),  # black mat
    ((24, 28, 40), (66, 72, 90)),  # play mat
    ((22, 58, 40), (52, 104, 76)),  # felt
    ((46, 28, 18), (98, 64, 42)),  # walnut
    ((74, 46, 26), (168, 118, 74)),  # oak
    ((176, 172, 164), (232, 228, 220)),  # white desk
)
SKINS: Sequence[Colour] = ((233, 190, 163), (205, 152, 118), (141, 92, 66), (92, 60, 44))


def distort(image: Image.Image, strengths: Mapping[str, float], seed: int) -> Image.Image:
    """Return a distorted copy of a whole card picture.

    The kinds are applied in the order of `KINDS`. Each draws from a random stream of its own, so
    that leaving one out does not change the others. Some change the picture's size.

    Args:
        image: the clean card, mode RGB, any size.
        strengths: of each kind to apply, 0 to 1; see `LEVELS`.
        seed: names the variant.
    """
    picture = die_cut(image)
    for name, apply in KINDS.items():
        if name in strengths:
            picture = apply(picture, Random(f"{seed}/{name}"), strengths[name])
    black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, picture).convert("RGB")


# --- the card itself: RGBA in, RGBA out ------------------------------------------------------


def sleeve(card: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Put the card into a plastic sleeve: a coloured rim, a milky haze, one diagonal streak."""
    rim = round(card.width * (0.015 + 0.02 * strength))
    holder = Image.new("RGBA", (card.width + 2 * rim, card.height + 2 * rim), rng.choice(_SLEEVES))
    holder.alpha_composite(card, (rim, rim))
    haze = Image.new("RGBA", holder.size, (236, 240, 245, round(70 * strength)))
    return _lighten(Image.alpha_composite(holder, haze), _streak(holder.size, rng, strength))


def glare(card: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Let a lamp mirror in the card: an oval spot that burns out towards its middle."""
    width = round(card.width * rng.uniform(0.4, 0.8))
    height = round(card.height * rng.uniform(0.2, 0.45))
    spot = _spot(strength).resize((width, height))
    spot = spot.rotate(rng.uniform(-45, 45), Image.Resampling.BICUBIC, expand=True)
    light = Image.new("L", card.size)
    x, y = (round(length * rng.uniform(0.2, 0.8)) for length in card.size)
    light.paste(spot, (x - spot.width // 2, y - spot.height // 2))
    return _lighten(card, light)


def tilt(card: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Turn the card by up to 15 degrees either way."""
    degrees = rng.choice((-1, 1)) * rng.uniform(5, 15) * strength
    return card.rotate(degrees, Image.Resampling.BICUBIC, expand=True)


def perspective(card: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Look at the card from aside: each corner moves inwards by up to 14 % of the edge."""
    width, height = card.size
    reach = 0.14 * strength
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    inwards = ((rng.uniform(0, reach) * width, rng.uniform(0, reach) * height) for _ in corners)
    seen = [(abs(x - dx), abs(y - dy)) for (x, y), (dx, dy) in zip(corners, inwards, strict=True)]
    method, filtering = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    return card.transform(card.size, method, projection(seen, corners), filtering)


# --- the picture it is in --------------------------------------------------------------------


def background(card: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Lay the card on a table, with the shadow it casts; strength shows more, and busier, table."""
    share = 1.02 + 0.34 * strength
    size = (round(card.width * share), round(card.height * share))
    slack_x, slack_y = size[0] - card.width, size[1] - card.height
    corner = (round(slack_x * rng.uniform(0.3, 0.7)), round(slack_y * rng.uniform(0.3, 0.7)))
    placed = Image.new("RGBA", size)
    placed.paste(card, corner)
    shadow = Image.new("RGBA", size)
    drop = card.width // 80
    shadow.paste((0, 0, 0, 150), (corner[0] + drop, corner[1] + drop), card.getchannel("A"))
    shadow = shadow.filter(ImageFilter.GaussianBlur(drop + 1))
    tones = rng.choice(TABLES[: math.ceil(strength * len(TABLES)) or 1])
    shaded = Image.alpha_composite(table(size, tones, rng), shadow)
    return Image.alpha_composite(shaded, placed)


def cover(picture: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Hold a finger into the picture, from its lower edge."""
    width, height = picture.size
    radius = round(width * 0.075)
    x, tip = rng.uniform(0.1, 0.9) * width, height * (1 - 0.5 * strength)
    finger = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(finger)
    skin = rng.choice(SKINS)
    nail = tuple(min(255, channel + 22) for channel in skin)
    draw.rounded_rectangle((x - radius, tip, x + radius, height * 1.5), radius, fill=skin)
    draw.ellipse((x - 0.6 * radius, tip + 0.2 * radius, x + 0.6 * radius, tip + 1.6 * radius), nail)
    finger = finger.rotate(rng.uniform(-25, 25), Image.Resampling.BICUBIC, center=(x, height))
    return Image.alpha_composite(picture, finger.filter(ImageFilter.GaussianBlur(width / 300)))


def low_light(picture: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Dim the room: darker, flatter, one side in shade, a colour cast, sensor noise."""
    rgb = ImageEnhance.Brightness(picture.convert("RGB")).enhance(1 - 0.3 * strength)
    rgb = ImageEnhance.Contrast(rgb).enhance(1 - 0.3 * strength)
    shade = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(picture.size)
    shade = ImageOps.invert(_scaled(shade, 0.45 * strength))
    casts = [1 - 0.25 * strength * rng.random() for _ in "RGB"]
    bands = [ImageChops.multiply(band, shade) for band in map(_scaled, rgb.split(), casts)]
    noisy = [_grained(band, rng, 40 * strength) for band in bands]
    return Image.merge("RGBA", (*noisy, picture.getchannel("A")))


def colour_cast(picture: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Light it with a lamp that is not white: each channel times up to 1.6 or down to 0.6."""
    gains = [math.exp(rng.uniform(-0.5, 0.5) * strength) for _ in "RGB"]
    bands = map(_scaled, picture.convert("RGB").split(), gains)
    return Image.merge("RGBA", (*bands, picture.getchannel("A")))


def contrast(picture: Image.Image, rng: Random, strength: float) -> Image.Image:
    """Let the camera choose badly: gamma up to 1.8 or its inverse, flat or hard, light or dark."""
    gamma = 1.8 ** (rng.uniform(-1, 1) * strength)
    slope = 1 + rng.uniform(-0.6, 0.25) * strength
    offset = 128 + rng.uniform(-50, 50) * strength
    bent = (255 * (level / 255) ** gamma for level in range(256))
    table = [min(255, max(0, round((level - 128) * slope + offset))) for level in bent]
    rgb = picture.convert("RGB").point(table * 3)
    rgb.putalpha(picture.getchannel("A"))
    return rgb


def blur(picture: Image.Image, _rng: Random, strength: float) -> Image.Image:
    """Miss the focus: a Gaussian of a radius up to 0.7 % of the picture's width."""
    return picture.filter(ImageFilter.GaussianBlur(0.007 * strength * picture.width))


def jpeg(picture: Image.Image, _rng: Random, strength: float) -> Image.Image:
    """Compress like a messenger: JPEG quality from 90 down to 15."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=round(90 - 75 * strength))
    compressed = Image.open(buffer).convert("RGBA")
    compressed.putalpha(picture.getchannel("A"))
    return compressed


#: Every distortion by name, in the order in which they happen to a card.
KINDS: Mapping[str, Kind] = {
    kind.__name__: kind
    for kind in (
        *(sleeve, glare, tilt, perspective, background, cover),
        *(low_light, colour_cast, contrast, blur, jpeg),
    )
}

#: Strength of each kind at a named level: a copy stand, a phone in one hand, a bad evening.
LEVELS: Mapping[str, Mapping[str, float]] = {
    "easy": {"tilt": 0.1, "background": 0.05, "low_light": 0.2, "blur": 0.2, "jpeg": 0.3},
    "photo": {
        "glare": 0.3,
        "tilt": 0.2,
        "perspective": 0.2,
        "background": 0.15,
        "low_light": 0.25,
        "blur": 0.3,
        "jpeg": 0.5,
    },
    "hard": {
        **{kind: 0.5 for kind in KINDS if kind not in {"colour_cast", "contrast"}},
        "jpeg": 0.7,
    },
}


# --- tools -----------------------------------------------------------------------------------


def die_cut(image: Image.Image) -> Image.Image:
    """Round the corners off: a card is 63 mm wide, with corners of 3 mm radius."""
    outline = Image.new("L", image.size)
    edge = (0, 0, image.width - 1, image.height - 1)
    ImageDraw.Draw(outline).rounded_rectangle(edge, image.width * 3 / 63, fill=255)
    card = image.convert("RGBA")
    card.putalpha(outline)
    return card


def _scaled(band: Image.Image, factor: float) -> Image.Image:
    """Multiply a band of mode L; what exceeds 255 is cut off."""
    return band.point([min(255, round(level * factor)) for level in range(256)])


def _lighten(image: Image.Image, light: Image.Image) -> Image.Image:
    """Add light (mode L, the image's size) to an RGBA image, and keep its alpha."""
    lit = ImageChops.screen(image.convert("RGB"), Image.merge("RGB", (light, light, light)))
    lit.putalpha(image.getchannel("A"))
    return lit


def _spot(strength: float) -> Image.Image:
    """Return a round light, mode L, that fades to 0 before it meets its square's edges."""
    gradient = Image.radial_gradient("L")
    reach = gradient.tobytes()[gradient.width * (gradient.height // 2)]  # the value at an edge
    bright = (510 * strength * (1 - level / reach) for level in range(256))
    return gradient.point([min(255, max(0, round(level))) for level in bright])


def _streak(size: tuple[int, int], rng: Random, strength: float) -> Image.Image:
    width, height = size
    left, breadth = rng.uniform(-0.2, 0.8) * width, rng.uniform(0.08, 0.25) * width
    top = left + 0.4 * width
    ends = ((top, 0), (top + breadth, 0), (left + breadth, height), (left, height))
    streak = Image.new("L", size)
    ImageDraw.Draw(streak).polygon(ends, fill=round(110 * strength))
    return streak.filter(ImageFilter.GaussianBlur(width / 60))


def noise(size: tuple[int, int], cells: tuple[int, int], rng: Random) -> Image.Image:
    """Return smooth noise of mode L with about `cells` bumps across and down."""
    # Pillow's own effect_noise draws from the C library's generator, which nobody can seed.
    bumps = Image.frombytes("L", cells, rng.randbytes(cells[0] * cells[1]))
    return bumps.resize(size, Image.Resampling.BICUBIC)


def _grained(band: Image.Image, rng: Random, amplitude: float) -> Image.Image:
    """Add noise of the given peak-to-peak amplitude, in grey levels, around the band's values."""
    grain = _scaled(noise(band.size, band.size, rng), amplitude / 255)
    return ImageChops.add(band, grain, offset=-round(amplitude / 2))


def table(size: tuple[int, int], tones: tuple[Colour, Colour], rng: Random) -> Image.Image:
    """Return a table top in two tones: patches, fibres and weave, RGBA."""
    patches = noise(size, (4, 5), rng)
    fibres = noise(size, (max(2, size[0] // 4), 6), rng)
    weave = noise(size, (size[0] // 2, size[1] // 2), rng)
    surface = Image.blend(Image.blend(patches, fibres, 0.5), weave, 0.2)
    return ImageOps.colorize(surface, *tones).convert("RGBA")


def projection(seen: Sequence[Point], corners: Sequence[Point]) -> tuple[float, ...]:
    """Return the 8 coefficients with which Pillow maps each seen point back to its corner."""
    import numpy as np

    rows = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solution = np.linalg.solve(np.array(rows), np.array(corners, dtype=np.float64).reshape(8))
    return tuple(solution.tolist())
