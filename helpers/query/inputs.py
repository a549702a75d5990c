"""What a query may name: files, directories, patterns, addresses, and lists of them on stdin."""

from __future__ import annotations

import glob
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.query.photo_file import load_photo
from helpers.validation import InvalidImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from PIL import Image

    from helpers.session import DownloadSession

STDIN = "-"
SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
        *(".avif", ".heic", ".heif", ".jp2", ".j2k"),
    )
)
_LONGEST_LINE = 64 * 1024  # bytes; no system has longer paths
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
            yield from (name for line in _stdin_lines() for name in expand(line))
        else:
            yield from expand(word)


def _stdin_lines() -> Iterator[str]:
    """Yield the lines of stdin that are not empty: names of files may hold any bytes."""
    if sys.stdin is None:  # closed by whoever started us
        return
    while line := sys.stdin.buffer.readline(_LONGEST_LINE):
        if name := line.rstrip(b"\r\n"):
            yield os.fsdecode(name)


def expand(word: str) -> Iterator[str]:
    """Yield the pictures that a word stands for; itself if that is none or an unreadable one.

    A pattern is only read as one if no file has that name: Windows's shell expands none.
    """
    try:
        found = _expanded(word)
    except (OSError, ValueError):  # a name that no file can have; `load` says why
        found = []
    yield from found or [word]


def _expanded(word: str) -> list[str]:
    path = Path(word)
    if is_url(word) or path.is_file():
        return [word]
    if path.is_dir():
        return sorted(str(entry) for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES)
    return sorted(glob.glob(word, recursive=True)) if glob.has_magic(word) else []  # noqa: PTH207


def load(name: str, session: Callable[[], DownloadSession]) -> Picture:
    """Read one picture; a failure is a value, so that the others are still answered.

    Args:
        name: a path or an address.
        session: returns the polite session; only called for an address.
    """
    try:
        if is_url(name):
            return Picture(name, load_photo(_fetch(name, session())))
        if os.path.isdir(name):  # noqa: PTH112 - `Path.is_dir` raises for what no file can be called
            return Picture(name, error="a directory without pictures")
        return Picture(name, load_photo(name))
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
