"""Bulk files on this disk: what is known of them, and their cards in a stream.

Needs the standard library only, so that building from the cache loads no network code.
"""

import codecs
import contextlib
import functools
import gzip
import io
import json
import math
import re
import shlex
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

from helpers import json_lines
from helpers.atomic_io import read_bounded, sha256_file
from helpers.cards.card_face import CARD_KEYS
from helpers.errors import DataError

MAX_BULK_BYTES = 8 * 10**9  # all_cards was 2.6 GB unpacked in 2026
_SEPARATORS = re.compile(r"[ \t\r\n,]*")
_CACHED = re.compile(r"bulk-([a-z_]+)-\w+\.jsonl?(?:\.gz)?(?:\..*\.part)?")
_GZIP_MAGIC = b"\x1f\x8b"
_TEXT_CHUNK = 1 << 20
_UNZIPPED = 1 << 17  # bytes at a time
_START = 64  # bytes in which something else than space must come
_SMALL = 16 << 20  # bytes that any file may unfold to
_MOST_UNFOLDED = 100  # times its size; bulk files unfold to 10 times theirs, empty lines to 1,000
_FEW_BAD, _MOST_BAD = 10, 0.01  # entries, and share of the cards, that may be bad
_MOST_EMPTY = 1_000_000  # lines: half a gigabyte of them would take minutes
_LONGEST_NOTE = 64 * 1024  # bytes
_LONGEST_ELEMENT = 64 << 20  # characters or bytes; a card object has about 5,000


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A bulk file on this disk and where it came from; times are ISO 8601 UTC."""

    path: Path
    kind: str
    sha256: str
    updated_at: str | None = None
    url: str | None = None
    etag: str | None = None
    checked_at: float = 0.0  # seconds since the epoch; when Scryfall was last asked

    @property
    def age_hours(self) -> float:
        """Hours since Scryfall was last asked; infinite where that is said to be in the future."""
        hours = (time.time() - self.checked_at) / 3600
        return hours if hours >= 0 else math.inf

    @property
    def origin(self) -> dict[str, Any]:
        """What the build manifest says about its source."""
        return {
            "kind": self.kind,
            "updated_at": self.updated_at,
            "file": self.path.name,
            "sha256": self.sha256,
        }


def local_bulk(path: Path) -> BulkFile:
    """Describe the file of `--bulk-file`.

    Raises:
        DataError: it cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BULK_BYTES:
            raise unusable_bulk(path, f"{size:,} bytes, at most {MAX_BULK_BYTES:,} are read")
        digest = sha256_file(path)
    except OSError as error:
        raise DataError(f"the bulk file cannot be read: {path}", details=str(error)) from error
    return BulkFile(path, "local", digest)


def cached_bulk(directory: Path, kind: str) -> BulkFile | None:
    """Return the bulk file of that kind in the cache, None if there is none to rely on."""
    try:
        document = json.loads(read_bounded(note_path(directory, kind), _LONGEST_NOTE))
        if Path(document["path"]).name != document["path"]:
            return None  # a file of another directory is not ours
        bulk = BulkFile(**{**document, "path": directory / document["path"]})
        return bulk if _is_sound(bulk) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None  # a damaged note costs one download


def _is_sound(bulk: BulkFile) -> bool:
    """Tell whether a note describes a file that is there, in values that can be used."""
    texts = (bulk.updated_at, bulk.url, bulk.etag)  # the ETag becomes a header
    return (
        bulk.path.is_file()
        and isinstance(bulk.sha256, str)
        and all(text is None or is_ascii_text(text) for text in texts)
        and isinstance(bulk.checked_at, (int, float))
    )


