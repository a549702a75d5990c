"""Which cards a run is about: the flags of the group "source"."""

import os
import shlex
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from helpers.cards.card_face import IMAGE_VERSIONS
from helpers.cli_validation import (
    Directory,
    Flag,
    FlagGroup,
    ListOf,
    Number,
    OneOf,
    ascii_line,
    existing_file,
    options_of,
)
from helpers.network.policy import base_url

SCRYFALL_API = "https://api.scryfall.com"
USER_AGENT = "MTG-Image-DB/1.0 (+https://github.com/FrimJo/spell-coven-mono; ifrim@me.com)"
#: The kinds of bulk data, and how many cards each had in September 2026.
CARDS_OF_KIND = {
    "unique_artwork": 54_963,
    "default_cards": 116_700,
    "all_cards": 540_484,
    "oracle_cards": 38_416,
}
KINDS = tuple(CARDS_OF_KIND)


def set_code(value: Any) -> str:
    """Return Scryfall's code of a set in small letters, or raise ValueError."""
    if str(value).isascii() and str(value).isalnum():
        return str(value).lower()
    raise ValueError(f"must be codes of sets such as rtr,rix, not {value!r}")


@dataclass(frozen=True, slots=True)
class CardSource:
    """The options of the group "source"; `max_bulk_age` in hours, None where nothing was said."""

    kind: str
    cache: Path
    limit: int | None
    sets: tuple[str, ...] | None
    image_version: str
    bulk_file: Path | None
    max_bulk_age: float | None

    @classmethod
    def from_args(cls, args: Namespace) -> Self:
        """Read the flags, already validated."""
        age = 0.0 if args.refresh_bulk else args.max_bulk_age
        return options_of(cls, args, sets=args.set, max_bulk_age=age)

    def flags(self) -> list[str]:
        """Return the flags that choose these cards and their pictures, as they are typed."""
        return FLAGS.typed({**asdict(self), "set": self.sets, "max_bulk_age": None})

    def download_command(self) -> str:
        """Return what to type to fetch these cards."""
        return shlex.join(["python", "download_images.py", *self.flags()])


def _contradictions(args: Namespace) -> Iterator[str]:
    if getattr(args, "bulk_file", None) is not None and getattr(args, "refresh_bulk", False):
        yield "--refresh-bulk makes no sense with --bulk-file, which needs no request"


_API = os.getenv("MTG_SCRYFALL_API", SCRYFALL_API)
_AGENT = os.getenv("MTG_USER_AGENT", USER_AGENT)
FLAGS = FlagGroup(
    "source",
    (
        Flag("--kind", OneOf(KINDS), "unique_artwork", "KIND", ", ".join(KINDS)),
        Flag("--cache", Directory(), "image_cache", "DIR", "image cache"),
        Flag(
            "--set", ListOf(set_code), None, "CODE,…", "only cards of these sets, such as rtr,rix"
        ),
        Flag("--limit", Number(int, 0), None, "N", "only the first N faces; 0 means none"),
        Flag("--image-version", OneOf(IMAGE_VERSIONS), "normal", "KEY", ", ".join(IMAGE_VERSIONS)),
        Flag("--bulk-file", existing_file, None, "FILE", "local .json or .jsonl, may be gzipped"),
        Flag("--refresh-bulk", help="ask Scryfall now for a newer bulk file", action="store_true"),
        Flag(
            "--max-bulk-age",
            Number(float, 0),
            None,
            "HOURS",
            "ask for a newer bulk file if it is older (24; when only building: any age)",
        ),
        Flag(
            "--max-failure-rate",
            Number(float, 0, 1),
            0.01,
            "R",
            "share of images that may fail or be broken before the exit code is 3",
        ),
        Flag("--scryfall-api", base_url, _API, "URL", "API to ask, also $MTG_SCRYFALL_API"),
        Flag("--user-agent", ascii_line, _AGENT, "TEXT", "who asks, also $MTG_USER_AGENT"),
    ),
    _contradictions,
)
