#!/usr/bin/env python3
"""Check a published index: are its files whole, and do they belong together row by row?"""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli
from helpers.cli_validation import FlagGroup
from helpers.errors import DataError
from helpers.index.options import INDEX
from helpers.report import Reporter

PARSER = cli.parser(__doc__, FlagGroup("index", (INDEX,)))


def work(args: Namespace, report: Reporter) -> int:
    """Check, name every problem, and fail if there is one."""
    from helpers.index.manifest import read_manifest, rebuild_command
    from helpers.index.verify import check_index

    check = check_index(args.index)
    report.document(check)
    for problem in check["problems"]:
        report.line(problem)
    if check["problems"]:
        raise DataError(
            f"the index in {args.index} is damaged",
            details=f"{len(check['problems'])} problems, named above",
            suggestion=f"build it anew: {rebuild_command(read_manifest(args.index), args.index)}",
        )
    report.info(
        f"The index in {args.index} is whole: {check['rows']:,} rows, build {check['build_id']}"
    )
    for name in check["checks"]:
        report.info(f"  {name}")
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
