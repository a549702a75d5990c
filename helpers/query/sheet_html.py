"""The result sheet as one HTML file: queries beside their hits, whole cards, nothing else needed.

Pictures are embedded as small JPEGs, so the file can be sent around; cards are scaled, never
cropped or drawn upon, and keep their artist and copyright line (Scryfall's terms).
"""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from helpers.query.sheet_png import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.query.sheet_png import SheetRow

_HEIGHT = 340  # pixels; the card's text stays readable
_STYLE = """\
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #1e1e22; background: #fafaf8; }
section { display: flex; flex-wrap: wrap; gap: 1rem; }
section { border-top: 1px solid #d6d6d2; padding: 1rem 0; }
figure { margin: 0; width: 13rem; overflow-wrap: anywhere; }
figure:first-child { margin-right: 2rem; }
figure img, figure .none { height: 15rem; max-width: 13rem; object-fit: contain; display: block; }
.none { background: #cecece; display: grid; place-items: center; }
.right img { outline: 4px solid #188a3e; } .wrong img { outline: 4px solid #c82828; }
"""


def render_html(rows: Sequence[SheetRow], title: str) -> str:
    """Return the sheet as an HTML document in UTF-8 with one section a query."""
    sections = "\n".join(_section(row) for row in rows)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_STYLE}</style>\n"
        f"<h1>{html.escape(title)}</h1>\n{sections}\n</html>\n"
    )


def _section(row: SheetRow) -> str:
    figures = [_figure(row.query, [row.label], row.correct)]
    figures += [_figure(hit.image, hit.caption, hit.correct) for hit in row.hits]
    return "<section>\n" + "\n".join(figures) + "\n</section>"


def _figure(
    source: Path | Image.Image | None,
    caption: Sequence[str],
    mark: bool | None,  # noqa: FBT001 - three states
) -> str:
    name = "" if mark is None else ' class="right"' if mark else ' class="wrong"'
    lines = "<br>".join(html.escape(line) for line in caption)
    return f"<figure{name}>{_picture(source, caption)}<figcaption>{lines}</figcaption></figure>"


def _picture(source: Path | Image.Image | None, caption: Sequence[str]) -> str:
    picture = opened(source)
    if picture is None:
        return '<div class="none">no picture</div>'
    small = ImageOps.contain(picture, (_HEIGHT * 2, _HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(" ".join(caption))}">'
