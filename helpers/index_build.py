"""Run `helpers/faiss_build.py` as a child process and judge what it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.errors import DataError, write_error

_CHILD = Path(__file__).with_name("faiss_build.py")


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What to build. Paths are strings, since they travel as JSON."""

    vectors: str
    target: str
    hnsw_m: int
    hnsw_ef_construction: int
    check_seconds: float


def build_index(options: IndexOptions) -> dict[str, Any]:
    """Build the FAISS index of a file of vectors and let it find its own rows.

    Returns:
        The statistics of `helpers.faiss_build.build`.

    Raises:
        WriteError: the disk refuses.
        DataError: the index does not find its own rows, or FAISS fails.
    """
    command = [sys.executable, str(_CHILD), json.dumps(asdict(options))]
    # The child ends when its stdin does, so that it does not outlive a parent that is killed.
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            output = _read_to_end(child)
        except BaseException:
            child.terminate()
            raise
    if child.returncode != 0 or not output:
        raise DataError(
            "the index could not be built",
            details=f"the process that builds it ended with code {child.returncode}",
            suggestion="look above for its last words; it may have run out of memory",
        )
    answer: dict[str, Any] = json.loads(output)
    if "error" in answer:
        if answer["errno"]:
            raise write_error(OSError(answer["errno"], answer["error"]), options.target)
        raise DataError("the index could not be built", details=answer["error"])
    _check_found(answer["self_check"])
    return answer


def _read_to_end(child: subprocess.Popen[str]) -> str:
    # Not `communicate()`, which would close the child's stdin at once.
    assert child.stdout is not None  # noqa: S101 - for mypy: it is a pipe
    output = child.stdout.read()
    child.wait()
    return output


def _check_found(check: dict[str, int]) -> None:
    if check["found"] < check["asked"]:
        raise DataError(
            "the index does not find its own rows",
            details=f"{check['asked'] - check['found']:,} of {check['asked']:,} rows are lost",
            suggestion="build with more links: --hnsw-m 48 --hnsw-ef-construction 400",
        )
