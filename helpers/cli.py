"""What every script shares: the flags, and the way from an exception to an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from helpers import __version__, signals
from helpers.cards.card_face import IMAGE_VERSIONS
from helpers.cli_validation import DEVICES, ENGINES, FITS, KINDS, PRECISIONS, validate_args
from helpers.errors import AppError, Stopped, UsageError
from helpers.query.grouping import GROUPINGS
from helpers.report import Reporter

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

SCRYFALL_API = "https://api.scryfall.com"
USER_AGENT = "MTG-Image-DB/1.0 (+https://github.com/FrimJo/spell-coven-mono; ifrim@me.com)"

EXIT_CODES = """\
exit codes:
  0 done   1 a bug   2 bad arguments   3 finished, but incomplete   4 source unavailable
  5 data unusable   6 cannot write   75 another run is at work   130/143 stopped; resumes
"""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors look like every other error of the project."""

    def error(self, message: str) -> NoReturn:
        """Raise argparse's complaint as a `UsageError`."""
        raise UsageError(message, suggestion=f"{self.prog} --help lists every flag")


def parser(description: str) -> Parser:
    """Return a parser with the flags that all scripts have."""
    result = Parser(
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    group = result.add_argument_group("output")
    loudness = group.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="errors only")
    loudness.add_argument("-v", "--verbose", action="store_true", help="details and tracebacks")
    group.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    return result


def add_source_flags(to: Parser) -> None:
    """Add the flags that choose the cards: bulk file, kind, cache, limit."""
    group = to.add_argument_group("source")
    add = group.add_argument
    add("--kind", default="unique_artwork", metavar="KIND", help=f"{_words(KINDS)} (%(default)s)")
    add("--cache", default="image_cache", metavar="DIR", help="image cache (%(default)s)")
    add("--limit", metavar="N", help="only the first N faces; 0 means none (all)")
    add(
        "--image-version",
        default="normal",
        metavar="KEY",
        help=f"{_words(IMAGE_VERSIONS)} (%(default)s)",
    )
    add("--bulk-file", metavar="FILE", help="local .json or .jsonl, gzipped or not; no request")
    add("--refresh-bulk", action="store_true", help="ask Scryfall now for a newer bulk file")
    add(
        "--max-bulk-age",
        metavar="HOURS",
        help="reuse the cached bulk file while younger (24; when only building: any age)",
    )
    add(
        "--scryfall-api",
        default=os.environ.get("MTG_SCRYFALL_API", SCRYFALL_API),
        metavar="URL",
        help="API to ask, also $MTG_SCRYFALL_API (%(default)s)",
    )
    add(
        "--user-agent",
        default=os.environ.get("MTG_USER_AGENT", USER_AGENT),
        metavar="TEXT",
        help="who asks, also $MTG_USER_AGENT (%(default)s)",
    )


def add_download_flags(to: Parser) -> None:
    """Add the flags of the download step."""
    add = to.add_argument_group("download").add_argument
    add("--workers", default=16, metavar="N", help="downloads at a time, 1 to 128 (%(default)s)")
    add("--timeout-connect", default=5.0, metavar="S", help="seconds to connect (%(default)s)")
    add("--timeout-read", default=30.0, metavar="S", help="seconds of silence (%(default)s)")
    add("--max-retries", default=5, metavar="N", help="further tries per image (%(default)s)")
    add(
        "--max-failure-rate",
        default=0.01,
        metavar="R",
        help="share of images that may fail before the exit code is 3 (%(default)s)",
    )


