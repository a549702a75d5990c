"""The result sheet as one picture: each photo with its outlines, beside it the cards found in it.

Scans are shown whole: scaled to fit, never cropped and never drawn upon (Scryfall's terms). The
file is written row by row, so that memory does not grow with the number of photos.
"""

import struct
import textwrap
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from helpers.query.answer import Answer, Found, Hit
from helpers.query.output import sheet
from helpers.query.output.lines import in_words
from helpers.query.photo_file import opened

#: Width and height in pixels that a card is scaled into (a card measures 63 by 88 mm).
CELL = (144, 201)
PHOTO_SIDE = 560
CELLS_PER_LINE = 6

_GAP = 16
_LINE = 16  # pixels from one line of a caption to the next: the font and Pillow's spacing
_LABEL = 24
_HEADER = 56
_TITLE_SIZE, _HEADING, _FONT_SIZE = 20, 15, 12
_CAPTION_LINES = 5
_LABEL_LETTERS = 70  # that fit over a photo, about
_CELL_LETTERS = 21  # that fit the width of a cell, about
_BLOCK = _LABEL + CELL[1] + _GAP // 2 + _CAPTION_LINES * _LINE + _GAP // 2
_LEFT = PHOTO_SIDE + 3 * _GAP
WIDTH = _LEFT + CELLS_PER_LINE * (CELL[0] + _GAP)

_PAPER, _INK, _RULE, _EMPTY = "#fafaf8", "#1e1e22", "#d6d6d2", "#cecece"
_SUB = 1  # PNG's filter "Sub": each byte less the one of the pixel before it


def png(answers: Sequence[Answer], cache: Path) -> Iterator[bytes]:
    """Yield the sheet as the content of a PNG file."""
    height = _HEADER + sum(map(_height, answers))
    header = Image.new("RGB", (WIDTH, _HEADER), _PAPER)
    _write(header, (_GAP, _GAP), sheet.TITLE, _TITLE_SIZE)
    yield b"\x89PNG\r\n\x1a\n"
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, height, 8, 2, 0, 0, 0))
    packer = zlib.compressobj()
    yield _chunk(b"IDAT", packer.compress(_filtered(header)))
    for answer in answers:
        yield _chunk(b"IDAT", packer.compress(_filtered(_strip(answer, cache))))
    yield _chunk(b"IDAT", packer.flush())
    yield _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(strip: Image.Image) -> bytes:
    """Return the rows of an RGB image, filtered, each with the filter's number before it."""
    pixels = np.asarray(strip, dtype=np.uint8)
    pixels = np.diff(pixels, axis=1, prepend=np.zeros_like(pixels[:, :1]))  # modulo 256
    return np.insert(pixels.reshape(strip.height, -1), 0, _SUB, axis=1).tobytes()


class _Cell(NamedTuple):
    """Shows a hit of a card, or the card as it is in the photo (`hit` is None)."""

    place: int  # line after line
    heading: str  # over the first cell of a card, and as many more as it has in that line
    card: Found
    hit: Hit | None


def _cells(answer: Answer) -> Iterator[_Cell]:
    """Yield the cells of a picture; a card that would not fit a line begins the next one."""
    place = 0
    for number, card in enumerate(answer.cards, 1):
        hits: list[Hit | None] = list(sheet.shown_hits(card))
        if card.corners or not hits:
            hits.insert(0, None)
        left = -place % CELLS_PER_LINE
        if len(hits) > left:
            place += left
        room = min(len(hits), CELLS_PER_LINE) * _CELL_LETTERS
        heading = textwrap.shorten(f"{number} {in_words(card)}", room, placeholder=" ...")
        for hit in hits:
            yield _Cell(place, heading, card, hit)
            place, heading = place + 1, ""


def _height(answer: Answer) -> int:
    last = max((cell.place for cell in _cells(answer)), default=-1)
    photo = sheet.shown_size(answer, PHOTO_SIDE)[1] if answer.image else CELL[1]
    return max(_LABEL + photo, (1 + last // CELLS_PER_LINE) * _BLOCK) + 3 * _GAP


def _strip(answer: Answer, cache: Path) -> Image.Image:
    """Draw a picture and its cards, under a rule that parts it from the one above."""
    strip = Image.new("RGB", (WIDTH, _height(answer)), _PAPER)
    ImageDraw.Draw(strip).line((_GAP, 0, WIDTH - _GAP, 0), fill=_RULE)
    _write(strip, (_GAP, _GAP), sheet.label(answer)[:_LABEL_LETTERS], _HEADING)
    photo = opened(answer.image)
    shown = sheet.outlined(photo, answer, PHOTO_SIDE) if photo else _no_picture()
    strip.paste(shown, (_GAP, _GAP + _LABEL))
    for place, heading, card, hit in _cells(answer):
        line, column = divmod(place, CELLS_PER_LINE)
        corner = (_LEFT + column * (CELL[0] + _GAP), _GAP + line * _BLOCK)
        _write(strip, corner, heading, _HEADING, sheet.COLOURS[card.verdict])
        below = (corner[0], corner[1] + _LABEL)
        if hit is not None:
            _paste(strip, below, sheet.scan_of(hit, cache), sheet.caption(hit))
        elif crop := photo and sheet.cut_out(photo, card, answer):
            _paste(strip, below, crop, ["in the photo"])
    return strip


def _paste(
    strip: Image.Image, corner: tuple[int, int], picture: Image.Image | None, texts: Sequence[str]
) -> None:
    """Put a picture into the middle of its cell, and texts under it, of two lines at most each."""
    shown = ImageOps.pad(picture or _no_picture(), CELL, Image.Resampling.LANCZOS, _PAPER)
    strip.paste(shown, corner)
    wrap = textwrap.TextWrapper(_CELL_LETTERS, max_lines=2, placeholder=" ...")
    lines = [line for text in texts for line in wrap.wrap(text)]
    top = corner[1] + CELL[1] + _GAP // 2
    _write(strip, (corner[0], top), "\n".join(lines[:_CAPTION_LINES]), _FONT_SIZE)


def _no_picture() -> Image.Image:
    box = Image.new("RGB", CELL, _EMPTY)
    _write(box, (_GAP, CELL[1] // 2), "no picture", _FONT_SIZE)
    return box


def _write(
    picture: Image.Image, corner: tuple[int, int], text: str, size: int, colour: str = _INK
) -> None:
    """Draw a text in ASCII, all that the built-in font has: base letters, else question marks."""
    letters = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    shown = bare.encode("ascii", "replace").decode()
    ImageDraw.Draw(picture).text(corner, shown, fill=colour, font=ImageFont.load_default(size))
