#!/usr/bin/env python3
"""How good is this index? Recall and speed of the graph, and cards found from bad pictures."""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli
from helpers.evaluation import options
from helpers.report import Reporter

PARSER = cli.parser(__doc__, options.FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Measure, show, draw."""
    from helpers.evaluation import run, tables

    if args.plot:  # before anything is measured: matplotlib may be missing
        from helpers.evaluation.plot import write_plot
    document = run.evaluate(args, report)
    tables.show(document, report)
    report.document(document)
    if args.plot:
        write_plot(args.plot, document)
        report.info(f"Plot: {args.plot}")
    run.check_photos(document)
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
