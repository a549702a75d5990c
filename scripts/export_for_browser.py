#!/usr/bin/env python3
"""Write an index for web clients: int8 vectors and the cards as JSON."""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli
from helpers.cli_validation import Directory, Flag, FlagGroup, Number
from helpers.index.options import INDEX
from helpers.report import Reporter, byte_size, safe_percentage

FLAGS = FlagGroup(
    "export",
    (
        INDEX,
        Flag("--out", Directory(), metavar="DIR", help="directory for the files", required=True),
        Flag("--seed", Number(int, 0), 0, "N", "of the queries that compare"),
    ),
)

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Write, compare, report."""
    from helpers.index.browser_export import EMBEDDINGS, META, export

    done = export(args.index, args.out, args.seed)
    report.document(done)
    (rows, dimension), sizes, agreement = done["shape"], done["bytes"], done["agreement"]
    report.info(
        f"{EMBEDDINGS}: {rows:,} × {dimension}, {byte_size(sizes['embeddings'])}"
        f" ({safe_percentage(sizes['embeddings'], sizes['float32'])} of float32);"
        f" {META}: {byte_size(sizes['meta'])}"
    )
    report.info(
        f"Agreement with float32 over {agreement['queries']} perturbed queries:"
        f" best row {agreement['top_1']:.1%}, best 10 rows {agreement['top_10']:.1%}"
    )
    report.info(f"Written to {args.out}")
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
