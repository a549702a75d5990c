#!/usr/bin/env python3
"""Step 1: download the image of every Magic card from Scryfall into a cache."""

from argparse import Namespace
from functools import partial

from helpers import cli
from helpers.cards import options as cards
from helpers.network import policy as network
from helpers.report import Reporter

PARSER = cli.parser(__doc__, cards.FLAGS, network.FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Download what is missing, and say how it went."""
    from helpers.images.download_stage import check_failures, download_stage

    report.hold()
    summary = download_stage(args, report)
    if summary.faces and summary.missing == 0:
        report.nothing_new(summary.date, f"all {summary.faces:,} images are in {args.cache}")
    report.document(summary.to_json())
    check_failures(summary, args)
    report.info(cli.next_step("build_embeddings.py", *cards.CardSource.from_args(args).flags()))
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
