"""Image files that no card needs any more: scans that were replaced, cards that are gone."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from helpers.atomic_io import disk_errors
from helpers.cards.bulk_file import cached_bulk
from helpers.cards.card_face import IMAGE_VERSIONS
from helpers.cards.face_list import FaceList, open_faces, read_list
from helpers.errors import DataError
from helpers.images.cache import ImageCache, UselessFile
from helpers.images.digests import forget_digests
from helpers.report import DOCUMENT_VERSION

Verdict = Literal["needed", "stale", "orphaned", "foreign"]

_OUR_NAME = re.compile(r"[0-9a-f]{48}\.(jpg|png|webp)")
_BULK_NAME = re.compile(r"bulk-([a-z_]+)(-[0-9a-z]+\.jsonl?(\.gz)?|\.json)")
_LIST_NAME = re.compile(r"faces-([a-z_]+)-([a-z_]+)\.jsonl")


class KnownFiles:
    """Which image files belong to the faces of some lists, in 16 bytes for each.

    A file name holds a hash of the picture's place and one of the scan; see `safe_filename`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        places, scans = array("Q"), array("Q")
        for name in names:
            places.append(_place(name))
            scans.append(_scan(name))
        self._places = array("Q", sorted(places))
        self._scans = array("Q", sorted(scans))

    def judge(self, name: str) -> Verdict:
        """Tell what the image file of that name is to the faces known here.

        `needed`: the image of a face; `stale`: another scan of one; `orphaned`: of none of them;
        `foreign`: not named by this program, and none of its business.
        """
        if _OUR_NAME.fullmatch(name) is None:
            return "foreign"
        if _holds(self._scans, _scan(name)):
            return "needed"
        return "stale" if _holds(self._places, _place(name)) else "orphaned"


def _place(name: str) -> int:
    return int(name[:16], 16)


def _scan(name: str) -> int:
    return int(name[32:48], 16)


def _holds(numbers: "array[int]", wanted: int) -> bool:
    at = bisect_left(numbers, wanted)
    return at < len(numbers) and numbers[at] == wanted


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What was found, and whether it was removed."""

    directory: Path
    files: list[UselessFile]
    needed: int
    removed: bool

    def count(self, reason: Verdict) -> int:
        """Return how many there are of one kind."""
        return sum(file.reason == reason for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(file.size_bytes for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "version": DOCUMENT_VERSION,
            "cache_directory": str(self.directory),
            "needed": self.needed,
            "stale": self.count("stale"),
            "orphaned": self.count("orphaned"),
            "bytes": self.size,
            "removed": self.removed,
            "files": [asdict(file) for file in self.files],
        }


def find_leftovers(cache: ImageCache, *, remove: bool) -> Leftovers:
    """Find the stale and the orphaned images of a cache, and remove them if told to.

    Raises:
        DataError: the cache does not say which images it needs, so none can go.
        WriteError: one of them cannot be removed.
    """
    known = KnownFiles(name for faces in _all_faces(cache) for name in faces.image_files())
    files, needed = [], 0
    for name in cache.image_names():
        verdict = known.judge(name)
        if verdict in {"stale", "orphaned"} and cache.path(name).is_file():
            files.append(UselessFile(name, verdict, cache.path(name).stat().st_size))
        needed += verdict == "needed"
    files.sort(key=lambda file: file.filename)
    if remove and files:
        forget_digests(cache, {file.filename for file in files})
        for file in files:
            with disk_errors(cache.path(file.filename)):
                cache.path(file.filename).unlink(missing_ok=True)
    return Leftovers(cache.directory, files, needed, remove)


def _all_faces(cache: ImageCache) -> Iterator[FaceList]:
    """Yield the faces of each bulk file in each image version that the cache was used for.

    Raises:
        DataError: there are none, or one of the bulk files cannot be used: every image that only
            it needs would look orphaned.
    """
    kinds, lists = _present(cache.directory)
    if not kinds:
        raise DataError(
            f"the cache holds no bulk file: {cache.directory}",
            details="without one, every image would look orphaned; nothing was removed",
            suggestion=f"python download_images.py --cache {cache.directory} --limit 0",
        )
    for kind in sorted(kinds):
        yield from _faces_of_kind(cache.directory, kind, lists.get(kind, {}))


def _present(directory: Path) -> tuple[set[str], dict[str, dict[str, Path]]]:
    """Return the kinds of bulk data of a cache, and its face lists by kind and image version."""
    kinds: set[str] = set()
    lists: dict[str, dict[str, Path]] = {}
    for path in directory.iterdir():
        if found := _BULK_NAME.fullmatch(path.name):
            kinds.add(found[1])
        elif found := _LIST_NAME.fullmatch(path.name):
            kinds.add(found[1])
            lists.setdefault(found[1], {})[found[2]] = path
    return kinds, lists


def _faces_of_kind(directory: Path, kind: str, lists: dict[str, Path]) -> Iterator[FaceList]:
    bulk = cached_bulk(directory, kind)
    if bulk is not None:
        for version in lists or IMAGE_VERSIONS:  # no list tells which: any image may be needed
            yield open_faces(bulk, directory, version)
        return
    faces = [read_list(path) for path in lists.values()]  # of --bulk-file, which lies elsewhere
    if not faces or None in faces:
        raise DataError(
            f"the cache's bulk data of kind {kind} cannot be read",
            details="images that only they need would look orphaned; nothing was removed",
            suggestion=f"python download_images.py --cache {directory} --kind {kind}"
            " --refresh-bulk --limit 0",
        )
    yield from filter(None, faces)
