#!/usr/bin/env python3
"""How good is this index? Recall and speed of the graph, and cards found from bad pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from helpers.report import Reporter


def build_parser() -> cli.Parser:
    """Return the parser of the command line."""
    parser = cli.parser(__doc__)
    add = parser.add_argument_group("evaluation").add_argument
    add("--index", default="index_out", metavar="DIR", help="directory of a build (%(default)s)")
    add(
        "--parts",
        default="recall,grid,identify",
        metavar="LIST",
        help="what to measure; `photos` alone asks only about --photos (%(default)s)",
    )
    add("--seed", default=0, metavar="N", help="of everything that is random (%(default)s)")
    add("--plot", metavar="FILE", help="draw the result into a .png file")
    add = parser.add_argument_group("recall and grid: the graph against exact search").add_argument
    add("--ladder", default="16,32,64,128,256,512", metavar="LIST", help="efSearch (%(default)s)")
    add(
        "--grid",
        default="16/100,32/200,48/400,64/400",
        metavar="LIST",
        help="pairs M/efConstruction to build with (%(default)s)",
    )
    add = parser.add_argument_group("identify: distorted pictures of cards").add_argument
    add("--sample", default=100, metavar="N", help="cards to distort (%(default)s)")
    add("--cache", metavar="DIR", help="pictures of the cards (the cache that was built from)")
    add("--negatives", metavar="DIR", help="further pictures that show no card")
    add("--save-thresholds", action="store_true", help="let queries tell when they are not sure")
    add = parser.add_argument_group("photos: labelled by a person").add_argument
    add("--photos", metavar="FILE", help="CSV with the columns file, shows, scryfall_id")
    return parser


def work(args: Namespace, report: Reporter) -> int:
    """Measure, show, draw, save."""
    from helpers.evaluation import run, tables
    from helpers.evaluation.plot import write_plot

    document = run.evaluate(args, report)
    tables.show(document, report)
    report.document(document)
    if args.plot:
        write_plot(Path(args.plot), document)
        report.info(f"Plot: {args.plot}")
    if args.save_thresholds:
        run.keep_thresholds(args.index, document, report)
    run.check_photos(document)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    raise SystemExit(main())
