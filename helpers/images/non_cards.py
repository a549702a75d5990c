"""Pictures that show no card, drawn and seeded: what a camera also sees, or is pointed at.

Half of them are easy to tell from a card; tables, pages and the backs of playing cards lie where
cards lie.
"""

from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from helpers.images.distort import Colour, noise

SIZE = (488, 680)  # pixels: that of a card's scan, so that size tells nothing
_WORDS = ("the", "of", "and", "a", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on")


def non_card(seed: int) -> Image.Image:
    """Return the RGB picture of that seed; seeds one after the other go through all kinds."""
    draw = NON_CARDS[seed % len(NON_CARDS)]
    picture = draw(Random(f"non-card/{seed}"))
    return picture.filter(ImageFilter.GaussianBlur(seed % 3))


def _colour(rng: Random) -> Colour:
    """Return a muted colour, as most things have."""
    level = rng.randrange(40, 216)
    red, green, blue = (level + rng.randint(-40, 40) for _ in "RGB")
    return red, green, blue


def table(rng: Random) -> Image.Image:
    """An empty table: grain along one direction."""
    grain = Image.frombytes("L", (8, 240), rng.randbytes(1920)).resize(SIZE)
    mixed = Image.blend(grain, noise(SIZE, (5, 5), rng), 0.5)
    surface = ImageOps.colorize(mixed, _colour(rng), _colour(rng))
    return surface.rotate(rng.choice((0, 180)))


def wall(rng: Random) -> Image.Image:
    """A wall in fading light."""
    light = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(SIZE)
    return ImageOps.colorize(light, _colour(rng), _colour(rng))


def clutter(rng: Random) -> Image.Image:
    """Coloured things of no particular shape."""
    picture = Image.new("RGB", SIZE, _colour(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randrange(6, 30)):
        x, y, side = rng.randrange(SIZE[0]), rng.randrange(SIZE[1]), rng.randrange(20, 240)
        shape = rng.choice((draw.ellipse, draw.rectangle))
        shape((x - side, y - side, x + side, y + rng.randrange(20, 240)), fill=_colour(rng))
    return picture


def landscape(rng: Random) -> Image.Image:
    """Clouds of three colours, as in a photo that is out of focus."""
    cells = rng.choice((4, 9, 24))
    shapes = noise(SIZE, (cells, cells), rng)
    bands = [Image.blend(shapes, noise(SIZE, (4, 4), rng), 0.3) for _ in "RGB"]
    return Image.merge("RGB", bands)


def page(rng: Random) -> Image.Image:
    """A page of print on a table."""
    picture = table(rng)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((30, 30, SIZE[0] - 30, SIZE[1] - 30), fill=(240, 238, 230))
    font = ImageFont.load_default(rng.randrange(12, 26))
    for line in range(50, SIZE[1] - 70, 30):
        text = " ".join(rng.choices(_WORDS, k=12))[:38]
        draw.text((50, line), text, fill=(30, 30, 34), font=font)
    return picture.rotate(rng.uniform(-15, 15))


def keyboard(rng: Random) -> Image.Image:
    """Keys in rows."""
    picture = Image.new("RGB", SIZE, _colour(rng))
    draw = ImageDraw.Draw(picture)
    key, side = _colour(rng), rng.randrange(36, 70)
    for x in range(6, SIZE[0], side):
        for y in range(6, SIZE[1], side):
            draw.rounded_rectangle((x, y, x + side - 8, y + side - 8), 6, fill=key)
            draw.text((x + 8, y + 6), rng.choice("QWERTZUIOPASDFGHJKL"), fill=(200, 200, 200))
    return picture.rotate(rng.uniform(-20, 20))


def screen(rng: Random) -> Image.Image:
    """Windows on a screen: bars, boxes and lines of text."""
    picture = Image.new("RGB", SIZE, _colour(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randrange(3, 7)):
        x, y = rng.randrange(300), rng.randrange(480)
        draw.rectangle((x, y, x + 260, y + 220), fill=(245, 245, 245), outline=(90, 90, 90))
        draw.rectangle((x, y, x + 260, y + 24), fill=_colour(rng))
        for line in range(y + 40, y + 210, 18):
            draw.line((x + 12, line, x + rng.randrange(60, 250), line), (120, 120, 120), 3)
    return picture


def playing_card(rng: Random) -> Image.Image:
    """The back of a card of another game, lying on a table: the hardest of them."""
    picture = table(rng)
    box = (40, 40, SIZE[0] - 40, SIZE[1] - 40)
    pattern = Image.new("RGB", SIZE, _colour(rng))
    draw = ImageDraw.Draw(pattern)
    for offset in range(-SIZE[1], SIZE[0], rng.randrange(14, 40)):
        draw.line((offset, 0, offset + SIZE[1], SIZE[1]), _colour(rng), 4)
    mirrored = ImageChops.lighter(pattern, ImageOps.mirror(pattern))
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).rounded_rectangle(box, 24, fill=255)
    picture.paste(mirrored, (0, 0), mask)
    ImageDraw.Draw(picture).rounded_rectangle(box, 24, outline=(240, 240, 240), width=14)
    return picture.rotate(rng.uniform(-12, 12))


NON_CARDS = (table, wall, clutter, landscape, page, keyboard, screen, playing_card)
