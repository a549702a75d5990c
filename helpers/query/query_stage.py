"""Pictures or sentences → the nearest cards of an index."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import DataError, IncompleteError
from helpers.packages import is_here
from helpers.query import inputs
from helpers.query.searcher import Answer, Searcher
from helpers.report import DOCUMENT_VERSION
from helpers.validation import InvalidImageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from helpers.report import Reporter
    from helpers.session import DownloadSession

_COLUMNS = ("rank", "score", "name", "set", "number", "lang", "link", "also", "verdict")
_ALSO_SHOWN = 3  # further printings: what fits a line


def query_stage(args: Namespace, report: Reporter) -> None:
    """Answer every query and print the hits.

    Raises:
        DataError: the index or the model cannot be used, or not one picture could be read.
        IncompleteError: some pictures could not be read; the others are answered.
    """
    searcher = Searcher(args, report)
    kept: list[Answer] = []
    failed = total = 0
    for answer in _answers(searcher, args):
        total += 1
        failed += answer.error is not None
        _show(answer, report)
        if not args.sheet:
            answer.image = None
        if report.as_json or args.sheet:
            kept.append(answer)
    report.document(
        {
            "version": DOCUMENT_VERSION,
            "index": searcher.to_json(),
            "queries": [answer.to_json() for answer in kept],
        }
    )
    if args.sheet:
        from helpers.query.sheet import write_sheet

        write_sheet(Path(args.sheet), kept, _cache_directory(searcher, args))
        report.info(f"Sheet: {args.sheet}")
    report.flush()
    _check_failures(failed, total)


def _answers(searcher: Searcher, args: Namespace) -> Iterator[Answer]:
    for text in args.text or ():
        yield searcher.ask_text(text)
    session = functools.cache(_session)
    for batch in inputs.batches(args.images):
        yield from searcher.ask_pictures([inputs.load(name, session) for name in batch])


def _session() -> DownloadSession:
    if not is_here("requests"):
        raise InvalidImageError("an address needs the package requests: pip install requests")
    from helpers.cards.options import SCRYFALL_API, USER_AGENT
    from helpers.network.policy import Policy
    from helpers.session import DownloadSession

    return DownloadSession(Policy(USER_AGENT, SCRYFALL_API))


def _cache_directory(searcher: Searcher, args: Namespace) -> Path:
    return Path(args.cache or searcher.index.manifest["parameters"]["cache"])


def _show(answer: Answer, report: Reporter) -> None:
    if answer.error is not None:
        report.item_error(f"{answer.query}: {answer.error}")
        return
    rows = [_row(hit, answer.verdict or "") for hit in answer.hits]
    report.answers(answer.query, _COLUMNS, rows)


def _row(hit: dict[str, Any], verdict: str) -> tuple[str, ...]:
    others = dict.fromkeys(map(_printing, hit["also"]))  # two faces of one printing are one
    others.pop(_printing(hit), None)
    names = ", ".join(list(others)[:_ALSO_SHOWN])
    more = f" +{len(others) - _ALSO_SHOWN}" if len(others) > _ALSO_SHOWN else ""
    return (
        str(hit["rank"]) + ("=" if hit["tie"] else ""),
        f"{hit['score']:.4f}",
        hit["name"],
        (hit["set"] or "").upper(),
        hit["collector_number"] or "",
        hit["lang"] or "",
        (hit["scryfall_uri"] or "").split("?", 1)[0],
        names + more,
        verdict if hit["rank"] == 1 else "",
    )


def _printing(record: dict[str, Any]) -> str:
    return f"{(record['set'] or '').upper()} {record['collector_number'] or ''}".strip()


def _check_failures(failed: int, total: int) -> None:
    if failed and failed == total:
        raise DataError("no picture could be read", details=f"{failed} of {total} failed")
    if failed:
        raise IncompleteError(
            "some pictures could not be read", details=f"{failed} of {total} failed, named above"
        )
