#!/usr/bin/env python3
"""Step 2: build the search index from the images in the cache. Needs no network."""

from argparse import Namespace
from functools import partial

from helpers import cli
from helpers.building import options as building
from helpers.cards import options as cards
from helpers.model import options as model
from helpers.report import Reporter

PARSER = cli.parser(__doc__, cards.FLAGS, building.FLAGS, model.FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Build the index, and say what it holds."""
    from helpers.building.build_stage import check_losses, embed_stage

    report.hold()
    manifest = embed_stage(args, report)
    report.document(manifest)
    check_losses(manifest, args, report)
    report.info(cli.next_step("query_index.py", "photo.jpg", "--index", args.out))
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
