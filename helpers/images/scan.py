"""A scan of the cache: which images are missing or broken, and the content of the others.

Every file is read and hashed. With the hash that was noted at download it is what was decoded
then; with another one it is broken. A file without a note is checked when it is embedded
(`helpers.building.embed`), so that one decoding serves both.
"""

import hashlib
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import read_bounded
from helpers.cards.card_face import CardFace
from helpers.cards.face_list import FaceList
from helpers.images.cache import ImageCache
from helpers.parallel import bounded_map, cpu_count
from helpers.report import DOCUMENT_VERSION, Reporter, timestamp
from helpers.validation import MAX_BYTES, validate_image

DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Look:
    """One file: the SHA-256 of its content, or None, and why it cannot be used unless missing."""

    sha256: bytes | None = None
    reason: str | None = None
    size: int = 0


@dataclass(slots=True)
class Scan:
    """The faces that have an image not known to be broken, in the order of the face list: the rows.

    `faces`: int64 [n], positions in the face list. `sha256`: uint8 [n, 32], of the image files.
    """

    faces: NDArray[np.int64]
    sha256: NDArray[np.uint8]
    missing: int
    invalid: int


def look_at(path: Path, noted: bytes | None, *, validate: bool) -> Look:
    """Read one file of the cache, whose SHA-256 at its download is `noted`, if anything is.

    With `validate`, also check that it is a whole image.
    """
    try:
        data = read_bounded(path, MAX_BYTES)
    except FileNotFoundError:
        return Look()
    except OSError as error:
        return Look(reason=f"cannot be read: {error.strerror or error}")
    found, reason = hashlib.sha256(data).digest(), None
    if found != noted and (validate or not data):
        reason = validate_image(data, path.suffix).reason
        if reason is None and noted is not None:
            reason = "changed since its download: SHA-256 differs"
    return Look(found, reason, len(data))


def scan_cache(faces: FaceList, cache: ImageCache, report: Reporter, *, validate: bool) -> Scan:
    """Look at the image of every face and name each one that is empty or, validating, changed."""
    noted = cache.digests()
    usable = np.zeros(len(faces), dtype=bool)
    sha256 = np.zeros((len(faces), DIGEST_BYTES), dtype=np.uint8)
    missing = invalid = 0

    def look(item: tuple[int, CardFace]) -> Look:
        name = item[1].image_file
        return look_at(cache.path(name), noted.get(name), validate=validate and name in noted)

    results = bounded_map(look, enumerate(faces), cpu_count() + 1)
    with report.progress(len(faces), "Checking the cache") as progress, closing(results):
        for (position, face), found in results:
            progress.advance()
            if found.reason is not None:
                invalid += 1
                report.warning(f"left out: {face.image_file} ({face.name}): {found.reason}")
            elif found.sha256 is None:
                missing += 1
            else:
                usable[position] = True
                sha256[position] = np.frombuffer(found.sha256, dtype=np.uint8)
    rows = np.flatnonzero(usable)
    return Scan(rows, sha256[rows], missing, invalid)


def check_cache(cache: ImageCache, workers: int | None, report: Reporter) -> dict[str, Any]:
    """Look at every image file of a cache, whatever face it belongs to.

    Returns the document of `--json` and `--report`; the failures come sorted by file name.
    """
    noted = cache.digests()
    total = sum(1 for _ in cache.image_names())

    def look(name: str) -> Look:
        return look_at(cache.path(name), noted.get(name), validate=True)

    failures: list[dict[str, Any]] = []
    results = bounded_map(look, cache.image_names(), workers or cpu_count() + 1)
    with report.progress(total, "Checking") as progress, closing(results):
        for name, found in results:
            progress.advance()
            if found.reason is not None:
                about = {"filename": name, "reason": found.reason, "size_bytes": found.size}
                failures.append(about)
    failures.sort(key=itemgetter("filename"))
    return {
        "version": DOCUMENT_VERSION,
        "timestamp": timestamp(),
        "cache_directory": str(cache.directory),
        "total_files": total,
        "valid_files": total - len(failures),
        "invalid_files": len(failures),
        "failures": failures,
    }


def remove_failures(cache: ImageCache, check: dict[str, Any]) -> None:
    """Remove the broken files that a check found; WriteError if one cannot be removed."""
    for failure in check["failures"]:
        cache.remove(failure["filename"])
