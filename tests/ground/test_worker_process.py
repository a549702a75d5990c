"""Functions in a process of their own: what they return, raise and print, and when they end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, environment

from helpers import errors, worker_process

#: A script that runs a child for ten minutes.
PARENT = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
sys.path.insert(0, {str(ROOT / "tests")!r})
sys.path.insert(0, {str(ROOT)!r})
from helpers import worker_process
from test_worker_process import sleep
if __name__ == "__main__":
    print("the parent", file=sys.stderr)
    worker_process.call(sleep, 600.0)
"""

# --- what runs in the child ------------------------------------------------------------------


def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def sleep(seconds: float) -> None:
    """Sleep, and say so first."""
    sys.stdout.write("at work\n")
    sys.stdout.flush()
    time.sleep(seconds)


def fail(error: BaseException) -> None:
    """Raise what is given."""
    raise error


def die(code: int) -> None:
    """End with an exit code or, if it is negative, by that signal."""
    os.write(2, b"last words\n")
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def chatter() -> str:
    """Print by Python and by C."""
    sys.stdout.write("by Python\n")
    os.write(1, b"by C\n")
    return "é\n"


def interrupt_myself() -> str:
    """Get the SIGINT that a terminal sends to all processes."""
    os.kill(os.getpid(), signal.SIGINT)
    return "done"


def path_of_helpers() -> Path:
    """Return which helpers the child imports."""
    return Path(errors.__file__)


# --- the tests -------------------------------------------------------------------------------


def test_a_function_returns() -> None:
    """`call` returns what the function does."""
    assert worker_process.call(double, 21) == 42


@pytest.mark.parametrize(
    "kind",
    [
        *(errors.UsageError, errors.SourceError, errors.DataError),
        *(errors.WriteError, errors.IncompleteError),
    ],
)
def test_an_error_is_raised_again(kind: type[errors.AppError]) -> None:
    """Class, message, details and suggestion arrive, and with the class the exit code."""
    with pytest.raises(errors.AppError) as caught:
        worker_process.call(fail, kind("what", details="why\nso", suggestion="do"))

    error = caught.value
    assert type(error) is kind
    assert (error.message, error.details, error.suggestion) == ("what", "why\nso", "do")


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (RuntimeError("first\nsecond"), "first"),
        (ValueError("odd"), "odd"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_librarys_complaint(raised: Exception, message: str) -> None:
    """What a library raises becomes exit 5 with its first line."""
    with pytest.raises(errors.DataError) as caught:
        worker_process.call(fail, raised)

    assert caught.value.message == message


@pytest.mark.parametrize("code", [7, -signal.SIGKILL])
def test_a_child_that_dies(capfd: pytest.CaptureFixture[str], code: int) -> None:
    """Killed or out of memory: never taken for done, and what it wrote is on stderr."""
    with pytest.raises(worker_process.ChildDiedError) as caught:
        worker_process.call(die, code)

    assert caught.value.message == f"the child process of die ended with code {code}"
    assert "last words" in capfd.readouterr().err


def test_a_child_with_a_bug(capfd: pytest.CaptureFixture[str]) -> None:
    """Its traceback is on stderr."""
    with pytest.raises(worker_process.ChildDiedError, match="of fail ended with code 1"):
        worker_process.call(fail, KeyError("the bug"))

    assert "KeyError: 'the bug'" in capfd.readouterr().err


def test_printing_does_not_reach_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """What a library prints, by Python or by C, goes to stderr."""
    assert worker_process.call(chatter) == "é\n"

    said = capfd.readouterr()
    assert said.out == ""
    assert {"by C", "by Python"} <= set(said.err.splitlines())


def test_the_child_imports_the_same_helpers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From whatever directory the parent runs."""
    monkeypatch.chdir(tmp_path)

    assert worker_process.call(path_of_helpers) == Path(errors.__file__)


@contextlib.contextmanager
def started(tmp_path: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Yield `PARENT`, a script in another directory, as soon as its child is at work."""
    script = tmp_path / "script.py"
    script.write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, script],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=tmp_path,
        **more,
    ) as parent:
        try:
            assert parent.stderr is not None
            assert parent.stderr.readline() == "the parent\n"
            assert parent.stderr.readline() == "at work\n"
            yield parent
        finally:
            parent.kill()  # or leaving the block would wait for it without end


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_ends_with_its_parent(tmp_path: Path, signum: signal.Signals) -> None:
    """A parent that is killed can end nothing; its child ends all the same."""
    with started(tmp_path) as parent:
        parent.send_signal(signum)
        parent.communicate(timeout=20)  # stderr is also the child's: it ends when both have

    assert parent.returncode == -signum


def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """SIGINT reaches both; the parent ends the child, which has nothing to say."""
    with started(tmp_path, start_new_session=True) as parent:
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=20)

    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_ctrl_c_is_the_parents_business() -> None:
    """SIGINT does not end the child by itself."""
    assert worker_process.call(interrupt_myself) == "done"
