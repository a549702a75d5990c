"""What a sheet shows, whether it is drawn or written as a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.query.output.sheet_photo import Corners, Source


@dataclass(frozen=True, slots=True)
class SheetHit:
    """A card of the index.

    Args:
        image: its scan; None or an unreadable file shows as a grey box.
        caption: the lines under it, such as name, set and score.
        correct: whether it is the right card; None if that isn't known.
        link: its page at Scryfall.
        face_id: tells it from others.
    """

    image: Path | None
    caption: Sequence[str]
    correct: bool | None = None
    link: str = ""
    face_id: str = ""


@dataclass(frozen=True, slots=True)
class SheetChoice:
    """A printing that a person may choose instead.

    Args:
        label: name, set and number.
        cells: what the list says of it, see `exports.Layout.cells`.
        face_id: the hit that it belongs to, if it is one.
    """

    label: str
    cells: list[str]
    face_id: str


@dataclass(frozen=True, slots=True)
class SheetCard:
    """A card found in a picture.

    Args:
        heading: the verdict in words.
        hits: cards of the index to show, best first.
        number: what it is called on the photo.
        corners: in pixels of the upright picture; None where that is the card.
        colour: of its outline, `#rrggbb`.
        row: its line of the list; empty if it has none there.
        choices: what may be chosen instead of its first hit, that hit first.
    """

    heading: str
    hits: Sequence[SheetHit]
    number: str = ""
    corners: Corners | None = None
    colour: str = "#6b6b70"
    row: Sequence[str] = ()
    choices: Sequence[SheetChoice] = ()


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A picture and the cards found in it.

    Args:
        photo: the picture, or a small copy; None for a sentence or an unreadable file.
        label: the text above it.
        cards: left to right, top to bottom.
        size: width and height in pixels of the picture that `corners` speak of.
    """

    photo: Source
    label: str
    cards: Sequence[SheetCard] = field(default_factory=list)
    size: tuple[int, int] = (1, 1)

    def placed(self, card: SheetCard, width: int) -> Corners | None:
        """Return the corners of a card in pixels of a copy that is `width` pixels wide."""
        scale = width / self.size[0]
        return card.corners and [(x * scale, y * scale) for x, y in card.corners]
