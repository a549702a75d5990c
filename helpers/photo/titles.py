"""Lines of print in a photo, read by rapidocr where it is installed.

https://github.com/RapidAI/RapidOCR; its models are inside the package.

A title also tells where its card lies: it begins near the top left corner, and its letters are
about as wide on all cards.
"""

import functools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from helpers.photo.outlines import CARD_RATIO, Corners

_SIDE = 1600  # pixels of the longer side that is read
_MOST_ENLARGED = 2.0  # a webcam frame of 325 pixels is legible at twice its size
_SLIMMEST = 0.25  # shorter through longer side: rapidocr enlarges the shorter one to 736 pixels
_PAPER = 128  # grey, in place of what is not to be read
#: Of a card, in widths of it: a letter of its title; the title's left end; in heights: its middle.
#: Measured on fifteen titles of modern and old frames.
_LETTER, _LEFT, _MIDDLE = 0.0225, 0.085, 0.065


@dataclass(frozen=True, slots=True)
class Line:
    """A line of print, with its corners clockwise from where the first letter begins.

    That is as far as the reader can tell: the line may be upside down.
    """

    text: str
    corners: Corners

    @property
    def centre(self) -> NDArray[np.float32]:
        """Its centre."""
        return np.asarray(self.corners.mean(axis=0), np.float32)


def rapid_lines(pixels: NDArray[np.uint8]) -> list[Line]:
    """Return the lines of uint8 [height, width, 3], RGB, as rapidocr reads them."""
    found = _rapid()(np.ascontiguousarray(pixels[:, :, ::-1]))  # it takes BGR
    if found.boxes is None or found.txts is None:
        return []
    return [
        Line(text, _from_the_left(np.asarray(box, np.float32)))
        for text, box in zip(found.txts, found.boxes, strict=True)
    ]


@functools.cache
def _rapid() -> Any:
    """Return rapidocr's reader, one for the process: opening one takes a second."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "critical"})


def _from_the_left(box: Corners) -> Corners:
    """Return the corners from the first letter on: upright lines are read downwards."""
    across, down = (np.linalg.norm(box[end] - box[0]) for end in (1, 3))
    return box if across >= down else np.roll(box, -1, axis=0)


def read(pixels: NDArray[np.uint8], hidden: Sequence[Corners] = ()) -> list[Line]:
    """Return the lines of a picture outside of `hidden` outlines; none of a strip."""
    if min(pixels.shape[:2]) < _SLIMMEST * max(pixels.shape[:2]):
        return []
    shown = pixels.copy()
    for corners in hidden:
        cv2.fillConvexPoly(shown, np.rint(corners).astype(np.int32), (_PAPER,) * 3)
    scale = max(1.0, min(_MOST_ENLARGED, _SIDE / max(shown.shape)))
    if scale > 1:
        enlarged = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        shown = np.asarray(enlarged, np.uint8)
    return [Line(line.text, line.corners / np.float32(scale)) for line in rapid_lines(shown)]


def cards_of(line: Line) -> Iterator[Corners]:
    """Yield where the card lies if a line is its title: as it was read, and upside down."""
    for corners in (line.corners, np.roll(line.corners, 2, axis=0)):
        start, end = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
        wide = sum(unicodedata.east_asian_width(each) in "WF" for each in line.text.strip())
        letters = len(line.text.strip()) + wide  # a Chinese one is as wide as two Latin ones
        width = (end - start) / (_LETTER * max(1, letters))
        height = np.asarray([-width[1], width[0]], np.float32) / CARD_RATIO
        top_left = start - _LEFT * width - _MIDDLE * height
        sides = [np.zeros(2), width, width + height, height]
        yield np.asarray([top_left + side for side in sides], np.float32)
