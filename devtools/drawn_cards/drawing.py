"""Draws the image of a Scryfall card object: frame, illustration and text, all invented.

An image is a pure function of the card object: the illustration follows from `illustration_id`
(so that reprints share it), everything else from what the card says. Cards are drawn at the size
of Scryfall's `png` version; the other versions are cut and scaled from that.
"""

from __future__ import annotations

import functools
import io
import random
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from devtools.drawn_cards.cards import EXTENSIONS
from devtools.drawn_cards.frames import CHALK, INK, SIZE, Box, Dress, Frame, layout
from devtools.drawn_cards.illustration import illustrate

if TYPE_CHECKING:
    from devtools.drawn_cards.canvas import Color


_SIZES = {
    "small": (146, 204),
    "normal": (488, 680),
    "large": (672, 936),
    "png": SIZE,
    "border_crop": (480, 680),
    "thumb": (146, 204),
    "grid": (488, 680),
    "display": (672, 936),
}
_ART_VERSIONS = ("art_crop", "art", "crop")
_TRIM = 15  # what border_crop cuts from each side
_COPYRIGHT = "© nobody - drawn for tests"
_RARITY_COLORS = {"uncommon": (140, 155, 165), "rare": (190, 155, 70), "mythic": (215, 90, 30)}
_PIPS = {
    "W": (248, 244, 210),
    "U": (150, 200, 235),
    "B": (130, 120, 118),
    "R": (240, 150, 120),
    "G": (140, 195, 155),
}


def render(card: dict[str, Any], face: int, version: str) -> bytes:
    """Draw and encode one face of a card.

    Args:
        card: a Scryfall card object, of `devtools.drawn_cards.cards` or any other.
        face: 0 for the front, 1 for the back.
        version: a key of Scryfall's `image_uris`, such as `normal`.

    Returns:
        The file: JPEG, PNG or WebP, as Scryfall has that version.
    """
    file = io.BytesIO()
    image = draw(card, face, version)
    match EXTENSIONS[version]:
        case "png":
            image.save(file, "PNG", compress_level=1)
        case "webp":
            image.save(file, "WEBP", quality=85, method=2)
        case _:
            image.save(file, "JPEG", quality=90)
    return file.getvalue()


def draw(card: dict[str, Any], face: int, version: str) -> Image.Image:
    """Draw one face in one of Scryfall's versions: RGBA for `png`, otherwise RGB."""
    image = _split(card) if card.get("layout") == "split" else _whole(_printed(card, face))
    if version in _ART_VERSIONS:
        return image.crop(layout(_printed(card, face)).art)
    if version == "border_crop":
        width, height = SIZE
        image = image.crop((_TRIM, _TRIM, width - _TRIM, height - _TRIM))
    if version == "png":
        image.putalpha(_rounded_corners())
    return image.resize(_SIZES[version], Image.Resampling.BICUBIC)


def _printed(card: dict[str, Any], face: int) -> dict[str, Any]:
    """What one face says, on top of what the whole card says."""
    faces: list[dict[str, Any]] = card.get("card_faces") or [{}]
    return card | faces[min(face, len(faces) - 1)]


