"""What is printed, and where."""

import io
import json
import re
import shlex
import subprocess
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from support import command, run

from helpers.errors import AppError, DataError
from helpers.report import BYTES, Reporter, byte_size, duration, safe_percentage, safe_rate


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


def test_quiet_is_silent_only_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """`--quiet` drops information and progress, and keeps warnings, errors and the result."""
    quiet = Reporter(quiet=True)
    quiet.info("information")
    quiet.warning("warning")
    with quiet.progress(3, "Working") as progress:
        progress.advance()
    quiet.line("result")
    quiet.error(DataError("broken", details="seen", suggestion="do this"))
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert err == (
        "WARNING: warning\nERROR: data unusable: broken\n  Details: seen\n  Suggestion: do this\n"
    )


def test_json_replaces_the_other_result(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json`, stdout is one document and nothing else."""
    reporter = Reporter(as_json=True)
    reporter.table(("a", "b"), [("1", "2")])
    reporter.document({"version": "1.0", "name": "Æther"})
    assert capsys.readouterr().out == '{\n  "version": "1.0",\n  "name": "Æther"\n}\n'


def test_tables_are_tab_separated_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """One record a line, whatever the cells hold; two spaces stay two."""
    Reporter().table(("a", "b"), [("one\ttwo", "three\nfour  five")])
    assert capsys.readouterr().out == "one\\ttwo\tthree\\nfour  five\n"


HOSTILE = "\x1b[2J\x07\u202eElvish\r\x9b31m\u2066 \x00Æ"


def test_nothing_printed_commands_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and messages lose what a terminal would obey, wherever they are printed."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    report = Reporter(verbose=True)
    for say in (report.info, report.warning, report.detail, report.item_error, report.line):
        say(HOSTILE)
    report.table((HOSTILE,), [(HOSTILE,)])
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    report.table((), [(HOSTILE,)])
    report.error(DataError(HOSTILE, details=HOSTILE, suggestion=HOSTILE))
    report.error(AppError(HOSTILE), ValueError(HOSTILE))
    out, err = capsys.readouterr()
    for said in (out, err):
        assert "[2JElvish31m Æ" in said
        assert set("\x1b\x07\u202e\r\x9b\u2066\x00").isdisjoint(said)


def test_one_message_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The name of a file cannot pretend to be a message of its own."""
    Reporter().item_error("a\nERROR: data unusable: b.jpg")
    assert capsys.readouterr().err == "ERROR: a\\nERROR: data unusable: b.jpg\n"


def test_json_keeps_what_it_cannot_show(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters and names that are no text are escapes, and read back the same."""
    document = {"name": HOSTILE, "file": "\udcff.jpg"}
    Reporter(as_json=True).document(document)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == document


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp1252"])
def test_what_the_terminal_cannot_show_is_escaped(encoding: str, tmp_path: Path) -> None:
    """No encoding ends a run: neither a name that it lacks, nor one that is no text."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "\u9f8d\udcff.jpg").write_bytes(b"broken")
    flags = ("--cache", tmp_path / "cache")
    result = run("scripts/validate_cache.py", *flags, PYTHONIOENCODING=encoding)
    assert result.code == 3, result.err
    assert "\\udcff.jpg" in result.out
    result = run("scripts/validate_cache.py", *flags, "--json", PYTHONIOENCODING=encoding)
    assert result.json()["failures"][0]["filename"] == "\u9f8d\udcff.jpg"


@pytest.mark.parametrize(
    ("closed", "code"),
    [("0<&-", 0), ("1>&-", 6), ("2>&-", 0), ("0<&- 2>&-", 0), ("1>/dev/full", 6)],
)
def test_closed_streams(closed: str, code: int, tmp_path: Path) -> None:
    """A result that nobody can get is exit 6; what else is closed does not matter."""
    words = command("scripts/validate_cache.py", "--cache", tmp_path, "--json")
    line = f"{shlex.join(words)} {closed}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


def test_a_closed_stderr_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """`2>&1 | head` ends the messages, not the run."""

    def write(_: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("sys.stderr.write", write)
    Reporter().info("nobody hears")


def test_status_lines_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line at the start and one at the end."""
    with Reporter().progress(4, "Working") as progress:
        progress.advance(3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Working: 4 images"
    assert lines[1].startswith("Working: 3 of 4 (75.0%), ")
    assert len(lines) == 2


def test_status_lines_come_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval alone brings a line, also while all workers wait."""
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
    assert lines.pop(0) == "Working: 4 images"
    assert all(line.startswith("Working: 0 of 4 (0.0%), ") for line in lines)


class Terminal(io.StringIO):
    """A stderr at which somebody sits."""

    def isatty(self) -> bool:
        """Tell so."""
        return True


@pytest.mark.parametrize("at_terminal", [True, False])
def test_progress_moves_while_everybody_waits(
    monkeypatch: pytest.MonkeyPatch,
    at_terminal: bool,  # noqa: FBT001
) -> None:
    """With nothing finished, time alone brings what is seen, and who is waited for."""
    stderr = Terminal() if at_terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    waiting = iter([3, 1, 0])
    with Reporter().progress(40, "Downloading", waiting=lambda: next(waiting)) as bar:
        shown = cast("Any", bar)
        seen = []
        for _ in range(3):
            start = len(stderr.getvalue())
            shown.tick()
            seen.append(stderr.getvalue()[start:])
    assert ["3 waiting for the server" in text for text in seen] == [True, False, False]
    assert ["1 waiting for the server" in text for text in seen] == [False, True, False]
    assert all("Downloading" in text for text in seen)


@pytest.mark.parametrize("at_terminal", [True, False])
def test_a_transfer_is_shown_in_bytes(
    monkeypatch: pytest.MonkeyPatch,
    at_terminal: bool,  # noqa: FBT001
) -> None:
    """How much has come of how much, what was there before included, and how fast."""
    stderr = Terminal() if at_terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    with Reporter().progress(605_000_000, "Weights", BYTES, done=200_000_000) as transfer:
        transfer.advance(405_000_000)
    last = re.split(r"[\r\n]+", stderr.getvalue().strip())[-1]
    assert ("605M/605M" if at_terminal else "605M of 605M (100.0%)") in last
    assert "B/s" in last


def test_nothing_is_shown_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A loop over no items is not worth a line, still less a rate of `N/A`."""
    with Reporter().progress(0, "Downloading"):
        pass
    assert capsys.readouterr().err == ""


def test_a_run_that_brings_nothing_new_is_one_line_of_a_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was held back is dropped, so is what follows, and the line begins with the time."""
    report = Reporter()
    report.hold()
    report.info("looking")
    report.nothing_new("yesterday", "all there")
    report.info("next: ask the index")
    said = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:+]+ nothing new since yesterday: all there\n", said)


@pytest.mark.parametrize("what", ["warning", "item_error", "error", "notice", "release"])
def test_what_was_held_back_is_said_once_something_is_up(
    capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """In its place, before the warning or the error."""
    report = Reporter()
    report.hold()
    report.info("looking")
    argument: Any = {"error": DataError("x"), "release": None}.get(what, "x")
    getattr(report, what)(*([] if argument is None else [argument]))
    report.info("going on")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "looking"
    assert lines[-1] == "going on"


def test_at_a_terminal_nothing_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who watches sees what is done, as it is done."""
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    report = Reporter()
    report.hold()
    report.info("looking")
    report.nothing_new("yesterday", "all there")
    assert stderr.getvalue() == "looking\nNothing new since yesterday: all there\n"
