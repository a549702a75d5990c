"""What to measure: the flags of an evaluation."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from helpers.cli_validation import FileName, Flag, FlagGroup, ListOf, Number, OneOf, existing_file
from helpers.index.options import INDEX, SCANS


def m_and_ef(value: Any) -> tuple[int, int]:
    """Return M and efConstruction, typed with a slash between them, or raise ValueError."""
    m, _, ef = str(value).partition("/")
    if m.isdecimal() and ef.isdecimal() and 4 <= int(m) <= int(ef) <= 2000:  # noqa: PLR2004
        return int(m), int(ef)
    raise ValueError(f"must be pairs such as 32/200 (4 to 2000, M first), not {str(value)!r}")


def _contradictions(args: Namespace) -> Iterator[str]:
    parts = getattr(args, "parts", None) or ()
    if "photos" in parts and args.photos is None:
        yield "--parts photos needs --photos"
    if getattr(args, "ablate", False) and args.photos is None:
        yield "--ablate needs --photos"


_PARTS = ListOf(OneOf(("recall", "grid", "identify", "photos")))
_LADDER, _GRID = ListOf(Number(int, 1, 10_000)), ListOf(m_and_ef)
_PNG = FileName((".png",))

FLAGS = FlagGroup(
    "evaluation",
    (
        INDEX,
        Flag(
            "--parts",
            _PARTS,
            "recall,grid,identify",
            "LIST",
            "what to measure; `photos` alone asks only about --photos",
        ),
        Flag("--seed", Number(int, 0), 0, "N", "of everything that is random"),
        Flag("--plot", _PNG, None, "FILE", "draw the result into a .png file"),
        Flag(
            "--ladder", _LADDER, "16,32,64,128,256,512", "LIST", "efSearch to compare the graph at"
        ),
        Flag(
            "--grid", _GRID, "16/100,32/200,48/400,64/400", "LIST", "M/efConstruction to build with"
        ),
        Flag("--sample", Number(int, 1), 100, "N", "cards to distort"),
        SCANS,
        Flag("--photos", existing_file, None, "FILE", "CSV: file, shows, scryfall_id, kind"),
        Flag(
            "--ablate",
            help="ask about the photos again with each stage switched off (5 more runs)",
            action="store_true",
        ),
    ),
    _contradictions,
)
