"""Answers for tests of what is made of them."""

from typing import Any

from helpers.query.answer import Answer, Evidence, Found, Verdict


def hit(name: str, **more: Any) -> dict[str, Any]:
    """Return a hit as the search makes it."""
    return {
        "rank": 1,
        "score": 0.5,
        "name": name,
        "card_name": name,
        "set": "rtr",
        "set_name": "Return to Ravnica",
        "collector_number": "31",
        "lang": "en",
        "scryfall_id": f"id of {name}",
        "face_id": f"face of {name}",
        "also": [],
        **more,
    }


def found(verdict: Verdict, *hits: dict[str, Any], printing: str | None = None) -> Found:
    """Return a find."""
    return Found(verdict, list(hits), Evidence(9, 0.5, 0.1), printing=printing)


def answer(query: str, *cards: Found, repeated: bool = False) -> Answer:
    """Return an answer to a picture."""
    return Answer(query, None, 100, 100, cards, repeated=repeated)
