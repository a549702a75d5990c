"""What a download will take, told before it starts: images, bytes, time."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.report import byte_size

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
#: Cached images from which their own mean is believed instead.
_ENOUGH = 50
#: What is assumed of the line: 100 Mbit/s, and an answer in a tenth of a second. Nothing limits the
#: rate of images at Scryfall (its limit of 10 requests/s is for the API alone).
_LINE = 12.5e6  # bytes/s
_REQUEST = 0.1  # seconds
_MINUTE, _HOUR = 60, 3600
_MINUTES_UP_TO = 99


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a download will take.

    Args:
        images: to be downloaded.
        size: of all of them, in bytes.
        seconds: at 100 Mbit/s.
    """

    images: int
    size: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.images:,} images, about {byte_size(self.size)}, {_about(self.seconds)}"


def mean_bytes(version: str, cached: int = 0, cached_bytes: int = 0) -> float:
    """Return the bytes that an image of `--image-version` is expected to have.

    Args:
        version: key of the image.
        cached: how many of the wanted images are in the cache.
        cached_bytes: their sizes together; their mean counts where they are at least fifty.
    """
    return cached_bytes / cached if cached >= _ENOUGH else MEAN_BYTES[version]


def forecast(images: int, mean: float, workers: int) -> Forecast:
    """Return what so many images will take.

    The line or the wait for answers is the bottleneck, whichever takes longer.

    Args:
        images: to be downloaded.
        mean: bytes of one, see `mean_bytes`.
        workers: downloads at a time.
    """
    size = round(images * mean)
    return Forecast(images, size, max(size / _LINE, images * _REQUEST / workers))


def _about(seconds: float) -> str:
    """Return a length of time as coarse as a forecast of it is."""
    if seconds < _MINUTE:
        return "less than a minute"
    minutes = round(seconds / _MINUTE)
    if minutes <= _MINUTES_UP_TO:
        return f"about {minutes} minute" + "s" * (minutes > 1)
    return f"about {round(seconds / _HOUR)} hours"
