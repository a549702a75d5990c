"""`--sheet`: the answers of a query as a picture or a page that a person can look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.atomic_io import atomic_write_stream
from helpers.query.answer import MATCH, NO_CARD, UNSURE
from helpers.query.output.exports import Layout, listed, printings
from helpers.query.output.lines import in_words, link, where
from helpers.query.output.sheet_rows import SheetCard, SheetChoice, SheetHit, SheetRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from helpers.query.answer import Answer, Found, Hit

TITLE = "Which cards are in these pictures?"
_COLOURS = {MATCH: "#137333", UNSURE: "#b06000", NO_CARD: "#6b6b70"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a sheet is made with.

    Args:
        cache: where the pictures of the cards are.
        layout: of the list that the page saves.
    """

    cache: Path
    layout: Layout

    def write(self, target: Path, answers: Sequence[Answer]) -> None:
        """Write pictures beside the cards found in them, as PNG or HTML by the suffix of `target`.

        Raises:
            WriteError: the disk refuses.
        """
        rows = self._rows(answers)
        if target.suffix.lower() == ".html":
            from helpers.query.output.sheet_html import page

            atomic_write_stream(target, page(rows, TITLE, self.layout))
        else:
            from helpers.query.output.sheet_png import png

            atomic_write_stream(target, png(list(rows), TITLE))

    def _rows(self, answers: Sequence[Answer]) -> Iterator[SheetRow]:
        seen: set[str] = set()
        for answer in answers:
            repeated = answer.digest is not None and answer.digest in seen
            seen |= {answer.digest} if answer.digest is not None else set()
            yield self._row(answer, repeated=repeated)

    def _row(self, answer: Answer, *, repeated: bool) -> SheetRow:
        name = answer.query.rstrip("/").rsplit("/", 1)[-1] or answer.query
        remark = answer.error or ("the same picture as one above" if repeated else "")
        in_list = set() if repeated else {number for number, _ in listed(answer)}
        cards = [
            self._card(answer, number, card, exported=number in in_list)
            for number, card in enumerate(answer.cards, 1)
        ]
        size = (answer.width or 1, answer.height or 1)
        return SheetRow(answer.image, f"{name}: {remark}" if remark else name, cards, size)

    def _card(self, answer: Answer, number: int, card: Found, *, exported: bool) -> SheetCard:
        shown = card.hits[:1] if card.verdict == MATCH else card.hits
        return SheetCard(
            heading=in_words(card),
            hits=[self._hit(hit) for hit in shown],
            number=str(number),
            corners=card.corners,
            colour=_COLOURS[card.verdict],
            row=self.layout.row(card, answer.query, number) if exported else [],
            choices=[self._choice(hit) for hit in printings(card)] if exported else [],
        )

    def _choice(self, hit: Hit) -> SheetChoice:
        label = f"{hit.get('card_name') or hit.get('name')} – {' '.join(where(hit))}"
        return SheetChoice(label, self.layout.cells(hit), str(hit.get("face_id")))

    def _hit(self, hit: Hit) -> SheetHit:
        others = len(hit.get("also", ()))
        caption = (
            hit["name"],
            " ".join(where(hit)),
            f"score {hit['score']:.3f}",
            f"and {others} more printing{'s' if others > 1 else ''}" if others else "",
        )
        image = self.cache / hit["image_file"] if hit.get("image_file") else None
        lines = [line for line in caption if line]
        return SheetHit(image, lines, link=link(hit), face_id=str(hit.get("face_id")))
