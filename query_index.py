#!/usr/bin/env python3
"""Ask the index: which cards do these pictures show?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from helpers import cli
from helpers.query import options as query

if TYPE_CHECKING:
    from argparse import Namespace

    from helpers.report import Reporter

PARSER = cli.parser(__doc__, query.FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Answer every query."""
    from helpers.query.query_stage import query_stage

    query_stage(args, report)
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
