#!/usr/bin/env python3
"""Both steps in one: download the card images, then build the search index."""

from argparse import Namespace
from functools import partial

from helpers import cli
from helpers.building import options as building
from helpers.cards import options as cards
from helpers.model import options as model
from helpers.network import policy as network
from helpers.report import Reporter

PARSER = cli.parser(__doc__, cards.FLAGS, network.FLAGS, building.FLAGS, model.FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Download what is missing, build from what is there, and say how both went."""
    from helpers.building.build_stage import build_repaired, check_losses, look_ahead
    from helpers.images.download_stage import check_failures, download_stage

    report.hold()
    look_ahead(args, report)
    summary = download_stage(args, report)
    args.refresh_bulk, args.max_bulk_age = False, None  # step 1 has just asked
    manifest, summary = build_repaired(args, summary, report)
    report.document({**manifest, "download": summary.to_json()})
    check_failures(summary, args)
    check_losses(manifest, args, report)
    report.info(cli.next_step("query_index.py", "photo.jpg", "--index", args.out))
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
