"""From the flags of the group "source" to a bulk file and the faces in it."""

from argparse import Namespace

from helpers.cards.bulk_file import BulkFile, bulk_date, usable_bulk
from helpers.cards.face_list import FaceList, open_faces
from helpers.cards.options import CardSource
from helpers.errors import DataError, UsageError
from helpers.report import Reporter


def faces_of(source: CardSource, bulk: BulkFile, report: Reporter) -> FaceList:
    """Return the faces of `bulk` and say what was found.

    Raises:
        DataError: the bulk file is unusable.
        UsageError: it knows no card of the sets asked for.
    """
    everything = open_faces(bulk, source.cache, source.image_version)
    faces = everything.only(source.sets, source.limit)
    if source.sets and not faces and source.limit != 0:
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
    for why, first in sorted(faces.odd.items()):
        count = f"{faces.skipped[why]:,} {why} (the first: {first})"
        report.warning(f"cards left out, for they are not as Scryfall describes them: {count}")
    return faces


def bulk_for_build(source: CardSource, args: Namespace, report: Reporter) -> BulkFile:
    """Return the bulk file of a build: the cached one of any age, unless the flags say otherwise.

    Raises:
        DataError: the cache holds none; building alone asks nobody unless told to.
        SourceError: `--refresh-bulk` or `--max-bulk-age` asks for a newer one and it can't be had.
    """
    if source.max_bulk_age is not None:
        from helpers.cards.bulk_download import bulk_for_download
        from helpers.network.policy import Policy
        from helpers.session import DownloadSession

        session = DownloadSession(Policy.from_args(args), say=report.notice)
        return bulk_for_download(source, session, report)
    bulk = usable_bulk(source)
    if bulk is None:
        raise DataError(
            f"the cache holds no bulk file of kind {source.kind}",
            details=f"looked in {source.cache.absolute()}",
            suggestion=source.download_command(),
        )
    return bulk
