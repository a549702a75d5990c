"""Is there room for the missing images?"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from helpers.cards.options import CARDS_OF_KIND
from helpers.errors import WriteError
from helpers.images.cache import ImageCache
from helpers.images.forecast import mean_bytes
from helpers.report import byte_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.cards.options import CardSource
    from helpers.images.forecast import Forecast
    from helpers.report import Reporter


def first_download(source: CardSource) -> str:
    """Return what a first download brings, before Scryfall is asked; "" for a cache in use."""
    with contextlib.suppress(OSError):
        if source.cache.is_dir() and any(ImageCache(source.cache).image_names()):
            return ""
    if source.sets or source.bulk_file:
        return f"images of about {byte_size(mean_bytes(source.image_version))} each"
    count = CARDS_OF_KIND[source.kind]
    count = count if source.limit is None else min(source.limit, count)
    return f"about {byte_size(count * mean_bytes(source.image_version))} of images"


def warn_if_short(directory: Path, needed: int, report: Reporter) -> None:
    """Say before a long run that the disk will be full before its end."""
    free = _free_bytes(directory)
    if free is not None and free < needed:
        report.warning(
            f"the missing images need about {byte_size(needed)},"
            f" but only {byte_size(free)} are free in {directory}"
        )


@contextlib.contextmanager
def space_in_errors(directory: Path, needed: Callable[[], Forecast]) -> Iterator[None]:
    """Add to a `WriteError` of the block how much room is free, and how much is still needed."""
    try:
        yield
    except WriteError as error:
        free = _free_bytes(directory)
        if free is not None:
            error.details += f"\n{byte_size(free)} are free on the file system of {directory}"
        size = needed().size
        if size:
            error.details += f"; the missing images need about {byte_size(size)}"
        raise


def _free_bytes(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None
