"""The result sheet as one picture: each photo with its outlines, beside it the cards found in it.

Scans are shown whole: scaled to fit, never cropped and never drawn upon (Scryfall's terms). Marks
of right and wrong are words under them. The file is written row by row, so that memory does not
grow with the number of photos.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from helpers.query.output.sheet_photo import cut_out, opened, outlined
from helpers.query.output.sheet_text import drawable, font, shortened, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from helpers.query.output.sheet_rows import SheetCard, SheetHit, SheetRow

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
_MARKS = {True: ("right", (24, 138, 62)), False: ("wrong", (200, 40, 40))}
_SUB = b"\x01"  # PNG's filter "Sub": each byte less the one of the pixel before it


def png(rows: Sequence[SheetRow], title: str = "") -> Iterator[bytes]:
    """Yield the sheet as the content of a PNG file.

    Args:
        rows: a picture each.
        title: the header's text.
    """
    height = _HEADER + sum(map(_height, rows))
    yield b"\x89PNG\r\n\x1a\n"
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, height, 8, 2, 0, 0, 0))
    packer = zlib.compressobj()
    yield _chunk(b"IDAT", packer.compress(_filtered(_header(title))))
    for row in rows:
        yield _chunk(b"IDAT", packer.compress(_filtered(_strip(row))))
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
    return max(_LABEL + _photo_of(row).height, _BLOCK * len(_lines(row.cards))) + 3 * _GAP


def _strip(row: SheetRow) -> Image.Image:
    """Draw a picture and its cards, under a rule that parts it from the one above."""
    strip = Image.new("RGB", (WIDTH, _height(row)), _PAPER)
    draw = ImageDraw.Draw(strip)
    draw.line((_GAP, 0, WIDTH - _GAP, 0), fill=_RULE)
    letters = font(_HEADING)
    label = shortened(drawable(row.label), letters, PHOTO_SIDE)
    draw.text((_GAP, _GAP), label, fill=_INK, font=letters)
    strip.paste(_photo_of(row), (_GAP, _GAP + _LABEL))
    photo = opened(row.photo)
    for place, line in enumerate(_lines(row.cards)):
        for column, (card, hit, cells) in line:
            corner = (_LEFT + column * (CELL[0] + _GAP), _GAP + place * _BLOCK)
            if cells:
                _draw_heading(draw, corner, card, cells)
            below = (corner[0], corner[1] + _LABEL)
            if hit is None:
                _draw_crop(strip, below, row, card, photo)
            else:
                _draw_hit(strip, below, hit)
    return strip


def _photo_of(row: SheetRow) -> Image.Image:
    photo = opened(row.photo)
    if photo is None:
        return _grey_box((CELL[1], CELL[0]))
    places = [(card, row.placed(card, photo.width)) for card in row.cards]
    outlines = [(card.number, corners, card.colour) for card, corners in places if corners]
    return outlined(photo, outlines, PHOTO_SIDE)


_Cell = tuple["SheetCard", "SheetHit | None", int]
_Line = list[tuple[int, _Cell]]


def _lines(cards: Sequence[SheetCard]) -> list[_Line]:
    """Put the cards' cells into lines: a card's cells stay together where a line can hold them.

    Returns:
        Of each line its columns, each with a card, what the cell shows (None for what is cut out
        of the photo), and over how many cells the card's heading reaches (0: it has none here).
    """
    lines: list[_Line] = [[]]
    for card in cards:
        shown: list[SheetHit | None] = [*([None] if card.corners else []), *card.hits] or [None]
        reach = min(len(shown), CELLS_PER_LINE)
        if len(lines[-1]) + reach > CELLS_PER_LINE:
            lines.append([])
        for place, hit in enumerate(shown):
            if len(lines[-1]) == CELLS_PER_LINE:
                lines.append([])
            lines[-1].append((len(lines[-1]), (card, hit, 0 if place else reach)))
    return lines if lines[0] else []


def _draw_heading(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], card: SheetCard, cells: int
) -> None:
    letters = font(_HEADING)
    text = drawable(f"{card.number}  {card.heading}".strip())
    width = cells * (CELL[0] + _GAP) - _GAP
    draw.text(corner, shortened(text, letters, width), fill=card.colour, font=letters)


def _draw_crop(
    strip: Image.Image,
    corner: tuple[int, int],
    row: SheetRow,
    card: SheetCard,
    photo: Image.Image | None,
) -> None:
    if photo is None or card.corners is None:
        return
    _paste(strip, corner, cut_out(photo, row.placed(card, photo.width)))
    _draw_caption(strip, corner, ["in the photo"], None)


def _draw_hit(strip: Image.Image, corner: tuple[int, int], hit: SheetHit) -> None:
    _paste(strip, corner, opened(hit.image))
    _draw_caption(strip, corner, hit.caption, hit.correct)


def _paste(strip: Image.Image, corner: tuple[int, int], picture: Image.Image | None) -> None:
    """Put a picture into the middle of its cell."""
    shown = (
        _grey_box(CELL)
        if picture is None
        else ImageOps.contain(picture, CELL, Image.Resampling.LANCZOS)
    )
    x = corner[0] + (CELL[0] - shown.width) // 2
    strip.paste(shown, (x, corner[1] + (CELL[1] - shown.height) // 2))


def _grey_box(size: tuple[int, int]) -> Image.Image:
    box = Image.new("RGB", size, _EMPTY)
    middle = (size[0] // 2, size[1] // 2)
    ImageDraw.Draw(box).text(middle, "no picture", fill=_FAINT, font=font(_FONT_SIZE), anchor="mm")
    return box


def _draw_caption(
    strip: Image.Image,
    corner: tuple[int, int],
    texts: Sequence[str],
    mark: bool | None,  # noqa: FBT001 - three states
) -> None:
    letters = font(_FONT_SIZE)
    lines = [line for text in texts for line in wrapped(text, letters, CELL[0], _CAPTION_WRAP)]
    draw = ImageDraw.Draw(strip)
    x, y = corner[0], corner[1] + CELL[1] + _GAP // 2
    for line in lines[: _CAPTION_LINES - (mark is not None)]:
        draw.text((x, y), line, fill=_INK, font=letters)
        y += _LINE
    if mark is not None:
        draw.text((x, y), _MARKS[mark][0], fill=_MARKS[mark][1], font=letters)
