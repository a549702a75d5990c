"""One picture of many queries: each beside the cards that were found for it.

The cards are shown whole: scaled to fit, never cropped and never drawn upon. Marks of right and
wrong are frames around them, repeated in words for those who can't tell the colours apart.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

#: Width and height in pixels that a picture is scaled into (a card measures 63 by 88 mm).
CELL = (144, 201)

_GAP = 16
_FRAME = 4
_FONT_SIZE = 12
_LINE = 16
_TITLE_SIZE = 20
_HEADER = 56
_LINES_PER_TEXT = 2

_PAPER, _INK, _RULE = (250, 250, 248), (30, 30, 34), (214, 214, 210)
_EMPTY, _FAINT = (206, 206, 206), (110, 110, 110)
#: Letters of card names that Unicode does not take apart.
_PLAIN = str.maketrans(
    {
        "Æ": "Ae",
        "æ": "ae",
        "Œ": "Oe",
        "œ": "oe",
        "ß": "ss",
        "Ø": "O",
        "ø": "o",
        "ł": "l",
        "\u2013": "-",
        "\u2014": "-",
        "\u2019": "'",
        "\ua789": ":",
    }
)

_RIGHT, _WRONG = (24, 138, 62), (200, 40, 40)


@dataclass(frozen=True, slots=True)
class SheetHit:
    """One card that was found.

    Attributes:
        image: its picture; None or an unreadable file shows as a grey box.
        caption: the lines under it, such as rank and score, name, set and number.
        correct: whether it is the right card; None if that isn't known.
    """

    image: Path | None
    caption: Sequence[str]
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One query and its hits, best first.

    Attributes:
        query: the picture that was asked about; None for a sentence or an unreadable file.
        label: the text under it.
        hits: the cards that were found.
        correct: whether the query was answered rightly; None if that isn't known.
    """

    query: Path | Image.Image | None
    label: str
    hits: Sequence[SheetHit]
    correct: bool | None = None


def render_sheet(rows: Sequence[SheetRow], title: str = "", columns: int = 1) -> Image.Image:
    """Draw a header, and below it each query with its hits beside it.

    Args:
        rows: the queries.
        title: the header's text.
        columns: how many queries stand side by side.

    Returns:
        An RGB image, as large as it has to be.
    """
    width = _left(1 + max((len(row.hits) for row in rows), default=0)) + _GAP
    strips = [_strip(row, width) for row in rows]
    bands = [strips[first : first + columns] for first in range(0, len(strips), columns)]
    heights = [max(strip.height for strip in band) for band in bands]
    size = (width * min(columns, max(len(rows), 1)), _HEADER + sum(heights))
    sheet = Image.new("RGB", size, _PAPER)
    _write_header(sheet, title)
    top = _HEADER
    for band, height in zip(bands, heights, strict=True):
        for column, strip in enumerate(band):
            sheet.paste(strip, (column * width, top))
        top += height
    return sheet


def _write_header(sheet: Image.Image, title: str) -> None:
    font = _font(_TITLE_SIZE)
    text = _shortened(_drawable(title), font, sheet.width - 2 * _GAP)
    ImageDraw.Draw(sheet).text((_GAP, _GAP), text, fill=_INK, font=font)


def _strip(row: SheetRow, width: int) -> Image.Image:
    """Draw one query with its hits, under a rule that parts it from the query above."""
    captions = [_wrapped([row.label]), *(_wrapped(hit.caption) for hit in row.hits)]
    marks = [row.correct, *(hit.correct for hit in row.hits)]
    pictures = [opened(row.query), *(opened(hit.image) for hit in row.hits)]
    height = CELL[1] + _LINE * (1 + max(map(len, captions))) + 2 * _GAP
    strip = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(strip)
    draw.line((_GAP, 0, width - _GAP, 0), fill=_RULE)
    for column, picture in enumerate(pictures):
        corner = (_left(column), _GAP)
        _draw_picture(strip, corner, picture, _colour(marks[column]))
        _draw_caption(draw, corner, captions[column], marks[column])
    return strip


