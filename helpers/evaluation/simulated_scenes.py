"""Simulated photos of several cards on a table: which of the cards are found?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.evaluation.identify import Source
from helpers.evaluation.labelled_photos import Holdings, Label, Shown, judge
from helpers.evaluation.photo_totals import counts
from helpers.evaluation.scenes import compose
from helpers.images.preprocess import load_image_rgb
from helpers.query.open_index import OpenIndex
from helpers.report import Reporter

CARDS = 5  # on one table


def identify_scenes(
    index: OpenIndex, sources: Sequence[Source], seed: int, report: Reporter
) -> dict[str, Any]:
    """Lay the cards on tables, ask about each, and return `photo_totals.counts` of the answers."""
    holdings = Holdings(source.record for source in sources)
    entries = []
    tables = [sources[at : at + CARDS] for at in range(0, len(sources), CARDS)]
    with report.progress(len(tables), "Asking about tables with cards", "scenes") as progress:
        for number, cards in enumerate(tables):
            scene = compose([load_image_rgb(card.path) for card in cards], seed + number)
            answer = index.ask(scene.photo)
            entries.append(judge(_label(f"scene {number}", cards), answer, holdings))
            progress.advance()
    return counts(entries)


def _label(name: str, cards: Sequence[Source]) -> Label:
    records = [card.record for card in cards]
    shown = tuple(Shown(record["name"], record["scryfall_id"]) for record in records)
    return Label(name, Path(name), " | ".join(card.text for card in shown), shown, "scene")
