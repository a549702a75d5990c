"""Step 1: Scryfall's bulk data → a cache of validated images."""

import time
from argparse import Namespace
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

from helpers.atomic_io import atomic_write_json, make_directory, remove_parts
from helpers.cards.bulk_download import bulk_for_download
from helpers.cards.bulk_file import bulk_date
from helpers.cards.card_face import CardFace
from helpers.cards.card_source import faces_of
from helpers.cards.face_list import FaceList
from helpers.cards.options import CardSource
from helpers.errors import DataError, IncompleteError
from helpers.images.cache import ImageCache
from helpers.images.download import download_image
from helpers.images.forecast import MEAN_BYTES, forecast, room_in_errors, warn_if_short
from helpers.images.prune import judge
from helpers.lock import directory_lock
from helpers.network.policy import Policy
from helpers.network.responses import FetchError
from helpers.parallel import WINDOW, bounded_map
from helpers.report import (
    DOCUMENT_VERSION,
    Reporter,
    byte_size,
    duration,
    safe_percentage,
    safe_rate,
)
from helpers.session import DownloadSession

FAILURES_NAME = "download_failures.json"
#: Threads beyond `--workers`: so many images may be checked and flushed to the disk meanwhile.
WRITERS = 8


@dataclass(slots=True)
class DownloadSummary:
    """What a run did, by the keys of `--json`. Memory grows with its failures only."""

    date: str = ""  # of the list of cards, for people
    faces: int = 0
    already_cached: int = 0
    stale: int = 0
    downloaded: int = 0
    bytes: int = 0
    seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Number of images that were not there before the run."""
        return self.faces - self.already_cached

    @property
    def failed(self) -> int:
        """Number of faces whose image could not be had."""
        return len(self.failures)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        rate = round(self.downloaded / self.seconds, 2) if self.seconds else 0.0
        more = {"failed": self.failed, "images_per_second": rate, "seconds": round(self.seconds, 3)}
        return {"version": DOCUMENT_VERSION, **asdict(self), **more}


def download_stage(args: Namespace, report: Reporter) -> DownloadSummary:
    """Bring the cache up to date with Scryfall; see `check_failures` for images that failed.

    Raises:
        SourceError, DataError, WriteError, BusyError: nothing that was finished is lost.
    """
    source = CardSource.from_args(args)
    session = DownloadSession(Policy.from_args(args), say=report.notice)
    cache = ImageCache(source.cache)
    summary = DownloadSummary()

    def needed() -> int:
        return (summary.missing - summary.downloaded) * MEAN_BYTES[source.image_version]

    make_directory(cache.directory)
    with directory_lock(cache.directory), room_in_errors(cache.directory, needed):
        remove_parts(cache.directory)
        bulk = bulk_for_download(source, session, report)
        summary.date = bulk_date(bulk)
        faces = faces_of(source, bulk, report)
        _count_cached(faces, cache, summary)
        try:
            if summary.missing:
                report.release()
                version, workers = source.image_version, session.policy.workers
                report.info(f"To download: {forecast(summary.missing, version, workers)}")
                warn_if_short(cache.directory, needed(), report)
                _download_all(faces, cache, session, summary, report)
        finally:
            remove_parts(cache.directory)
            _report_summary(summary, args, report)
            _keep_failures(summary, cache)
    return summary


def _count_cached(faces: FaceList, cache: ImageCache, summary: DownloadSummary) -> None:
    """Count what there is before the first image is asked for."""
    summary.faces, summary.skipped = len(faces), faces.skipped
    summary.already_cached = sum(map(cache.has, faces.image_files()))
    known = sorted(faces.image_files())
    summary.stale = sum(judge(name, known) == "stale" for name in cache.image_names())


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
    def fetch(face: CardFace) -> int | FetchError:
        """Return the bytes of the image that is in the cache now, or why it cannot be."""
        try:
            data = download_image(session, face.image_url, cache.directory)
        except FetchError as error:
            return error
        cache.note_digest(face.image_file, data)
        return len(data)

    start, workers = time.monotonic(), session.policy.workers
    missing = (face for face in faces if not cache.has(face.image_file))
    results = bounded_map(
        fetch, missing, workers + WRITERS, window=WINDOW * workers, on_abort=session.abort
    )
    showing = report.progress(summary.missing, "Downloading", waiting=lambda: session.clock.waiting)
    with showing as progress, closing(results):
        for face, result in results:
            if isinstance(result, int):
                summary.downloaded += 1
                summary.bytes += result
            else:
                report.detail(f"failed: {face.name} ({face.image_url}): {result}")
                about = {"name": face.name, "face_id": face.face_id, "url": face.image_url}
                summary.failures.append({**about, "reason": str(result)})
            summary.seconds = time.monotonic() - start
            progress.advance()


def _keep_failures(summary: DownloadSummary, cache: ImageCache) -> None:
    """Leave the list of failures in the cache, for people and for the next run."""
    path = cache.directory / FAILURES_NAME
    if summary.failures or path.exists():
        atomic_write_json(path, {"version": DOCUMENT_VERSION, "failures": summary.failures})


def _report_summary(summary: DownloadSummary, args: Namespace, report: Reporter) -> None:
    present = summary.downloaded + summary.already_cached
    done = ""
    if summary.missing:
        rate = safe_rate(summary.downloaded, summary.seconds)
        rate = f" ({rate} images/s)" if summary.downloaded else ""
        done = (
            f"Downloaded {summary.downloaded:,} images ({byte_size(summary.bytes)})"
            f" in {duration(summary.seconds)}{rate}, {summary.failed:,} failed; "
        )
    share = safe_percentage(present, summary.faces)
    report.info(f"{done}{present:,} of {summary.faces:,} faces ({share}) are in the cache")
    reasons = Counter(failure["reason"] for failure in summary.failures)
    for reason, count in reasons.most_common():
        report.info(f"  failed {count:,} ×: {reason}")
    if summary.stale:
        report.info(
            f"{summary.stale:,} cached images are earlier scans of these cards; see"
            f" python scripts/prune_cache.py --cache {args.cache} --dry-run"
        )
