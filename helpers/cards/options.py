"""Which cards a run is about: the flags of the group "source"."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.cards.card_face import IMAGE_VERSIONS
from helpers.cli_validation import Directory, ExistingFile, Flag, FlagGroup, Number, OneOf, Text
from helpers.network.policy import BaseUrl

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

SCRYFALL_API = "https://api.scryfall.com"
USER_AGENT = "MTG-Image-DB/1.0 (+https://github.com/FrimJo/spell-coven-mono; ifrim@me.com)"
KINDS = ("unique_artwork", "default_cards", "all_cards", "oracle_cards")


@dataclass(frozen=True, slots=True)
class CardSource:
    """The options of the group "source"; `max_bulk_age` in hours, None for "any age"."""

    kind: str
    cache: Path
    limit: int | None
    image_version: str
    bulk_file: Path | None
    refresh: bool
    max_bulk_age: float | None

    @classmethod
    def from_args(cls, args: Namespace) -> CardSource:
        """Read the flags, already validated."""
        return cls(
            kind=args.kind,
            cache=Path(args.cache),
            limit=args.limit,
            image_version=args.image_version,
            bulk_file=Path(args.bulk_file) if args.bulk_file else None,
            refresh=args.refresh_bulk,
            max_bulk_age=args.max_bulk_age,
        )


def _contradictions(args: Namespace) -> Iterator[str]:
    if getattr(args, "bulk_file", None) is not None and getattr(args, "refresh_bulk", False):
        yield "--refresh-bulk makes no sense with --bulk-file, which needs no request"


FLAGS = FlagGroup(
    "source",
    (
        Flag(
            "--kind",
            OneOf(KINDS),
            default="unique_artwork",
            metavar="KIND",
            help=f"{', '.join(KINDS)} (%(default)s)",
        ),
        Flag(
            "--cache",
            Directory(),
            default="image_cache",
            metavar="DIR",
            help="image cache (%(default)s)",
        ),
        Flag("--limit", Number(int, 0), metavar="N", help="only the first N faces; 0 means none"),
        Flag(
            "--image-version",
            OneOf(IMAGE_VERSIONS),
            default="normal",
            metavar="KEY",
            help=f"{', '.join(IMAGE_VERSIONS)} (%(default)s)",
        ),
        Flag(
            "--bulk-file",
            ExistingFile(),
            metavar="FILE",
            help="local .json or .jsonl, gzipped or not; no request",
        ),
        Flag("--refresh-bulk", action="store_true", help="ask Scryfall now for a newer bulk file"),
        Flag(
            "--max-bulk-age",
            Number(float, 0),
            metavar="HOURS",
            help="reuse the cached bulk file while younger (24; when only building: any age)",
        ),
        Flag(
            "--max-failure-rate",
            Number(float, 0, 1),
            default=0.01,
            metavar="R",
            help="share of images that may fail or be broken before the exit code is 3"
            " (%(default)s)",
        ),
        Flag(
            "--scryfall-api",
            BaseUrl(),
            default=os.environ.get("MTG_SCRYFALL_API", SCRYFALL_API),
            metavar="URL",
            help="API to ask, also $MTG_SCRYFALL_API (%(default)s)",
        ),
        Flag(
            "--user-agent",
            Text(),
            default=os.environ.get("MTG_USER_AGENT", USER_AGENT),
            metavar="TEXT",
            help="who asks, also $MTG_USER_AGENT (%(default)s)",
        ),
    ),
    _contradictions,
)
