"""Draws the image of a Scryfall card object: frame, art and text, all invented.

An image is a pure function of the card object: the art follows from `illustration_id` (so that
reprints share it), the frame from name, frame and border, the rest from what the card says.
"""

import functools
import io
import random
import re
import textwrap
import unicodedata
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from devtools.drawn_cards.art import CHALK, INK, Color, Font, font, outline, paint, placed
from devtools.drawn_cards.cards import EXTENSIONS
from devtools.drawn_cards.frames import SIZE, Box, Dress, layout

_SIZES = {
    **dict.fromkeys(("small", "thumb"), (146, 204)),
    **dict.fromkeys(("normal", "grid"), (488, 680)),
    **dict.fromkeys(("large", "display"), (672, 936)),
    "png": SIZE,
    "border_crop": (500, 700),  # before the border is cut off
}
_ART_VERSIONS = ("art_crop", "art", "crop")
_TRIM = 10  # what border_crop cuts from each side
_LETTER_WIDTH = 0.52  # of the font, on average, as a share of its size
_COPYRIGHT = "© nobody - drawn for tests"
_RARITY_COLORS = {"uncommon": (140, 155, 165), "rare": (190, 155, 70), "mythic": (215, 90, 30)}
_PIPS = {
    "W": (248, 244, 210), "U": (150, 200, 235), "B": (130, 120, 118),
    "R": (240, 150, 120), "G": (140, 195, 155),
}  # fmt: skip


def render(card: dict[str, Any], face: int, version: str) -> bytes:
    """Draw and encode one face of a Scryfall card object, as Scryfall encodes that version.

    Args:
        card: of `devtools.drawn_cards.cards` or any other.
        face: 0 for the front, 1 for the back.
        version: a key of Scryfall's `image_uris`, such as `normal`.
    """
    file = io.BytesIO()
    options: dict[str, dict[str, Any]] = {
        "jpg": {"format": "JPEG", "quality": 90},
        "png": {"format": "PNG", "compress_level": 1},
        "webp": {"format": "WEBP", "quality": 85, "method": 2},
    }
    draw(card, face, version).save(file, **options[EXTENSIONS[version]])
    return file.getvalue()


def draw(card: dict[str, Any], face: int, version: str) -> Image.Image:
    """Draw one face in one of Scryfall's versions: RGBA for `png`, otherwise RGB."""
    if version in _ART_VERSIONS:
        printed = _printed(card, face)
        return _art(printed, layout(printed).art.size)
    size = _SIZES[version]
    image = _split(card, size) if card.get("layout") == "split" else _whole(card, face, size)
    if version == "border_crop":
        image = ImageOps.crop(image, _TRIM)
    if version == "png":
        image.putalpha(_rounded_corners(size))
    return image


def _printed(card: dict[str, Any], face: int) -> dict[str, Any]:
    """What one face says, on top of what the whole card says."""
    faces: list[dict[str, Any]] = card.get("card_faces") or [{}]
    return card | faces[min(face, len(faces) - 1)]


