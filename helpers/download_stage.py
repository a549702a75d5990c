"""Step 1: Scryfall's bulk data → a cache of validated images."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import atomic_write_json, make_directory, remove_parts
from helpers.cache import DigestLog, ImageCache
from helpers.card_source import CardSource, bulk_for_download
from helpers.download import Downloaded, download_image
from helpers.errors import DataError, IncompleteError
from helpers.lock import directory_lock
from helpers.parallel import bounded_map
from helpers.report import DOCUMENT_VERSION, byte_size, duration, safe_percentage, safe_rate
from helpers.session import DownloadSession, FetchError, Policy

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from helpers.face_list import FaceList
    from helpers.records import CardFace
    from helpers.report import Reporter

FAILURES_NAME = "download_failures.json"


@dataclass(slots=True)
class DownloadSummary:
    """What a run did. Memory grows with its failures only."""

    faces: int = 0
    downloaded: int = 0
    already_cached: int = 0
    size: int = 0
    seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Number of faces whose image could not be had."""
        return len(self.failures)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "version": DOCUMENT_VERSION,
            "faces": self.faces,
            "downloaded": self.downloaded,
            "already_cached": self.already_cached,
            "failed": self.failed,
            "skipped": self.skipped,
            "failures": self.failures,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.downloaded / self.seconds, 2) if self.seconds else 0.0,
            "bytes": self.size,
        }


def download_stage(args: Namespace, report: Reporter) -> DownloadSummary:
    """Bring the cache up to date with Scryfall.

    Returns:
        What was done, also if some images failed; see `check_failures`.

    Raises:
        SourceError, DataError, WriteError, BusyError: nothing that was finished is lost.
    """
    source = CardSource.from_args(args)
    session = DownloadSession(Policy.from_args(args))
    cache = ImageCache(source.cache)
    make_directory(cache.directory)
    with directory_lock(cache.directory):
        remove_parts(cache.directory)
        faces = source.faces(bulk_for_download(source, session, report), report)
        summary = DownloadSummary(faces=len(faces), skipped=faces.skipped)
        try:
            _download_all(faces, cache, session, summary, report)
        finally:
            _keep_failures(cache, summary)
    _report_summary(summary, report)
    return summary


def check_failures(summary: DownloadSummary, args: Namespace) -> None:
    """Raise the error that the failures of a finished download amount to.

    Raises:
        DataError: not one image could be had.
        IncompleteError: more than `--max-failure-rate` of the faces failed.
    """
    if summary.failed == 0:
        return
    first = summary.failures[0]
    details = (
        f"{summary.failed:,} of {summary.faces:,} failed"
        f" ({safe_percentage(summary.failed, summary.faces)}),"
        f" the first: {first['name']}: {first['reason']} ({first['url']})"
    )
    suggestion = (
        f"see {args.cache}/{FAILURES_NAME}, then type the same command again:"
        " it asks only for what is missing"
    )
    if summary.failed == summary.faces:
        raise DataError("all downloads failed", details=details, suggestion=suggestion)
    if summary.failed / summary.faces > args.max_failure_rate:
        raise IncompleteError("too many downloads failed", details=details, suggestion=suggestion)


def _download_all(
    faces: FaceList,
    cache: ImageCache,
    session: DownloadSession,
    summary: DownloadSummary,
    report: Reporter,
) -> None:
    missing = _Missing(faces, cache)
    log = DigestLog(cache)
    start = time.monotonic()
    results = bounded_map(
        lambda face: _try_download(session, face, cache),
        missing,
        session.policy.workers,
        on_abort=session.abort,
    )
    with report.progress(len(faces), "Downloading") as progress, closing(results):
        try:
            for face, result in results:
                _count(summary, face, result, log, report)
                progress.advance(1 + missing.take_cached())
            progress.advance(missing.take_cached())
        finally:
            summary.already_cached = missing.cached
            summary.seconds = time.monotonic() - start
            results.close()  # ends the workers before what they published is noted
            log.flush()
            remove_parts(cache.directory)


class _Missing:
    """Yields the faces whose image is not in the cache, and counts the others."""

    def __init__(self, faces: FaceList, cache: ImageCache) -> None:
        self._faces = faces
        self._cache = cache
        self.cached = 0
        self._taken = 0

    def __iter__(self) -> Iterator[CardFace]:
        for face in self._faces:
            if self._cache.has(face.image_file):
                self.cached += 1
            else:
                yield face

    def take_cached(self) -> int:
        """Return how many cached images were passed since the last call."""
        count, self._taken = self.cached - self._taken, self.cached
        return count


def _try_download(
    session: DownloadSession, face: CardFace, cache: ImageCache
) -> Downloaded | FetchError:
    try:
        return download_image(session, face.image_url, cache.directory)
    except FetchError as error:
        return error


def _count(
    summary: DownloadSummary,
    face: CardFace,
    result: Downloaded | FetchError,
    log: DigestLog,
    report: Reporter,
) -> None:
    if isinstance(result, Downloaded):
        summary.downloaded += 1
        summary.size += result.size
        log.add(face.image_file, result.sha256)
        return
    report.detail(f"failed: {face.name} ({face.image_url}): {result}")
    summary.failures.append(
        {
            "name": face.name,
            "face_id": face.face_id,
            "url": face.image_url,
            "reason": str(result),
        }
    )


def _keep_failures(cache: ImageCache, summary: DownloadSummary) -> None:
    """Leave the list of failures in the cache, for people and for the next run."""
    path = cache.directory / FAILURES_NAME
    if summary.failures or path.exists():
        atomic_write_json(path, {"version": DOCUMENT_VERSION, "failures": summary.failures})


def _report_summary(summary: DownloadSummary, report: Reporter) -> None:
    present = summary.downloaded + summary.already_cached
    report.info(
        f"Downloaded {summary.downloaded:,} images ({byte_size(summary.size)})"
        f" in {duration(summary.seconds)}"
        f" ({safe_rate(summary.downloaded, summary.seconds)} images/s);"
        f" {summary.already_cached:,} were already cached; {summary.failed:,} failed"
    )
    report.info(
        f"In the cache: {present:,} of {summary.faces:,} faces"
        f" ({safe_percentage(present, summary.faces)})"
    )
    reasons = Counter(failure["reason"] for failure in summary.failures)
    for reason, count in reasons.most_common():
        report.info(f"  failed {count:,} ×: {reason}")
