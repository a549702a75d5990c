"""From runs to medians and ratios: the contenders of a comparison take turns."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.processes import Run, RunFailedError, run_command

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from helpers.report import Progress, Reporter

_HEADER = ("part", "measurement", "median", "unit", "range", "ratio", "to", "MB", "note")
_DIGITS = 3


def no_remark(_run: Run) -> str:
    """Say nothing of a run."""
    return ""


def nothing_wrong(_folder: Path) -> str:
    """Find nothing wrong with what a run left behind."""
    return ""


@dataclass(frozen=True, slots=True)
class Series:
    """One figure that every run of a contender yields.

    Args:
        name: of the measurement; unique in its comparison.
        unit: of the figure.
        read: gets the figure out of a run.
        to: the name of the series that the ratio is taken to, in the same comparison.
        note: what has to be known to read the figure.
        remark: what the last run says of itself, as a further note.
    """

    name: str
    unit: str
    read: Callable[[Run], float]
    to: str = ""
    note: str = ""
    remark: Callable[[Run], str] = no_remark


@dataclass(frozen=True, slots=True)
class Contender:
    """What takes part in a comparison: a command, and what is read off each run of it.

    Args:
        part: under which it is shown.
        command: gets a directory of its own, new for every run, and returns the command.
        series: what one run yields.
        missing: why it cannot be run here, such as `not installed: hnswlib`.
        stdin: a file that it reads.
        variables: of its environment.
        exit_code: with which it ends well.
        check: gets the directory of a run that has ended well; says what is wrong all the same.
    """

    part: str
    command: Callable[[Path], Sequence[str]]
    series: tuple[Series, ...]
    missing: str = ""
    stdin: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    check: Callable[[Path], str] = nothing_wrong


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often everything is run, in which orders, and where its scratch directories are."""

    repeats: int
    rng: random.Random
    folder: Path


def compare(
    contenders: Sequence[Contender], rounds: Rounds, progress: Progress
) -> list[dict[str, Any]]:
    """Run every contender several times, in a new order each time, and judge the medians.

    A machine that is busy for a while then slows all of them down, not one.

    Returns:
        The entries of the document, in the order of the contenders.
    """
    runs: list[list[Run]] = [[] for _ in contenders]
    failed: dict[int, str] = {}
    for _ in range(rounds.repeats):
        for place in rounds.rng.sample(range(len(contenders)), len(contenders)):
            contender = contenders[place]
            if not contender.missing and place not in failed:
                try:
                    runs[place].append(_run(contender, rounds.folder))
                except RunFailedError as error:
                    failed[place] = str(error)
            progress.advance()
    entries = [
        _entry(contender, series, [] if place in failed else runs[place], failed.get(place, ""))
        for place, contender in enumerate(contenders)
        for series in contender.series
    ]
    _add_ratios(entries)
    return entries


def _run(contender: Contender, folder: Path) -> Run:
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder) as scratch:
        run = run_command(
            contender.command(Path(scratch)),
            stdin=contender.stdin,
            variables={**contender.variables, "TMPDIR": scratch},
            exit_code=contender.exit_code,
        )
        problem = contender.check(Path(scratch))
        if problem:
            raise RunFailedError(problem)
        return run


def _entry(
    contender: Contender, series: Series, runs: Sequence[Run], failure: str
) -> dict[str, Any]:
    values = [series.read(run) for run in runs]
    median = statistics.median(values) if values else None
    remark = series.remark(runs[-1]) if runs else ""
    return {
        "part": contender.part,
        "name": series.name,
        "status": "failed" if failure else "missing" if contender.missing else "measured",
        "unit": series.unit,
        "value": median,
        "median": median,
        "repetitions": values,
        "ratio": None,
        "ratio_to": series.to or None,
        "peak_rss_mb": max((run.peak_mb for run in runs), default=None),
        "note": "; ".join(filter(None, (failure, contender.missing, series.note, remark))),
    }


def _add_ratios(entries: Sequence[dict[str, Any]]) -> None:
    medians = {entry["name"]: entry["median"] for entry in entries}
    for entry in entries:
        reference = medians.get(entry["ratio_to"])
        if entry["median"] is not None and reference:
            entry["ratio"] = entry["median"] / reference


def failures(document: Mapping[str, Any]) -> list[str]:
    """Return the names of the measurements that failed; what is not installed did not fail."""
    return [each["name"] for each in document["measurements"] if each["status"] == "failed"]


def show(document: Mapping[str, Any], report: Reporter) -> None:
    """Print the measurements as a table."""
    report.table(_HEADER, [_row(entry) for entry in document["measurements"]])


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    values = entry["repetitions"]
    spread = f"{figure(min(values))} to {figure(max(values))}" if values else ""
    ratio = (figure(entry["ratio"]), entry["ratio_to"]) if entry["ratio"] is not None else ("", "")
    median = figure(entry["median"]) if values else "-"
    memory = f"{entry['peak_rss_mb']:.0f}" if values else ""
    shown = (entry["part"], entry["name"], median, entry["unit"], spread, *ratio, memory)
    return (*shown, entry["note"])


def figure(value: float) -> str:
    """Return a number with at least three digits that count: `0.0123`, `12.3`, `1,235`."""
    whole = len(f"{abs(value):.0f}") if abs(value) >= 1 else 0
    decimals = max(0, _DIGITS - whole)
    while 0 < abs(value) < 10 ** (_DIGITS - 1 - decimals) and not whole:
        decimals += 1
    return f"{value:,.{decimals}f}"
