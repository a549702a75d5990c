"""What to measure: the flags of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.cli_validation import (
    Directory,
    ExistingFile,
    FileName,
    Flag,
    FlagGroup,
    ListOf,
    Number,
    OneOf,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

PARTS = ("recall", "grid", "identify", "photos")


@dataclass(frozen=True, slots=True)
class Pair:
    """M and efConstruction with a slash between them."""

    def read(self, value: Any) -> tuple[int, int]:
        """Return both numbers, or raise ValueError."""
        m, slash, ef = str(value).partition("/")
        if slash and m.isdecimal() and ef.isdecimal() and 4 <= int(m) <= int(ef) <= 2000:  # noqa: PLR2004
            return int(m), int(ef)
        raise ValueError(f"must be pairs such as 32/200 (4 to 2000, M first), not {str(value)!r}")


def _contradictions(args: Namespace) -> Iterator[str]:
    parts = getattr(args, "parts", None) or ()
    if "photos" in parts and args.photos is None:
        yield "--parts photos needs --photos"
    if args.save_thresholds and "identify" not in parts:
        yield "--save-thresholds needs --parts identify, which measures them"


FLAGS = FlagGroup(
    "evaluation",
    (
        Flag(
            "--index",
            Directory(),
            default="index_out",
            metavar="DIR",
            help="directory of a build (%(default)s)",
        ),
        Flag(
            "--parts",
            ListOf(OneOf(PARTS)),
            default="recall,grid,identify",
            metavar="LIST",
            help="what to measure; `photos` alone asks only about --photos (%(default)s)",
        ),
        Flag(
            "--seed",
            Number(int, 0),
            default=0,
            metavar="N",
            help="of everything that is random (%(default)s)",
        ),
        Flag(
            "--plot",
            FileName((".png",)),
            metavar="FILE",
            help="draw the result into a .png file",
        ),
    ),
    _contradictions,
)
GRAPH_FLAGS = FlagGroup(
    "recall and grid: the graph against exact search",
    (
        Flag(
            "--ladder",
            ListOf(Number(int, 1, 10_000)),
            default="16,32,64,128,256,512",
            metavar="LIST",
            help="efSearch (%(default)s)",
        ),
        Flag(
            "--grid",
            ListOf(Pair()),
            default="16/100,32/200,48/400,64/400",
            metavar="LIST",
            help="pairs M/efConstruction to build with (%(default)s)",
        ),
    ),
)
IDENTIFY_FLAGS = FlagGroup(
    "identify: distorted pictures of cards",
    (
        Flag(
            "--sample",
            Number(int, 1),
            default=100,
            metavar="N",
            help="cards to distort (%(default)s)",
        ),
        Flag(
            "--cache",
            Directory(),
            metavar="DIR",
            help="pictures of the cards (the cache that was built from)",
        ),
        Flag(
            "--negatives",
            Directory(must_exist=True),
            metavar="DIR",
            help="further pictures that show no card",
        ),
        Flag(
            "--save-thresholds",
            action="store_true",
            help="let queries tell when they are not sure",
        ),
    ),
)
PHOTO_FLAGS = FlagGroup(
    "photos: labelled by a person",
    (
        Flag(
            "--photos",
            ExistingFile(),
            metavar="FILE",
            help="CSV with the columns file, shows, scryfall_id",
        ),
    ),
)
