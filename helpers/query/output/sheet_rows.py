"""What a sheet shows of an answer, whether it is drawn or written as a page."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from helpers.query.answer import MATCH, Answer, Found, Hit
from helpers.query.output.exports import listed
from helpers.query.output.lines import where
from helpers.query.output.sheet_photo import opened


class SheetRow(NamedTuple):
    """A picture, the text above it, and the numbers of its cards that the list holds."""

    answer: Answer
    label: str
    listed: list[int]


def rows_of(answers: Iterable[Answer]) -> Iterator[SheetRow]:
    """Yield a row per picture; one that is given twice has its cards in the list once."""
    seen: set[str] = set()
    for answer in answers:
        repeated = answer.digest in seen
        seen |= {answer.digest} if answer.digest is not None else set()
        name = answer.query.rstrip("/").rsplit("/", 1)[-1] or answer.query
        remark = answer.error or ("the same picture as one above" if repeated else "")
        numbers = [] if repeated else [number for number, _ in listed(answer)]
        yield SheetRow(answer, f"{name}: {remark}" if remark else name, numbers)


def shown_hits(card: Found) -> list[Hit]:
    """Return the cards of the index to show, best first: of a match only that one."""
    return card.hits[:1] if card.verdict == MATCH else card.hits


def caption(hit: Hit) -> list[str]:
    """Return the lines under a scan."""
    others = len(hit.get("also", ()))
    more = f"and {others} more printing{'s' if others > 1 else ''}" if others else ""
    lines = (hit["name"], " ".join(where(hit)), f"score {hit['score']:.3f}", more)
    return [line for line in lines if line]


def scan_of(hit: Hit, cache: Path) -> Image.Image | None:
    """Return the picture of a card of the index, None if it isn't there."""
    return opened(cache / hit["image_file"]) if hit.get("image_file") else None
