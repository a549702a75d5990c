"""The document of an evaluation as tables for people and pipes; columns are called as in JSON."""

from collections import Counter
from typing import Any

from helpers.report import Reporter


def show(document: dict[str, Any], report: Reporter) -> None:
    """Print every part of the document; the first cell of a row names its part."""
    scenes, totals = document.get("scenes"), document.get("photo_totals", {})
    identify = document.get("identify", {})
    parts = {
        "recall": document.get("recall"),
        "grid": [
            {key: row[key] for key in ("m", "ef_construction", "seconds", "bytes")} | found
            for row in document.get("grid", ())
            for found in row["search"]
        ],
        "identify": identify.get("conditions"),
        "scores": list(map(_scores, identify.get("answers", {}).items())),
        "scenes": [{"kind": "simulated", **scenes}] if scenes else [],
        "photo": list(map(_photo, document.get("photos", ()))),
        "photos": totals.get("kinds"),
        "ablation": document.get("ablation"),
        "stages": totals.get("stages"),
        "losses": document.get("photo_recall"),
    }
    for part, rows in parts.items():
        if rows:
            cells = [(part, *map(_cell, row.values())) for row in rows]
            report.table(("part", *rows[0]), cells)
    if "graph" in document:
        report.info(
            f"Graph: {document['graph']['queries']:,} perturbed vectors asked; exact search takes"
            f" {document['graph']['exact_ms']:.3f} ms/query"
        )
    if "photos" in document:
        results = Counter(entry["result"] for entry in document["photos"])
        report.info("Photos: " + ", ".join(f"{n} {name}" for name, n in results.most_common()))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _scores(answers: tuple[str, dict[str, Any]]) -> dict[str, object]:
    """Return the columns of a group of answers."""
    name, found = answers
    row = {"answers": name, "pictures": found["pictures"]}
    for kind in ("scores", "margins"):
        row |= {f"{kind} {p}": (found[kind] or {}).get(p) for p in ("p5", "p50", "p95")}
    return row


def _photo(entry: dict[str, Any]) -> dict[str, object]:
    """Return the columns of a labelled photo."""
    answer = entry["answer"]
    outcomes = Counter(card["outcome"] for card in entry["cards"])
    false = [_printing(match) for match in entry["matches"] if match["right"] is False]
    return {
        **{key: entry[key] for key in ("file", "result", "score")},
        "answer": _printing(answer) if answer else entry["error"],
        **{key: entry[key] for key in ("verdict", "shows", "kind")},
        "cards": ", ".join(f"{n} {outcome}" for outcome, n in outcomes.items()),
        "false matches": " | ".join(false),
        "seconds": entry["seconds"]["total"],
    }


def _printing(card: dict[str, Any]) -> str:
    return f"{card['name']} {(card['set'] or '').upper()}"