def _split(card: dict[str, Any], size: tuple[int, int]) -> Image.Image:
    """Draw two small cards side by side, turned by a quarter."""
    height, width = size
    sheet = Image.new("RGB", (width, height))
    for half in (0, 1):
        small = _whole(card, half, (round(height * SIZE[0] / SIZE[1]), height))
        sheet.paste(small.resize((width // 2, height)), (half * width // 2, 0))
    return sheet.transpose(Image.Transpose.ROTATE_90)


def _whole(card: dict[str, Any], face: int, size: tuple[int, int]) -> Image.Image:
    """Draw one face, from the border to the last line of text."""
    sheet = _Sheet(_printed(card, face), size)
    for paint_part in (
        sheet.paint_art, sheet.paint_title, sheet.paint_type_line, sheet.paint_rules,
        sheet.paint_strength, sheet.paint_credits,
    ):  # fmt: skip
        paint_part()
    return sheet.image


def _art(printed: dict[str, Any], size: tuple[int, int]) -> Image.Image:
    """Paint what the art box shows; a placeholder shows nothing, as at Scryfall."""
    if printed.get("image_status") == "placeholder":
        return Image.new("RGB", size, (120, 120, 120))
    seed = printed.get("illustration_id") or f"{printed.get('id')}{printed.get('name')}"
    return paint(seed, size)


class _Sheet:
    """One face in the making; lengths are in pixels of a card of 745 by 1040."""

    def __init__(self, printed: dict[str, Any], size: tuple[int, int]) -> None:
        self.printed = printed
        self.scale = size[0] / SIZE[0]
        self.frame = layout(printed)
        self.dress = Dress(printed)
        self.ink = INK if self.frame.plates else CHALK
        self.image = Image.new("RGB", size, self.dress.border)
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def says(self, key: str) -> str:
        """Return what the card says under a key; nothing if the key is absent."""
        return str(self.printed.get(key) or "")

    def paint_art(self) -> None:
        """Lay colour and pattern inside the border, and the art into its box."""
        inner = self.frame.inner.scaled(self.scale)
        self.image.paste(self.dress.frame(inner.size), inner)
        box = self.frame.art.scaled(self.scale)
        self.image.paste(_art(self.printed, box.size), box)
        self.pen.rectangle(box, outline=self.dress.rim, width=self.dress.rim_width)

    def paint_title(self) -> None:
        """Write the name, and the mana cost to its right."""
        symbols = re.findall(r"{([^}]+)}", self.says("mana_cost"))
        box = self._plate(self.frame.title)
        self._pips(symbols, box)
        room = box._replace(right=box.right - 38 * len(symbols))
        self._line(room, self.says("name"), 36, self.ink)

    def paint_type_line(self) -> None:
        """Write the type line, and the set symbol to its right."""
        box = self._plate(self.frame.type_line)
        self._line(box._replace(right=box.right - 60), self.says("type_line"), 30, self.ink)
        self._set_symbol((box.right - 28, box.middle[1]))

    def _set_symbol(self, center: tuple[float, float]) -> None:
        """Draw the sign of the set, in the colour of the rarity."""
        rng = random.Random(f"symbol {self.says('set')}")
        sign, hole = outline(rng), outline(rng)
        color = _RARITY_COLORS.get(self.says("rarity"), INK)
        for points, radius, fill in ((sign, 28, CHALK), (sign, 24, color), (hole, 10, CHALK)):
            self.pen.polygon(placed(points, self._at(center), radius * self.scale), fill)

    def paint_rules(self) -> None:
        """Write the rules text."""
        box = self.frame.text
        paper = self.dress.sheet(box.scaled(self.scale).size)
        opaque = 215 if self.frame.art.bottom > box.bottom else 255
        self.image.paste(paper, box.scaled(self.scale), Image.new("L", paper.size, opaque))
        self._box(box, outline=self.dress.rim)
        self._paragraphs(box, self.says("oracle_text"))

    def paint_strength(self) -> None:
        """Write power and toughness, if the card has them."""
        if not self.says("power"):
            return
        box = Box(575, 928, 700, 984)
        self._box(box, fill=self.dress.paper, outline=INK)
        strength = f"{self.says('power')}/{self.says('toughness')}"
        self.pen.text(self._at(box.middle), strength, INK, self._font(38), anchor="mm")

    def paint_credits(self) -> None:
        """Name the artist, the set and the number in it, and that the card is nobody's."""
        below = f"{self.says('set').upper()} {self.says('collector_number')}  {_COPYRIGHT}"
        for line, top in ((f"Illus. {self.says('artist')}", 962), (below, 984)):
            self._line(Box(52, top, 570, top + 24), line, 20, CHALK)

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        return point[0] * self.scale, point[1] * self.scale

    def _font(self, size: int) -> Font:
        return font(max(4, round(size * self.scale)))

    def _box(self, box: Box, fill: Color | None = None, outline: Color = INK) -> None:
        self.pen.rounded_rectangle(box.scaled(self.scale), 8, fill, outline, 2)

    def _plate(self, box: Box) -> Box:
        """Draw the plate behind a line of text, where the frame has plates."""
        if not self.frame.plates:
            return box
        self._box(box, fill=self.dress.paper)
        return Box(box.left + 16, box.top, box.right - 10, box.bottom)

    def _line(self, box: Box, text: str, size: int, ink: Color) -> None:
        """Write one line, smaller if it is too long, with a shadow where the ink is light."""
        text, room = _printable(text), box.size[0] * self.scale
        if (length := self._font(size).getlength(text)) > room:
            size = int(size * room / length)
        x, y = self._at((box.left, box.middle[1]))
        if ink == CHALK:
            self.pen.text((x + 1, y + 1), text, INK, self._font(size), anchor="lm")
        self.pen.text((x, y), text, ink, self._font(size), anchor="lm")

    def _pips(self, symbols: list[str], box: Box) -> None:
        """Draw mana symbols, the last one at the right edge of the box."""
        for place, symbol in enumerate(reversed(symbols)):
            center = self._at((box.right - 22 - 38 * place, box.middle[1]))
            self.pen.circle(center, 17 * self.scale, _PIPS.get(symbol[0], (205, 200, 196)), INK)
            self.pen.text(center, symbol, INK, self._font(24 // len(symbol) + 2), anchor="mm")

    def _paragraphs(self, box: Box, text: str) -> None:
        """Write text in the largest size at which it fits its box."""
        width, height = box.size[0] - 32, box.size[1] - 30
        for size in (34, 30, 26, 22, 18, 14):
            letters = int(width / size / _LETTER_WIDTH)
            lines = [textwrap.fill(line, letters) for line in _printable(text).split("\n")]
            if ("\n".join(lines).count("\n") + 1) * size * 1.25 <= height:
                break
        at, ink = self._at((box.left + 16, box.top + 12)), CHALK if self.dress.dark else INK
        self.pen.text(at, "\n".join(lines), ink, self._font(size), spacing=size * self.scale * 0.3)


@functools.cache
def _rounded_corners(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), 36, fill=255)
    return mask


def _printable(text: str) -> str:
    """Keep to what Pillow's built-in font can write: ASCII and the copyright sign."""
    text = text.translate({0x2014: "-", 0x2013: "-", 0x2019: "'", 0x2022: "*"})
    return "".join(c for c in unicodedata.normalize("NFKD", text) if c.isascii() or c == "©")
