#!/usr/bin/env python3
"""Remove from the cache the scans that Scryfall has replaced, and images of cards that are gone."""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli
from helpers.cli_validation import Directory, Flag, FlagGroup
from helpers.report import Reporter

FLAGS = FlagGroup(
    "cache",
    (
        Flag("--cache", Directory(), metavar="DIR", help="image cache to clean", required=True),
        Flag("--dry-run", help="only list what would be removed", action="store_true"),
    ),
)

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Find what no bulk file of the cache needs, list it, remove it."""
    from helpers.images.cache import ImageCache
    from helpers.images.prune import find_leftovers
    from helpers.lock import directory_lock
    from helpers.report import byte_size

    cache = ImageCache(args.cache)
    cache.require()
    with directory_lock(cache.directory):
        found = find_leftovers(cache, remove=not args.dry_run)
    files = found["files"]
    if files:
        rows = [(file["filename"], file["reason"], str(file["size_bytes"])) for file in files]
        report.table(("file", "reason", "bytes"), rows)
    report.document(found)
    report.info(
        f"{'Removed' if found['removed'] else 'Would remove'} {len(files):,} images"
        f" ({byte_size(found['bytes'])}): {found['stale']:,} stale,"
        f" {found['orphaned']:,} orphaned; {found['needed']:,} are needed and stay"
    )
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
