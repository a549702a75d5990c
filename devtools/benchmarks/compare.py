"""From runs to medians and ratios: the contenders of a comparison take turns."""

import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.benchmarks.processes import Run, RunFailedError
from helpers.report import Reporter

#: Columns and their widths on a terminal, where a row is printed before the next one is known.
NAMES = ("part", "measurement", "median", "unit", "ratio", "to", "range", "CPU s", "MB", "note")
_WIDTHS = (8, 46, 6, 8, 6, 36, 14, 6, 5, 0)
_WHOLE = 100  # from here on, a figure is shown without decimals


@dataclass(frozen=True, slots=True)
class Contender:
    """What takes part in a comparison: a command, and the figure that each run of it yields.

    Args:
        part: under which it is shown.
        name: of the measurement; unique in its comparison.
        command: gets a directory of its own, new for every run, and returns the command.
        read: gets the figure out of a run, in `unit`.
        to: the name of the contender that the ratio is taken to.
        note: what has to be known to read the figure.
        missing: why it cannot be run here, such as `not installed: hnswlib`.
    """

    part: str
    name: str
    unit: str
    command: Callable[[Path], Sequence[str]]
    read: Callable[[Run], float] = Run.figure
    to: str = ""
    note: str = ""
    missing: str = ""


class Comparison:
    """Contenders that are compared with each other, and what has been measured of them so far.

    Every contender is run once a round, in a new order each time: a machine that is busy for a
    while slows all of them down, not one.
    """

    def __init__(self, contenders: Sequence[Contender], repeats: int, report: Reporter) -> None:
        self.contenders = contenders
        self._repeats, self._report = repeats, report
        self._runs: dict[str, list[Run]] = {each.name: [] for each in contenders}
        self._problems = {each.name: each.missing for each in contenders}
        self._shown: set[str] = set()

    def measure(self, run: Callable[[Contender], Run], rng: random.Random) -> None:
        """Run all rounds and print each row as soon as its figure and its ratio are known.

        Args:
            run: runs a contender once; may raise `RunFailedError`.
            rng: decides on the order within a round.
        """
        parts = " and ".join(dict.fromkeys(each.part for each in self.contenders))
        for number in range(1, self._repeats + 1 if parts else 1):
            self._report.info(f"Measuring {parts}: round {number} of {self._repeats}")
            for each in rng.sample(self.contenders, len(self.contenders)):
                if not self._problems[each.name]:
                    try:
                        self._runs[each.name].append(run(each))
                    except RunFailedError as error:
                        self._problems[each.name] = str(error)
                self.show()

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the document, in the order of the contenders.

        What has not been run, because the benchmark was stopped, has none.
        """
        found = [
            self._entry(each)
            for each in self.contenders
            if self._problems[each.name] or self._runs[each.name]
        ]
        medians = {entry["name"]: entry["median"] for entry in found}
        for entry in found:
            reference = medians.get(entry["ratio_to"])
            if entry["median"] is not None and reference:
                entry["ratio"] = entry["median"] / reference
        return found

    def show(self, *, unfinished: bool = False) -> None:
        """Print the rows that are ready and not printed yet, `unfinished` ones as they are."""
        for entry in self.entries():
            name, reference = entry["name"], entry["ratio_to"]
            ready = unfinished or (self._is_done(name) and self._is_done(reference))
            if ready and name not in self._shown:
                self._shown.add(name)
                print_row(_row(entry), self._report)

    def _is_done(self, name: str | None) -> bool:
        """Tell whether a contender will not be run again, or does not take part at all."""
        runs = self._runs.get(name or "")
        return runs is None or len(runs) == self._repeats or self._problems[name or ""] != ""

    def _entry(self, contender: Contender) -> dict[str, Any]:
        problem = self._problems[contender.name]
        runs = [] if problem else self._runs[contender.name]
        values = [contender.read(run) for run in runs]
        median = statistics.median(values) if values else None
        return {
            "part": contender.part,
            "name": contender.name,
            "status": "missing" if contender.missing else "failed" if problem else "measured",
            "unit": contender.unit,
            "value": median,
            "median": median,
            "repetitions": values,
            "ratio": None,
            "ratio_to": contender.to or None,
            "cpu_seconds": statistics.median(run.cpu_seconds for run in runs) if runs else None,
            "peak_rss_mb": max((run.peak_mb for run in runs), default=None),
            "note": "; ".join(filter(None, (problem, contender.note))),
        }


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    values = entry["repetitions"]
    ratio = (figure(entry["ratio"]), entry["ratio_to"]) if entry["ratio"] is not None else ("", "")
    shown = (entry["part"], entry["name"])
    if not values:
        return (*shown, "-", entry["unit"], *ratio, "", "", "", entry["note"])
    spread = f"{figure(min(values))} to {figure(max(values))}" if len(values) > 1 else ""
    costs = (figure(entry["cpu_seconds"]), f"{entry['peak_rss_mb']:.0f}")
    return (*shown, figure(entry["median"]), entry["unit"], *ratio, spread, *costs, entry["note"])


def print_row(cells: Sequence[str], report: Reporter) -> None:
    """Print cells at once: aligned on a terminal, tab-separated into a pipe."""
    if sys.stdout.isatty():
        padded = (cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
        report.line("  ".join(padded).rstrip())
    else:
        report.line("\t".join(" ".join(cell.split()) for cell in cells))


def figure(value: float) -> str:
    """Return a number with three digits that count, as many as a measurement is worth."""
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"
