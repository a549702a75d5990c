"""Image files that no card needs any more: scans that were replaced, cards that are gone."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from helpers.cards.bulk_file import cached_bulk
from helpers.cards.face_list import FaceList, open_faces, read_list
from helpers.errors import DataError
from helpers.images.cache import ImageCache
from helpers.report import DOCUMENT_VERSION

#: What `card_face.safe_filename` returns; two scans of a picture share the first `_PLACE` digits.
_OUR_NAME = re.compile(r"[0-9a-f]{48}\.(?:jpg|png|webp)")
_PLACE = 32
_LIST_NAME = re.compile(r"faces-([a-z_]+)-([a-z_]+)\.jsonl")
_BULK_NAME = re.compile(r"bulk-([a-z_]+)(?:-\w+)?\.jsonl?(?:\.gz)?")


def judge(name: str, known: Sequence[str]) -> str:
    """Tell what an image file is to the faces whose images have the `known` names, sorted.

    `needed`: the image of a face; `stale`: another scan of one; `orphaned`: of none of them;
    `foreign`: not named by this program, and none of its business.
    """
    if not _OUR_NAME.fullmatch(name):
        return "foreign"
    at = bisect_left(known, name)
    nearest = known[max(0, at - 1) : at + 1]
    if name in nearest:
        return "needed"
    same_place = any(other[:_PLACE] == name[:_PLACE] for other in nearest)
    return "stale" if same_place else "orphaned"


def find_leftovers(cache: ImageCache, *, remove: bool) -> dict[str, Any]:
    """Find the stale and the orphaned images of a cache, and remove them if told to.

    Returns the document of `--json`.

    Raises:
        DataError: the cache does not say which images it needs, so none can go.
        WriteError: one of them cannot be removed.
    """
    known = sorted(name for faces in _all_faces(cache) for name in faces.image_files())
    files: list[dict[str, Any]] = []
    needed = 0
    for name in cache.image_names():
        verdict, path = judge(name, known), cache.path(name)
        needed += verdict == "needed"
        if verdict in {"stale", "orphaned"} and path.is_file():
            size = path.stat().st_size
            files.append({"filename": name, "reason": verdict, "size_bytes": size})
    files.sort(key=itemgetter("filename"))
    if remove:
        for file in files:
            cache.remove(file["filename"])
    reasons = [file["reason"] for file in files]
    return {
        "version": DOCUMENT_VERSION,
        "cache_directory": str(cache.directory),
        "needed": needed,
        "stale": reasons.count("stale"),
        "orphaned": reasons.count("orphaned"),
        "bytes": sum(file["size_bytes"] for file in files),
        "removed": remove,
        "files": files,
    }


def _all_faces(cache: ImageCache) -> Iterator[FaceList]:
    """Yield the faces of each bulk file in each image version that the cache was used for.

    Their lists are written before the first image comes. `DataError` if one is missing or cannot
    be read: every image that only it names would look orphaned.
    """
    names = sorted(path.name for path in cache.directory.iterdir())
    lists = [found for found in map(_LIST_NAME.fullmatch, names) if found]
    unlisted = {found[1] for found in map(_BULK_NAME.fullmatch, names) if found}
    unlisted -= {found[1] for found in lists}
    if unlisted or not lists:
        kind = min(unlisted, default="KIND")
        raise _cannot_tell(cache, f"it has no list of the faces of {kind}", f"--kind {kind}")
    for found in lists:
        name, kind, version = found[0], found[1], found[2]
        bulk = cached_bulk(cache.directory, kind)
        # The bulk file of `--bulk-file` lies elsewhere, only its list is here.
        faces = open_faces(bulk, cache.directory, version) if bulk else read_list(cache.path(name))
        if faces is None:
            choice = "--bulk-file FILE" if kind == "local" else f"--kind {kind} --refresh-bulk"
            raise _cannot_tell(cache, f"{name} cannot be read", choice)
        yield faces


def _cannot_tell(cache: ImageCache, problem: str, choice: str) -> DataError:
    return DataError(
        f"the cache does not say which images it needs: {cache.directory}",
        details=f"{problem}; images that only it names would look orphaned; nothing was removed",
        suggestion=f"python download_images.py --cache {cache.directory} --limit 0 {choice}",
    )
