"""`--sheet`: the answers of a query as a picture or a page that a person can look at."""

from collections.abc import Sequence
from pathlib import Path

from helpers.atomic_io import atomic_write_stream
from helpers.query.answer import Answer
from helpers.query.output.exports import Layout


def write_sheet(target: Path, answers: Sequence[Answer], cache: Path, layout: Layout) -> None:
    """Write pictures beside the cards found in them, as PNG or HTML by the suffix of `target`.

    Raises:
        WriteError: the disk refuses.
    """
    if target.suffix.lower() == ".html":
        from helpers.query.output.sheet_html import page

        atomic_write_stream(target, page(answers, cache, layout))
    else:
        from helpers.query.output.sheet_png import png

        atomic_write_stream(target, png(answers, cache))
