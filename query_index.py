#!/usr/bin/env python3
"""Ask the index: which cards do these pictures show?"""

from argparse import Namespace
from functools import partial

from helpers import cli
from helpers.query import options as query
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
