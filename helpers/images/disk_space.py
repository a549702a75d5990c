"""Is there room for the missing images?"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from helpers.errors import WriteError
from helpers.report import byte_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.images.forecast import Forecast
    from helpers.report import Reporter


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
