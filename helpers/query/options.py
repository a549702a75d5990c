"""How to ask: the flags of a query."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.cli_validation import Directory, FileName, Flag, FlagGroup, Number, OneOf
from helpers.index.options import INDEX, SCANS
from helpers.query.grouping import GROUPINGS
from helpers.query.output.exports import SITES

#: Candidates kept while searching: lost nothing against exact search on real photos.
EF_SEARCH = 64


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How an index answers."""

    index: Path  # directory of a build
    k: int = 5  # hits per card
    ef_search: int = EF_SEARCH  # candidates that the graph search keeps, raised to 2 k
    exact: bool = False  # compare with every vector instead of walking the graph
    whole: bool = False  # each picture is one upright card: do not look for cards in it
    group: str = "card"  # what counts as one hit, one of `GROUPINGS`
    min_score: float | None = None  # hits below this score are left out
    cache: Path | None = None  # pictures of the cards, if not where the index was built from
    verify: bool = True  # compare local features with the scans of the nearest cards
    sentences: bool = False  # sentences will be asked, which needs the unwhitened vectors
    whitened: bool = True  # False compares plain cosines with every vector
    titles: bool = True  # read the titles of cards, where rapidocr is installed


def _contradictions(args: Namespace) -> Iterator[str]:
    given = {name for name, value in vars(args).items() if value}
    if getattr(args, "images", None) == [] and not given & {"text", "watch"}:
        yield "name at least one picture, or a sentence with --text"
    if {"json", "ndjson"} <= given:
        yield "--json and --ndjson cannot be given together"
    if "watch" in given and given & {"json", "sheet", "images", "text"}:
        yield "--watch goes with --csv and --ndjson only: no pictures, --text, --json or --sheet"
    if any(not text.strip() for text in getattr(args, "text", None) or ()):
        yield "--text must not be empty"


FLAGS = FlagGroup(
    "search",
    (
        Flag(
            "images",
            metavar="IMAGE",
            help="pictures, directories, patterns, http(s) addresses, - for a picture or a list"
            " on stdin",
            nargs="*",
        ),
        Flag(
            "--text",
            metavar="SENTENCE",
            help="ask for what a sentence describes; may be given several times",
            action="append",
        ),
        INDEX,
        Flag("--k", Number(int, 1, 10_000), 5, "K", "hits per picture, 1 to 10000"),
        Flag(
            "--ef-search", Number(int, 1, 1_000_000), EF_SEARCH, "EF", "candidates, raised to 2 K"
        ),
        Flag("--exact", help="compare with every vector instead of the graph", action="store_true"),
        Flag(
            "--min-score",
            Number(float, -1, 1),
            None,
            "S",
            "leave out hits below this score, -1 to 1; not a verified card",
        ),
        Flag("--group", OneOf(GROUPINGS), "card", "HOW", "what counts as a hit: card, art or none"),
        Flag(
            "--whole",
            help="each picture is one upright card: do not look for cards in it",
            action="store_true",
        ),
        Flag(
            "--sheet",
            FileName((".png", ".html")),
            None,
            "FILE",
            "write pictures beside the cards found to a .png or .html file",
        ),
        Flag(
            "--csv",
            FileName((".csv",)),
            None,
            "FILE",
            "write a list of the cards found, a line each, for a collection site",
        ),
        Flag("--csv-format", OneOf(SITES), SITES[0], "SITE", f"columns for {', '.join(SITES)}"),
        Flag(
            "--ndjson",
            help="print a line of JSON per picture as soon as it is answered",
            action="store_true",
        ),
        Flag(
            "--watch",
            Directory(must_exist=True),
            None,
            "DIR",
            "answer the pictures in DIR, and every one that arrives there, until stopped",
        ),
        SCANS,
    ),
    _contradictions,
)
