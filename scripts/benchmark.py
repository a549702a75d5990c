#!/usr/bin/env python3
"""How fast is it on this machine, and beside what a user would take instead?

Everything is measured in one run, in turns, each measurement in a process of its own. Compare the
ratios: the figures themselves are those of this machine today. Nothing is downloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli
from helpers.cli_validation import BENCHMARK_ENGINES, BENCHMARK_PARTS, BENCHMARK_RULES
from helpers.errors import IncompleteError, Stopped

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from helpers.report import Reporter


def build_parser() -> cli.Parser:
    """Return the parser of the command line."""
    parser = cli.parser(__doc__)
    parser.set_defaults(rules=BENCHMARK_RULES)
    add = parser.add_argument_group("benchmark").add_argument
    add(
        "--parts",
        default=",".join(BENCHMARK_PARTS),
        metavar="LIST",
        help="what to measure (%(default)s)",
    )
    add("--repeats", default=3, metavar="N", help="runs of everything (%(default)s)")
    add("--images", default=48, metavar="N", help="pictures in the cache (%(default)s)")
    add("--cache", metavar="DIR", help="take pictures from here, instead of drawing them")
    add("--vectors", default=10_000, metavar="N", help="rows of the index (%(default)s)")
    add("--cards", default=20_000, metavar="N", help="cards of the bulk file (%(default)s)")
    add("--seed", default=0, metavar="N", help="of everything that is random (%(default)s)")
    add = parser.add_argument_group("model").add_argument
    add("--model", default="ViT-B-32-quickgelu", help="open_clip name, local-dir:DIR (%(default)s)")
    add(
        "--engines",
        default=",".join(BENCHMARK_ENGINES),
        metavar="LIST",
        help="what to run it with (%(default)s)",
    )
    add("--pretrained", metavar="TAG", help="weights; untrained ones are as fast (random)")
    return parser


def work(args: Namespace, report: Reporter) -> int:
    """Measure and show."""
    from devtools.benchmarks import compare, run
    from devtools.demo import steps

    steps.stop_on_signals()
    try:
        document = run.measure(args, report)
    except Stopped as stop:
        report.item_error(f"stopped by {stop}: nothing is shown of an unfinished benchmark")
        return stop.exit_code
    compare.show(document, report)
    report.document(document)
    failed = compare.failures(document)
    if failed:
        raise IncompleteError("some measurements failed", details="\n".join(failed))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    raise SystemExit(main())
