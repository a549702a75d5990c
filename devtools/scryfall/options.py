"""What our own Scryfall serves, and how: its flags."""

import datetime as dt
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devtools.scryfall.server import UPDATED_AT
from helpers.cli_validation import Flag, FlagGroup, Number, existing_file


def moment(value: Any) -> dt.datetime:
    """Return a time in ISO 8601, in UTC where it names no zone, or raise ValueError."""
    try:
        found = dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"must be a time such as 2026-08-03T21:06, not {value!r}") from None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


def existing(value: Any) -> str:
    """Return the path of a file or a directory that is there, or raise ValueError."""
    if Path(value).exists():
        return str(value)
    raise ValueError(f"must be an existing file or directory, not {value!r}")


def _one_source(args: Namespace) -> Iterator[str]:
    if args.cards and args.draw:
        yield "--cards and --draw exclude each other"


_IMAGES = "folder of <scryfall_id>[-<face>].<ext>, or a CSV with file,scryfall_id[,face] (drawn)"
_PORT, _DRAWN = Number(int, 0, 65_535), Number(int, 1, 1_000_000)

FLAGS = FlagGroup(
    "server",
    (
        Flag("--cards", existing_file, None, "FILE", "card objects, one a line; may be gzipped"),
        Flag("--draw", _DRAWN, None, "N", "faces to draw, instead of --cards (300)"),
        Flag("--seed", Number(int, 0), 0, "N", "of drawn cards"),
        Flag("--images", existing, None, "PATH", _IMAGES),
        Flag("--port", _PORT, 0, "N", "0 means any free one"),
        Flag("--legacy", help="the bulk shape before 2026-07-20", action="store_true"),
        Flag("--latency", Number(float, 0, 3600), 0.0, "S", "seconds before each answer"),
        Flag("--updated-at", moment, UPDATED_AT, "TIME", "time of the bulk data"),
        Flag("--faults", existing_file, None, "FILE", "a fault document (JSON)"),
        Flag("--log", None, None, "FILE", "write one JSON line per request"),
    ),
    _one_source,
)
