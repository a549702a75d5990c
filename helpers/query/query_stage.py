"""Pictures or sentences → the cards they show, printed as they are answered."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.atomic_io import atomic_write, atomic_write_stream
from helpers.cli_validation import options_of
from helpers.errors import DataError, IncompleteError
from helpers.query import inputs
from helpers.query.answer import Answer
from helpers.query.open_index import OpenIndex
from helpers.query.options import QueryOptions
from helpers.query.output import sheet
from helpers.query.output.exports import Layout, summary
from helpers.query.output.lines import publish
from helpers.query.output.sheet_html import page
from helpers.query.output.sheet_png import png
from helpers.query.watch import watch
from helpers.report import DOCUMENT_VERSION, Reporter


def query_stage(args: Namespace, report: Reporter) -> None:
    """Answer every query and print the cards found.

    Raises:
        DataError: the index or the model cannot be used, or not one picture could be read.
        IncompleteError: some pictures could not be read; the others are answered.
    """
    options = options_of(QueryOptions, args, sentences=bool(args.text))
    index = OpenIndex(options, report)
    if args.watch:
        watch(index, args, report)
    layout = Layout(args.csv_format)
    kept: list[Answer] = []
    rows: list[list[str]] = []
    failed = total = 0
    for answer in _answers(index, args):
        total += 1
        failed += answer.error is not None
        publish(answer, report, ndjson=args.ndjson)
        _say_if_nothing_is_left(answer, args.min_score, report)
        rows += layout.rows(answer)
        if report.as_json or args.sheet:
            kept.append(answer)
    report.document(
        {
            "version": DOCUMENT_VERSION,
            "index": index.searcher.to_json(),
            "queries": [answer.to_json() for answer in kept],
        }
    )
    if args.csv:
        atomic_write(args.csv, layout.text(rows))
        report.info(f"List: {args.csv}: {summary(rows)}")
    if args.sheet:
        write_sheet(args.sheet, kept, index.cache, layout)
        report.info(f"Sheet: {args.sheet}")
        _warn_of_no_scans(kept, index.cache, report)
    if failed:
        kind = DataError if failed == total else IncompleteError
        raise kind("pictures could not be read", details=f"{failed} of {total}, named above")


def _answers(index: OpenIndex, args: Namespace) -> Iterator[Answer]:
    for text in args.text or ():
        yield index.searcher.ask_text(text)
    seen = set()
    for picture in inputs.pictures(args.images):
        answer = index.answer(picture)
        if args.sheet and picture.image is not None:
            answer.image = sheet.small_copy(picture.image)
        answer.repeated = picture.digest in seen
        seen.add(picture.digest)
        yield answer


def _say_if_nothing_is_left(answer: Answer, least: float | None, report: Reporter) -> None:
    if least is not None and answer.cards and not any(card.hits for card in answer.cards):
        best = max(card.evidence.score for card in answer.cards)
        report.info(
            f"{answer.query}: nothing reaches --min-score {least:g}, the best has {best:.3f}"
        )


def write_sheet(target: Path, answers: Sequence[Answer], cache: Path, layout: Layout) -> None:
    """Write pictures beside the cards found in them, as PNG or HTML by the suffix of `target`."""
    is_page = target.suffix.lower() == ".html"
    atomic_write_stream(target, page(answers, cache, layout) if is_page else png(answers, cache))


def _warn_of_no_scans(answers: Sequence[Answer], cache: Path, report: Reporter) -> None:
    """Say where scans were looked for if not one of them is there."""
    hits = (hit for answer in answers for card in answer.cards for hit in card.hits[:1])
    files = [str(hit["image_file"]) for hit in hits if hit.get("image_file")]
    if files and not any((cache / name).is_file() for name in files):
        report.warning(
            f"the sheet shows no scans: they are not in {cache.absolute()};"
            " --cache DIR names where the image cache is now"
        )
