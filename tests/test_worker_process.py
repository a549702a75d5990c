"""Programs of our own beside this one: what they answer, raise and print, and when they end."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import ROOT, environment

from helpers import errors, worker_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHILD = """
import os, signal, sys, time
from helpers import child, errors
def work(request):
{work}
raise SystemExit(child.serve(work))
"""
#: Asks the child of the directory in argv[1].
PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from helpers import worker_process
worker_process.ROOT = Path(sys.argv[1])
worker_process.answer("tried", {{}})
"""


@pytest.fixture
def write_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that makes `helpers.tried` a child whose work is the given lines."""
    package = tmp_path / "helpers"
    package.mkdir()
    (package / "__init__.py").write_text(f"__path__.append({str(ROOT / 'helpers')!r})")
    monkeypatch.setattr(worker_process, "ROOT", tmp_path)

    def write(*lines: str) -> None:
        work = "\n".join(f"    {line}" for line in lines)
        (package / "tried.py").write_text(CHILD.format(work=work))

    return write


def test_answers_come_as_they_are_made(write_child: Callable[..., None]) -> None:
    """The first answer is there while the child still works on the second."""
    write_child("yield {'asked': request}", "time.sleep(request['seconds'])", "yield {}")

    answers = worker_process.answers("tried", {"seconds": 600})

    assert next(answers) == {"asked": {"seconds": 600}}
    answers.close()  # ends the child, or this test would take ten minutes


def test_the_last_answer_counts(write_child: Callable[..., None]) -> None:
    """`answer` waits for the end and returns the last one."""
    write_child("yield {'number': 1}", "yield {'number': 2, 'text': 'é\\n'}")

    assert worker_process.answer("tried", {}) == {"number": 2, "text": "é\n"}


@pytest.mark.parametrize(
    "kind", ["UsageError", "SourceError", "DataError", "WriteError", "IncompleteError"]
)
def test_an_error_is_raised_again(write_child: Callable[..., None], kind: str) -> None:
    """Class, message, details and suggestion arrive, and with the class the exit code."""
    write_child("yield {}", f"raise errors.{kind}('what', details='why\\nso', suggestion='do')")

    with pytest.raises(errors.AppError) as caught:
        worker_process.answer("tried", {})

    error = caught.value
    assert type(error) is getattr(errors, kind)
    assert (error.message, error.details, error.suggestion) == ("what", "why\nso", "do")


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("RuntimeError('first\\nsecond')", "first"),
        ("ValueError('odd')", "odd"),
        ("MemoryError()", "MemoryError"),
    ],
)
def test_a_librarys_complaint(write_child: Callable[..., None], raised: str, message: str) -> None:
    """What a library raises becomes exit 5 with its first line."""
    write_child("yield {}", f"raise {raised}")

    with pytest.raises(errors.DataError) as caught:
        worker_process.answer("tried", {})

    assert caught.value.message == message


@pytest.mark.parametrize(
    ("death", "code"),
    [("os._exit(7)", "7"), ("os.kill(os.getpid(), signal.SIGKILL)", "-9"), ("1 / 0", "1")],
)
def test_a_child_that_dies(
    write_child: Callable[..., None], capfd: pytest.CaptureFixture[str], death: str, code: str
) -> None:
    """Killed, out of memory or a bug: never taken for done, and its last words are on stderr."""
    write_child("yield {}", "print('last words', file=sys.stderr, flush=True)", death)

    with pytest.raises(errors.DataError) as caught:
        worker_process.answer("tried", {})

    assert caught.value.message == f"the helper process tried ended with code {code}"
    assert "last words" in capfd.readouterr().err


def test_printing_does_not_harm_the_answers(
    write_child: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    """What a library prints, by Python or by C, goes to stderr."""
    write_child(
        "print('by Python')",
        "os.write(1, b'by C\\n')",
        "yield {'number': 1}",
        "print('{}', end='')",
        "yield {'number': 2}",
    )

    assert list(worker_process.answers("tried", {})) == [{"number": 1}, {"number": 2}]

    said = capfd.readouterr()
    assert said.out == ""
    assert {"by C", "by Python"} <= set(said.err.splitlines())


def test_the_child_ends_with_its_parent(write_child: Callable[..., None], tmp_path: Path) -> None:
    """A parent that is killed cannot say goodbye; its child ends all the same."""
    write_child("print('at work', flush=True)", "time.sleep(600)", "yield {}")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(root=str(ROOT)), str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as parent:
        assert parent.stderr is not None
        assert parent.stderr.readline() == "at work\n"
        parent.kill()
        parent.communicate(timeout=20)  # stderr is also the child's: it ends when both have

    assert parent.returncode == -signal.SIGKILL


def test_ctrl_c_is_the_parents_business(write_child: Callable[..., None]) -> None:
    """SIGINT, which a terminal sends to both, does not end the child by itself."""
    write_child("os.kill(os.getpid(), signal.SIGINT)", "yield {'done': True}")

    assert worker_process.answer("tried", {}) == {"done": True}
