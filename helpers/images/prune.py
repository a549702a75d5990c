"""Image files that no card needs any more: scans that were replaced, cards that are gone."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from helpers.atomic_io import disk_errors
from helpers.cards.bulk_file import cached_bulk
from helpers.cards.face_list import FaceList, open_faces, read_list
from helpers.errors import DataError
from helpers.images.cache import OUR_NAME, ImageCache
from helpers.images.digests import forget_digests
from helpers.report import DOCUMENT_VERSION

_BULK_NAME = re.compile(r"bulk-([a-z_]+)(?:-[0-9a-z]+\.jsonl?(?:\.gz)?|\.json)")
_LIST_NAME = re.compile(r"faces-([a-z_]+)-([a-z_]+)\.jsonl")


class KnownFiles:
    """Which image files belong to the faces of some lists, in 16 bytes for each."""

    def __init__(self, names: Iterable[str]) -> None:
        places, scans = array("Q"), array("Q")
        for found in filter(None, map(OUR_NAME.fullmatch, names)):
            places.append(int(found[1], 16))
            scans.append(int(found[2], 16))
        self._places, self._scans = (array("Q", sorted(each)) for each in (places, scans))

    def judge(self, name: str) -> str:
        """Tell what the image file of that name is to the faces known here.

        `needed`: the image of a face; `stale`: another scan of one; `orphaned`: of none of them;
        `foreign`: not named by this program, and none of its business.
        """
        found = OUR_NAME.fullmatch(name)
        if found is None:
            return "foreign"
        if _holds(self._scans, int(found[2], 16)):
            return "needed"
        return "stale" if _holds(self._places, int(found[1], 16)) else "orphaned"


def _holds(numbers: "array[int]", wanted: int) -> bool:
    at = bisect_left(numbers, wanted)
    return at < len(numbers) and numbers[at] == wanted


def find_leftovers(cache: ImageCache, *, remove: bool) -> dict[str, Any]:
    """Find the stale and the orphaned images of a cache, and remove them if told to.

    Returns the document of `--json`.

    Raises:
        DataError: the cache does not say which images it needs, so none can go.
        WriteError: one of them cannot be removed.
    """
    known = KnownFiles(name for faces in _all_faces(cache) for name in faces.image_files())
    files: list[dict[str, Any]] = []
    needed = 0
    for name in cache.image_names():
        verdict, path = known.judge(name), cache.path(name)
        needed += verdict == "needed"
        if verdict in {"stale", "orphaned"} and path.is_file():
            size = path.stat().st_size
            files.append({"filename": name, "reason": verdict, "size_bytes": size})
    files.sort(key=itemgetter("filename"))
    if remove and files:
        forget_digests(cache, {file["filename"] for file in files})
        for file in files:
            with disk_errors(cache.path(file["filename"])):
                cache.path(file["filename"]).unlink(missing_ok=True)
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

    Raises:
        DataError: there are none, or those of one of the bulk files cannot be told: every image
            that only it needs would look orphaned.
    """
    names = sorted(path.name for path in cache.directory.iterdir())
    lists = [found for found in map(_LIST_NAME.fullmatch, names) if found]
    untold = {found[1] for found in map(_BULK_NAME.fullmatch, names) if found}
    untold -= {found[1] for found in lists}
    for found in lists:
        name, kind, version = found[0], found[1], found[2]
        bulk = cached_bulk(cache.directory, kind)
        # The bulk file of `--bulk-file` lies elsewhere, only its list is here.
        faces = open_faces(bulk, cache.directory, version) if bulk else read_list(cache.path(name))
        if faces is None:
            untold.add(kind)
        else:
            yield faces
    if untold or not lists:
        kind = min(untold, default="")
        flags = "--bulk-file FILE" if kind == "local" else f"--kind {kind} --refresh-bulk"
        raise DataError(
            f"the cache does not say which images it needs: {cache.directory}",
            details=f"a list of faces {kind} is missing or cannot be read; images that only it"
            " names would look orphaned; nothing was removed",
            suggestion=f"python download_images.py --cache {cache.directory} --limit 0"
            + f" {flags}" * bool(kind),
        )
