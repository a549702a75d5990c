"""The result sheet as one HTML file that needs nothing else, and in which a person can correct it.

Pictures are embedded as small JPEGs, so the file can be sent around; scans are scaled, never
cropped or drawn upon, and keep their artist and copyright line (Scryfall's terms).
"""

import base64
import html
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from helpers.query.answer import Answer, Found, Hit
from helpers.query.output import sheet
from helpers.query.output.exports import Layout, is_listed, printings
from helpers.query.output.lines import in_words, link, where
from helpers.query.photo_file import opened

_HERE = Path(__file__).parent
_SCAN_SIZE = (680, 340)  # pixels, at most; the card's text stays readable
_PHOTO_SIDE = 900


def page(answers: Iterable[Answer], cache: Path, layout: Layout) -> Iterator[bytes]:
    """Yield the sheet as an HTML document in UTF-8, which saves a list of that layout."""
    yield (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{sheet.TITLE}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>\n{_beside('sheet.css')}</style>\n"
        f'<header><h1>{sheet.TITLE}</h1> <span id="summary" role="status"></span>'
        ' <button id="save" type="button">Save the list as CSV</button></header>\n'
    ).encode()
    sections = _Sections(cache, layout)
    for answer in answers:
        yield sections.section(answer).encode("utf-8", "replace")
    data = json.dumps({"columns": layout.columns, "finds": sections.finds}).replace("<", "\\u003c")
    yield f'<script type="application/json" id="list">{data}</script>\n'.encode()
    yield f"<script>\n{_beside('sheet.js')}</script>\n</html>\n".encode()


def _beside(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


class _Sections:
    """The pictures of a page, one after the other; `finds` are the cards that the list holds."""

    def __init__(self, cache: Path, layout: Layout) -> None:
        self.finds: list[dict[str, Any]] = []
        self._cache, self._layout = cache, layout

    def section(self, answer: Answer) -> str:
        """Return one picture; its cards that the list holds are added to `finds`."""
        photo = opened(answer.image)
        figure = ""
        if photo is not None:
            shown = _image(sheet.outlined(photo, answer, _PHOTO_SIDE), sheet.label(answer))
            figure = f'<figure class="photo">{shown}</figure>'
        numbered = enumerate(answer.cards, 1)
        cards = "\n".join(self._card(card, number, answer, photo) for number, card in numbered)
        return (
            f'<section class="picture">\n<h2>{html.escape(sheet.label(answer))}</h2>\n'
            f'<div class="beside">\n{figure}\n<div class="cards">\n{cards}\n</div>\n</div>\n'
            "</section>\n"
        )

    def _card(self, card: Found, number: int, answer: Answer, photo: Image.Image | None) -> str:
        choices = list(printings(card)) if is_listed(card, answer) else []
        figures = [self._hit(hit, card, choices) for hit in sheet.shown_hits(card)]
        if crop := photo and sheet.cut_out(photo, card, answer):
            shown = _image(crop, f"card {number} of {sheet.label(answer)}")
            figures.insert(0, f"<figure>{shown}<figcaption>in the photo</figcaption></figure>\n")
        colour = sheet.COLOURS[card.verdict]
        inner = (
            f'<h3><span class="number" style="background:{colour}">{number}</span>'
            f" {html.escape(in_words(card))}</h3>\n"
            f'<div class="scans">\n{"".join(figures)}</div>'
        )
        if not choices:
            return f'<article class="card">{inner}</article>'
        line = self._layout.row(card, answer.query, number)
        self.finds.append({"row": line, "choices": list(map(self._layout.cells, choices))})
        return (
            f'<article class="card" data-find="{len(self.finds) - 1}">{inner}\n'
            f'{_choices(choices)}<span class="badge"></span></article>'
        )

    def _hit(self, hit: Hit, card: Found, choices: list[Hit]) -> str:
        scan, lines = sheet.scan_of(hit, self._cache), sheet.caption(hit)
        shown = '<div class="none">no picture</div>'
        if scan is not None:
            small = ImageOps.contain(scan, _SCAN_SIZE, Image.Resampling.LANCZOS)
            shown = _image(small, " ".join(lines))
        if link(hit).startswith("https://"):
            address = html.escape(link(hit))
            shown = f'<a href="{address}" target="_blank" rel="noopener">{shown}</a>'
        text = "<br>".join(map(html.escape, lines))
        if hit in choices and len(sheet.shown_hits(card)) > 1:
            place = choices.index(hit)
            text += f'<br><button type="button" data-choice="{place}">It is this one</button>'
        return f"<figure>{shown}<figcaption>{text}</figcaption></figure>\n"


def _choices(choices: list[Hit]) -> str:
    labels = [
        html.escape(f"{hit.get('card_name') or hit.get('name')} – {' '.join(where(hit))}")
        for hit in choices
    ]
    options = [f'<option value="{place}">{label}</option>' for place, label in enumerate(labels)]
    return (
        '<label class="choice">It is\n<select>\n'
        f'<option value="">as found: {labels[0]}</option>\n{"".join(options)}\n'
        '<option value="none">not a card</option>\n</select></label>\n'
    )


def _image(picture: Image.Image, text: str) -> str:
    data = base64.b64encode(sheet.jpeg(picture)).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(text)}">'
