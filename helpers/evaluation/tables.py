"""The document of an evaluation as tables for people and pipes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

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
#: The cells of a row: which values of the document, and in what format.
_SEARCHED = {"ef_search": "", "recall_at_1": ".4f", "recall_at_10": ".4f", "ms": ".3f"}
_BUILT = {"m": "", "ef_construction": "", "seconds": ".2f", "bytes": ""}
_COUNTED = dict.fromkeys((*_COUNTS, *_FALSE), "")
_RECALLS = {"recall_at_1": ".4f", "recall_at_8": ".4f"}
_LOST = {"ef_search": "", "candidates": "", **_RECALLS, "right": "", "lost": ""}
_SHARES = dict.fromkeys(("card_top_1", "card_top_5", "printing_top_1", "printing_top_5"), ".3f")


def show(document: dict[str, Any], report: Reporter) -> None:
    """Print every part of the document; the first cell of a row names its part."""
    searched = [("recall", *_cells(row, _SEARCHED)) for row in document.get("recall", ())]
    _show(report, _RECALL, searched)
    grid = [
        ("grid", *_cells(row, _BUILT), *_cells(found, _SEARCHED))
        for row in document.get("grid", ())
        for found in row["search"]
    ]
    _show(report, _GRID, grid)
    if "graph" in document:
        report.info(
            f"Graph: {document['graph']['queries']:,} perturbed vectors asked; exact search takes"
            f" {document['graph']['exact_ms']:.3f} ms/query"
        )
    if "identify" in document:
        _show_identify(document["identify"], report)
    if "scenes" in document:
        _show(report, _TOTALS, [("scenes", "simulated", *_cells(document["scenes"], _COUNTED))])
    _show(report, _PHOTOS, [_photo(entry) for entry in document.get("photos", ())])
    if "photos" in document:
        _show_totals(document, report)


def _show_totals(document: dict[str, Any], report: Reporter) -> None:
    found = document["photo_totals"]
    rows = [("photos", row["kind"], *_cells(row, _COUNTED)) for row in found["kinds"]]
    _show(report, _TOTALS, rows)
    rows = [
        ("ablation", row["without"], *_cells(row, _COUNTED), _seconds(row["seconds"]))
        for row in document.get("ablation", ())
    ]
    _show(report, _ABLATION, rows)
    rows = [
        ("stages", row["stage"], _seconds(row["median"]), _seconds(row["p90"]))
        for row in found["stages"]
    ]
    _show(report, _STAGES, rows)
    _show(report, _LOSSES, [("losses", *_cells(row, _LOST)) for row in document["photo_recall"]])
    results = Counter(entry["result"] for entry in document["photos"])
    report.info("Photos: " + ", ".join(f"{n} {name}" for name, n in results.most_common()))


def _cells(row: dict[str, Any], formats: dict[str, str]) -> tuple[str, ...]:
    return tuple(format(row[key], form) for key, form in formats.items())


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _show(report: Reporter, header: Sequence[str], rows: list[tuple[str, ...]]) -> None:
    if rows:
        report.table(header, rows)


def _show_identify(found: dict[str, Any], report: Reporter) -> None:
    rows = [
        ("identify", each["condition"], str(each["pictures"]), *_cells(each, _SHARES))
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
