#!/usr/bin/env python3
"""Show the whole pipeline on cards that the project draws itself, without the internet.

Runs the real scripts one after the other, against a Scryfall of our own on 127.0.0.1, and prints
each command as you would type it. Then it makes photos of cards scattered on a table, asks which
cards they are, and writes the answers as one picture.
"""

import os
import time
from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from devtools.demo import photos
from devtools.demo.steps import Steps, relative
from devtools.scryfall.process import StepFailedError
from helpers import cli, signals
from helpers.atomic_io import make_directory
from helpers.cli_validation import Directory, Flag, FlagGroup, Number, OneOf
from helpers.report import Reporter, duration

ENCODERS = {
    "demo": "EfficientNet-lite0 (ImageNet), NOT CLIP",
    "clip": "CLIP ViT-B-32-quickgelu (openai)",
}
NOT_CLIP = """
These answers come from a stand-in encoder, EfficientNet-lite0 trained on ImageNet with a random
projection. It is NOT CLIP; it is here because it needs no model hub.
With the real encoder (a download of 605 MB, once): make demo MODEL=clip"""

_MANY, _PORT = Number(int, 1, 1_000_000), Number(int, 0, 65_535)
FLAGS = FlagGroup(
    "demo",
    (
        Flag("--model", OneOf(tuple(ENCODERS)), "demo", "NAME", "demo or clip"),
        Flag("--work", Directory(), "demo_out", "DIR", "for all that it makes"),
        Flag("--cards", _MANY, 300, "N", "cards to draw"),
        Flag("--port", _PORT, 8765, "N", "of the loopback server, 0 for any"),
    ),
)

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Run the demo; the exit code is that of a failing step."""
    signals.ignore_further()
    make_directory(args.work)
    try:
        run_demo(args, report)
    except StepFailedError as failure:
        report.item_error(f"the demo ends here: {failure}")
        return failure.exit_code
    return 0


def run_demo(args: Namespace, report: Reporter) -> None:
    """Build an index of drawn cards, ask it about photos of a table, and show how well it did."""
    start, folder, steps = time.monotonic(), args.work, Steps(report)
    steps.say(f"Image encoder: {ENCODERS[args.model]}")
    os.environ["MTG_ENCODER_CACHE"] = str((folder / photos.ENCODERS_KEPT).absolute())
    build_index(steps, args)
    answers = photos.ask(steps, folder, photos.take_photos(folder))
    photos.show_answers(steps, answers)
    steps.say(f"\nAll of them as one picture: {relative(folder / photos.SHEET)}")
    if args.model == "demo":
        steps.say(NOT_CLIP)
    steps.say(f"\nThe demo took {duration(time.monotonic() - start)}.")
    report.document(photos.document(answers, ENCODERS[args.model], folder / photos.SHEET))


def build_index(steps: Steps, args: Namespace) -> None:
    """Run the real scripts, from a list of cards to an index of their pictures."""
    folder = args.work
    model: tuple[str, ...] = ()
    cache = ("--cache", folder / photos.CACHE)
    if args.model == "demo":
        steps.run("scripts/make_demo_model.py", "--out", folder / photos.MODEL)
        model = ("--model", f"local-dir:{relative(folder / photos.MODEL)}")
    with steps.scryfall(args.cards, args.port) as url:
        # Always a fresh list: an earlier run may have had other cards or another port.
        steps.run("download_images.py", "--scryfall-api", url, "--refresh-bulk", *cache)
    steps.run("scripts/validate_cache.py", *cache)
    steps.run("build_embeddings.py", *cache, "--out", folder / photos.INDEX, *model)


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
