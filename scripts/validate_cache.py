#!/usr/bin/env python3
"""Check every image in the cache; name, report and remove the broken ones."""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from helpers import cli
from helpers.cli_validation import Directory, Flag, FlagGroup, Number
from helpers.report import Reporter

FLAGS = FlagGroup(
    "cache",
    (
        Flag("--cache", Directory(), metavar="DIR", help="image cache to check", required=True),
        Flag("--fix", help="remove invalid files, for the next download", action="store_true"),
        Flag("--dry-run", help="with --fix: only say what would be removed", action="store_true"),
        Flag("--report", None, None, "FILE", "write the result as JSON to FILE, too"),
        Flag("--workers", Number(int, 1, 128), None, "N", "files at a time (one more than CPUs)"),
    ),
)

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Check, report, repair."""
    from contextlib import nullcontext

    from helpers.atomic_io import atomic_write_json
    from helpers.errors import IncompleteError
    from helpers.images.cache import ImageCache
    from helpers.images.scan import check_cache, remove_failures
    from helpers.lock import directory_lock
    from helpers.report import safe_percentage

    cache = ImageCache(args.cache)
    cache.require()
    fix = args.fix and not args.dry_run
    with directory_lock(cache.directory) if fix else nullcontext():
        check = check_cache(cache, args.workers, report)
        rows = [(f["filename"], f["reason"], str(f["size_bytes"])) for f in check["failures"]]
        if rows:
            report.table(("file", "reason", "bytes"), rows)
        report.document(check)
        if args.report:
            atomic_write_json(args.report, check)
        if fix:
            remove_failures(cache, check)
    total, valid, invalid = check["total_files"], check["valid_files"], check["invalid_files"]
    report.info(
        f"Checked {total:,} files: {valid:,} valid ({safe_percentage(valid, total)}),"
        f" {invalid:,} invalid"
    )
    if invalid and fix:
        report.info(f"Removed {invalid:,} files; download_images.py fetches them again")
    elif invalid:
        raise IncompleteError(
            f"{invalid:,} invalid files were not removed",
            details=str(args.cache),
            suggestion=f"python scripts/validate_cache.py --cache {args.cache} --fix",
        )
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
