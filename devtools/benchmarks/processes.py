"""Run what is measured, each time in a process of its own, and take its time and its memory."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.scryfall.process import ROOT, launch
from helpers.errors import AppError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Bytes of one unit of `ru_maxrss`.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_MEGA = 1e6
_CHILD = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r});"
    " from devtools.benchmarks.processes import run_task; run_task()"
)


class RunFailedError(Exception):
    """A process that was to be measured did not end well; `str()` is its last word."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process that has ended well.

    Args:
        seconds: from its start to its end.
        cpu_seconds: of all its threads and of the processes that it waited for.
        peak_mb: resident memory at its highest, in 10^6 bytes, of it or of one of those processes.
        lines: what it wrote to stdout, each line with the seconds from the start until it came.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    lines: tuple[tuple[float, str], ...]

    def answer(self) -> dict[str, Any]:
        """Return what a task returned (see `task_command`)."""
        answer: dict[str, Any] = json.loads(self.lines[-1][1])
        return answer

    def first_line(self) -> float:
        """Return the seconds from the start until the first line came."""
        return self.lines[0][0]

    def lines_per_second(self) -> float:
        """Return the rate of the lines behind the first one."""
        return (len(self.lines) - 1) / (self.lines[-1][0] - self.lines[0][0])


def run_command(
    command: Sequence[str],
    *,
    stdin: Path | None = None,
    variables: Mapping[str, str] | None = None,
    exit_code: int = 0,
) -> Run:
    """Run a command to its end.

    Whatever ends this call early (Ctrl-C) kills the process and all that it has started: nothing
    of a measurement is worth saving.

    Args:
        command: the program and its arguments.
        stdin: a file that it reads; nothing if None.
        variables: of its environment, beside this process's own.
        exit_code: with which it ends well.

    Raises:
        RunFailedError: it ends with another exit code.
    """
    with (stdin or Path(os.devnull)).open("rb") as source, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        process = launch(
            command, stdin=source, stdout=subprocess.PIPE, stderr=stderr, variables=variables
        )
        try:
            assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
            with process.stdout:
                lines = tuple((time.perf_counter() - start, line) for line in process.stdout)
            # Not `process.wait()`: only this call tells the memory of this one process.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _kill(process)
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != exit_code:
            stderr.seek(0)
            raise RunFailedError(_last_word(stderr.read(), process.returncode))
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Run(seconds, cpu_seconds, usage.ru_maxrss * RSS_UNIT / _MEGA, lines)


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_word(stderr: bytes, code: int) -> str:
    """Return the line that names the error, of the project's own scripts or of others."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    return " ".join((errors or lines or ["no word on stderr"])[-1].split()) + f" (exit code {code})"


# --- tasks: functions of the bench modules, each call in a process of its own ----------------


def task_command(task: Callable[..., dict[str, Any]], *options: Any) -> list[str]:
    """Return the command that calls a function of a module beside this one.

    Args:
        task: what to call; it returns what can be JSON, which `Run.answer` gives back.
        options: its arguments, which must survive JSON; a path is handed over as text.
    """
    name = f"{task.__module__}:{task.__name__}"
    return [sys.executable, "-c", _CHILD, name, json.dumps(options, default=str)]


def run_task() -> None:
    """Be the process that `task_command` starts."""
    module, _, name = sys.argv[1].partition(":")
    try:
        answer = getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
    except AppError as error:
        raise SystemExit(str(error)) from error
    sys.stdout.write(json.dumps(answer) + "\n")
