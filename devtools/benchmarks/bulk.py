"""Reading Scryfall's list of all cards."""

from __future__ import annotations

import gzip
import json
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender, Series
from devtools.benchmarks.material import VERSION
from devtools.benchmarks.processes import RSS_UNIT, task_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from devtools.benchmarks.material import Material

PLAIN = "json.loads per line of the gzip stream"
_MEGA = 1e6


def contenders(material: Material) -> list[Contender]:
    """Return how the scripts read a bulk file, beside the least that reading it can take."""
    return [
        _contender(material, PLAIN, parse_lines, "nothing is kept"),
        _contender(material, "into faces, as the scripts do", write_faces, "written to a file"),
    ]


def _contender(
    material: Material, name: str, task: Callable[..., dict[str, Any]], note: str
) -> Contender:
    growth = f"memory growth of {name}"
    seconds = Series(
        name,
        "s",
        lambda run: float(run.answer()["seconds"]),
        "" if name == PLAIN else PLAIN,
        f"{material.args.cards:,} cards, {note}",
    )
    memory = Series(growth, "MB", lambda run: float(run.answer()["growth_mb"]))
    bulk = material.bulk
    return Contender("bulk", lambda scratch: task_command(task, bulk, scratch), (seconds, memory))


# --- in a process of its own -----------------------------------------------------------------


def write_faces(bulk: str, scratch: str) -> dict[str, Any]:
    """Work out the faces of a bulk file; return `seconds` and `growth_mb`."""
    from helpers.cards import face_list

    target = Path(scratch) / "faces.jsonl"
    return _timed(lambda: face_list.write_faces(Path(bulk), "0" * 64, target, VERSION))


def parse_lines(bulk: str, scratch: str) -> dict[str, Any]:  # noqa: ARG001
    """Parse every line of a bulk file; return `seconds` and `growth_mb`."""

    def parse() -> None:
        with gzip.open(bulk) as file:
            for line in file:
                json.loads(line)

    return _timed(parse)


def _timed(work: Callable[[], None]) -> dict[str, Any]:
    before, start = _resident("VmRSS"), time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "growth_mb": (_resident("VmHWM") - before) / _MEGA}


def _resident(field: str) -> int:
    """Return bytes: `VmRSS`, the resident memory of now, or `VmHWM`, its highest so far.

    A process starts with the `ru_maxrss` of the one that started it, which hides a small growth;
    elsewhere than on Linux there is nothing better.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024
