"""Scryfall's bulk data: one cached file that both steps read.

`GET /bulk-data/TYPE` describes the file. Since 20 July 2026 it names `jsonl_download_uri`, a true
`.jsonl.gz` of `compressed_size` bytes; mirrors and older listings name `download_uri`, a JSON array
that may be gzipped on the way. Source: https://scryfall.com/docs/api/bulk-data.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import AtomicFile, atomic_write_json, disk_errors
from helpers.cards.bulk_file import BulkFile, cached_bulk, note_path
from helpers.errors import DataError, SourceError
from helpers.network.responses import FetchError, TransientError, read_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests

    from helpers.session import DownloadSession

MAX_BULK_BYTES = 8 * 10**9  # all_cards was 2.6 GB unpacked in 2026
MAX_LISTING_BYTES = 10**6
SLOWEST_BYTES_PER_SECOND = 10_000  # slower than that a bulk file is not worth waiting for


def refresh_bulk(
    session: DownloadSession, directory: Path, kind: str, check: Callable[[Path, str], object]
) -> BulkFile:
    """Ask Scryfall for the bulk file of that kind and bring the cache up to date.

    Args:
        session: asks.
        directory: the cache directory.
        kind: such as `unique_artwork`.
        check: gets the new file, complete but not yet under its name, and its SHA-256; it must
            read the file to its end and raise `DataError` if it is no bulk file.

    Raises:
        SourceError: Scryfall cannot be asked, knows no such kind, or serves a broken file.
        WriteError: the disk refuses.
    """
    old = cached_bulk(directory, kind)
    url = f"{session.policy.api_url}/bulk-data/{kind.replace('_', '-')}"
    with _source_errors(url):
        listing, etag = session.fetch(
            url,
            lambda response: _read_listing(response, session),
            headers={"If-None-Match": old.etag} if old and old.etag else {},
            api=True,
        )
        new = old if listing is None else _newer(session, directory, kind, listing, old, check)
    if new is None:
        raise SourceError(f"{url} answers 304 (not modified) to a request without condition")
    bulk = BulkFile(new.path, kind, new.sha256, new.updated_at, new.url, etag, time.time())
    atomic_write_json(note_path(directory, kind), {**asdict(bulk), "path": bulk.path.name})
    _remove_older(directory, bulk)
    return bulk


def _remove_older(directory: Path, bulk: BulkFile) -> None:
    """Remove the files that `bulk` replaces, also those of runs that were killed on the way."""
    for path in directory.glob(f"bulk-{bulk.kind}-*.json*"):
        if path != bulk.path and not path.name.endswith(".part"):
            with disk_errors(path):
                path.unlink(missing_ok=True)


def _newer(
    session: DownloadSession,
    directory: Path,
    kind: str,
    listing: dict[str, Any],
    old: BulkFile | None,
    check: Callable[[Path, str], object],
) -> BulkFile:
    url = listing.get("jsonl_download_uri") or listing.get("download_uri")
    updated_at = listing.get("updated_at")
    if not isinstance(url, str):
        raise SourceError(
            f"Scryfall's description of {kind} names no file to download",
            details=f"its keys are {', '.join(sorted(listing))}",
            suggestion="get the file by hand and use --bulk-file FILE",
        )
    if old is not None and old.updated_at == updated_at and old.url == url:
        return old
    stamp = "".join(filter(str.isdigit, str(updated_at)))[:14] or "undated"
    suffix = ".jsonl.gz" if ".jsonl" in url else ".json"
    target = directory / f"bulk-{kind}-{stamp}{suffix}"
    size = listing.get("compressed_size")
    patience = max(session.policy.patience, (size or 10**9) / SLOWEST_BYTES_PER_SECOND)
    with AtomicFile(target) as file:
        incoming = _Incoming(file, size, session, check)
        digest = session.fetch(url, incoming.receive, headers=incoming.headers, patience=patience)
    return BulkFile(target, kind, digest, updated_at, url)


class _Incoming:
    """A bulk file on its way in. What has arrived stays: the next try asks for the rest.

    Args:
        file: where it goes.
        size: bytes that the listing announced, if it did.
        session: the session that receives it.
        check: see `refresh_bulk`.
    """

    def __init__(
        self,
        file: AtomicFile,
        size: int | None,
        session: DownloadSession,
        check: Callable[[Path, str], object],
    ) -> None:
        self._file = file
        self._size = size
        self._clock = session.clock
        self._check = check
        self.headers: dict[str, str] = {}  # of the next try
        self._start_over()

    def receive(self, response: requests.Response) -> str:
        """Take in one answer; return the SHA-256 of the whole file once it is there."""
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            self._start_over()
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {self._received}-"):
            self._start_over()
            raise TransientError("another part of the file came than was asked for")
        try:
            self._append(response)
        except TransientError:
            self._prepare_next(response.headers.get("ETag", ""))
            raise
        try:
            return self._checked()
        except TransientError:
            self._start_over()
            raise

    def _start_over(self) -> None:
        self._file.restart()
        self._digest = hashlib.sha256()
        self._received = 0
        self.headers.clear()

    def _prepare_next(self, etag: str) -> None:
        """Ask for the rest only, if the server can tell whether it is of the same file."""
        if etag.startswith('"') and 0 < self._received < (self._size or MAX_BULK_BYTES):
            self.headers.update({"Range": f"bytes={self._received}-", "If-Range": etag})
        else:
            self._start_over()

    def _append(self, response: requests.Response) -> None:
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal():  # refused before it is loaded in vain
            self._expect(self._received + int(announced), "announced by its server")
        limit = (self._size or MAX_BULK_BYTES) - self._received
        for chunk in read_chunks(response, limit, self._clock):
            self._file.write(chunk)
            self._digest.update(chunk)
            self._received += len(chunk)

    def _checked(self) -> str:
        self._expect(self._received, "arrived")
        self._file.flush()
        digest = self._digest.hexdigest()
        try:
            self._check(self._file.part, digest)
        except DataError as error:
            raise TransientError(f"{error.message} ({error.details})") from error
        return digest

    def _expect(self, size: int, how: str) -> None:
        if self._size is not None and size != self._size:
            raise TransientError(f"{size:,} bytes {how}, {self._size:,} by Scryfall's listing")


def _read_listing(
    response: requests.Response, session: DownloadSession
) -> tuple[dict[str, Any] | None, str | None]:
    etag = response.headers.get("ETag")
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        return None, etag or response.request.headers.get("If-None-Match")
    body = b"".join(read_chunks(response, MAX_LISTING_BYTES, session.clock))
    try:
        listing = json.loads(body)
    except ValueError as error:
        raise TransientError("the answer is not JSON") from error
    if not isinstance(listing, dict) or listing.get("object") != "bulk_data":
        raise TransientError("the answer does not describe a bulk file")
    return listing, etag


@contextlib.contextmanager
def _source_errors(url: str) -> Iterator[None]:
    try:
        yield
    except FetchError as error:
        raise SourceError(
            f"the bulk data cannot be had: {error}",
            details=f"asked {url}",
            suggestion="try the same command again later, or use --bulk-file FILE,"
            " or --max-bulk-age HOURS to go on with the cached file",
        ) from error
