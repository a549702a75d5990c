"""Scryfall's bulk data: one cached file that both steps read.

`GET /bulk-data/TYPE` describes the file. Since 20 July 2026 it names `jsonl_download_uri`, a true
`.jsonl.gz` of `compressed_size` bytes; mirrors and older listings name `download_uri`, a JSON array
that may be gzipped on the way. Source: https://scryfall.com/docs/api/bulk-data.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from helpers.atomic_io import AtomicFile, atomic_write_json, disk_errors
from helpers.cards.bulk_file import (
    MAX_BULK_BYTES,
    BulkFile,
    cached_bulk,
    is_ascii_text,
    note_path,
)
from helpers.cards.face_list import list_path, write_faces
from helpers.cards.options import CardSource
from helpers.errors import DataError, SourceError
from helpers.network.responses import FetchError
from helpers.session import DownloadSession

SLOWEST_BYTES_PER_SECOND = 10_000  # slower than that a bulk file is not worth waiting for


def refresh_bulk(session: DownloadSession, source: CardSource) -> BulkFile:
    """Ask Scryfall for the bulk file of that kind and bring the cache up to date.

    A new file counts once it has been read to its end, and its faces have been listed.

    Raises:
        SourceError: Scryfall cannot be asked, knows no such kind, or serves a broken file.
        WriteError: the disk refuses.
    """
    old = cached_bulk(source.cache, source.kind)
    path = f"/bulk-data/{source.kind.replace('_', '-')}"
    new, etag = old, old.etag if old else None
    try:
        answer = session.get_api(path, etag=etag, check=_bulk_data)
        if answer is not None:
            body, etag = answer
            listing = _Listing.read(source.kind, _bulk_data(body))
            if old is None or (old.updated_at, old.url) != (listing.updated_at, listing.url):
                new = _download(session, source, listing)
    except FetchError as error:
        raise SourceError(
            f"the bulk data cannot be had: {error}",
            details=f"asked {session.policy.api_url}{path}",
            suggestion="try the same command again later, or use --bulk-file FILE,"
            " or --max-bulk-age HOURS to go on with the cached file",
        ) from error
    if new is None:
        raise AssertionError("304 (not modified) is no answer to a request without condition")
    if not is_ascii_text(etag):  # it is to become a header
        etag = None
    bulk = replace(new, etag=etag, checked_at=time.time())
    atomic_write_json(
        note_path(source.cache, source.kind), {**asdict(bulk), "path": bulk.path.name}
    )
    _remove_older(source.cache, bulk)
    return bulk


def _remove_older(directory: Path, bulk: BulkFile) -> None:
    """Remove the files that `bulk` replaces, also those of runs that were killed on the way."""
    for path in directory.glob(f"bulk-{bulk.kind}-*.json*"):
        if path != bulk.path and not path.name.endswith(".part"):
            with disk_errors(path):
                path.unlink(missing_ok=True)


def _bulk_data(body: bytes) -> dict[str, Any]:
    """Return the object that describes a bulk file; ValueError if the answer is none."""
    try:
        listing = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the answer is not JSON") from error
    if not isinstance(listing, dict) or listing.get("object") != "bulk_data":
        raise ValueError("the answer does not describe a bulk file")
    return listing


@dataclass(frozen=True, slots=True)
class _Listing:
    """What Scryfall says of a bulk file; `size` in bytes, as it comes over the network."""

    url: str
    updated_at: str | None
    size: int | None

    @classmethod
    def read(cls, kind: str, document: dict[str, Any]) -> Self:
        """Read it strictly.

        Raises:
            SourceError: a field is of another type than documented; asking again will not help.
        """
        url = document.get("jsonl_download_uri") or document.get("download_uri")
        updated_at, size = document.get("updated_at"), document.get("compressed_size")
        problem = ""
        if not is_ascii_text(url):
            problem = "it names no file to download"
        elif not (updated_at is None or is_ascii_text(updated_at)):
            problem = f"updated_at is {updated_at!a:.60}"
        elif not (size is None or (type(size) is int and 0 < size <= MAX_BULK_BYTES)):
            problem = f"compressed_size is {size!a:.60}"
        if problem:
            raise SourceError(
                f"Scryfall's description of {kind} cannot be understood: {problem}",
                details=f"its keys are {', '.join(map(ascii, sorted(document)))}",
                suggestion="get the file by hand and use --bulk-file FILE",
            )
        return cls(str(url), updated_at, size)


def _download(session: DownloadSession, source: CardSource, listing: _Listing) -> BulkFile:
    stamp = "".join(filter(str.isdigit, listing.updated_at or ""))[:14] or "undated"
    suffix = ".jsonl.gz" if ".jsonl" in listing.url else ".json"
    target = source.cache / f"bulk-{source.kind}-{stamp}{suffix}"
    patience = max(session.policy.patience, (listing.size or 10**9) / SLOWEST_BYTES_PER_SECOND)
    with _IncomingFile(target, source) as file:
        session.get_stream(
            listing.url, file, limit=MAX_BULK_BYTES, size=listing.size, patience=patience
        )
    return BulkFile(target, source.kind, file.sha256, listing.updated_at, listing.url)


class _IncomingFile(AtomicFile):
    """A bulk file on its way in."""

    def __init__(self, target: Path, source: CardSource) -> None:
        super().__init__(target)
        self._source = source
        self._digest = hashlib.sha256()

    def restart(self) -> None:
        """Throw away everything written so far."""
        super().restart()
        self._digest = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        """Append `data` to the unfinished file."""
        super().write(data)
        self._digest.update(data)

    @property
    def sha256(self) -> str:
        """SHA-256 of everything written so far."""
        return self._digest.hexdigest()

    def check(self) -> None:
        """List the faces of the whole file; ValueError if it is no bulk file."""
        self.flush()
        cache, kind, version = self._source.cache, self._source.kind, self._source.image_version
        try:
            write_faces(self.part, self.sha256, list_path(cache, kind, version), version)
        except DataError as error:
            raise ValueError(f"{error.message} ({error.details})") from error
