"""Bulk files on this disk: what is known of them, and their cards in a stream.

Building from the cache loads no network code: what asks Scryfall is in `bulk_download`.
"""

import codecs
import contextlib
import gzip
import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any

from helpers import json_lines
from helpers.atomic_io import read_bounded, sha256_file
from helpers.cards.card_face import CARD_KEYS
from helpers.cards.options import CardSource
from helpers.errors import DataError

MAX_BULK_BYTES = 8 * 10**9  # all_cards was 2.6 GB unpacked in 2026
_SEPARATORS = re.compile(r"[ \t\r\n,]*")
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_UNZIPPED = 1 << 17  # bytes at a time
_START = 64  # bytes in which something else than space must come
_SMALL = 16 << 20  # bytes that any file may unfold to
_MOST_UNFOLDED = 100  # times its size; bulk files unfold to 10 times theirs, empty lines to 1,000
_FEW_BAD, _MOST_BAD = 10, 0.01  # entries, and share of the cards, that may be bad
_LONGEST_NOTE = 64 * 1024  # bytes
_LONGEST_ELEMENT = 64 << 20  # characters or bytes; a card object has about 5,000
_ENDLESS = f"an element without end, or it unfolds to more than {_MOST_UNFOLDED} times its size"


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
        names = {"kind": self.kind, "updated_at": self.updated_at, "file": self.path.name}
        return {**names, "sha256": self.sha256}


def local_bulk(path: Path) -> BulkFile:
    """Describe the file of `--bulk-file`; DataError if it cannot be read."""
    try:
        size = path.stat().st_size
        if size > MAX_BULK_BYTES:
            raise unusable_bulk(path, f"{size:,} bytes, at most {MAX_BULK_BYTES:,} are read")
        return BulkFile(path, "local", sha256_file(path))
    except OSError as error:
        raise unusable_bulk(path, str(error)) from error


def cached_bulk(directory: Path, kind: str) -> BulkFile | None:
    """Return the bulk file of that kind in the cache, None if there is none to rely on."""
    try:
        document = json.loads(read_bounded(note_path(directory, kind), _LONGEST_NOTE))
        if Path(document["path"]).name != document["path"]:
            return None  # a file of another directory is not ours
        bulk = BulkFile(**{**document, "path": directory / document["path"]})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None  # a damaged note costs one download
    known = [text for text in (bulk.updated_at, bulk.url, bulk.etag) if text is not None]
    sound = all(map(is_ascii_text, [bulk.sha256, *known]))
    sound = sound and isinstance(bulk.checked_at, (int, float)) and bulk.path.is_file()
    return bulk if sound else None


def usable_bulk(source: CardSource, max_age: float | None = None) -> BulkFile | None:
    """Return the bulk file to use without a request, of at most `max_age` hours if given."""
    if source.bulk_file is not None:
        return local_bulk(source.bulk_file)
    bulk = cached_bulk(source.cache, source.kind)
    old = bulk is not None and max_age is not None and bulk.age_hours >= max_age
    return None if old else bulk


def is_ascii_text(value: Any) -> bool:
    """Tell whether a value is text of printable ASCII characters, at least one."""
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


def iter_cards(path: Path) -> Iterator[dict[str, Any] | str]:
    """Yield the objects of a bulk file: JSONL or one JSON array, gzipped or not, in a stream.

    They may lack what is not in `CARD_KEYS`. One bad line does not spoil the others: instead of it
    comes what is wrong with it, until there are too many for a bulk file.

    Raises:
        DataError: it is truncated, damaged, empty, or holds something else. A `.gz` cut in half
            shows it only after tens of thousands of good lines.
    """
    count = bad = 0
    problem = "it holds no cards"
    for entry in _entries(path):
        if isinstance(entry, dict) and entry.get("object") != "list":
            count += 1
            yield entry
            continue
        bad += 1
        what = f"JSON: {entry}" if isinstance(entry, Exception) else "a card object"
        problem = f"entry {count + bad} is not {what}"
        if bad > _FEW_BAD + _MOST_BAD * count:
            raise unusable_bulk(path, f"{problem}, and {bad - 1:,} before it are bad")
        yield problem
    if count == 0:
        raise unusable_bulk(path, problem)


def unusable_bulk(path: Path, details: str) -> DataError:
    """Return the error that says why a bulk file cannot be used."""
    return DataError(
        f"not a usable bulk file: {path}",
        details=details,
        suggestion="use --refresh-bulk with download_images.py, or another --bulk-file FILE",
    )


def _open(path: Path) -> BufferedReader:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    if not zipped:
        return path.open("rb")
    unzip: Any = gzip.open
    with contextlib.suppress(ImportError):
        from isal import igzip  # faster

        unzip = igzip.open
    # Its own `readline` is Python; this one's is C, which makes a fifth of the whole time.
    return BufferedReader(unzip(path), _UNZIPPED)


def _entries(path: Path) -> Iterator[Any]:
    """Yield what a file holds; instead of a line that is no JSON the error."""
    try:
        # Half a packed megabyte can hold half a gigabyte of empty lines: minutes of reading.
        most = max(_SMALL, _MOST_UNFOLDED * path.stat().st_size)
        with _open(path) as file:
            start = file.peek(_START)[:_START].removeprefix(b"\xef\xbb\xbf").lstrip()
            yield from _array(file, most) if start.startswith(b"[") else _lines(file, most)
    except Exception as error:  # whatever unpacks and parses has errors of its own for damage
        raise unusable_bulk(path, f"it cannot be read to its end: {error}") from error


def _lines(file: BufferedReader, most: int) -> Iterator[Any]:
    loads = json_lines.loader_of(CARD_KEYS)
    # Bytes split at \n only; str.splitlines() would also split at U+2028 inside a card's text.
    # With a limit, because a few hundred packed bytes can hold a line that fills the memory.
    while line := file.readline(_LONGEST_ELEMENT):
        most -= len(line)
        if most < 0 or len(line) == _LONGEST_ELEMENT:
            raise ValueError(_ENDLESS)
        if line.isspace():
            continue
        try:
            yield loads(line)
        except (ValueError, RecursionError) as error:
            if not line.endswith(b"\n"):  # the file breaks off in it
                raise
            yield error


def _array(file: BufferedReader, most: int) -> Iterator[Any]:
    """Yield the elements of one JSON array without holding more than a few of them."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    scan = json.JSONDecoder().raw_decode
    text = decode(file.read(_CHUNK)).lstrip()[1:]
    while True:
        position = _skip_separators(text, 0)
        with contextlib.suppress(ValueError):  # the element goes on in the next chunk
            while True:
                value, position = scan(text, position)
                yield value
                position = _skip_separators(text, position)
        text = text[position:]
        chunk = file.read(_CHUNK)
        most -= len(chunk)
        if text.strip() == "]" and not chunk:
            return
        if most < 0 or len(text) > _LONGEST_ELEMENT:
            raise ValueError(_ENDLESS)
        if not chunk:
            raise ValueError(f"the array is broken at {text[:40]!r}")
        text += decode(chunk)


def _skip_separators(text: str, position: int) -> int:
    return _SEPARATORS.match(text, position).end()  # type: ignore[union-attr] # it always matches
