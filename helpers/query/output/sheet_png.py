"""The result sheet as one picture: each photo with its outlines, beside it the cards found in it.

Scans are shown whole: scaled to fit, never cropped and never drawn upon (Scryfall's terms). The
file is written row by row, so that memory does not grow with the number of photos.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from helpers.query.answer import Answer, Found, Hit
from helpers.query.output.lines import in_words
from helpers.query.output.sheet_photo import COLOURS, cut_out, opened, outlined, placed
from helpers.query.output.sheet_rows import SheetRow, caption, scan_of, shown_hits
from helpers.query.output.sheet_text import drawable, font, shortened, wrapped

#: Width and height in pixels that a card is scaled into (a card measures 63 by 88 mm).
CELL = (144, 201)
PHOTO_SIDE = 560
CELLS_PER_LINE = 6

_GAP = 16
_FONT_SIZE = 12
_LINE = 16
_HEADING = 15
_LABEL = 24
_TITLE_SIZE = 20
_HEADER = 56
_CAPTION_LINES = 5
_CAPTION_WRAP = 2
_BLOCK = _LABEL + CELL[1] + _GAP // 2 + _CAPTION_LINES * _LINE + _GAP // 2
_LEFT = PHOTO_SIDE + 3 * _GAP
WIDTH = _LEFT + CELLS_PER_LINE * (CELL[0] + _GAP)

_PAPER, _INK, _RULE = (250, 250, 248), (30, 30, 34), (214, 214, 210)
_EMPTY, _FAINT = (206, 206, 206), (110, 110, 110)
_SUB = b"\x01"  # PNG's filter "Sub": each byte less the one of the pixel before it


def png(rows: Sequence[SheetRow], title: str, cache: Path) -> Iterator[bytes]:
    """Yield the sheet as the content of a PNG file."""
    height = _HEADER + sum(map(_height, rows))
    yield b"\x89PNG\r\n\x1a\n"
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, height, 8, 2, 0, 0, 0))
    packer = zlib.compressobj()
    yield _chunk(b"IDAT", packer.compress(_filtered(_header(title))))
    for row in rows:
        yield _chunk(b"IDAT", packer.compress(_filtered(_strip(row, cache))))
    yield _chunk(b"IDAT", packer.flush())
    yield _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(strip: Image.Image) -> bytes:
    """Return the rows of an RGB image, filtered, each with the filter's number before it."""
    pixels = np.asarray(strip, dtype=np.uint8)
    pixels = np.diff(pixels, axis=1, prepend=np.zeros_like(pixels[:, :1]))  # modulo 256
    return b"".join(_SUB + line.tobytes() for line in pixels)


def _header(title: str) -> Image.Image:
    header = Image.new("RGB", (WIDTH, _HEADER), _PAPER)
    letters = font(_TITLE_SIZE)
    text = shortened(drawable(title), letters, WIDTH - 2 * _GAP)
    ImageDraw.Draw(header).text((_GAP, _GAP), text, fill=_INK, font=letters)
    return header


# --- one picture -----------------------------------------------------------------------------


def _height(row: SheetRow) -> int:
    lines = _BLOCK * len(_lines(row.answer.cards))
    return max(_LABEL + _photo_of(row).height, lines) + 3 * _GAP


def _strip(row: SheetRow, cache: Path) -> Image.Image:
    """Draw a picture and its cards, under a rule that parts it from the one above."""
    strip = Image.new("RGB", (WIDTH, _height(row)), _PAPER)
    draw = ImageDraw.Draw(strip)
    draw.line((_GAP, 0, WIDTH - _GAP, 0), fill=_RULE)
    letters = font(_HEADING)
    draw.text(
        (_GAP, _GAP), shortened(drawable(row.label), letters, PHOTO_SIDE), fill=_INK, font=letters
    )
    strip.paste(_photo_of(row), (_GAP, _GAP + _LABEL))
    photo = opened(row.answer.image)
    for place, line in enumerate(_lines(row.answer.cards)):
        for column, cell in enumerate(line):
            corner = (_LEFT + column * (CELL[0] + _GAP), _GAP + place * _BLOCK)
            if cell.reach:
                _draw_heading(draw, corner, cell)
            below = (corner[0], corner[1] + _LABEL)
            if cell.hit is None:
                _draw_crop(strip, below, cell.card, row.answer, photo)
            else:
                _paste(strip, below, scan_of(cell.hit, cache), caption(cell.hit))
    return strip


def _photo_of(row: SheetRow) -> Image.Image:
    photo = opened(row.answer.image)
    return (
        _grey_box((CELL[1], CELL[0])) if photo is None else outlined(photo, row.answer, PHOTO_SIDE)
    )


class _Cell(NamedTuple):
    """A cell shows a hit of a card, or the card as it is in the photo (`hit` is None).

    `reach` is over how many cells the card's heading goes; 0: it has none here.
    """

    number: int
    card: Found
    hit: Hit | None
    reach: int


def _lines(cards: Sequence[Found]) -> list[list[_Cell]]:
    """Put the cards' cells into lines: a card's cells stay together where a line can hold them."""
    lines: list[list[_Cell]] = [[]]
    for number, card in enumerate(cards, 1):
        shown: list[Hit | None] = [*([None] if card.corners else []), *shown_hits(card)] or [None]
        reach = min(len(shown), CELLS_PER_LINE)
        if len(lines[-1]) + reach > CELLS_PER_LINE:
            lines.append([])
        for place, hit in enumerate(shown):
            if len(lines[-1]) == CELLS_PER_LINE:
                lines.append([])
            lines[-1].append(_Cell(number, card, hit, 0 if place else reach))
    return lines if lines[0] else []


def _draw_heading(draw: ImageDraw.ImageDraw, corner: tuple[int, int], cell: _Cell) -> None:
    letters = font(_HEADING)
    text = drawable(f"{cell.number}  {in_words(cell.card)}")
    width = cell.reach * (CELL[0] + _GAP) - _GAP
    colour = COLOURS[cell.card.verdict]
    draw.text(corner, shortened(text, letters, width), fill=colour, font=letters)


def _draw_crop(
    strip: Image.Image,
    corner: tuple[int, int],
    card: Found,
    answer: Answer,
    photo: Image.Image | None,
) -> None:
    corners = placed(card, answer, photo) if photo else None
    if photo is not None and corners is not None:
        _paste(strip, corner, cut_out(photo, corners), ["in the photo"])


def _paste(
    strip: Image.Image, corner: tuple[int, int], picture: Image.Image | None, texts: Sequence[str]
) -> None:
    """Put a picture into the middle of its cell, and texts under it."""
    shown = (
        _grey_box(CELL)
        if picture is None
        else ImageOps.contain(picture, CELL, Image.Resampling.LANCZOS)
    )
    left = corner[0] + (CELL[0] - shown.width) // 2
    strip.paste(shown, (left, corner[1] + (CELL[1] - shown.height) // 2))
    letters = font(_FONT_SIZE)
    lines = [line for text in texts for line in wrapped(text, letters, CELL[0], _CAPTION_WRAP)]
    top = corner[1] + CELL[1] + _GAP // 2
    for place, line in enumerate(lines[:_CAPTION_LINES]):
        at = (corner[0], top + place * _LINE)
        ImageDraw.Draw(strip).text(at, line, fill=_INK, font=letters)


def _grey_box(size: tuple[int, int]) -> Image.Image:
    box = Image.new("RGB", size, _EMPTY)
    middle = (size[0] // 2, size[1] // 2)
    ImageDraw.Draw(box).text(middle, "no picture", fill=_FAINT, font=font(_FONT_SIZE), anchor="mm")
    return box
