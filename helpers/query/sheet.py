"""`--sheet`: the answers of a query as a picture or a page that a person can look at."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import atomic_write
from helpers.query.sheet_html import render_html
from helpers.query.sheet_png import SheetHit, SheetRow, render_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.query.answer import Answer

TITLE = "Which card is this picture?"


def write_sheet(target: Path, answers: Sequence[Answer], cache: Path) -> None:
    """Write queries beside their hits, as PNG or HTML by the suffix of `target`.

    Args:
        target: `.png` or `.html`.
        answers: in the order of the sheet; those without a picture show as a grey box.
        cache: where the pictures of the cards are.

    Raises:
        WriteError: the disk refuses.
    """
    rows = [_row(answer, cache) for answer in answers]
    if target.suffix.lower() == ".html":
        atomic_write(target, render_html(rows, TITLE))
        return
    buffer = io.BytesIO()
    render_sheet(rows, TITLE).save(buffer, "PNG")
    atomic_write(target, buffer.getvalue())


def _row(answer: Answer, cache: Path) -> SheetRow:
    name = answer.query.rstrip("/").rsplit("/", 1)[-1]
    remark = answer.error or answer.verdict
    label = f"{name}: {remark}" if remark else name
    return SheetRow(answer.image, label, [_hit(hit, cache) for hit in answer.hits])


def _hit(hit: dict[str, Any], cache: Path) -> SheetHit:
    caption = (
        f"#{hit['rank']}   {hit['score']:.4f}",
        hit["name"],
        f"{(hit['set'] or '').upper()} {hit['collector_number'] or ''} {hit['lang'] or ''}",
        f"{len(hit['also'])} more printings" if hit["also"] else "",
    )
    return SheetHit(cache / hit["image_file"], [line for line in caption if line])
