#!/usr/bin/env python3
"""Ask the index: which cards do these pictures show?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers import cli
from helpers.query import options as query

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from helpers.report import Reporter


def build_parser() -> cli.Parser:
    """Return the parser of the command line."""
    return cli.parser(__doc__, query.FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Answer every query."""
    from helpers.query.query_stage import query_stage

    query_stage(args, report)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    raise SystemExit(main())
