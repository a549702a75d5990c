"""Functions that run in a process of their own, because their libraries should not share one.

torch, faiss and ONNX Runtime bring an OpenMP runtime each, and on macOS a process with two of them
can crash (faiss-wheels#73, pytorch#149201); torch would also keep a gigabyte for the hours of a
build that no longer needs it. The function must be importable, since it is pickled, and its module
loads such libraries only when it is called.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar, TypeVarTuple, cast

from helpers.errors import AppError, DataError

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class ChildDiedError(DataError):
    """A child process ended without a result."""


def call(function: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
    """Return what a function returns in a child process.

    The child ends when the call is broken off and when this process ends, however it does. What
    is printed there goes to stderr. Paths in the arguments must be absolute.

    Raises:
        AppError: what the function raised; a library's complaint becomes a `DataError`.
        ChildDiedError: the child died; if by a bug, its traceback is on stderr.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(sender, function, arguments), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:  # so it stays in the child: Ctrl-C reaches this process, which ends it
        child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sender.close()  # the child holds the only other one: with it `recv` ends
    try:
        result = receiver.recv()
        child.join()
    except (EOFError, OSError) as error:  # the latter if it died while sending
        child.join()
        raise ChildDiedError(
            f"the child process of {function.__name__} ended with code {child.exitcode}",
            details="it was killed, or ran out of memory",
            suggestion="look above for what it wrote to stderr",
        ) from error
    finally:
        child.terminate()
        child.join()
        receiver.close()
    if isinstance(result, AppError):
        raise result
    return cast("_Result", result)


def _serve(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Be the child: send the result, or the error in its place."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(2, 1)
    try:
        result = function(*arguments)
    except AppError as error:
        result = error
    except (RuntimeError, ValueError, MemoryError) as error:
        result = DataError(str(error).split("\n", 1)[0] or type(error).__name__)
    sender.send(result)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - for mypy: only children come here
    parent.join()
    os._exit(1)
