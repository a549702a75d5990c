"""What is printed, and where."""

from __future__ import annotations

import threading

import pytest

from helpers.errors import DataError
from helpers.report import Reporter, byte_size, duration, safe_percentage, safe_rate


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "N/A"), (50, 100, "50.0%"), (1, 3, "33.3%"), (0, 7, "0.0%"), (7, 7, "100.0%")],
)
def test_percentages(part: int, whole: int, text: str) -> None:
    """Nothing of nothing is `N/A`, never a division by zero."""
    assert safe_percentage(part, whole) == text


def test_rates_and_sizes() -> None:
    """Numbers for people."""
    assert safe_rate(10, 0) == "N/A"
    assert safe_rate(10, 4) == "2.5"
    assert [duration(s) for s in (0.44, 12, 185, 7620)] == [
        "0.4 s",
        "12 s",
        "3 min 05 s",
        "2 h 07 min",
    ]
    assert [byte_size(n) for n in (999, 111_000, 6_100_000_000)] == ["999 B", "111.0 kB", "6.1 GB"]


def test_quiet_shows_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    """`--quiet` drops information, warnings and progress, and keeps errors and the result."""
    quiet = Reporter(quiet=True)
    quiet.info("information")
    quiet.warning("warning")
    with quiet.progress(3, "Working") as progress:
        progress.advance()
    quiet.line("result")
    quiet.error(DataError("broken", details="seen", suggestion="do this"))
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert err == "ERROR: data unusable: broken\n  Details: seen\n  Suggestion: do this\n"


def test_json_replaces_the_other_result(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json`, stdout is one document and nothing else."""
    reporter = Reporter(as_json=True)
    reporter.table(("a", "b"), [("1", "2")])
    reporter.document({"version": "1.0", "name": "Æther"})
    assert capsys.readouterr().out == '{\n  "version": "1.0",\n  "name": "Æther"\n}\n'


def test_tables_are_tab_separated_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """One record a line, whatever the cells hold."""
    Reporter().table(("a", "b"), [("one\ttwo", "three\nfour")])
    assert capsys.readouterr().out == "one two\tthree four\n"


def test_status_lines_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line at the start, one at the end, and none twice."""
    with Reporter().progress(4, "Working") as progress:
        progress.advance(3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Working: 4 images"
    assert lines[1].startswith("Working: 3 of 4 (75.0%)")
    assert len(lines) == 2


def test_status_lines_come_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval alone brings a line, also while all workers wait; the end does not repeat it."""
    shown = threading.Semaphore(0)
    lines: list[str] = []

    def note(_: Reporter, text: str) -> None:
        lines.append(text)
        shown.release()

    monkeypatch.setattr("helpers.report.STATUS_SECONDS", 0.01)
    monkeypatch.setattr(Reporter, "info", note)
    with Reporter().progress(4, "Working"):
        for _ in range(3):
            assert shown.acquire(timeout=10)
    assert lines[0] == "Working: 4 images"
    assert set(lines[1:]) == {"Working: 0 of 4 (0.0%), 0.0 images/s"}