def is_ascii_text(value: Any) -> bool:
    """Tell whether a value is a string of printable ASCII characters, at least one."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and value != ""


def note_path(directory: Path, kind: str) -> Path:
    """Return where the cache notes what it knows of its bulk file of that kind."""
    return directory / f"bulk-{kind}.json"


def bulk_date(bulk: BulkFile) -> str:
    """Return the date of a bulk file for people."""
    if bulk.updated_at:
        return bulk.updated_at[:16].replace("T", " ") + " UTC"
    modified = datetime.fromtimestamp(bulk.path.stat().st_mtime, UTC)
    return modified.strftime("%Y-%m-%d %H:%M UTC")


class BadEntry(str):
    """What is wrong with an entry of a bulk file that is no card object."""

    __slots__ = ()


def iter_cards(path: Path) -> Iterator[dict[str, Any] | BadEntry]:
    """Yield the objects of a bulk file: JSONL or one JSON array, gzipped or not, in a stream.

    They may lack what is not in `CARD_KEYS`.

    `gzip.open` reads files of several members and notices a missing end, which a `.gz` cut in half
    shows only after tens of thousands of good lines. One bad line does not spoil the others: it is
    yielded as what is wrong with it, until there are too many for a bulk file.

    Raises:
        DataError: it is truncated, damaged, empty, or holds something else.
    """
    count = bad = 0
    first_problem = "it holds no cards"
    try:
        with _open(path) as file:
            for entry in _entries(file):
                if isinstance(entry, dict) and entry.get("object") != "list":
                    count += 1
                    yield entry
                    continue
                bad += 1
                problem = entry if isinstance(entry, BadEntry) else "not a card object"
                problem = BadEntry(f"entry {count + bad} is {problem}")
                first_problem = problem if bad == 1 else first_problem
                if bad > _FEW_BAD + _MOST_BAD * count:
                    raise unusable_bulk(path, f"{first_problem}, and {bad - 1:,} further ones")
                yield problem
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise unusable_bulk(path, f"truncated or damaged after {count:,} cards: {error}") from error
    except (ValueError, RecursionError) as error:
        raise unusable_bulk(path, f"entry {count + bad + 1} is not JSON: {error}") from error
    except OSError as error:
        raise unusable_bulk(path, str(error)) from error
    if count == 0:
        raise unusable_bulk(path, first_problem)


def unusable_bulk(path: Path, details: str) -> DataError:
    """Return the error that says why a bulk file cannot be used."""
    cached = _CACHED.fullmatch(path.name)
    return DataError(
        f"not a usable bulk file: {path}",
        details=details,
        suggestion=f"get a new one: python download_images.py --kind {cached[1]}"
        f" --cache {shlex.quote(str(path.parent))} --refresh-bulk"
        if cached
        else "choose another file, or leave --bulk-file out to ask Scryfall for one",
    )


def _open(path: Path) -> BufferedReader:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    if not zipped:
        return path.open("rb")
    # Its own `readline` is Python; this one's is C, which makes a fifth of the whole time.
    return io.BufferedReader(_Unzipped(path), _UNZIPPED)


def _unzipper() -> tuple[Callable[[Path], Any], type[Exception]]:
    """Return what opens a gzip file, and what it raises for a damaged one; isal is faster.

    With a thread of its own it is no faster by the clock, and takes more CPU time.
    """
    try:
        from isal import igzip, igzip_lib
    except ImportError:
        return gzip.open, zlib.error
    return igzip.open, cast("type[Exception]", igzip_lib.IsalError)


class _Unzipped(io.RawIOBase):
    """A gzip file that may not unfold to far more than any text does.

    Half a megabyte of it can hold half a gigabyte of empty lines, which take minutes to read.
    """

    def __init__(self, path: Path) -> None:
        unzip, self._damaged = _unzipper()
        self._file = unzip(path)
        self._left = max(_SMALL, _MOST_UNFOLDED * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            size: int = self._file.readinto(buffer)
        except self._damaged as error:
            raise zlib.error(str(error)) from error
        self._left -= size
        if self._left < 0:
            raise zlib.error(f"it unfolds to more than {_MOST_UNFOLDED} times its size")
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _entries(file: BufferedReader) -> Iterator[Any]:
    start = file.peek(_START)[:_START].removeprefix(b"\xef\xbb\xbf").lstrip()
    parsed = functools.partial(_parsed, json_lines.loader_of(CARD_KEYS))
    return _array(file) if start.startswith(b"[") else map(parsed, _lines(file))


def _parsed(loads: Callable[[bytes], Any], line: bytes) -> Any:
    try:
        return loads(line)
    except (ValueError, RecursionError) as error:
        if not line.endswith(b"\n"):  # the file breaks off in it
            raise
        return BadEntry(f"not JSON: {error}")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    # Bytes split at \n only; str.splitlines() would also split at U+2028 inside a card's text.
    # With a limit, because a few hundred packed bytes can hold a line that fills the memory.
    empty = 0
    while line := file.readline(_LONGEST_ELEMENT):
        if len(line) == _LONGEST_ELEMENT:
            raise ValueError("a line without end")
        if not line.isspace():
            yield line
            continue
        empty += 1
        if empty > _MOST_EMPTY:
            raise ValueError(f"{empty:,} empty lines")


def _array(file: IO[bytes]) -> Iterator[Any]:
    """Yield the elements of one JSON array without holding more than a few of them."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    scan = json.JSONDecoder().raw_decode
    text = decode(file.read(_TEXT_CHUNK)).lstrip()[1:]
    while True:
        position = _skip_separators(text, 0)
        with contextlib.suppress(ValueError):  # the element goes on in the next chunk
            while True:
                value, position = scan(text, position)
                yield value
                position = _skip_separators(text, position)
        text = text[position:]
        chunk = file.read(_TEXT_CHUNK)
        if text.strip() == "]" and not chunk:
            return
        if not chunk or len(text) > _LONGEST_ELEMENT:
            raise ValueError(f"the array breaks off or is broken at {text[:40]!r}")
        text += decode(chunk)


def _skip_separators(text: str, position: int) -> int:
    return _SEPARATORS.match(text, position).end()  # type: ignore[union-attr] # it always matches
