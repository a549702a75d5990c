"""How to ask: the flags of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.cli_validation import Directory, FileName, Flag, FlagGroup, Number, OneOf
from helpers.query.grouping import GROUPINGS

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator


def _contradictions(args: Namespace) -> Iterator[str]:
    if getattr(args, "images", None) == [] and not args.text:
        yield "name at least one picture, or a sentence with --text"
    if any(not text.strip() for text in getattr(args, "text", None) or ()):
        yield "--text must not be empty"


FLAGS = FlagGroup(
    "search",
    (
        Flag(
            "images",
            metavar="IMAGE",
            help="pictures, directories, patterns, http(s) addresses, - for a list on stdin",
            nargs="*",
        ),
        Flag(
            "--text",
            metavar="SENTENCE",
            help="ask for what a sentence describes; may be given several times",
            action="append",
        ),
        Flag("--index", Directory(), "index_out", "DIR", "directory of a build (%(default)s)"),
        Flag("--k", Number(int, 1, 10_000), 5, "K", "hits per picture, 1 to 10000 (%(default)s)"),
        Flag(
            "--ef-search",
            Number(int, 1, 1_000_000),
            64,
            "EF",
            "candidates while searching, raised to 2 K (%(default)s)",
        ),
        Flag("--exact", help="compare with every vector instead of the graph", action="store_true"),
        Flag(
            "--min-score",
            Number(float, -1, 1),
            None,
            "S",
            "leave out hits below this score, -1 to 1",
        ),
        Flag(
            "--group",
            OneOf(GROUPINGS),
            "card",
            "HOW",
            f"{', '.join(GROUPINGS)}: what counts as one hit (%(default)s)",
        ),
        Flag(
            "--rotations", help="also try the pictures turned by 90, 180, 270°", action="store_true"
        ),
        Flag(
            "--sheet",
            FileName((".png", ".html")),
            None,
            "FILE",
            "write queries beside their hits to a .png or .html file",
        ),
        Flag(
            "--cache",
            Directory(),
            None,
            "DIR",
            "pictures of the cards (the cache that was built from)",
        ),
    ),
    _contradictions,
)
