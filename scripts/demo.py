#!/usr/bin/env python3
"""Show the whole pipeline on cards that the project draws itself, without the internet.

Runs the real scripts one after the other, against a Scryfall of our own on 127.0.0.1, and prints
each command as you would type it. Then it makes photo-like pictures of some of the cards, asks
which cards they are, and writes the answers as one picture.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import _project  # noqa: F401

from devtools.demo.photos import (
    CACHE,
    ENCODERS_KEPT,
    INDEX,
    MODEL,
    PHOTOS,
    SHEET,
    ask,
    draw_sheet,
    show_answers,
    summary,
    take_photos,
)
from devtools.demo.steps import relative, run_step, say, scryfall, stop_on_signals
from devtools.scryfall.process import StepFailedError
from helpers.errors import AppError, Stopped, write_error
from helpers.report import duration

if TYPE_CHECKING:
    from collections.abc import Sequence


ENCODERS = {
    "demo": "EfficientNet-lite0 (ImageNet), NOT CLIP",
    "clip": "CLIP ViT-B-32-quickgelu (openai)",
}
NOT_CLIP = """
These answers come from a stand-in encoder, EfficientNet-lite0 trained on ImageNet with a random
projection. It is NOT CLIP; it is here because it needs no model hub.
With the real encoder (a download of 605 MB, once): make demo MODEL=clip"""


# --- the command line ------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", choices=ENCODERS, default="demo", help="image encoder (%(default)s)")
    add("--work", type=Path, default=Path("demo_out"), metavar="DIR", help="(%(default)s)")
    add("--cards", type=count, default=300, metavar="N", help="cards to draw (%(default)s)")
    add("--queries", type=count, default=24, metavar="N", help="photos to ask (%(default)s)")
    add("--port", type=port, default=8765, metavar="N", help="of the loopback server (%(default)s)")
    add("--fresh", action="store_true", help="forget what earlier runs of the demo made")
    return parser


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def port(text: str) -> int:
    """Read a TCP port; 0 stands for any free one."""
    number = int(text)
    if not 0 <= number < 1 << 16:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and 65535")
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; return its exit code, which is that of a failing step."""
    args = build_parser().parse_args(argv)
    stop_on_signals()
    try:
        run_demo(args)
    except StepFailedError as failure:
        return _fail(f"\nThe demo ends here: {failure}", failure.exit_code)
    except Stopped as stop:
        return _fail(f"\nStopped by {stop}; the same command goes on from here", stop.exit_code)
    except AppError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        failed = write_error(error, args.work)
        return _fail(str(failed), failed.exit_code)
    return 0


def _fail(message: str, exit_code: int) -> int:
    sys.stderr.write(f"{message}\n")
    return exit_code


def run_demo(args: argparse.Namespace) -> None:
    """Build an index of drawn cards, ask it about photos of some, and show how well it did."""
    start = time.monotonic()
    work: Path = args.work
    if args.fresh:
        forget(work)
    say(f"Image encoder: {ENCODERS[args.model]}")
    os.environ["MTG_ENCODER_CACHE"] = str((work / ENCODERS_KEPT).absolute())
    build_index(args)
    answers = ask(work, take_photos(work, args.queries))
    show_answers(answers)
    draw_sheet(answers, work, f"{summary(answers)}. Encoder: {ENCODERS[args.model]}")
    say(f"\nAll of them as one picture: {relative(work / SHEET)}")
    if args.model == "demo":
        say(NOT_CLIP)
    say(f"\nThe demo took {duration(time.monotonic() - start)}.")


def forget(work: Path) -> None:
    """Remove what the demo made, and nothing else that may lie in the same directory."""
    for name in (MODEL, CACHE, INDEX, PHOTOS, ENCODERS_KEPT):
        if (work / name).is_dir():
            shutil.rmtree(work / name)
    (work / SHEET).unlink(missing_ok=True)


def build_index(args: argparse.Namespace) -> None:
    """Run the real scripts, from a list of cards to an index of their pictures."""
    work: Path = args.work
    model: tuple[str, ...] = ()
    if args.model == "demo":
        run_step("scripts/make_demo_model.py", "--out", work / MODEL)
        model = ("--model", f"local-dir:{relative(work / MODEL)}")
    with scryfall(args.cards, args.port) as url:
        # Always a fresh list: an earlier run may have had other cards or another port.
        source = ("--scryfall-api", url, "--refresh-bulk")
        run_step("download_images.py", *source, "--cache", work / CACHE)
    run_step("scripts/validate_cache.py", "--cache", work / CACHE)
    run_step("build_embeddings.py", "--cache", work / CACHE, "--out", work / INDEX, *model)


# --- photos and answers ----------------------------------------------------------------------


# --- the picture -----------------------------------------------------------------------------


if __name__ == "__main__":
    raise SystemExit(main())
