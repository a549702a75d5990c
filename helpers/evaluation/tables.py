"""The document of an evaluation as tables for people and pipes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from helpers.report import Reporter

_RECALL = ("part", "efSearch", "recall@1", "recall@10", "ms/query")
_GRID = ("part", "M", "efConstruction", "build s", "bytes", *_RECALL[1:])
_CONDITIONS = ("part", "pictures", "n", "card@1", "card@5", "printing@1", "printing@5")
_ANSWERS = ("part", "answers", "n", "score p5", "p50", "p95", "margin p5", "p50", "p95")
_EACH = ("cards", "false matches", "seconds")
_PHOTOS = ("part", "file", "result", "score", "answer", "verdict", "shows", "kind", *_EACH)
_COUNTS = ("photos", "unreadable", "cards", "found", "unsure", "missed", "matches")
_FALSE = ("false_matches", "unlabelled", "absent_photos", "absent_matched")
_TOTALS = ("part", "kind", *_COUNTS, "false", "unlabelled", "absent", "absent matched")
_ABLATION = ("part", "without", *_TOTALS[2:], "s/photo")
_STAGES = ("part", "stage", "median s", "p90 s")
_LOSSES = ("part", "efSearch", "candidates", "recall@1", "recall@8", "right", "lost")


def show(document: dict[str, Any], report: Reporter) -> None:
    """Print every part of the document; the first cell of a row names its part."""
    _show(report, _RECALL, [("recall", *_found(row)) for row in document.get("recall", ())])
    grid = [_pair(row, found) for row in document.get("grid", ()) for found in row["search"]]
    _show(report, _GRID, grid)
    if "graph" in document:
        report.info(
            f"Graph: {document['graph']['queries']:,} perturbed vectors asked; exact search takes"
            f" {document['graph']['exact_ms']:.3f} ms/query"
        )
    if "identify" in document:
        _show_identify(document["identify"], report)
    if "scenes" in document:
        _show(report, _TOTALS, [("scenes", "simulated", *_counts(document["scenes"]))])
    _show(report, _PHOTOS, [_photo(entry) for entry in document.get("photos", ())])
    if "photos" in document:
        _show_totals(document, report)


def _show_totals(document: dict[str, Any], report: Reporter) -> None:
    found = document["photo_totals"]
    rows = [("photos", row["kind"], *_counts(row)) for row in found["kinds"]]
    _show(report, _TOTALS, rows)
    rows = [
        ("ablation", row["without"], *_counts(row), _seconds(row["seconds"]))
        for row in document.get("ablation", ())
    ]
    _show(report, _ABLATION, rows)
    rows = [
        ("stages", row["stage"], _seconds(row["median"]), _seconds(row["p90"]))
        for row in found["stages"]
    ]
    _show(report, _STAGES, rows)
    _show(report, _LOSSES, [("losses", *_loss(row)) for row in document["photo_recall"]])
    results = Counter(entry["result"] for entry in document["photos"])
    report.info("Photos: " + ", ".join(f"{n} {name}" for name, n in results.most_common()))


def _counts(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in (*_COUNTS, *_FALSE))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _loss(row: dict[str, Any]) -> tuple[str, ...]:
    shares = (f"{row[key]:.4f}" for key in ("recall_at_1", "recall_at_8"))
    return (
        str(row["ef_search"]),
        str(row["candidates"]),
        *shares,
        str(row["right"]),
        str(row["lost"]),
    )


def _show(report: Reporter, header: Sequence[str], rows: list[tuple[str, ...]]) -> None:
    if rows:
        report.table(header, rows)


def _found(row: dict[str, Any]) -> tuple[str, ...]:
    shares = (f"{row[key]:.4f}" for key in ("recall_at_1", "recall_at_10"))
    return (str(row["ef_search"]), *shares, f"{row['ms']:.3f}")


def _pair(row: dict[str, Any], found: dict[str, Any]) -> tuple[str, ...]:
    built = (str(row["m"]), str(row["ef_construction"]), f"{row['seconds']:.2f}", str(row["bytes"]))
    return ("grid", *built, *_found(found))


def _show_identify(found: dict[str, Any], report: Reporter) -> None:
    shares = ("card_top_1", "card_top_5", "printing_top_1", "printing_top_5")
    rows = [
        ("identify", each["condition"], str(each["pictures"]), *(f"{each[s]:.3f}" for s in shares))
        for each in found["conditions"]
    ]
    _show(report, _CONDITIONS, rows)
    answers = [("scores", name, *_answers(each)) for name, each in found["answers"].items()]
    _show(report, _ANSWERS, answers)


def _answers(each: dict[str, Any]) -> tuple[str, ...]:
    cells = [
        f"{each[kind][name]:.4f}" if each[kind] else "-"
        for kind in ("scores", "margins")
        for name in ("p5", "p50", "p95")
    ]
    return (str(each["pictures"]), *cells)


def _photo(entry: dict[str, Any]) -> tuple[str, ...]:
    answer = entry["answer"]
    name = _printing(answer) if answer else entry["error"] or ""
    score = f"{entry['score']:.4f}" if answer else ""
    verdict = entry["verdict"] or ""
    cards = Counter(card["outcome"] for card in entry["cards"])
    false = [_printing(match) for match in entry["matches"] if match["right"] is False]
    return (
        *("photo", entry["file"], entry["result"], score, name, verdict, entry["shows"]),
        entry["kind"],
        ", ".join(f"{n} {outcome}" for outcome, n in cards.items()),
        " | ".join(false),
        _seconds(entry["seconds"]["total"]),
    )


def _printing(card: dict[str, Any]) -> str:
    return f"{card['name']} {(card['set'] or '').upper()}"
