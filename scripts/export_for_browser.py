#!/usr/bin/env python3
"""Write an index for web clients: int8 vectors and the cards as JSON."""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli
from helpers.cli_validation import Directory, Flag, FlagGroup
from helpers.index.options import INDEX
from helpers.report import Reporter, byte_size, safe_percentage

FLAGS = FlagGroup(
    "export",
    (
        INDEX,
        Flag("--out", Directory(), metavar="DIR", help="directory for the files", required=True),
    ),
)

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Write and report."""
    from helpers.index.browser_export import EMBEDDINGS, META, export

    done = export(args.index, args.out)
    report.document(done)
    (rows, dimension), sizes = done["shape"], done["bytes"]
    report.info(
        f"{EMBEDDINGS}: {rows:,} × {dimension}, {byte_size(sizes['embeddings'])}"
        f" ({safe_percentage(sizes['embeddings'], sizes['float32'])} of float32);"
        f" {META}: {byte_size(sizes['meta'])}"
    )
    report.info(f"Written to {args.out}")
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
