"""The document of an evaluation as one picture, drawn with matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import atomic_write
from helpers.errors import DataError
from helpers.packages import not_installed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

    Panel = Callable[[Axes, dict[str, Any]], None]

WIDTH = 1100  # pixels
_DPI, _PANEL_HEIGHT, _TITLE_HEIGHT = 100, 3.8, 0.5  # heights in inches
#: Told apart by people who see red and green alike, too (Okabe and Ito's palette).
_BLUE, _ORANGE, _GREEN, _PURPLE, _GREY = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#969696"
_ANSWERS = {
    "right": ("right answers", _BLUE),
    "wrong": ("wrong answers", _ORANGE),
    "unknown_card": ("card not in the index", _PURPLE),
    "no_card": ("no card", _GREY),
}


def check_installed() -> None:
    """Raise `DataError` if matplotlib is missing, before anything is measured."""
    missing = not_installed("matplotlib")
    if missing:
        raise DataError(
            "--plot needs matplotlib", details=missing, suggestion="pip install -r requirements.txt"
        )


def write_plot(target: Path, document: dict[str, Any]) -> None:
    """Write the parts of the document, one below the other, as PNG; same document, same bytes.

    Raises:
        WriteError: the disk refuses.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = _panels(document)
    height = _PANEL_HEIGHT * len(panels) + _TITLE_HEIGHT
    buffer = io.BytesIO()
    with mpl.rc_context(mpl.rcParamsDefault):  # not the style that a user may have set
        # A figure without pyplot is drawn by the Agg backend; no display is needed.
        figure = Figure((WIDTH / _DPI, height), _DPI, layout="constrained")
        figure.suptitle(title(document))
        for place, draw in enumerate(panels, start=1):
            axes = figure.add_subplot(len(panels), 1, place)
            axes.grid(axis="y", alpha=0.3)
            axes.set_axisbelow(True)
            draw(axes, document)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(target, buffer.getvalue())


def title(document: dict[str, Any]) -> str:
    """Return which model and index were evaluated, and the seed."""
    model = document["model"]
    fields = (model.get(field) for field in ("model", "pretrained", "precision"))
    name = " ".join(str(field) for field in fields if field)
    return f"{name} · {document['index']['vectors']:,} rows · seed {document['seed']}"


def _panels(document: dict[str, Any]) -> list[Panel]:
    panels: dict[str, list[Panel]] = {
        "recall": [_draw_recall],
        "grid": [_draw_grid],
        "identify": [_draw_conditions, _draw_scores],
        "photo_totals": [_draw_photos, draw_precision, _draw_inliers],
    }
    return [draw for part, found in panels.items() if document.get(part) for draw in found]


def _draw_recall(axes: Axes, document: dict[str, Any]) -> None:
    """Draw recall (left) and time (right) over efSearch."""
    rows = document["recall"]
    places = [str(row["ef_search"]) for row in rows]
    axes.set(title="Recall and latency of the graph", xlabel="efSearch", ylabel="recall")
    axes.plot(places, [row["recall_at_1"] for row in rows], "o-", color=_BLUE, label="recall@1")
    axes.plot(places, [row["recall_at_10"] for row in rows], "s-", color=_GREEN, label="recall@10")
    times = axes.twinx()
    times.plot(places, [row["ms"] for row in rows], "^--", color=_ORANGE, label="ms/query (right)")
    times.set_ylabel("ms/query")
    times.set_ylim(bottom=0)
    lines = [*axes.get_lines(), *times.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], loc="center right")


def _draw_grid(axes: Axes, document: dict[str, Any]) -> None:
    """Draw recall over time, a line for each M and efConstruction, a point for each efSearch."""
    axes.set(title="Recall and latency of other graphs", xlabel="ms/query", ylabel="recall@10")
    for row in document["grid"]:
        times, recalls = ([each[key] for each in row["search"]] for key in ("ms", "recall_at_10"))
        label = f"M {row['m']}, efConstruction {row['ef_construction']}"
        axes.plot(times, recalls, "o-", label=label)
    axes.legend(loc="lower right", fontsize="small")


def _draw_conditions(axes: Axes, document: dict[str, Any]) -> None:
    rows = document["identify"]["conditions"]
    axes.set(title="Right card, by what was done to the picture", ylabel="share", ylim=(0, 1.25))
    places = range(len(rows))
    for shift, key, label, colour in (
        (-0.2, "card_top_1", "top 1", _BLUE),
        (0.2, "card_top_5", "top 5", _GREEN),
    ):
        shares = [row[key] for row in rows]
        bars = axes.bar([place + shift for place in places], shares, 0.4, color=colour, label=label)
        axes.bar_label(bars, fmt="%.2f", fontsize="x-small")
    axes.set_xticks(places, [row["condition"] for row in rows], fontsize="small")
    axes.legend(loc="upper right", ncols=2)


def _draw_scores(axes: Axes, document: dict[str, Any]) -> None:
    """Draw each histogram as shares of its own pictures: the groups differ in size."""
    found = document["identify"]
    axes.set(title="Scores of the best answer", xlabel="cosine", ylabel="share of the group")
    for name, (label, colour) in _ANSWERS.items():
        counts = found["answers"][name]["histogram"]
        edges = [place / len(counts) for place in range(len(counts) + 1)]
        shares = [count / (sum(counts) or 1) for count in counts]
        axes.stairs(shares, edges, color=colour, label=f"{label} ({sum(counts):,})", linewidth=2)
    axes.set_xlim(0, 1)
    axes.legend(loc="upper left", fontsize="small")


def _draw_photos(axes: Axes, document: dict[str, Any]) -> None:
    """Draw what became of the cards that photos show, a bar for each kind of photo."""
    kinds = document["photo_totals"]["kinds"]
    axes.set(title="Cards that labelled photos show", ylabel="cards of the index")
    names, base = [row["kind"] for row in kinds], [0] * len(kinds)
    for key, colour in (("found", _GREEN), ("unsure", _ORANGE), ("missed", _GREY)):
        heights = [row[key] for row in kinds]
        axes.bar(names, heights, bottom=base, color=colour, label=key)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    axes.plot(names, [row["false_matches"] for row in kinds], "D", color=_PURPLE, label="false")
    axes.locator_params(axis="y", integer=True)
    axes.legend(loc="upper left", ncols=4, fontsize="small")


def _draw_inliers(axes: Axes, document: dict[str, Any]) -> None:
    """Draw how many matches have at least so many inliers: right (up) and false ones."""
    rows = document["photo_totals"]["precision"]
    axes.set(
        title="Matches by threshold", xlabel="least inliers", ylabel="matches", yscale="symlog"
    )
    places = [row["inliers"] for row in rows]
    axes.plot(places, [row["right"] for row in rows], color=_BLUE, label="right")
    axes.plot(places, [row["false"] for row in rows], color=_ORANGE, label="false")
    axes.legend(loc="upper right")


def draw_precision(axes: Axes, document: dict[str, Any]) -> None:
    """Draw precision against recall, a point for each inlier threshold."""
    rows = document["photo_totals"]["precision"]
    axes.set(title="Precision over recall", xlabel="recall", ylabel="precision")
    axes.plot(
        [row["recall"] for row in rows], [row["precision"] for row in rows], "o-", color=_BLUE
    )
    for row in (rows[0], rows[-1]) if rows else ():
        axes.annotate(
            f"{row['inliers']} inliers",
            (row["recall"], row["precision"]),
            textcoords="offset points",
            xytext=(0, -14),
            ha="center",
            fontsize="small",
        )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