def add_build_flags(to: Parser) -> None:
    """Add the flags of the embedding and index step."""
    add = to.add_argument_group("build").add_argument
    switch = argparse.BooleanOptionalAction
    add("--out", default="index_out", metavar="DIR", help="output directory (%(default)s)")
    add("--batch", metavar="N", help="images per forward pass (measured on this machine)")
    add("--threads", metavar="N", help="CPU threads that embed (measured on this machine)")
    add("--size", default=384, metavar="PX", help="side of the square, >= 64 (%(default)s)")
    add("--fit", default="pad", metavar="HOW", help=f"{_words(FITS)} (%(default)s)")
    add("--validate-cache", action=switch, default=True, help="check every image")
    add("--hnsw-m", default=32, metavar="M", help="links per vector, 4 to 128 (%(default)s)")
    add(
        "--hnsw-ef-construction",
        default=200,
        metavar="EF",
        help="candidates while building, M to 2000 (%(default)s)",
    )
    add(
        "--checkpoint-frequency",
        default=500,
        metavar="N",
        help="images between checkpoints, 0 for none, else >= 100 (%(default)s)",
    )
    add("--resume", action=switch, default=True, help="go on where a stopped build ended")
    add("--reuse", action=switch, default=True, help="take unchanged vectors from the last build")
    add("--model", default="ViT-B-32-quickgelu", help="open_clip name or local-dir:DIR")
    add(
        "--pretrained",
        metavar="TAG",
        help="weights: an open_clip tag, a file, or `random` for tests (openai)",
    )
    add("--device", default="auto", metavar="DEV", help=f"{_words(DEVICES)} (%(default)s)")
    add("--engine", default="auto", metavar="E", help=f"{_words(ENGINES)} (%(default)s)")
    add("--precision", default="fp32", metavar="P", help=f"{_words(PRECISIONS)} (%(default)s)")


def add_query_flags(to: Parser) -> None:
    """Add the flags of a query."""
    to.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="pictures, directories, patterns, http(s) addresses, - for a list on stdin",
    )
    to.add_argument(
        "--text", action="append", metavar="SENTENCE", help="ask for what a sentence describes"
    )
    add = to.add_argument_group("search").add_argument
    add("--index", default="index_out", metavar="DIR", help="directory of a build (%(default)s)")
    add("--k", default=5, metavar="K", help="hits per picture (%(default)s)")
    add(
        "--ef-search",
        default=64,
        metavar="EF",
        help="candidates while searching, raised to 2 K (%(default)s)",
    )
    add("--exact", action="store_true", help="compare with every vector instead of the graph")
    add("--min-score", metavar="S", help="leave out hits below this cosine, -1 to 1")
    add(
        "--group",
        default="card",
        metavar="HOW",
        help=f"{_words(GROUPINGS)}: what counts as one hit (%(default)s)",
    )
    add("--rotations", action="store_true", help="also try the pictures turned by 90, 180, 270°")
    add("--sheet", metavar="FILE", help="write queries beside their hits to a .png or .html file")
    add("--cache", metavar="DIR", help="pictures for --sheet (the cache that was built from)")


def _words(choices: Sequence[str]) -> str:
    return ", ".join(choices)


def run(
    the_parser: Parser,
    work: Callable[[Namespace, Reporter], int],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse, check, work, and turn whatever happens into the exit code of the contract.

    Args:
        the_parser: the script's parser.
        work: the script's work; returns its exit code or raises.
        argv: the arguments, those of the process if None.
    """
    report = Reporter()
    try:
        args = the_parser.parse_args(argv)
        report = Reporter(quiet=args.quiet, verbose=args.verbose, as_json=args.json)
        validate_args(args)
        signals.install()
        code = work(args, report)
        report.flush()
    except AppError as error:
        report.error(error)
        code = error.exit_code
    except Stopped as stop:
        _leave_stopped(report, stop)
        code = stop.exit_code
    except BrokenPipeError:
        # The reader (`| head`) has seen enough: keep the interpreter's last flush quiet, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the one place where a bug becomes an exit code
        report.bug(error)
        code = 1
    return code


def _leave_stopped(report: Reporter, stop: Stopped) -> None:
    """Say that the run was stopped, and leave at once if a worker still hangs in a system call."""
    report.error(
        _StoppedError(
            f"stopped by {stop}",
            details="everything that was finished is saved",
            suggestion="type the same command again: it goes on where it stopped",
        )
    )
    if threading.active_count() > 1:
        sys.stderr.flush()
        os._exit(stop.exit_code)


class _StoppedError(AppError):
    category = "stopped"
