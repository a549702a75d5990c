"""What a query may name: files, directories, patterns, addresses; a list or a picture on stdin."""

import functools
import glob
import hashlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from helpers.cards.options import SCRYFALL_API, USER_AGENT
from helpers.errors import SourceError
from helpers.images.preprocess import picture_bytes
from helpers.network.policy import Policy
from helpers.packages import is_here
from helpers.query import photo_file
from helpers.validation import InvalidImageError

STDIN = "-"
#: How files of the usual formats begin.
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
_LONGEST_PATTERN = 1024  # characters: a pattern of 10,000 brackets takes a minute to understand
#: What pictures in a directory are called.
NAME = re.compile(r".\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic|heif|jp2|j2k)\Z", re.IGNORECASE)
_LONGEST_LINE = 64 * 1024  # bytes; no system has longer paths
MAX_BYTES = 64 * 1024 * 1024  # of a picture from the network: a phone's largest are about 20 MB


@dataclass(frozen=True, slots=True)
class Picture:
    """One query: what the user called it, and its pixels or the reason why there are none."""

    name: str
    image: Image.Image | None = None
    error: str | None = None
    digest: str | None = None


def fetched(url: str) -> bytes:
    """Return what the polite session gets from an address; InvalidImageError if that is nothing."""
    if not is_here("requests"):
        raise InvalidImageError("an address needs the package requests: pip install requests")
    from helpers.network.responses import FetchError

    try:
        return _get_bytes()(url, limit=MAX_BYTES)
    except (FetchError, SourceError) as error:
        raise InvalidImageError(error.args[0]) from error


@functools.cache
def _get_bytes() -> Callable[..., bytes]:
    from helpers.session import DownloadSession

    return DownloadSession(Policy(USER_AGENT, SCRYFALL_API)).get_bytes


def pictures(words: Iterable[str]) -> Iterator[Picture]:
    """Yield the pictures that `words` name, in the order in which they are asked for."""
    for word in words:
        yield from _standard_input() if word == STDIN else map(load, expand(word))


def _standard_input() -> Iterator[Picture]:
    """Yield the picture whose own bytes come, or else those whose names do, a line each."""
    if sys.stdin is None:  # closed by whoever started us
        return
    stdin = sys.stdin.buffer
    first = stdin.readline(_LONGEST_LINE)
    if is_picture(first):
        yield read(STDIN, lambda: first + stdin.read(MAX_BYTES))
        return
    for line in itertools.chain([first], iter(lambda: stdin.readline(_LONGEST_LINE), b"")):
        if word := line.rstrip(b"\r\n"):  # names of files may hold any bytes
            yield from map(load, expand(os.fsdecode(word)))


def is_picture(start: bytes) -> bool:
    """Tell whether bytes are the start of a picture rather than of a list of names."""
    box = start[4:8] == b"ftyp"  # HEIC and AVIF
    bitmap = start.startswith(b"BM") and b"\0" in start
    return box or bitmap or start.startswith(_MAGIC)


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
    if _is_url(word) or path.is_file():
        return [word]
    if path.is_dir():
        return sorted(str(entry) for entry in path.iterdir() if NAME.search(entry.name))
    is_pattern = glob.has_magic(word) and len(word) <= _LONGEST_PATTERN
    return sorted(glob.glob(word, recursive=True)) if is_pattern else []  # noqa: PTH207


def _is_url(word: str) -> bool:
    return word.startswith(("http://", "https://"))


def load(name: str) -> Picture:
    """Read a picture by its path or address; a failure is a value, so that others are answered."""
    if _is_url(name):
        return read(name, lambda: fetched(name))
    if os.path.isdir(name):  # noqa: PTH112 - `Path.is_dir` raises for what no file can be called
        return Picture(name, error="a directory without pictures")
    return read(name, lambda: picture_bytes(name, photo_file.MAX_BYTES))


def read(name: str, content: Callable[[], bytes]) -> Picture:
    """Decode the picture whose bytes `content` returns."""
    try:
        data = content()
        return Picture(name, photo_file.load_photo(data), digest=hashlib.sha256(data).hexdigest())
    except InvalidImageError as error:
        return Picture(name, error=str(error))
