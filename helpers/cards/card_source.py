"""From the flags of the group "source" to a bulk file and the faces in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.cards.bulk_file import BulkFile, bulk_date, cached_bulk, local_bulk
from helpers.cards.face_list import FaceList, open_faces
from helpers.errors import DataError, UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from helpers.cards.options import CardSource
    from helpers.report import Reporter
    from helpers.session import DownloadSession

DEFAULT_MAX_AGE_HOURS = 24.0  # Scryfall asks everybody to keep bulk data at least that long


def usable_bulk(source: CardSource, max_age: float | None) -> BulkFile | None:
    """Return the bulk file that can be used without a request, None if there is none.

    `max_age` is in hours; an older one is to be asked for again. None: it may have any age.
    """
    if source.bulk_file is not None:
        return local_bulk(source.bulk_file)
    if source.refresh:
        return None
    bulk = cached_bulk(source.cache, source.kind)
    # A file that was checked in the future tells of a wrong clock, and nothing of its age.
    if bulk is None or (max_age is not None and not 0 <= bulk.age_hours < max_age):
        return None
    return bulk


def faces_of(source: CardSource, bulk: BulkFile, report: Reporter) -> FaceList:
    """Return the faces of `bulk` and say what was found.

    Raises:
        DataError: the bulk file is unusable.
        UsageError: it knows no card of the sets asked for.
    """
    everything = open_faces(bulk, source.cache, source.image_version)
    faces = everything.only(source.sets, source.limit)
    if source.sets and not faces.chosen:
        raise UsageError(
            f"there is no card of the sets {', '.join(source.sets)}",
            details=f"looked in {bulk.path.name}, among {faces.total:,} faces",
            suggestion="--set takes codes such as rtr,rix: https://scryfall.com/sets lists them",
        )
    skipped = ", ".join(f"{count} {why}" for why, count in sorted(faces.skipped.items()))
    report.info(
        f"Cards: {bulk.path.name} of {bulk_date(bulk)}: {faces.total:,} faces"
        + (f", of which {len(faces):,} are asked for" if len(faces) < faces.total else "")
        + (f" (skipped: {skipped})" if skipped else "")
    )
    if faces.odd:
        found = ", ".join(
            f"{faces.skipped[why]:,} {why} (the first: {first})"
            for why, first in sorted(faces.odd.items())
        )
        report.warning(f"cards left out, for they are not as Scryfall describes them: {found}")
    return faces


def bulk_for_download(source: CardSource, session: DownloadSession, report: Reporter) -> BulkFile:
    """Return the bulk file of a download: young enough, or asked for.

    Raises:
        SourceError: Scryfall cannot be asked.
        WriteError: the disk refuses.
    """
    limit = DEFAULT_MAX_AGE_HOURS if source.max_bulk_age is None else source.max_bulk_age
    bulk = usable_bulk(source, limit)
    if bulk is not None:
        report.detail(f"Bulk data: {bulk.path.name}, {bulk.age_hours:.1f} hours old, not asked for")
        return bulk
    from helpers.cards.bulk_download import refresh_bulk

    report.info(f"Bulk data: asking {session.policy.api_url} for {source.kind}")
    return refresh_bulk(session, source)


def bulk_for_build(source: CardSource, args: Namespace, report: Reporter) -> BulkFile:
    """Return the bulk file of a build: the cached one of any age, unless the flags say otherwise.

    Raises:
        DataError: the cache holds none; building alone asks nobody unless told to.
        SourceError: `--refresh-bulk` or `--max-bulk-age` asks for a newer one and it can't be had.
    """
    bulk = usable_bulk(source, source.max_bulk_age)
    if bulk is not None:
        return bulk
    if source.refresh or source.max_bulk_age is not None:
        from helpers.network.policy import Policy
        from helpers.session import DownloadSession

        session = DownloadSession(Policy.from_args(args), say=report.notice)
        return bulk_for_download(source, session, report)
    raise DataError(
        f"the cache holds no bulk file of kind {source.kind}",
        details=f"looked in {source.cache.absolute()}",
        suggestion=source.download_command(),
    )