def _left(column: int) -> int:
    """Return the left edge of a column; the hits keep twice the distance from the query."""
    return _GAP + column * (CELL[0] + _GAP) + (_GAP if column else 0)


def _colour(mark: bool | None) -> tuple[int, int, int] | None:  # noqa: FBT001 - three states
    return None if mark is None else _RIGHT if mark else _WRONG


def _draw_picture(
    strip: Image.Image,
    corner: tuple[int, int],
    picture: Image.Image | None,
    colour: tuple[int, int, int] | None,
) -> None:
    """Put a picture into the middle of its cell, with a frame around it if it has a colour."""
    shown = ImageOps.contain(picture, CELL, Image.Resampling.LANCZOS) if picture else _grey_box()
    x = corner[0] + (CELL[0] - shown.width) // 2
    y = corner[1] + (CELL[1] - shown.height) // 2
    if colour:
        box = (x - _FRAME, y - _FRAME, x + shown.width + _FRAME - 1, y + shown.height + _FRAME - 1)
        ImageDraw.Draw(strip).rectangle(box, outline=colour, width=_FRAME - 1)
    strip.paste(shown, (x, y))


def _grey_box() -> Image.Image:
    box = Image.new("RGB", CELL, _EMPTY)
    middle = (CELL[0] // 2, CELL[1] // 2)
    font = _font(_FONT_SIZE)
    ImageDraw.Draw(box).text(middle, "no picture", fill=_FAINT, font=font, anchor="mm")
    return box


def _draw_caption(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    lines: Sequence[str],
    mark: bool | None,  # noqa: FBT001 - three states
) -> None:
    x, y = corner[0], corner[1] + CELL[1] + _GAP // 2
    font = _font(_FONT_SIZE)
    for line in lines:
        draw.text((x, y), line, fill=_INK, font=font)
        y += _LINE
    if mark is not None:
        draw.text((x, y), "right" if mark else "wrong", fill=_colour(mark), font=font)


def opened(source: Path | Image.Image | None) -> Image.Image | None:
    """Return the picture the way it is to be looked at, or None if there isn't one."""
    if isinstance(source, Image.Image):
        return source.convert("RGB")
    if source is None:
        return None
    try:
        with Image.open(source) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


# --- text ------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _wrapped(texts: Iterable[str]) -> list[str]:
    """Break texts into lines that fit a cell, each into a few lines at most."""
    font = _font(_FONT_SIZE)
    lines = []
    for text in texts:
        words = _drawable(text).split()
        for last in (*[False] * (_LINES_PER_TEXT - 1), True):
            fitting = len(words) if last else _fitting(words, font)
            if words:
                lines.append(_shortened(" ".join(words[:fitting]), font, CELL[0]))
            words = words[fitting:]
    return lines


def _fitting(words: Sequence[str], font: Font) -> int:
    """Return how many of the words fit on one line of a cell, at least one."""
    count = len(words)
    while count > 1 and font.getlength(" ".join(words[:count])) > CELL[0]:
        count -= 1
    return max(count, 1)


def _shortened(text: str, font: Font, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _drawable(text: str) -> str:
    """Replace what the built-in font can't draw: by its base letters, else by question marks."""
    return "".join(_glyphs(letter) for letter in text.translate(_PLAIN))


@lru_cache(maxsize=4096)
def _glyphs(letter: str) -> str:
    if _has_glyph(letter):
        return letter
    base = "".join(part for part in unicodedata.normalize("NFKD", letter) if _has_glyph(part))
    return base or ("" if unicodedata.combining(letter) else "?")


def _has_glyph(letter: str) -> bool:
    """Tell whether the built-in font knows a letter: unknown ones all look like U+FFFF."""
    font = _font(_FONT_SIZE)
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