def _split(card: dict[str, Any]) -> Image.Image:
    """Two small cards side by side, turned by a quarter."""
    height, width = SIZE
    sheet = Image.new("RGB", (width, height))
    for half in (0, 1):
        sheet.paste(
            _whole(_printed(card, half)).resize((width // 2, height)), (half * width // 2, 0)
        )
    return sheet.transpose(Image.Transpose.ROTATE_90)


def _whole(printed: dict[str, Any]) -> Image.Image:
    """Draw one face, from the border to the last line of text."""
    sheet = _Sheet(printed, layout(printed))
    sheet.paint_frame()
    sheet.paint_art()
    sheet.paint_title()
    sheet.paint_type_line()
    sheet.paint_rules()
    sheet.paint_strength()
    sheet.paint_credits()
    return sheet.image


class _Sheet:
    """One face in the making."""

    def __init__(self, printed: dict[str, Any], frame: Frame) -> None:
        self.printed = printed
        self.frame = frame
        self.dress = Dress(printed)
        self.image = Image.new("RGB", SIZE, self.dress.border)
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def says(self, key: str) -> str:
        """What the card says under a key; nothing if the key is absent."""
        return str(self.printed.get(key) or "")

    def paint_frame(self) -> None:
        """Lay colour and pattern inside the border."""
        box = self.frame.inner
        self.image.paste(self.dress.frame(box.size), box)

    def paint_art(self) -> None:
        """Set the illustration into its box; a placeholder has none, as at Scryfall."""
        box = self.frame.art
        if self.says("image_status") == "placeholder":
            self.pen.rectangle(box, fill=(120, 120, 120))
            return
        seed = self.says("illustration_id") or self.says("id") + self.says("name")
        self.image.paste(illustrate(seed, self.says("type_line"), box.size), box)
        self.pen.rectangle(box, outline=self.dress.rim, width=self.dress.rim_width)

    def paint_title(self) -> None:
        """Write the name, and the mana cost to its right."""
        symbols = re.findall(r"{([^}]+)}", self.says("mana_cost"))
        box = self._plate(self.frame.title)
        self._pips(symbols, box)
        room = box._replace(right=box.right - 38 * len(symbols))
        self._line(room, self.says("name"), 36, self._ink())

    def paint_type_line(self) -> None:
        """Write the type line, and the set symbol to its right."""
        box = self._plate(self.frame.type_line)
        self._line(box._replace(right=box.right - 50), self.says("type_line"), 30, self._ink())
        shape, middle = random.Random(self.says("set")), (box.top + box.bottom) // 2
        self.pen.regular_polygon(
            (box.right - 24, middle, shape.choice((22, 26))),
            n_sides=shape.choice((3, 4, 5, 6, 8)),
            rotation=shape.randrange(90),
            fill=_RARITY_COLORS.get(self.says("rarity"), INK),
            outline=CHALK,
        )

    def paint_rules(self) -> None:
        """Write the rules text; an adventure stands on the left half, as on a book's page."""
        box = self.frame.text
        opaque = 215 if self.frame.art.bottom > box.bottom else 255
        self.image.paste(self.dress.sheet(box.size), box, Image.new("L", box.size, opaque))
        self.pen.rectangle(box, outline=self.dress.rim, width=3)
        if self.says("layout") == "adventure":
            middle = (box.left + box.right) // 2
            self._adventure(box._replace(right=middle))
            self.pen.line((middle, box.top, middle, box.bottom), fill=INK, width=3)
            box = box._replace(left=middle)
        self._paragraphs(box, self.says("oracle_text"))

    def paint_strength(self) -> None:
        """Write power and toughness, if the card has them."""
        if not self.says("power"):
            return
        box = Box(575, 928, 700, 984)
        self.pen.rounded_rectangle(box, 14, fill=self.dress.paper, outline=INK, width=3)
        strength = f"{self.says('power')}/{self.says('toughness')}"
        self.pen.text(box.middle, strength, INK, _font(38), anchor="mm", stroke_width=0.6)

    def paint_credits(self) -> None:
        """Name the artist and the set, and that the card is nobody's."""
        below = f"{self.says('set').upper()} {self.says('collector_number')}  {_COPYRIGHT}"
        lines = (f"Illus. {self.says('artist')}", below)
        for line, top in zip(lines, (962, 984), strict=True):
            self._line(Box(52, top, 570, top + 24), line, 18, CHALK)

    def _plate(self, box: Box) -> Box:
        """Draw the plate behind a line of text, where the frame has plates."""
        if self.frame.plates:
            fill = (*self.dress.paper, 235)
            self.pen.rounded_rectangle(box, 20, fill=fill, outline=INK, width=3)
            return Box(box.left + 16, box.top, box.right - 10, box.bottom)
        return box

    def _ink(self) -> Color:
        return INK if self.frame.plates else CHALK

    def _print(self) -> Color:
        """The ink of the text box."""
        return CHALK if self.dress.dark else INK

    def _line(self, box: Box, text: str, size: int, ink: Color) -> None:
        """Write one line, smaller if it is too long, with a shadow where the ink is light."""
        text = _printable(text)
        font = _font(size)
        if (length := font.getlength(text)) > box.size[0]:
            font = _font(max(10, int(size * box.size[0] / length)))
        at = (box.left, box.middle[1])
        if ink == CHALK:
            self.pen.text((at[0] + 2, at[1] + 2), text, INK, font, anchor="lm", stroke_width=1)
        self.pen.text(at, text, ink, font, anchor="lm", stroke_width=0.6)

    def _pips(self, symbols: list[str], box: Box) -> None:
        """Draw mana symbols, the last one at the right edge of the box."""
        for place, symbol in enumerate(reversed(symbols)):
            x, y = box.right - 22 - 38 * place, box.middle[1]
            fill = _PIPS.get(symbol[0], (205, 200, 196))
            self.pen.circle((x, y), 17, fill=fill, outline=INK, width=2)
            self.pen.text((x, y), symbol, INK, _font(24 // len(symbol) + 2), anchor="mm")

    def _adventure(self, box: Box) -> None:
        """Write the second spell of an adventure card, small."""
        tale = self.printed["card_faces"][1]
        for key, top in (("name", 4), ("type_line", 40)):
            line = Box(box.left + 10, box.top + top, box.right - 8, box.top + top + 34)
            self.pen.rectangle(line, fill=(*self.dress.tints[0], 120))
            self._line(line, tale.get(key, ""), 24, self._print())
        self._paragraphs(box._replace(top=box.top + 76), tale.get("oracle_text", ""))

    def _paragraphs(self, box: Box, text: str) -> None:
        """Write text in the largest size at which it fits its box."""
        width, height = box.size[0] - 32, box.size[1] - 36
        for size in range(34, 11, -2):
            lines = _wrapped(_printable(text), _font(size), width)
            if len(lines) * size * 1.25 <= height:
                break
        for number, line in enumerate(lines):
            self.pen.text(
                (box.left + 16, box.top + 12 + number * size * 1.25),
                line,
                self._print(),
                _font(size),
            )


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@functools.cache
def _rounded_corners() -> Image.Image:
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, SIZE[0] - 1, SIZE[1] - 1), 36, fill=255)
    return mask


def _printable(text: str) -> str:
    """Keep to what Pillow's built-in font can write: ASCII and the copyright sign."""
    text = text.translate({0x2014: "-", 0x2013: "-", 0x2019: "'", 0x2022: "*"})
    return "".join(c for c in unicodedata.normalize("NFKD", text) if c.isascii() or c == "©")


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    """Break paragraphs into lines of at most `width` pixels."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines
