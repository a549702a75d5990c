"""An answer as lines: aligned for a person at a terminal, tab-separated into a pipe."""

from collections.abc import Iterator
from typing import Any

from helpers.query.answer import MATCH, Answer, Found, Hit
from helpers.report import Reporter

_FOR_PEOPLE = ("", "verdict", "name", "set", "number", "lang", "score", "also", "link")
_ALSO_SHOWN = 3  # further printings: what fits a line


def publish(answer: Answer, report: Reporter, *, ndjson: bool) -> None:
    """Print the cards of an answer, or why there are none: as JSON, or for people and scripts."""
    if answer.error is not None:
        report.item_error(f"{answer.query}: {answer.error}")
    if ndjson:
        report.json_line(answer.to_json())
    elif answer.error is None and report.for_people:
        matches = sum(card.verdict == MATCH for card in answer.cards)
        found = f"{matches} card{'s' if matches > 1 else ''}" if matches else answer.verdict
        report.line(f"{answer.query}: {found}")
        report.table(_FOR_PEOPLE, list(_aligned(answer)))
        report.line("")
    elif answer.error is None:
        report.table((), list(_separated(answer)))


def _aligned(answer: Answer) -> Iterator[tuple[str, ...]]:
    """Yield the best hit of every match, and all hits of every other card."""
    for number, card in enumerate(answer.cards, 1):
        hits = card.hits[:1] if card.verdict == MATCH else card.hits
        for hit in hits or ({},):
            first = hit.get("rank", 1) == 1
            yield (
                str(number) if first else "",
                in_words(card) if first else "",
                hit.get("name", ""),
                *where(hit),
                f"{hit['score']:.3f}" if hit else "",
                also(hit),
                link(hit),
            )


def in_words(card: Found) -> str:
    """Return the verdict with what it rests on."""
    if card.verdict != MATCH:
        return f"{card.verdict} (by {card.verified_by})" if card.verified_by else card.verdict
    printing = ", printing not sure" if card.printing == "tied" else ""
    if card.verified_by == "geometry":
        return f"match ({card.evidence.inliers} points{printing})"
    return f"match (by {card.verified_by}{printing})"


def _separated(answer: Answer) -> Iterator[tuple[str, ...]]:
    """Yield all hits; columns only ever gain successors: scripts read them by number."""
    for number, card in enumerate(answer.cards, 1):
        corners = " ".join(f"{x:.0f},{y:.0f}" for x, y in card.corners or ())
        for hit in card.hits:
            yield (
                answer.query,
                str(hit["rank"]) + ("=" if hit["tie"] else ""),
                f"{hit['score']:.4f}",
                hit["name"],
                *where(hit),
                link(hit),
                also(hit),
                card.verdict if hit["rank"] == 1 else "",
                str(number),
                corners,
            )


def also(hit: Hit) -> str:
    """Return the further printings of a hit in a few words."""
    others = dict.fromkeys(map(_printing, hit.get("also", ())))  # two faces of one printing are one
    others.pop(_printing(hit), None)
    more = f" +{len(others) - _ALSO_SHOWN}" if len(others) > _ALSO_SHOWN else ""
    return ", ".join(list(others)[:_ALSO_SHOWN]) + more


def _printing(record: dict[str, Any]) -> str:
    return " ".join(where(record)[:2]).strip()


def where(hit: Hit) -> tuple[str, str, str]:
    """Return set, collector number and language, the set in capitals as on the card."""
    short, number, language = (hit.get(key) or "" for key in ("set", "collector_number", "lang"))
    return short.upper(), number, language


def link(hit: Hit) -> str:
    """Return the address of a card's page at Scryfall, empty if it is not known."""
    return (hit.get("scryfall_uri") or "").split("?", 1)[0]
