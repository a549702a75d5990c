"""What a build must not do in silence: lose rows of the index that is there, leave out images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helpers.cards.options import CardSource
from helpers.errors import BrokenImagesError, DataError, IncompleteError, UsageError
from helpers.report import safe_percentage

if TYPE_CHECKING:
    from argparse import Namespace

    from helpers.building.inputs import Inputs
    from helpers.images.scan import Scan
    from helpers.report import Reporter

LEAST_KEPT = 0.9  # of the rows, by a build that was not told `--allow-shrink`


def require_rows(inputs: Inputs, scan: Scan, failed: int = 0) -> None:
    """Refuse a build that would leave less than `LEAST_KEPT` of the rows of the last one.

    Args:
        inputs: the faces asked for, and where the index is.
        scan: which of them have an image.
        failed: how many of these could not be embedded.

    Raises:
        UsageError: the flags ask for so few cards.
        BrokenImagesError, DataError: so many images are broken, or missing.
    """
    options = inputs.options
    before = inputs.last["index"]["vectors"] if inputs.last else 0
    now = len(scan.faces) - failed
    if options.allow_shrink or now >= LEAST_KEPT * before:
        return
    message = f"the index in {options.out} would shrink from {before:,} rows to {now:,}"
    anyway = "or, if that is what you want, add --allow-shrink"
    if len(inputs.faces) < LEAST_KEPT * before:
        raise UsageError(
            message,
            details=f"the flags ask for {len(inputs.faces):,} faces; the old index is kept",
            suggestion=f"choose another --out for a build of fewer cards,\n{anyway}",
        )
    directory, broken = inputs.cache.directory, scan.invalid + failed
    kind = BrokenImagesError if broken else DataError
    repair = f"python scripts/validate_cache.py --cache {directory} --fix\n" if broken else ""
    fetch = options.source.download_command()
    raise kind(
        message,
        details=f"{broken:,} images are broken, {scan.missing:,} are not in {directory};"
        " the old index is kept",
        suggestion=f"{repair}{fetch}\n{anyway}",
    )


def check_losses(document: dict[str, Any], args: Namespace, report: Reporter) -> None:
    """Warn, also under `--quiet`, of images that a build left out, or raise if they are too many.

    Raises:
        IncompleteError: more than `--max-failure-rate` of the images are broken.
    """
    numbers = document["statistics"]
    broken = numbers["validation_failures"] + numbers["failed_embeddings"]
    images = broken + numbers["successful_embeddings"]
    if broken and broken / images > args.max_failure_rate:
        raise IncompleteError(
            f"the index in {args.out} lacks {broken:,} cards whose images are broken",
            details=f"{safe_percentage(broken, images)} of {images:,} images,"
            f" more than --max-failure-rate {args.max_failure_rate:g}",
            suggestion=f"python scripts/validate_cache.py --cache {args.cache} --fix\n"
            + CardSource.from_args(args).download_command(),
        )
    if broken or numbers["missing_from_cache"]:
        report.warning(
            f"the index in {args.out} lacks {broken:,} cards whose images are broken and"
            f" {numbers['missing_from_cache']:,} whose images are not in {args.cache}"
        )
