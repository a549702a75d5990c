"""Run `helpers/building/hnsw.py` as a child process and judge what it answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from helpers import worker_process
from helpers.errors import DataError


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What to build. Paths are absolute strings, since they travel as JSON."""

    vectors: str
    target: str
    hnsw_m: int
    hnsw_ef_construction: int
    check_seconds: float


def build_index(options: IndexOptions) -> dict[str, Any]:
    """Build the FAISS index of a file of vectors and let it find its own rows.

    Returns:
        The statistics of `helpers.building.hnsw.build`.

    Raises:
        WriteError: the disk refuses.
        DataError: the index does not find its own rows, or FAISS fails.
    """
    try:
        statistics = worker_process.answer("building.hnsw", asdict(options))
    except DataError as error:
        raise DataError(
            "the index could not be built",
            details=f"{error.message}\n{error.details}".rstrip(),
            suggestion=error.suggestion or "look above for the reason",
        ) from error
    _check_found(statistics["self_check"])
    return statistics


def _check_found(check: dict[str, int]) -> None:
    if check["found"] < check["asked"]:
        raise DataError(
            "the index does not find its own rows",
            details=f"{check['asked'] - check['found']:,} of {check['asked']:,} rows are lost",
            suggestion="build with more links: --hnsw-m 48 --hnsw-ef-construction 400",
        )
