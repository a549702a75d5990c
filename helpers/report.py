"""The only module that prints: stdout carries the result, stderr everything else."""

import json
import math
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from helpers.errors import AppError, WriteError, write_error

#: Without a terminal, one status line in this many seconds: enough for a log, no flood.
STATUS_SECONDS = 30.0
#: Of every JSON document; documents only gain fields.
DOCUMENT_VERSION = "1.0"
BYTES = "B"  # the unit of a transfer
_LOG_LINE = (
    "{desc}: {n_fmt} of {total_fmt} ({percentage:.1f}%), {rate_noinv_fmt},"
    " {elapsed} gone, {remaining} left{postfix}"
)
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


#: What a terminal obeys instead of showing it: control characters except tab and newline, other
#: ends of lines, and what turns the direction of writing (Unicode's UAX 9). Names of cards and
#: files, and messages of servers, may hold any.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return `text` without characters that a terminal obeys; tabs and newlines stay."""
    return _OBEYED.sub("", text)


def one_line(text: str) -> str:
    r"""Return `text` as one cell of one line: as `plain`, with tab and newline as `\t` and `\n`."""
    return plain(text).replace("\t", "\\t").replace("\n", "\\n")


def json_text(document: Any, indent: int | None = None) -> str:
    """Return JSON that says the same wherever it is shown: in ASCII where stdout would change it.

    A name that is not UTF-8 or that the terminal's encoding lacks survives as an escape, too.
    """
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = plain(text.encode(encoding, "replace").decode(encoding))
    return text if shown == text else json.dumps(document, indent=indent)


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
        news = f"new since {since}: {text}"
        if self._held is None:
            self.info(f"Nothing {news}")
        elif not self.quiet:
            self._held.clear()
            self._say(f"{timestamp()} nothing {news}")

    def detail(self, text: str) -> None:
        """Say something on stderr that only `--verbose` shows."""
        if self.verbose:
            self._say(text)

    def warning(self, text: str) -> None:
        """Warn on stderr, under `--quiet`, too: cron sends a mail of whatever is printed."""
        self.release()
        self._say(text, _coloured("WARNING: ", "33"))

    def at_once(self, text: str) -> None:
        """Say something on stderr from a signal handler, unless `--quiet`."""
        if not self.quiet:  # unbuffered: the handler may have interrupted a write to the buffer
            os.write(2, text.encode() + b"\n")

    def error(self, error: AppError, cause: BaseException | None = None) -> None:
        """Show a failure that ends the run: with the traceback of its cause if that is a bug.

        Under `--verbose` always with it, and under `--json` as a document, too.
        """
        self.release()
        if self.verbose or error.exit_code == 1:
            self._put_err(plain("".join(traceback.format_exception(cause or error)).rstrip()))
        self._put_err(_coloured("ERROR: ", "31") + plain(str(error)))
        if self.as_json and not self._has_answered:
            fields = ("category", "message", "details", "suggestion", "exit_code")
            told = {name: getattr(error, name) for name in fields}
            with suppress(OSError, WriteError):
                self.document({"version": DOCUMENT_VERSION, "error": told})

    def item_error(self, text: str) -> None:
        """Name one item that failed; shown under `--quiet`, too."""
        self.release()
        self._say(text, _coloured("ERROR: ", "31"))

    def document(self, document: Any) -> None:
        """Print the run's result on stdout as one JSON document, if `--json`."""
        if self.as_json:
            self._has_answered = True
            self._put(json_text(document, indent=2))

    def json_line(self, document: Any) -> None:
        """Print a document on stdout as one line of JSON."""
        self._put(json_text(document))

    def line(self, text: str) -> None:
        """Print one line of the result on stdout, unless `--json` replaces it by a document."""
        if not self.as_json:
            self._put(plain(text))

    @property
    def for_people(self) -> bool:
        """Whether stdout is a terminal at which somebody reads."""
        return sys.stdout is not None and sys.stdout.isatty()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows on stdout: aligned below a header on a terminal, tab-separated into a pipe."""
        if not self.for_people:
            for row in rows:
                self.line("\t".join(map(one_line, row)))
            return
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

        `label` is what is done to them, `done` how many were done before. Where their `unit` is
        `BYTES`, they are shown as MB and the like. `waiting` returns how many workers a server
        keeps waiting right now.
        """
        if self.quiet or total == 0:
            yield Progress()
            return
        from tqdm import tqdm

        at_terminal = sys.stderr.isatty()
        if not at_terminal:
            self.info(f"{label}: {byte_size(total) if unit == BYTES else f'{total:,} {unit}'}")
        in_log = {
            "file": SimpleNamespace(write=self._log),
            "bar_format": _LOG_LINE,
            "mininterval": math.inf,  # it says nothing unasked
            "delay": 1e-9,  # also not at once
        }
        bar: Any = tqdm(
            total=total,
            desc=label,
            unit=f" {unit}",
            unit_scale=unit == BYTES,
            initial=done,
            **({"dynamic_ncols": True} if at_terminal else in_log),
        )
        shown = Progress(bar, waiting)
        with bar, _repeatedly(shown.tick, 1.0 if at_terminal else STATUS_SECONDS):
            yield shown
            bar.set_postfix_str("", refresh=False)

    def _log(self, state: str) -> None:
        """Say the state of a bar as a line; tqdm also writes what moves the cursor."""
        if state.strip():
            self.info(state.strip())

    def _put(self, text: str) -> None:
        """Hand a result to whoever reads stdout; BrokenPipeError if nobody does any more."""
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_error(error, "standard output") from error

    def _say(self, text: str, label: str = "") -> None:
        self._put_err(label + one_line(text))

    def _put_err(self, text: str) -> None:
        # Where nobody reads any more, the work goes on; the exit code tells how it ended.
        with suppress(OSError, ValueError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


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
    """How far a loop has come, see `Reporter.progress`; shown by tqdm, or not at all."""

    bar: Any = None
    waiting: Callable[[], int] = lambda: 0

    def advance(self, count: int = 1) -> None:
        """Count `count` more items as done."""
        if self.bar is not None:
            self.bar.update(count)

    def tick(self) -> None:
        """Show it anew, also while nothing is finished, and who is waited for."""
        waiting = self.waiting()
        self.bar.set_postfix_str(f"{waiting} waiting for the server" if waiting else "")


@contextmanager
def _repeatedly(function: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call a function every so many seconds, in a thread, until the block ends."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(seconds):
            function()

    thread = threading.Thread(target=work, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _coloured(text: str, code: str) -> str:
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        return f"\033[{code}m{text}\033[0m"
    return text


def timestamp() -> str:
    """Return the time now, ISO 8601 UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
