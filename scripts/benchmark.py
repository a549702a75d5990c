#!/usr/bin/env python3
"""How fast is it on this machine, and beside what a user would take instead?

Everything is measured in one run, in turns, each measurement in a process of its own. Compare the
ratios: the figures themselves are those of this machine today. Nothing is downloaded.
"""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from devtools.benchmarks import options
from helpers import cli, signals
from helpers.errors import IncompleteError, Stopped
from helpers.report import Reporter

PARSER = cli.parser(__doc__, options.FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Measure, and show each row as soon as it is known; what stops the run loses none of them."""
    from devtools.benchmarks import run

    signals.ignore_further()
    document = run.new_document(args, report)
    try:
        run.measure(args, report, document)
    except Stopped as stop:
        report.item_error(f"stopped by {stop}: what has been measured is shown")
        return stop.exit_code
    finally:
        if document["measurements"]:
            report.document(document)
    failed = [each["name"] for each in document["measurements"] if each["status"] == "failed"]
    if failed:
        raise IncompleteError("some measurements failed", details="\n".join(failed))
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
