"""Lines of print in a photo, read by rapidocr where it is installed.

https://github.com/RapidAI/RapidOCR; its models are inside the package.

A title also tells where its card lies: it begins near the top left corner, and its letters are
about as wide on all cards.
"""

import functools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

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
    """A line of print.

    Args:
        text: as it was read.
        corners: float32 [4, 2], in pixels, clockwise from where the first letter begins, as far as
            the reader can tell: the line may be upside down.
    """

    text: str
    corners: Corners

    @property
    def centre(self) -> NDArray[np.float32]:
        """Its centre."""
        return np.asarray(self.corners.mean(axis=0), np.float32)


class Reader(Protocol):
    """What reads the lines of a picture."""

    def lines(self, pixels: NDArray[np.uint8]) -> list[Line]:
        """Return the lines of uint8 [height, width, 3], RGB."""


@functools.cache
def rapid_reader() -> Reader:
    """Return the reader of this process: opening one takes a second."""
    return RapidReader()


class RapidReader:
    """Reads with the models that are inside the package rapidocr; nothing is downloaded."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        self._read = RapidOCR(params={"Global.log_level": "critical"})

    def lines(self, pixels: NDArray[np.uint8]) -> list[Line]:
        """Return the lines of uint8 [height, width, 3], RGB."""
        found = self._read(np.ascontiguousarray(pixels[:, :, ::-1]))  # it takes BGR
        if found.boxes is None or found.txts is None:
            return []
        return [
            Line(text, _from_the_left(np.asarray(box, np.float32)))
            for text, box in zip(found.txts, found.boxes, strict=True)
        ]


def _from_the_left(box: Corners) -> Corners:
    """Return the corners from the first letter on: upright lines are read downwards."""
    across, down = (np.linalg.norm(box[end] - box[0]) for end in (1, 3))
    return box if across >= down else np.roll(box, -1, axis=0)


def read(reader: Reader, pixels: NDArray[np.uint8], hidden: Sequence[Corners] = ()) -> list[Line]:
    """Return the lines of a picture, in its pixels; none of a strip.

    Args:
        reader: what reads.
        pixels: uint8 [height, width, 3], RGB.
        hidden: outlines in which nothing is read.
    """
    sides = pixels.shape[:2]
    if min(sides) < _SLIMMEST * max(sides):
        return []
    shown = pixels.copy()
    for corners in hidden:
        cv2.fillConvexPoly(shown, np.rint(corners).astype(np.int32), (_PAPER,) * 3)
    scale = min(_MOST_ENLARGED, _SIDE / max(shown.shape))
    if scale > 1:
        shown = np.asarray(
            cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8
        )
    else:
        scale = 1.0
    return [Line(line.text, line.corners / np.float32(scale)) for line in reader.lines(shown)]


def cards_of(line: Line) -> Iterator[Corners]:
    """Yield where the card lies if a line is its title: as it was read, and upside down."""
    for corners in (line.corners, np.roll(line.corners, 2, axis=0)):
        start, end = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
        width = (end - start) / (_LETTER * max(1, _letters(line.text.strip())))
        height = np.asarray([-width[1], width[0]], np.float32) / CARD_RATIO
        top_left = start - _LEFT * width - _MIDDLE * height
        sides = [np.zeros(2), width, width + height, height]
        yield np.asarray([top_left + side for side in sides], np.float32)


def _letters(text: str) -> int:
    """Return how many Latin letters are as wide as a text; a Chinese one is as wide as two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
