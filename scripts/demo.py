#!/usr/bin/env python3
"""Show the whole pipeline on cards that the project draws itself, without the internet.

Runs the real scripts one after the other, against a Scryfall of our own on 127.0.0.1, and prints
each command as you would type it. Then it makes photo-like pictures of some of the cards, asks
which cards they are, and writes the answers as one picture.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _project  # noqa: F401
from _steps import StepFailedError, read_step, relative, run_step, say, scryfall, stop_on_signals

from helpers.atomic_io import atomic_write
from helpers.errors import AppError, DataError, Stopped, write_error
from helpers.report import duration, safe_percentage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from helpers.sheet import SheetHit, SheetRow

#: What the demo makes in its directory.
MODEL, CACHE, INDEX, PHOTOS, SHEET = "model", "image_cache", "index_out", "photos", "answers.png"
ENCODERS_KEPT = "encoders"

K = 5
LEVEL = "photo"
#: Chooses the cards that are photographed, and what goes wrong with each photo.
SEED = 2026
ENCODERS = {
    "demo": "EfficientNet-lite0 (ImageNet), NOT CLIP",
    "clip": "CLIP ViT-B-32-quickgelu (openai)",
}
NOT_CLIP = """
These answers come from a stand-in encoder, EfficientNet-lite0 trained on ImageNet with a random
projection. It is NOT CLIP; it is here because it needs no model hub.
With the real encoder (a download of 605 MB, once): make demo MODEL=clip"""

#: A metadata line, or a hit of `query_index.py --json`: the same keys, with `rank` and `score`.
Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo-like picture, and the card that it shows."""

    path: Path
    card: Card


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for one photo, best first."""

    photo: Photo
    hits: Sequence[Card]

    def card_rank(self) -> int | None:
        """Return the rank of the card that was photographed, in whatever printing, if found."""
        return _rank(self.hits, self.photo.card, is_same_card)

    def printing_rank(self) -> int | None:
        """Return the rank of the very printing, if found, were each printing a hit of its own."""
        printings = [row for hit in self.hits for row in (hit, *hit["also"])]
        return _rank(printings, self.photo.card, is_same_printing)


def _rank(found: Sequence[Card], wanted: Card, is_same: Callable[[Card, Card], bool]) -> int | None:
    ranks = (rank for rank, card in enumerate(found[:K], start=1) if is_same(card, wanted))
    return next(ranks, None)


def is_same_printing(one: Card, other: Card) -> bool:
    """Tell whether two records are the same face of the same printing."""
    return all(one[key] == other[key] for key in ("scryfall_id", "face_id"))


def is_same_card(one: Card, other: Card) -> bool:
    """Tell whether two records are the same face of the same card, whatever the printing."""
    return all(one.get(key) == other.get(key) for key in ("name", "oracle_id"))


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


def take_photos(work: Path, wanted: int) -> list[Photo]:
    """Make photo-like pictures of some cards, chosen at random but always the same."""
    from PIL import Image

    from helpers.distort import distort

    cards = read_cards(work / INDEX / "mtg_meta.jsonl")
    chosen = random.Random(SEED).sample(cards, min(wanted, len(cards)))
    folder = work / PHOTOS
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("photo-*.jpg"):
        old.unlink()
    photos = []
    for number, card in enumerate(chosen, start=1):
        path = folder / f"photo-{number:02}-{slug(card['name'])}.jpg"
        with Image.open(work / CACHE / card["image_file"]) as scan:
            distort(scan.convert("RGB"), LEVEL, SEED + number).save(path, quality=95)
        photos.append(Photo(path, card))
    return photos


def read_cards(metadata: Path) -> list[Card]:
    """Read the metadata lines of an index."""
    try:
        text = metadata.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"the build left no {metadata}") from error
    return [json.loads(line) for line in text.splitlines()]


def slug(name: str) -> str:
    """Return a card's name as a part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def ask(work: Path, photos: Sequence[Photo]) -> list[Answer]:
    """Ask about one photo the way a user sees it, and then about all of them as JSON."""
    query = ("query_index.py", "--index", work / INDEX, "--k", K)
    run_step(*query, photos[0].path)
    document = json.loads(read_step(*query, "--json", work / PHOTOS))
    hits = {Path(found["query"]).name: found["hits"] for found in document["queries"]}
    return [Answer(photo, hits[photo.path.name]) for photo in photos]


def show_answers(answers: Sequence[Answer]) -> None:
    """Print one line a photo, and how many answers were right."""
    header = ("photo of", "best answer", "score", "")
    rows = [header, *(_table_row(answer) for answer in answers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    say("")
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())
    say("")
    for what, ranks in _ranks(answers).items():
        say(f"{what}: {_score(ranks)}")


def _table_row(answer: Answer) -> tuple[str, ...]:
    best = answer.hits[0]
    return (_title(answer.photo.card), _title(best), f"{best['score']:.3f}", verdict(answer))


def _title(card: Card) -> str:
    return f"{card['name']} ({card['set'].upper()} {card['collector_number']})"


def verdict(answer: Answer) -> str:
    """Say in a few words how good an answer was."""
    if answer.printing_rank() == 1:
        return "right"
    if answer.card_rank() == 1:
        return "right card, other printing"
    rank = answer.card_rank()
    return f"wrong (it is hit {rank})" if rank else "wrong"


def _ranks(answers: Sequence[Answer]) -> dict[str, list[int | None]]:
    """Return the ranks by what is asked for; one entry if card and printing do not differ."""
    printings = [answer.printing_rank() for answer in answers]
    cards = [answer.card_rank() for answer in answers]
    if printings == cards:
        return {"The card": cards}
    return {"The card": cards, "The very printing and face": printings}


def _score(ranks: Sequence[int | None]) -> str:
    first = sum(rank == 1 for rank in ranks)
    found = sum(rank is not None for rank in ranks)
    return (
        f"{first} of {len(ranks)} right at rank 1 ({safe_percentage(first, len(ranks))}),"
        f" {found} within the first {K} ({safe_percentage(found, len(ranks))})"
    )


def summary(answers: Sequence[Answer]) -> str:
    """Return the result in one line."""
    return _score([answer.card_rank() for answer in answers])


# --- the picture -----------------------------------------------------------------------------


def draw_sheet(answers: Iterable[Answer], work: Path, title: str) -> None:
    """Write the picture that shows every photo beside its hits."""
    from helpers.sheet import render_sheet

    rows = [_sheet_row(answer, work) for answer in answers]
    png = io.BytesIO()
    render_sheet(rows, title, columns=3).save(png, "PNG", optimize=True)
    atomic_write(work / SHEET, png.getvalue())


def _sheet_row(answer: Answer, work: Path) -> SheetRow:
    from helpers.sheet import SheetRow

    card = answer.photo.card
    hits = [_sheet_hit(hit, card, work) for hit in answer.hits]
    return SheetRow(
        answer.photo.path, f"photo of {_title(card)}", hits, correct=answer.card_rank() == 1
    )


def _sheet_hit(hit: Card, card: Card, work: Path) -> SheetHit:
    from helpers.sheet import SheetHit

    caption = (
        f"#{hit['rank']}   {hit['score']:.3f}",
        hit["name"],
        f"{hit['set'].upper()} {hit['collector_number']}",
    )
    return SheetHit(work / CACHE / hit["image_file"], caption, is_same_card(hit, card) or None)


if __name__ == "__main__":
    raise SystemExit(main())
