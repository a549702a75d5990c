"""The only module that prints: stdout carries the result, stderr everything else."""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from helpers.errors import AppError, WriteError, write_error

#: Without a terminal, one status line in this many seconds: enough for a log, no flood.
STATUS_SECONDS = 30.0
#: Of every JSON document; documents only gain fields.
DOCUMENT_VERSION = "1.0"
BYTES = "B"  # the unit of a transfer
_TENTHS_BELOW = 10
_KILO = 1000


def safe_percentage(part: float, whole: float) -> str:
    """Return `part` of `whole` as a percentage such as `99.1%`; `N/A` for a part of nothing."""
    return f"{100 * part / whole:.1f}%" if whole else "N/A"


def safe_rate(count: float, seconds: float) -> str:
    """Return `count` per second such as `21.4`; `N/A` where no time has passed."""
    return f"{count / seconds:.1f}" if seconds > 0 else "N/A"


def duration(seconds: float) -> str:
    """Return a length of time for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds < _TENTHS_BELOW:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes_left = divmod(minutes, 60)
    return f"{minutes} min {rest:02} s" if hours == 0 else f"{hours} h {minutes_left:02} min"


def byte_size(count: float) -> str:
    """Return a number of bytes for people, in powers of 1000: `111.0 kB`, `6.1 GB`."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < _KILO:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KILO
    return f"{count:.1f} GB"


#: What a terminal obeys instead of showing it: control characters except tab and newline, and
#: those that turn the direction of writing (Unicode's UAX 9). Names of cards, of files and messages
#: of servers may hold any.
_OBEYED: dict[int, str | None] = {
    **dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord("\t"), ord("\n")}),
    **dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
    **dict.fromkeys([0x2028, 0x2029], "\n"),
}
_WRITTEN_OUT = str.maketrans({"\t": "\\t", "\n": "\\n"})


def plain(text: str) -> str:
    """Return `text` without characters that a terminal obeys; tabs and newlines stay."""
    return text.translate(_OBEYED)


def one_line(text: str) -> str:
    r"""Return `text` as one cell of one line: as `plain`, with tab and newline as `\t` and `\n`."""
    return plain(text).translate(_WRITTEN_OUT)


def json_text(document: Any, indent: int | None = None) -> str:
    """Return JSON that says the same wherever it is shown: in ASCII where `plain` would change it.

    A name that is not UTF-8 or that the terminal's encoding lacks survives as an escape, too.
    """
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        same = False
    else:
        same = plain(text) == text
    return text if same else json.dumps(document, indent=indent)


