"""Every image of a cache checked: which ones are broken, and why."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import disk_errors
from helpers.images.digests import DigestTable
from helpers.images.scan import Look, look_at
from helpers.parallel import bounded_map, cpu_count
from helpers.report import DOCUMENT_VERSION, timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.images.cache import ImageCache
    from helpers.report import Reporter


@dataclass(frozen=True, slots=True)
class Failure:
    """One broken file."""

    filename: str
    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CacheCheck:
    """What a check found."""

    directory: Path
    total: int
    failures: list[Failure]

    def to_json(self) -> dict[str, Any]:
        """Return the document of `--json` and `--report`."""
        return {
            "version": DOCUMENT_VERSION,
            "timestamp": timestamp(),
            "cache_directory": str(self.directory),
            "total_files": self.total,
            "valid_files": self.total - len(self.failures),
            "invalid_files": len(self.failures),
            "failures": [asdict(failure) for failure in self.failures],
        }


def check_cache(cache: ImageCache, workers: int | None, report: Reporter) -> CacheCheck:
    """Look at every image file of the cache; the failures come sorted by file name.

    Raises:
        DataError: there is no such directory.
    """
    cache.require()
    table = DigestTable(cache)
    total = sum(1 for _ in cache.image_names())

    def look(name: str) -> Look:
        return look_at(cache.path(name), table.get(name), validate=True)

    failures = []
    results = bounded_map(look, cache.image_names(), workers or cpu_count() + 1)
    with report.progress(total, "Checking") as progress, closing(results):
        for name, found in results:
            progress.advance()
            if found.reason is not None:
                failures.append(Failure(name, found.reason, found.size))
    failures.sort(key=lambda failure: failure.filename)
    return CacheCheck(cache.directory, total, failures)


def remove_failures(check: CacheCheck) -> None:
    """Remove the broken files; the next download fetches them again.

    Raises:
        WriteError: one of them cannot be removed.
    """
    for failure in check.failures:
        path = check.directory / failure.filename
        with disk_errors(path):
            path.unlink(missing_ok=True)
