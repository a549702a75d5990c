"""The document of an evaluation as one picture, drawn with Pillow."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from helpers.atomic_io import atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Colour = tuple[int, int, int]
Point = tuple[float, float]

WIDTH, PANEL = 1100, 360  # pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 70, 60, 56
_PAPER, _INK, _RULE, _FAINT = (250, 250, 248), (30, 30, 34), (222, 222, 218), (110, 110, 110)
#: Told apart by people who see red and green alike, too (Okabe and Ito's palette).
_BLUE, _ORANGE, _GREEN, _PURPLE = (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167)
_GREY = (150, 150, 150)
_TICKS = 4
_ANSWERS = {
    "right": ("right answers", _BLUE),
    "wrong": ("wrong answers", _ORANGE),
    "unknown_card": ("card not in the index", _PURPLE),
    "no_card": ("no card", _GREY),
}


def write_plot(target: Path, document: dict[str, Any]) -> None:
    """Write the parts of the document that can be drawn, one below the other, as PNG.

    Raises:
        WriteError: the disk refuses.
    """
    drawers: dict[str, Callable[[ImageDraw.ImageDraw, dict[str, Any]], None]] = {}
    if document.get("recall"):
        drawers["Recall and latency of the graph"] = _draw_recall
    if "identify" in document:
        drawers["Right card, by what was done to the picture"] = _draw_conditions
        drawers["Scores of the best answer"] = _draw_scores
    sheet = Image.new("RGB", (WIDTH, PANEL * max(len(drawers), 1)), _PAPER)
    for place, (title, draw) in enumerate(drawers.items()):
        panel = Image.new("RGB", (WIDTH, PANEL), _PAPER)
        pen = ImageDraw.Draw(panel)
        pen.text((_LEFT, 12), title, fill=_INK, font=ImageFont.load_default(18))
        draw(pen, document)
        sheet.paste(panel, (0, place * PANEL))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    atomic_write(target, buffer.getvalue())


@dataclass(frozen=True, slots=True)
class _Axis:
    """A vertical axis from `low` to `high`."""

    low: float
    high: float
    digits: int

    def y(self, value: float) -> float:
        """Return the height in pixels of a value."""
        share = (value - self.low) / (self.high - self.low)
        return PANEL - _BOTTOM - share * (PANEL - _TOP - _BOTTOM)

    def draw(self, pen: ImageDraw.ImageDraw, *, right: bool = False) -> None:
        """Write the values at the left, with rules, or at the right."""
        for tick in range(_TICKS + 1):
            value = self.low + (self.high - self.low) * tick / _TICKS
            y, text = self.y(value), f"{value:.{self.digits}f}"
            if right:
                pen.text((WIDTH - _RIGHT + 8, y), text, fill=_FAINT, anchor="lm")
            else:
                pen.line((_LEFT, y, WIDTH - _RIGHT, y), fill=_RULE)
                pen.text((_LEFT - 8, y), text, fill=_FAINT, anchor="rm")


def _draw_recall(pen: ImageDraw.ImageDraw, document: dict[str, Any]) -> None:
    rows = document["recall"]
    lowest = min(row[key] for row in rows for key in ("recall_at_1", "recall_at_10"))
    shares = _Axis(next(low for low in (0.99, 0.95, 0.9, 0.5, 0.0) if lowest >= low), 1, 4)
    times = _Axis(0, 1.1 * max(row["ms"] for row in rows) or 1, 3)
    shares.draw(pen)
    times.draw(pen, right=True)
    labels = [str(row["ef_search"]) for row in rows]
    places = _places(labels, pen)
    series = (
        ("recall@1", _BLUE, shares, "recall_at_1"),
        ("recall@10", _GREEN, shares, "recall_at_10"),
        ("ms/query (right)", _ORANGE, times, "ms"),
    )
    for _, colour, axis, key in series:
        _line(pen, [(x, axis.y(row[key])) for x, row in zip(places, rows, strict=True)], colour)
    _legend(pen, [(name, colour) for name, colour, *_ in series])
    pen.text((WIDTH / 2, PANEL - 18), "efSearch", fill=_FAINT, anchor="mm")


def _draw_conditions(pen: ImageDraw.ImageDraw, document: dict[str, Any]) -> None:
    rows = document["identify"]["conditions"]
    axis = _Axis(0, 1, 2)
    axis.draw(pen)
    for x, row in zip(_places([row["condition"] for row in rows], pen), rows, strict=True):
        _bar(pen, (x - 24, axis.y(row["card_top_1"])), axis.y(0), _BLUE)
        _bar(pen, (x + 1, axis.y(row["card_top_5"])), axis.y(0), _GREEN)
        pen.text(
            (x - 12, axis.y(row["card_top_1"]) - 7), f"{row['card_top_1']:.2f}", _INK, None, "mm"
        )
    _legend(pen, [("top 1", _BLUE), ("top 5", _GREEN)])


def _draw_scores(pen: ImageDraw.ImageDraw, document: dict[str, Any]) -> None:
    """Draw each histogram as shares of its own pictures: the groups differ in size."""
    found = document["identify"]
    shares = {name: _shares(found["answers"][name]["histogram"]) for name in _ANSWERS}
    axis = _Axis(0, max(max(bins) for bins in shares.values()) or 1, 2)
    axis.draw(pen)
    for tick in range(11):
        pen.text(
            (_score_x(tick / 10), PANEL - _BOTTOM + 12), f"{tick / 10:.1f}", _FAINT, None, "mm"
        )
    for name, bins in shares.items():
        _steps(pen, bins, axis, _ANSWERS[name][1])
    if found["thresholds"]:
        _mark(pen, found["thresholds"]["min_score"], found["thresholds"]["min_margin"])
    _legend(pen, list(_ANSWERS.values()))
    pen.text((WIDTH / 2, PANEL - 18), "cosine (shares of each group)", _FAINT, None, "mm")


def _mark(pen: ImageDraw.ImageDraw, score: float, margin: float) -> None:
    """Draw the least score of a match; the margin has no place on this axis, so it is told."""
    x = _score_x(score)
    pen.line((x, _TOP, x, PANEL - _BOTTOM), fill=_INK)
    label = f"a match: score {score:.3f}, margin {margin:.3f} or more"
    pen.text((x - 6, _TOP + 8), label, fill=_INK, anchor="rm")


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _score_x(score: float) -> float:
    return _LEFT + score * (WIDTH - _LEFT - _RIGHT)


def _steps(pen: ImageDraw.ImageDraw, bins: Sequence[float], axis: _Axis, colour: Colour) -> None:
    outline: list[Point] = []
    for place, share in enumerate(bins):
        outline += [
            (_score_x(place / len(bins)), axis.y(share)),
            (_score_x((place + 1) / len(bins)), axis.y(share)),
        ]
    pen.line(outline, fill=colour, width=3)


def _places(labels: Sequence[str], pen: ImageDraw.ImageDraw) -> list[float]:
    """Write labels below the panel, evenly spaced, and return where they are."""
    step = (WIDTH - _LEFT - _RIGHT) / len(labels)
    places = [_LEFT + step * (place + 0.5) for place in range(len(labels))]
    for x, label in zip(places, labels, strict=True):
        pen.text((x, PANEL - _BOTTOM + 12), label, fill=_INK, anchor="mm")
    return places


def _line(pen: ImageDraw.ImageDraw, points: Sequence[Point], colour: Colour) -> None:
    pen.line(list(points), fill=colour, width=3)
    for x, y in points:
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)


def _bar(pen: ImageDraw.ImageDraw, corner: Point, floor: float, colour: Colour) -> None:
    pen.rectangle((corner[0], corner[1], corner[0] + 22, floor), fill=colour)


def _legend(pen: ImageDraw.ImageDraw, entries: Sequence[tuple[str, Colour]]) -> None:
    x: float = WIDTH - _RIGHT
    for name, colour in reversed(entries):
        x -= pen.textlength(name)
        pen.text((x, 27), name, fill=_INK, anchor="lm")
        pen.rectangle((x - 20, 20, x - 6, 34), fill=colour)
        x -= 44