class Reporter:
    """Says what a script does, in the amount that `--quiet`, `--verbose` and `--json` ask for."""

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, as_json: bool = False
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json
        self._has_answered = False
        self._held: list[str] | None = None

    def info(self, text: str) -> None:
        """Say something on stderr, unless `--quiet`."""
        if self._held is not None:
            self._held.append(text)
        elif not self.quiet:
            self._say(text)

    def hold(self) -> None:
        """Keep in mind what `info` says, until it is clear whether this run brings anything new.

        So a log gets one line of a run that does nothing. At a terminal nothing is held back.
        """
        if not (self.verbose or sys.stderr.isatty()):
            self._held = []

    def release(self) -> None:
        """Say what was held back: there is something new, or something is wrong."""
        held, self._held = self._held, None
        for text in held or ():
            self.info(text)

    def notice(self, text: str) -> None:
        """Say what somebody who waits should know, unless `--quiet`."""
        self.release()
        self.info(text)

    def nothing_new(self, since: str, text: str) -> None:
        """Say that nothing has changed; in a log with the date, and as the only line."""
        in_log = self._held is not None
        self._held = None
        start = f"{timestamp()} nothing" if in_log else "Nothing"
        self.info(f"{start} new since {since}: {text}")
        self._held = [] if in_log else None

    def detail(self, text: str) -> None:
        """Say something on stderr that only `--verbose` shows."""
        if self.verbose:
            self._say(text)

    def warning(self, text: str) -> None:
        """Warn on stderr, under `--quiet`, too: cron sends a mail of whatever is printed."""
        self.release()
        self._say(text, _coloured("WARNING: ", "33"))

    def at_once(self, text: str) -> None:
        """Say something on stderr from a signal handler, unless `--quiet`.

        Unbuffered: the handler may have interrupted a write to the buffer.
        """
        if not self.quiet:
            os.write(2, text.encode() + b"\n")

    def error(self, error: AppError) -> None:
        """Show a failure that ends the run, with its traceback under `--verbose`."""
        self.release()
        if self.verbose:
            self._show_traceback(error)
        label = "ERROR: "
        self._put_err(_coloured(label, "31") + plain(str(error).removeprefix(label)))
        self._error_document(error)

    def item_error(self, text: str) -> None:
        """Name one item that failed; shown under `--quiet`, too."""
        self.release()
        self._say(text, _coloured("ERROR: ", "31"))

    def bug(self, error: Exception) -> None:
        """Show an error that nobody foresaw, always with its traceback."""
        self.release()
        self._show_traceback(error)
        self.item_error(f"unexpected: {type(error).__name__}: {error}")
        self._say("  Details: this is a bug; nothing that was finished is lost")
        self._say("  Suggestion: report it with the lines above; the same command resumes")
        self._error_document(AppError(f"{type(error).__name__}: {error}", details="this is a bug"))

    def _error_document(self, error: AppError) -> None:
        """Print why there is no result as a JSON document, if `--json` and stdout still works."""
        if self.as_json and not self._has_answered:
            fields = ("category", "message", "details", "suggestion", "exit_code")
            told = {name: getattr(error, name) for name in fields}
            with suppress(OSError, WriteError):
                self.document({"version": DOCUMENT_VERSION, "error": told})
                self.flush()

    def document(self, document: Any) -> None:
        """Print the run's result on stdout as one JSON document, if `--json`."""
        if self.as_json:
            self._has_answered = True
            self._put(json_text(document, indent=2))

    def json_line(self, document: Any) -> None:
        """Print a document on stdout as one line of JSON, at once."""
        self._put(json_text(document))
        self.flush()

    def line(self, text: str) -> None:
        """Print one line of the result on stdout, unless `--json` replaces it by a document."""
        if not self.as_json:
            self._put(plain(text))

    def flush(self) -> None:
        """Hand the result to whoever reads stdout.

        Raises:
            WriteError: stdout is a file on a full disk.
            BrokenPipeError: the reader has gone (`| head`).
        """
        with _stdout_errors():
            sys.stdout.flush()

    @property
    def for_people(self) -> bool:
        """Whether stdout is a terminal at which somebody reads."""
        return sys.stdout is not None and sys.stdout.isatty()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows on stdout: aligned below a header on a terminal, tab-separated into a pipe."""
        if self.for_people:
            self.aligned(header, rows)
        else:
            self.tab_separated(rows)

    def tab_separated(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows on stdout with tabs between the cells, at once."""
        for row in rows:
            self.line("\t".join(map(one_line, row)))
        self.flush()

    def aligned(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows on stdout in columns below a header."""
        lines = [tuple(map(one_line, row)) for row in (header, *rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for row in lines:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(cells).rstrip())

    @contextmanager
    def progress(
        self,
        total: int,
        label: str,
        unit: str = "images",
        *,
        done: int = 0,
        waiting: Callable[[], int] = lambda: 0,
    ) -> Iterator["Progress"]:
        """Show how far a loop over `total` items has come, with rate and time left.

        Args:
            total: items; nothing is shown for none.
            label: what is done to them.
            unit: what they are; `BYTES` are shown as MB and the like.
            done: how many were done before the loop began.
            waiting: returns how many workers a server keeps waiting right now.
        """
        if self.quiet or total == 0:
            yield Progress(total, label, unit, done, waiting, self.info)
            return
        kind = _Bar if sys.stderr.isatty() else _StatusLines
        shown = kind(total, label, unit, done, waiting, self.info)
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(shown.seconds):
                shown.tick()

        ticker = threading.Thread(target=tick, name="progress", daemon=True)
        ticker.start()
        try:
            yield shown
        finally:
            ended.set()
            ticker.join()
            shown.end()

    def _put(self, text: str) -> None:
        with _stdout_errors():
            sys.stdout.write(text + "\n")

    def _say(self, text: str, label: str = "") -> None:
        self._put_err(label + one_line(text))

    def _put_err(self, text: str) -> None:
        # Where nobody reads any more, the work goes on; the exit code tells how it ended.
        with suppress(OSError, ValueError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def _show_traceback(self, error: Exception) -> None:
        self._put_err(plain("".join(traceback.format_exception(error)).rstrip()))


@contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise write_error(error, "standard output") from error


def open_streams() -> None:
    """Make stdin, stdout and stderr usable however they were handed over.

    A closed one is opened on the null device, or the first file opened would take its number. What
    is written to a closed stdout is an error all the same: the result would be lost. Characters
    that an encoding lacks are written as escapes.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            flags = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            os.open(os.devnull, flags)  # the lowest free number, which is this one
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))
        stream = getattr(sys, name)
        if name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def close_stdout() -> None:
    """Send what stdout refuses to take nowhere, or the interpreter's last flush would complain."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass
class Progress:
    """How far a loop has come, see `Reporter.progress`. This one only counts."""

    total: int
    label: str
    unit: str
    done: int
    waiting: Callable[[], int]
    say: Callable[[str], None]

    def advance(self, count: int = 1) -> None:
        """Count `count` more items as done."""
        self.done += count

    def held_up(self) -> str:
        """Return who is waited for, "" for nobody."""
        waiting = self.waiting()
        return f"{waiting} waiting for the server" if waiting else ""


@dataclass
class _Bar(Progress):
    """For a terminal: it moves every second, also while nothing is finished."""

    seconds = 1.0

    def __post_init__(self) -> None:
        from tqdm import tqdm

        of_bytes = self.unit == BYTES
        self._bar = tqdm(
            total=self.total,
            desc=self.label,
            unit=self.unit if of_bytes else f" {self.unit}",
            unit_scale=of_bytes,
            initial=self.done,
            dynamic_ncols=True,
        )

    def advance(self, count: int = 1) -> None:
        self._bar.update(count)

    def tick(self) -> None:
        self._bar.set_postfix_str(self.held_up(), refresh=False)
        self._bar.refresh()

    def end(self) -> None:
        self._bar.set_postfix_str("", refresh=False)
        self._bar.close()


@dataclass
class _StatusLines(Progress):
    """Lines for a log; a run that is told to wait says so, too."""

    def __post_init__(self) -> None:
        self.seconds = STATUS_SECONDS
        self._before = self.done
        self._last: int | None = None
        self._start = time.monotonic()
        noun = "" if self.unit == BYTES else f" {self.unit}"
        self.say(f"{self.label}: {self._amount(self.total)}{noun}")

    def tick(self) -> None:
        done = self._last = self.done
        new, seconds = done - self._before, time.monotonic() - self._start
        left = (self.total - done) * seconds / new if new > 0 else 0
        text = (
            f"{self.label}: {self._amount(done)} of {self._amount(self.total)}"
            f" ({safe_percentage(done, self.total)}), {self._rate(new, seconds)}"
        )
        parts = [text, f"{duration(left)} left" if left else "", self.held_up()]
        self.say(", ".join(filter(None, parts)))

    def end(self) -> None:
        if self._last != self.done:
            self.tick()

    def _amount(self, count: int) -> str:
        return byte_size(count) if self.unit == BYTES else f"{count:,}"

    def _rate(self, count: int, seconds: float) -> str:
        if self.unit == BYTES and seconds > 0:
            return f"{byte_size(count / seconds)}/s"
        return f"{safe_rate(count, seconds)} {self.unit}/s"


def _coloured(text: str, code: str) -> str:
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        return f"\033[{code}m{text}\033[0m"
    return text


def timestamp() -> str:
    """Return the time now, ISO 8601 UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
