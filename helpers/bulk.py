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
from helpers.bulk_file import BulkFile, cached_bulk, note_path
from helpers.errors import DataError, SourceError
from helpers.session import DownloadSession, FetchError, TransientError, read_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests

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
    if old is not None and old.path != bulk.path:
        with disk_errors(old.path):
            old.path.unlink(missing_ok=True)
    return bulk


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

    def receive(response: requests.Response) -> str:
        return _publish(response, target, size, session, check)

    digest = session.fetch(url, receive, patience=patience)
    return BulkFile(target, kind, digest, updated_at, url)


def _publish(
    response: requests.Response,
    target: Path,
    size: int | None,
    session: DownloadSession,
    check: Callable[[Path, str], object],
) -> str:
    digest = hashlib.sha256()
    received = 0
    with AtomicFile(target) as file:
        for chunk in read_chunks(response, MAX_BULK_BYTES, session.clock):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
        if size is not None and received != size:
            raise TransientError(f"{received:,} bytes arrived, {size:,} were announced")
        file.finish()
        try:
            check(file.part, digest.hexdigest())
        except DataError as error:
            raise TransientError(f"{error.message} ({error.details})") from error
    return digest.hexdigest()


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
