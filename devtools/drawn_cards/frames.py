"""Frames of drawn cards: where things stand on a card, and its colours."""

import random
from typing import Any, NamedTuple

from PIL import Image

from devtools.drawn_cards.art import CHALK, INK, Color, field, shaded

SIZE = (745, 1040)
"""Width and height to which all boxes refer: those of Scryfall's `png` version."""
_SHAPES = ("plain", "plain", "plain", "poster", "poster", "poster", "saga", "class")
_DARK_SHARE = 0.3
_GOLD_SHARE = 0.3


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

    def scaled(self, by: float) -> "Box":
        """Return the box on a picture that is `by` times as large."""
        return Box(*(round(side * by) for side in self))


class Frame(NamedTuple):
    """Where things stand on a card of 745 by 1040 pixels."""

    plates: bool  # title and type line stand on plates, as they do since 2003
    inner: Box
    title: Box
    art: Box
    type_line: Box
    text: Box


def _frame(plates: int, *sides: int) -> Frame:
    return Frame(bool(plates), *(Box(*sides[k : k + 4]) for k in range(0, len(sides), 4)))


_FRAMES = {  # plates; left, top, right and bottom of inner, title, art, type line, text
    "1993": _frame(0, 34, 34, 711, 1006, 70, 42, 690, 92, 86, 96, 659, 556,
                   86, 562, 659, 606, 86, 610, 659, 926),
    "1997": _frame(0, 34, 34, 711, 1006, 62, 48, 690, 98, 66, 104, 679, 552,
                   66, 558, 679, 604, 66, 610, 679, 936),
    "2003": _frame(1, 30, 30, 715, 1010, 48, 46, 697, 106, 58, 112, 687, 576,
                   48, 580, 697, 638, 58, 644, 687, 938),
    "2015": _frame(1, 30, 30, 715, 966, 44, 46, 701, 106, 56, 110, 689, 584,
                   44, 588, 701, 648, 56, 652, 689, 952),
}  # fmt: skip
_SKINS = {  # frame, and the paper of the text box
    "W": ((225, 215, 190), (250, 247, 238)), "U": ((40, 105, 165), (220, 233, 242)),
    "B": ((48, 44, 46), (205, 198, 196)), "R": ((185, 65, 45), (243, 220, 205)),
    "G": ((50, 110, 65), (218, 230, 212)), "gold": ((205, 170, 75), (245, 235, 205)),
    "artifact": ((140, 150, 158), (226, 230, 233)), "land": ((125, 105, 85), (228, 220, 205)),
}  # fmt: skip
_BORDERS = {"white": (236, 232, 222), "silver": (150, 154, 160), "gold": (176, 140, 62)}


def _chance(printed: dict[str, Any], what: str) -> random.Random:
    """Two printings of a card in the same frame look the same, but for their set and number."""
    keys = ("name", "frame", "border_color", "full_art")
    return random.Random(" ".join([what, *(str(printed.get(key)) for key in keys)]))


def layout(printed: dict[str, Any]) -> Frame:
    """Return the frame of a card, with more room for art on tokens, full-art and borderless cards.

    Others have art and text side by side, as sagas and classes do.
    """
    frame = _FRAMES.get(printed.get("frame", ""), _FRAMES["2015"])
    token = "Token" in printed.get("type_line", "")
    shape = _chance(printed, "shape").choice(_SHAPES)
    if printed.get("border_color") == "borderless":
        return frame._replace(art=Box(0, 0, *SIZE), plates=True)
    if printed.get("full_art") or token or shape == "poster":
        return frame._replace(art=frame.inner, plates=True)
    return frame if shape == "plain" else _beside(frame, shape)


def _beside(frame: Frame, shape: str) -> Frame:
    """Art and text side by side, with the type line below them."""
    art = frame.art
    center = (art.left + art.right) // 2
    left = Box(art.left, art.top, center, 856)
    right = left._replace(left=center, right=art.right)
    first, second = (left, right) if shape == "class" else (right, left)
    low = Box(art.left, 862, art.right, 918)
    return frame._replace(art=first, text=second, type_line=low, plates=True)


class Dress:
    """The colours and patterns of one printed face."""

    def __init__(self, printed: dict[str, Any]) -> None:
        self.rng = rng = _chance(printed, "dress")
        tints, paper = self._skins(printed)
        self.tints = [shaded(tint, rng.uniform(-0.35, 0.3)) for tint in tints]
        self.border = _BORDERS.get(printed.get("border_color", ""), (16, 14, 12))
        self.dark = rng.random() < _DARK_SHARE
        ground = shaded(self.tints[0], -0.72) if self.dark else paper
        self.paper = shaded(paper, rng.uniform(-0.15, 0.4))
        self.sheet_colors = [ground, shaded(ground, rng.choice((0.3, -0.2, 0.5, -0.35)))]
        self.rim = rng.choice((INK, CHALK, (196, 160, 70), shaded(self.tints[0], -0.6)))
        self.rim_width = rng.choice((2, 2, 4, 6))

    def _skins(self, printed: dict[str, Any]) -> tuple[list[Color], Color]:
        """Return the colours of the frame, left to right, and of its paper."""
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
        """Paint what fills the card inside its border: the tints, under a pattern of them."""
        tints = Image.new("RGB", (len(self.tints), 1))
        tints.putdata(self.tints)
        plain = tints.resize(size, Image.Resampling.BILINEAR)
        first, last = self.tints[0], self.tints[-1]
        pattern = field(self.rng, size, [shaded(first, -0.7), shaded(last, 0.5)])
        return Image.blend(plain, pattern, self.rng.uniform(0.6, 1))

    def sheet(self, size: tuple[int, int]) -> Image.Image:
        """Paint the paper of a text box."""
        return field(self.rng, size, self.sheet_colors)
