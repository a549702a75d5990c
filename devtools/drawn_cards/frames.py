"""Frames of drawn cards: where things stand on a card, what frame and paper look like."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from PIL import Image, ImageChops, ImageOps

from devtools.drawn_cards import backdrops, motifs
from devtools.drawn_cards.canvas import Canvas, Color, Stamp, noise, shaded

SIZE = (745, 1040)
INK: Color = (20, 18, 16)
CHALK: Color = (240, 240, 240)
_TOKEN_DROP = 150
_SHORT_TEXT = 130  # characters of rules that fit a small box
_DARK_PAPER_SHARE = 0.3
_GOLD_SHARE = 0.3
_MARBLE_SHARE = 0.6
_COARSE = 3  # patterns are painted this much smaller than they appear


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    @property
    def middle(self) -> tuple[float, float]:
        """The centre."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def lowered(self, by: int) -> Box:
        """The same box, further down."""
        return self._replace(top=self.top + by, bottom=self.bottom + by)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things stand on a card of 745 by 1040 pixels."""

    inner: Box
    title: Box
    art: Box
    type_line: Box
    text: Box
    plates: bool  # title and type line stand on plates, as they do since 2003


_FRAMES = {
    "1993": Frame(
        Box(34, 34, 711, 1006),
        Box(70, 42, 690, 92),
        Box(86, 96, 659, 556),
        Box(86, 562, 659, 606),
        Box(86, 610, 659, 926),
        plates=False,
    ),
    "1997": Frame(
        Box(34, 34, 711, 1006),
        Box(62, 48, 690, 98),
        Box(66, 104, 679, 552),
        Box(66, 558, 679, 604),
        Box(66, 610, 679, 936),
        plates=False,
    ),
    "2003": Frame(
        Box(30, 30, 715, 1010),
        Box(48, 46, 697, 106),
        Box(58, 112, 687, 576),
        Box(48, 580, 697, 638),
        Box(58, 644, 687, 938),
        plates=True,
    ),
    "2015": Frame(
        Box(30, 30, 715, 966),
        Box(44, 46, 701, 106),
        Box(56, 110, 689, 584),
        Box(44, 588, 701, 648),
        Box(56, 652, 689, 952),
        plates=True,
    ),
}
_SKINS: dict[str, tuple[Color, Color]] = {  # frame, and the paper of the text box
    "W": ((225, 215, 190), (250, 247, 238)),
    "U": ((40, 105, 165), (220, 233, 242)),
    "B": ((48, 44, 46), (205, 198, 196)),
    "R": ((185, 65, 45), (243, 220, 205)),
    "G": ((50, 110, 65), (218, 230, 212)),
    "gold": ((205, 170, 75), (245, 235, 205)),
    "artifact": ((140, 150, 158), (226, 230, 233)),
    "land": ((125, 105, 85), (228, 220, 205)),
}
_BORDERS: dict[str, Color] = {
    "white": (236, 232, 222),
    "silver": (150, 154, 160),
    "gold": (176, 140, 62),
}
_TREATMENTS = ("plain", "tall", "low", "saga", "class", "poster", "below")
_WEIGHTS = (7, 4, 1, 2, 2, 5, 2)


def layout(printed: dict[str, Any]) -> Frame:
    """The frame of a card, with more room for art on tokens, full-art and borderless cards."""
    frame = _FRAMES.get(printed.get("frame", ""), _FRAMES["2015"])
    if printed.get("border_color") == "borderless":
        return replace(frame, art=Box(0, 0, *SIZE), plates=True)
    if printed.get("full_art"):
        return replace(frame, art=frame.inner, plates=True)
    if "Token" in printed.get("type_line", ""):
        return _stretched(frame, _TOKEN_DROP)
    chance = random.Random(f"treatment {printed.get('id')} {printed.get('name')}")
    treatment = chance.choices(_TREATMENTS, _WEIGHTS)[0]
    if printed.get("layout") == "adventure" or printed.get("frame") == "1993":
        return frame
    short = len(printed.get("oracle_text") or "") < _SHORT_TEXT
    if treatment in ("tall", "poster", "low"):
        return _resized(frame, treatment, short=short)
    return _moved(frame, treatment)


def _stretched(frame: Frame, by: int) -> Frame:
    """More art and less text, or the other way round."""
    return replace(
        frame,
        art=frame.art._replace(bottom=frame.art.bottom + by),
        type_line=frame.type_line.lowered(by),
        text=frame.text._replace(top=frame.text.top + by),
    )


def _resized(frame: Frame, treatment: str, *, short: bool) -> Frame:
    """Give art more room or less, as showcase frames do; a long text keeps its box."""
    if treatment == "low" or not short:
        return frame if short else _stretched(frame, -80)
    taller = _stretched(frame, _TOKEN_DROP)
    return taller if treatment == "tall" else replace(taller, art=frame.inner, plates=True)


def _moved(frame: Frame, treatment: str) -> Frame:
    """Move art and text about, as on sagas and classes, or art below the text."""
    art, text = frame.art, frame.text
    center, low = (art.left + art.right) // 2, Box(art.left, 862, art.right, 918)
    left = Box(art.left, art.top, center, 856)
    right = left._replace(left=center, right=art.right)
    match treatment:
        case "saga":
            return replace(frame, art=right, text=left, type_line=low, plates=True)
        case "class":
            return replace(frame, art=left, text=right, type_line=low, plates=True)
        case "below":
            bottom = art.top + text.size[1] - 20
            return replace(
                frame,
                text=text._replace(top=art.top, bottom=bottom),
                type_line=frame.type_line.lowered(bottom + 4 - frame.type_line.top),
                art=art._replace(top=bottom + 68, bottom=930),
            )
    return frame


class Dress:
    """The colours and patterns of one printed face; chance comes from its id and name."""

    def __init__(self, printed: dict[str, Any]) -> None:
        self.rng = random.Random(f"dress {printed.get('id')} {printed.get('name')}")
        tints, paper = self._skins(printed)
        self.tints = [shaded(tint, self.rng.uniform(-0.35, 0.3)) for tint in tints]
        self.border = _BORDERS.get(printed.get("border_color", ""), (16, 14, 12))
        self.dark = self.rng.random() < _DARK_PAPER_SHARE
        share, light = self.rng.uniform(0, 0.45), self.rng.uniform(0, 0.4)
        self.paper = shaded(_mixed(paper, self.tints[-1], share), light)
        self.slate = shaded(self.tints[0], -0.72)
        self.rim = self.rng.choice((INK, CHALK, (196, 160, 70), shaded(self.tints[0], -0.6)))
        self.rim_width = self.rng.choice((3, 3, 6, 10))

    def _skins(self, printed: dict[str, Any]) -> tuple[list[Color], Color]:
        """The colours of a frame, left to right, and of its paper."""
        colors = [color for color in printed.get("colors") or [] if color in _SKINS]
        if "Land" in printed.get("type_line", ""):
            made = [color for color in "WUBRG" if f"{{{color}}}" in printed.get("oracle_text", "")]
            names = ["land", *made]
        elif len(colors) > 1:
            names = ["gold"] if self.rng.random() < _GOLD_SHARE else colors
        else:
            names = colors or ["artifact"]
        return [_SKINS[name][0] for name in names], _SKINS[names[0]][1]

    def frame(self, size: tuple[int, int]) -> Image.Image:
        """Paint what fills the card inside its border: a pattern over one colour or several."""
        tint = Image.new("RGB", (len(self.tints), 1))
        for place, color in enumerate(self.tints):
            tint.putpixel((place, 0), color)
        field = tint.resize(size, Image.Resampling.BICUBIC)
        small = (size[0] // _COARSE, size[1] // _COARSE)
        if self.rng.random() < _MARBLE_SHARE:
            relief = ImageOps.autocontrast(noise(self.rng, small, octaves=5))
        else:
            relief = self._pattern(small, (70, 70, 70), (175, 175, 175)).convert("L")
        relief = relief.resize(size, Image.Resampling.BICUBIC)
        return ImageChops.overlay(field, Image.merge("RGB", (relief,) * 3))

    def sheet(self, size: tuple[int, int]) -> Image.Image:
        """Paint the paper of a text box, with a faint pattern or a watermark."""
        ground = self.slate if self.dark else self.paper
        if self.rng.random() < _DARK_PAPER_SHARE:
            return Image.new("RGB", size, ground)
        faint = shaded(ground, 0.13 if self.dark else -0.14)
        if self.rng.random() < _DARK_PAPER_SHARE:
            return self._pattern((size[0] // 2, size[1] // 2), ground, faint).resize(size)
        canvas = self._canvas(size, ground, faint)
        motif = self.rng.choice((*motifs.ARMS, *motifs.SIGNS, *motifs.PLACES))
        canvas.outline = ground
        motif(Stamp(canvas, (0.5, 0.5), min(size) / canvas.unit * self.rng.uniform(0.4, 0.55)))
        return Image.blend(Image.new("RGB", size, ground), canvas.image, 0.85)

    def _pattern(self, size: tuple[int, int], ground: Color, other: Color) -> Image.Image:
        canvas = self._canvas(size, ground, other)
        self.rng.choice(backdrops.PATTERNS)(canvas)
        return canvas.image

    def _canvas(self, size: tuple[int, int], ground: Color, other: Color) -> Canvas:
        canvas = Canvas(self.rng, size)
        canvas.colors = (ground, *(shaded(other, light) for light in (0, 0.1, -0.05, 0.05)))
        canvas.fill(Image.new("RGB", size, ground))
        return canvas


def _mixed(first: Color, second: Color, share: float) -> Color:
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
