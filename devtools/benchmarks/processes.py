"""Run what is measured, each time in a process of its own, and take its time and its memory."""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.scryfall.process import ROOT, running
from helpers.errors import AppError

#: Bytes of one unit of `ru_maxrss`: getrusage(2) of Linux and of macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_CHILD = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r});"
    " from devtools.benchmarks.processes import run_task; run_task()"
)


class RunFailedError(Exception):
    """A measured process did not end well; the message is its own error message."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process that has ended well.

    Args:
        seconds: from its start to its end.
        cpu_seconds: of all its threads and of the processes that it waited for.
        peak_mb: highest resident memory, in 10^6 bytes, of it or of one of those processes.
        output: what it wrote to stdout.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str

    def figure(self) -> float:
        """Return the number that a task returned (see `task_command`)."""
        return float(self.output.splitlines()[-1])


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> Run:
    """Run a command to its end; if this call is interrupted, kill all that it has started.

    Raises:
        RunFailedError: it ends with another exit code than 0.
    """
    start = time.perf_counter()
    with (
        Path(os.devnull).open("rb") as nothing,
        tempfile.TemporaryFile() as stderr,
        running(
            command, stdin=nothing, stdout=subprocess.PIPE, stderr=stderr, variables=variables
        ) as process,
    ):
        try:
            assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
            with process.stdout:
                output = process.stdout.read()
            # Not `process.wait()`: only wait4 tells the memory of this one process.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            stderr.seek(0)
            raise RunFailedError(_error_message(stderr.read(), process.returncode))
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Run(seconds, cpu_seconds, usage.ru_maxrss * _RSS_UNIT / 1e6, output)


def _error_message(stderr: bytes, code: int) -> str:
    """Return the error that stderr names, with its details, or else its last line."""
    lines = stderr.decode("utf-8", "replace").splitlines() or ["nothing on stderr"]
    starts = [number for number, line in enumerate(lines) if line.startswith("ERROR: ")]
    first, *rest = lines[(starts or [-1])[-1] :]
    details = [line for line in rest[:1] if line.startswith("  Details: ")]
    return f"{' '.join(' '.join([first, *details]).split())} (exit code {code})"


def script(name: str, *arguments: object) -> list[str]:
    """Return the command that runs a script of the project."""
    return [sys.executable, str(ROOT / name), *map(str, arguments)]


def task_command(task: Callable[..., Any], *options: Any) -> list[str]:
    """Return the command that calls a function of a module in a process of its own.

    What it takes and returns (mostly the measured figure) travels as JSON, a path as text.
    """
    name = f"{task.__module__}:{task.__name__}"
    return [sys.executable, "-c", _CHILD, name, json.dumps(options, default=str)]


def run_task() -> None:
    """Be the process that `task_command` starts."""
    module, _, name = sys.argv[1].partition(":")
    try:
        answer = getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
    except AppError as error:
        raise SystemExit(f"ERROR: {error.message}: {' '.join(error.details.split())}") from error
    sys.stdout.write(json.dumps(answer) + "\n")
