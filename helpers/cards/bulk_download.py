"""Scryfall's bulk data: one cached file that both steps read.

`GET /bulk-data/TYPE` describes the file. Since 20 July 2026 it names `jsonl_download_uri`, a true
`.jsonl.gz` of `compressed_size` bytes; mirrors and older listings name `download_uri`, a JSON array
that may be gzipped on the way. Source: https://scryfall.com/docs/api/bulk-data.
"""

import time
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from helpers.atomic_io import atomic_write_json, disk_errors
from helpers.cards.bulk_file import (
    MAX_BULK_BYTES,
    BulkFile,
    cached_bulk,
    is_ascii_text,
    note_path,
    usable_bulk,
)
from helpers.cards.face_list import list_path, write_faces
from helpers.cards.options import CardSource
from helpers.errors import SourceError
from helpers.network.incoming_file import IncomingFile
from helpers.network.responses import FetchError, PermanentError
from helpers.report import Reporter
from helpers.session import DownloadSession

DEFAULT_MAX_AGE_HOURS = 24.0  # Scryfall asks everybody to keep bulk data at least that long


def bulk_for_download(source: CardSource, session: DownloadSession, report: Reporter) -> BulkFile:
    """Return the bulk file of a download: young enough, or asked for.

    A new file counts once it has been read to its end, and its faces have been listed.

    Raises:
        SourceError: Scryfall cannot be asked, knows no such kind, or serves a broken file.
        WriteError: the disk refuses.
    """
    limit = DEFAULT_MAX_AGE_HOURS if source.max_bulk_age is None else source.max_bulk_age
    bulk = usable_bulk(source, limit)
    if bulk is not None:
        report.detail(f"Bulk data: {bulk.path.name}, {bulk.age_hours:.1f} hours old, not asked for")
        return bulk
    report.info(f"Bulk data: asking {session.policy.api_url} for {source.kind}")
    return _refreshed(session, source)


def _refreshed(session: DownloadSession, source: CardSource) -> BulkFile:
    """Ask Scryfall for the bulk file and bring the cache up to date."""
    path = f"/bulk-data/{source.kind.replace('_', '-')}"
    try:
        bulk = _newest(session, source, path)
    except FetchError as error:
        raise SourceError(
            f"the bulk data cannot be had: {error}",
            details=f"asked {session.policy.api_url}{path}",
            suggestion="try the same command again later, or use --bulk-file FILE,"
            " or --max-bulk-age HOURS to go on with the cached file",
        ) from error
    bulk = replace(bulk, checked_at=time.time())
    note = {**asdict(bulk), "path": bulk.path.name}
    atomic_write_json(note_path(source.cache, source.kind), note)
    # What it replaces goes, also what runs left that were killed on the way.
    for other in source.cache.glob(f"bulk-{bulk.kind}-*.json*"):
        if other != bulk.path and not other.name.endswith(".part"):
            with disk_errors(other):
                other.unlink(missing_ok=True)
    return bulk


def _newest(session: DownloadSession, source: CardSource, path: str) -> BulkFile:
    """Return the cached bulk file if Scryfall has no newer one, else that one, downloaded."""
    bulk = cached_bulk(source.cache, source.kind)
    answer = session.get_api(path, etag=bulk.etag if bulk else None)
    if answer is None:
        if bulk is None:
            raise PermanentError("HTTP 304 to a request without condition")
        return bulk
    listing, etag = answer
    url, updated_at, size = listed(listing)
    if bulk is None or (bulk.updated_at, bulk.url) != (updated_at, url):
        stamp = "".join(filter(str.isdigit, updated_at or ""))[:14] or "undated"
        suffix = ".jsonl.gz" if ".jsonl" in url else ".json"
        target = source.cache / f"bulk-{source.kind}-{stamp}{suffix}"
        faces = list_path(source.cache, source.kind, source.image_version)
        check = partial(write_faces, target=faces, version=source.image_version)
        with IncomingFile(target, MAX_BULK_BYTES, check, size) as file:
            session.get_file(url, file)
            bulk = BulkFile(target, source.kind, file.sha256(), updated_at, url)
    return replace(bulk, etag=etag if is_ascii_text(etag) else None)  # it is to become a header


def listed(document: dict[str, Any]) -> tuple[str, str | None, int | None]:
    """Return address, date and size (bytes, as it comes over the network) of a listed bulk file.

    Raises:
        SourceError: one is of another type than documented; asking again will not help.
    """
    url = document.get("jsonl_download_uri") or document.get("download_uri")
    updated_at, size = document.get("updated_at"), document.get("compressed_size")
    if (
        document.get("object") == "bulk_data"
        and is_ascii_text(url)
        and (updated_at is None or is_ascii_text(updated_at))
        and (size is None or (type(size) is int and 0 < size <= MAX_BULK_BYTES))
    ):
        return str(url), updated_at, size
    names = ("object", "download_uri", "updated_at", "compressed_size")
    seen = zip(names, (document.get("object"), url, updated_at, size), strict=True)
    raise SourceError(
        "Scryfall's description of its bulk file cannot be understood",
        details=", ".join(f"{name} is {value!a:.60}" for name, value in seen),
        suggestion="get the file by hand and use --bulk-file FILE",
    )
