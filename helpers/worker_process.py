"""Programs of our own that run beside this one, because their libraries should not share it.

torch, faiss and ONNX Runtime bring a thread pool or an OpenMP runtime each, and on macOS a process
with two of them can crash (faiss-wheels#73, pytorch#149201); torch would also keep a gigabyte for
the hours of a build that no longer needs it. The child gets one JSON document as its argument and
answers in lines of JSON; what it raises is raised again in the parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import errors
from helpers.errors import AppError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

ROOT = Path(__file__).resolve().parent.parent
_ERROR = "error"


class ChildDiedError(DataError):
    """A child process ended without an answer."""


def answers(module: str, request: dict[str, Any]) -> Generator[dict[str, Any]]:
    """Run `python -m helpers.MODULE` and yield its answers as they come.

    Paths in the request must be absolute.

    Raises:
        AppError: what the child raised.
        ChildDiedError: the child died.
    """
    command = [sys.executable, "-m", f"helpers.{module}", json.dumps(request)]
    # The child ends when its stdin does, so that it does not outlive a parent that is killed.
    with subprocess.Popen(  # noqa: S603 - ours
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        try:
            for line in child.stdout:
                yield _revive(json.loads(line))
            child.wait()
        except BaseException:
            child.terminate()
            raise
    if child.returncode != 0:
        raise ChildDiedError(
            f"the helper process {module} ended with code {child.returncode}",
            details="it was killed, or ran out of memory",
            suggestion="look above for its last words",
        )


def answer(module: str, request: dict[str, Any]) -> dict[str, Any]:
    """Run `python -m helpers.MODULE` and return its last answer; see `answers`."""
    return list(answers(module, request))[-1]


def _revive(line: dict[str, Any]) -> dict[str, Any]:
    if _ERROR not in line:
        return line
    error = line[_ERROR]
    raise getattr(errors, error["type"])(
        error["message"], details=error["details"], suggestion=error["suggestion"]
    )


def serve(work: Callable[[dict[str, Any]], Iterable[dict[str, Any]]]) -> int:
    """Be the child: do what the argument asks for and send each answer; return the exit code.

    Args:
        work: yields the answers. An `AppError` goes to the parent as it is; a library's complaint
            becomes a `DataError`; anything else is a bug, and its traceback goes to stderr.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Libraries print; the answers go where only we write.
    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with contextlib.closing(stdout):
        for line in _guarded(work, json.loads(sys.argv[1])):
            stdout.write(json.dumps(line) + "\n")
            stdout.flush()
    return 0


def _guarded(
    work: Callable[[dict[str, Any]], Iterable[dict[str, Any]]], request: dict[str, Any]
) -> Generator[dict[str, Any]]:
    try:
        yield from work(request)
    except AppError as error:
        yield _told(error)
    except (RuntimeError, ValueError, MemoryError) as error:
        yield _told(DataError(str(error).split("\n", 1)[0] or type(error).__name__))


def _told(error: AppError) -> dict[str, Any]:
    parts = {"message": error.message, "details": error.details, "suggestion": error.suggestion}
    return {_ERROR: {"type": type(error).__name__, **parts}}


def _end_with_parent() -> None:
    """Wait until stdin ends, which a parent that was killed cannot prevent."""
    while os.read(0, 1):
        pass
    os._exit(1)
