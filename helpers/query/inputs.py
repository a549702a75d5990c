"""What a query may name: files, directories, patterns, addresses, and lists of them on stdin."""

from __future__ import annotations

import glob
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.images.preprocess import load_image_rgb
from helpers.validation import InvalidImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from PIL import Image

    from helpers.session import DownloadSession

STDIN = "-"
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
MAX_BYTES = 64 * 1024 * 1024  # of a picture from the network: a phone's largest are about 20 MB


@dataclass(frozen=True, slots=True)
class Picture:
    """One query: what the user called it, and its pixels or the reason why there are none."""

    name: str
    image: Image.Image | None = None
    error: str | None = None


def is_url(word: str) -> bool:
    """Tell whether a word is an address rather than a path."""
    return word.startswith(("http://", "https://"))


def names(words: Iterable[str]) -> Iterator[str]:
    """Yield the names of pictures in the order in which they are asked for."""
    for word in words:
        if word == STDIN:
            lines = (line.rstrip("\r\n") for line in sys.stdin)
            yield from (name for line in lines if line for name in expand(line))
        else:
            yield from expand(word)


def expand(word: str) -> Iterator[str]:
    """Yield the pictures that a word stands for; itself if that is none or an unreadable one.

    A pattern is only read as one if no file has that name: Windows's shell expands none.
    """
    path = Path(word)
    if is_url(word) or path.is_file():
        yield word
    elif path.is_dir():
        found = (entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES)
        yield from sorted(map(str, found)) or [word]
    elif glob.has_magic(word):
        yield from sorted(glob.glob(word, recursive=True)) or [word]  # noqa: PTH207 - any root
    else:
        yield word


def load(name: str, session: Callable[[], DownloadSession]) -> Picture:
    """Read one picture; a failure is a value, so that the others are still answered.

    Args:
        name: a path or an address.
        session: returns the polite session; only called for an address.
    """
    try:
        if is_url(name):
            return Picture(name, load_image_rgb(_fetch(name, session())))
        if Path(name).is_dir():
            return Picture(name, error="a directory without pictures")
        return Picture(name, load_image_rgb(name))
    except InvalidImageError as error:
        return Picture(name, error=str(error))


def _fetch(url: str, session: DownloadSession) -> bytes:
    from helpers.errors import SourceError
    from helpers.network.responses import FetchError

    try:
        return session.get_bytes(url, limit=MAX_BYTES)
    except FetchError as error:
        raise InvalidImageError(str(error)) from error
    except SourceError as error:
        raise InvalidImageError(error.message) from error
