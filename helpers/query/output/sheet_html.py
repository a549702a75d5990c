"""The result sheet as one HTML file that needs nothing else, and in which a person can correct it.

Pictures are embedded as small JPEGs, so the file can be sent around; scans are scaled, never
cropped or drawn upon, and keep their artist and copyright line (Scryfall's terms).
"""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from helpers.query.output.sheet_photo import cut_out, jpeg, opened, outlined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from helpers.query.output.exports import Layout
    from helpers.query.output.sheet_rows import SheetCard, SheetChoice, SheetHit, SheetRow

_HERE = Path(__file__).parent
_SCAN_HEIGHT = 340  # pixels; the card's text stays readable
_PHOTO_SIDE = 900
_MARKS = {True: '<br><b class="right">right</b>', False: '<br><b class="wrong">wrong</b>'}


def page(rows: Iterable[SheetRow], title: str, layout: Layout) -> Iterator[bytes]:
    """Yield the sheet as an HTML document in UTF-8, with one section a picture.

    Args:
        rows: a picture each.
        title: the heading.
        layout: of the list that the page saves.
    """
    yield _head(title).encode()
    finds: list[dict[str, Any]] = []
    for row in rows:
        yield _section(row, finds).encode("utf-8", "replace")
    data = json.dumps({"columns": layout.columns, "finds": finds}).replace("<", "\\u003c")
    yield f'<script type="application/json" id="list">{data}</script>\n'.encode()
    yield f"<script>\n{_beside('sheet.js')}</script>\n</html>\n".encode()


def _beside(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _head(title: str) -> str:
    named = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{named}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>\n{_beside('sheet.css')}</style>\n"
        f'<header><h1>{named}</h1> <span id="summary" role="status"></span>'
        ' <button id="save" type="button">Save the list as CSV</button></header>\n'
    )


def _section(row: SheetRow, finds: list[dict[str, Any]]) -> str:
    """Return one picture; its cards that the list holds are added to `finds`."""
    photo = opened(row.photo)
    cards = "\n".join(_card(row, card, photo, finds) for card in row.cards)
    return (
        f'<section class="picture">\n<h2>{html.escape(row.label)}</h2>\n<div class="beside">\n'
        f'{_photo(row, photo)}\n<div class="cards">\n{cards}\n</div>\n</div>\n</section>\n'
    )


def _photo(row: SheetRow, photo: Image.Image | None) -> str:
    if photo is None:
        return ""
    places = [(card, row.placed(card, photo.width)) for card in row.cards]
    outlines = [(card.number, corners, card.colour) for card, corners in places if corners]
    shown = outlined(photo, outlines, _PHOTO_SIDE)
    return f'<figure class="photo">{_image(shown, row.label)}</figure>'


def _card(
    row: SheetRow, card: SheetCard, photo: Image.Image | None, finds: list[dict[str, Any]]
) -> str:
    figures = [] if photo is None else _crop(row, card, photo)
    figures += [_hit(hit, _choice_of(hit, card)) for hit in card.hits]
    number = f'<span class="number" style="background:{card.colour}">{card.number}</span>'
    inner = (
        f"<h3>{number if card.number else ''} {html.escape(card.heading)}</h3>\n"
        f'<div class="scans">\n{"".join(figures)}</div>'
    )
    if not card.row:
        return f'<article class="card">{inner}</article>'
    finds.append({"row": card.row, "choices": [choice.cells for choice in card.choices]})
    return (
        f'<article class="card" data-find="{len(finds) - 1}">{inner}\n'
        f'{_choices(card.choices)}<span class="badge"></span></article>'
    )


def _crop(row: SheetRow, card: SheetCard, photo: Image.Image) -> list[str]:
    corners = row.placed(card, photo.width)
    if corners is None:
        return []
    shown = _image(cut_out(photo, corners), f"card {card.number} of {row.label}")
    return [f"<figure>{shown}<figcaption>in the photo</figcaption></figure>\n"]


def _choices(choices: Sequence[SheetChoice]) -> str:
    labels = [html.escape(choice.label) for choice in choices]
    options = [f'<option value="{place}">{label}</option>' for place, label in enumerate(labels)]
    return (
        '<label class="choice">It is\n<select>\n'
        f'<option value="">as found: {labels[0]}</option>\n{"".join(options)}\n'
        '<option value="none">not a card</option>\n</select></label>\n'
    )


def _choice_of(hit: SheetHit, card: SheetCard) -> int | None:
    """Return the place of a hit among what may be chosen; None where there is but one."""
    if len(card.hits) == 1:
        return None
    faces = [choice.face_id for choice in card.choices]
    return faces.index(hit.face_id) if hit.face_id in faces else None


def _hit(hit: SheetHit, choice: int | None) -> str:
    picture = opened(hit.image)
    if picture is None:
        shown = '<div class="none">no picture</div>'
    else:
        size = (_SCAN_HEIGHT * 2, _SCAN_HEIGHT)
        scan = ImageOps.contain(picture, size, Image.Resampling.LANCZOS)
        shown = _image(scan, " ".join(hit.caption))
    if hit.link.startswith("https://"):
        address = html.escape(hit.link)
        shown = f'<a href="{address}" target="_blank" rel="noopener">{shown}</a>'
    lines = "<br>".join(html.escape(line) for line in hit.caption)
    button = (
        f'<br><button type="button" data-choice="{choice}">It is this one</button>'
        if choice is not None
        else ""
    )
    mark = "" if hit.correct is None else _MARKS[hit.correct]
    return f"<figure>{shown}<figcaption>{lines}{mark}{button}</figcaption></figure>\n"


def _image(picture: Image.Image, text: str) -> str:
    data = base64.b64encode(jpeg(picture)).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(text)}">'
