"""What a download will take, told before it starts: images, bytes, time; and is there room?"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from helpers.cards.options import CARDS_OF_KIND, CardSource
from helpers.errors import WriteError
from helpers.images.cache import ImageCache
from helpers.report import Reporter, byte_size

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
#: What is assumed of the line: 100 Mbit/s, and an answer in a tenth of a second. Nothing limits the
#: rate of images at Scryfall (its limit of 10 requests/s is for the API alone).
_LINE = 12.5e6  # bytes/s
_REQUEST = 0.1  # seconds
_MANY = 120  # minutes, from which on they are told in hours


def forecast(images: int, version: str, workers: int) -> str:
    """Return what a download will take: of so many images of that version, `workers` at a time."""
    size = images * MEAN_BYTES[version]
    # The line or the wait for answers is the bottleneck, whichever takes longer.
    seconds = max(size / _LINE, images * _REQUEST / workers)
    minutes = max(1, round(seconds / 60))
    time = f"{minutes} min" if minutes < _MANY else f"{minutes / 60:.0f} h"
    return f"{images:,} images, about {byte_size(size)} and {time} at 100 Mbit/s"


def first_download(source: CardSource) -> str:
    """Return what a first download brings, before Scryfall is asked; "" for a cache in use."""
    with contextlib.suppress(OSError):
        if source.cache.is_dir() and any(ImageCache(source.cache).image_names()):
            return ""
    mean = MEAN_BYTES[source.image_version]
    if source.sets or source.bulk_file:
        return f"images of about {byte_size(mean)} each"
    count = CARDS_OF_KIND[source.kind]
    count = count if source.limit is None else min(source.limit, count)
    return f"about {byte_size(count * mean)} of images"


def warn_if_short(directory: Path, needed: int, report: Reporter) -> None:
    """Say before a long run that the disk will be full before its end."""
    if shutil.disk_usage(directory).free < needed:
        report.warning(f"the disk is too small: {_room(directory, needed)}")


@contextlib.contextmanager
def room_in_errors(directory: Path, needed: Callable[[], int]) -> Iterator[None]:
    """Add to a `WriteError` of the block how much room is free, and how much is still needed."""
    try:
        yield
    except WriteError as error:
        error.details += f"\n{_room(directory, needed())}"
        raise


def _room(directory: Path, needed: int) -> str:
    free = byte_size(shutil.disk_usage(directory).free)
    wanted = f"the missing images need about {byte_size(needed)}, " if needed else ""
    return f"{wanted}{free} are free on the file system of {directory}"
