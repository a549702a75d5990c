"""How much room the missing images need, and how much there is."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from helpers.errors import WriteError
from helpers.report import byte_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.report import Reporter

#: Mean bytes of an image. `png`, `normal` and `grid` were measured at Scryfall in 2026; the others
#: follow from `normal` (JPEG) or `grid` (WebP) by their number of pixels.
MEAN_BYTES = {
    "png": 1_355_000,
    "large": 211_000,
    "normal": 111_000,
    "border_crop": 109_000,
    "art_crop": 96_000,
    "small": 10_000,
    "display": 120_000,
    "grid": 62_000,
    "thumb": 10_000,
    "crop": 62_000,
    "art": 62_000,
}


def needed_bytes(images: int, version: str) -> int:
    """Return roughly how much room so many images take."""
    return images * MEAN_BYTES[version]


def warn_if_short(directory: Path, needed: int, report: Reporter) -> None:
    """Say before a long run that the disk will be full before its end."""
    free = _free_bytes(directory)
    if free is not None and free < needed:
        report.warning(
            f"the missing images need about {byte_size(needed)},"
            f" but only {byte_size(free)} are free in {directory}"
        )


@contextlib.contextmanager
def space_in_errors(directory: Path, needed: Callable[[], int]) -> Iterator[None]:
    """Add to a `WriteError` of the block how much room is free, and how much is still needed."""
    try:
        yield
    except WriteError as error:
        free = _free_bytes(directory)
        if free is not None:
            error.details += f"\n{byte_size(free)} are free on the file system of {directory}"
        if needed():
            error.details += f"; the missing images need about {byte_size(needed())}"
        raise


def _free_bytes(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None
