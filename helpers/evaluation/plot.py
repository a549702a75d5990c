"""The document of an evaluation as one picture, drawn with matplotlib."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.atomic_io import atomic_write

WIDTH = 1100  # pixels
_DPI, _PANEL_HEIGHT, _TITLE_HEIGHT = 100, 3.8, 0.5  # heights in inches
#: Told apart by people who see red and green alike, too (Okabe and Ito's palette).
_BLUE, _ORANGE, _GREEN, _PURPLE, _GREY = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#969696"

Rows = list[dict[str, Any]]
Panel = tuple[Callable[[Axes, Rows], None], Rows]


def write_plot(target: Path, document: dict[str, Any]) -> None:
    """Write the parts of the document, one below the other, as PNG; same document, same bytes.

    Raises:
        WriteError: the disk refuses.
    """
    panels = _panels(document)
    height = _PANEL_HEIGHT * len(panels) + _TITLE_HEIGHT
    buffer = io.BytesIO()
    with mpl.rc_context(mpl.rcParamsDefault):  # not the style that a user may have set
        # A figure without pyplot is drawn by the Agg backend; no display is needed.
        figure = Figure((WIDTH / _DPI, height), _DPI, layout="constrained")
        figure.suptitle(title(document))
        for place, (draw, rows) in enumerate(panels, start=1):
            axes = figure.add_subplot(len(panels), 1, place)
            axes.grid(axis="y", alpha=0.3)
            axes.set_axisbelow(True)
            draw(axes, rows)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(target, buffer.getvalue())


def title(document: dict[str, Any]) -> str:
    """Return which model and index were evaluated, and the seed."""
    model = document["model"]
    fields = (model.get(field) for field in ("model", "pretrained", "precision"))
    name = " ".join(str(field) for field in fields if field)
    return f"{name} · {document['index']['vectors']:,} rows · seed {document['seed']}"


def _panels(document: dict[str, Any]) -> list[Panel]:
    """Return what to draw of the parts that were measured."""
    panels: list[Panel] = []
    if "identify" in document:
        panels.append((_draw_conditions, document["identify"]["conditions"]))
    if "photo_totals" in document:
        totals = document["photo_totals"]
        panels += [(_draw_photos, totals["kinds"]), (draw_precision, totals["precision"])]
    return panels


def _draw_conditions(axes: Axes, rows: Rows) -> None:
    axes.set(title="Right card, by what was done to the picture", ylabel="share", ylim=(0, 1.25))
    for shift, first, colour in ((-0.2, 1, _BLUE), (0.2, 5, _GREEN)):
        places = [place + shift for place in range(len(rows))]
        shares = [row[f"card_top_{first}"] for row in rows]
        bars = axes.bar(places, shares, 0.4, color=colour, label=f"top {first}")
        axes.bar_label(bars, fmt="%.2f", fontsize="x-small")
    axes.set_xticks(range(len(rows)), [row["condition"] for row in rows], fontsize="small")
    axes.legend(loc="upper right", ncols=2)


def _draw_photos(axes: Axes, kinds: Rows) -> None:
    """Draw what became of the cards that photos show, a bar for each kind of photo."""
    axes.set(title="Cards that labelled photos show", ylabel="cards of the index")
    names, base = [row["kind"] for row in kinds], [0] * len(kinds)
    for key, colour in (("found", _GREEN), ("unsure", _ORANGE), ("missed", _GREY)):
        heights = [row[key] for row in kinds]
        axes.bar(names, heights, bottom=base, color=colour, label=key)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    axes.plot(names, [row["false_matches"] for row in kinds], "D", color=_PURPLE, label="false")
    axes.locator_params(axis="y", integer=True)
    axes.legend(loc="upper left", ncols=4, fontsize="small")


def draw_precision(axes: Axes, rows: Rows) -> None:
    """Draw precision against recall, a point for each inlier threshold, and name both ends."""
    axes.set(title="Precision over recall", xlabel="recall", ylabel="precision")
    recalls, precisions = ([row[key] for row in rows] for key in ("recall", "precision"))
    axes.plot(recalls, precisions, "o-", color=_BLUE)
    for row in rows[:1] + rows[-1:]:
        place = row["recall"], row["precision"]
        axes.annotate(f"{row['inliers']} inliers", place, ha="right", va="top")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
