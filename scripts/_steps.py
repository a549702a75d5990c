"""Run the project's scripts as a user would: each command shown, then run as its own process.

Whatever happens in the meantime (a failing script, Ctrl-C, SIGTERM), no process is left behind.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import _project  # noqa: F401

from helpers.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
_SERVER = "scripts/serve_scryfall.py"
#: Seconds that a stopped script has to save its work before it is killed.
GRACE = 20


class StepFailedError(Exception):
    """A script ended with an exit code other than 0."""

    def __init__(self, command: str, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}: {command}")
        self.exit_code = exit_code


def stop_on_signals() -> None:
    """Let the first SIGINT or SIGTERM raise `Stopped`; ignore further ones.

    A second signal must not interrupt the clean-up, or a server would outlive its demo.
    """

    def stop(signum: int, _frame: object) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(signum)

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)


def say(text: str) -> None:
    """Print a line at once, so that it stands before what the next process prints."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def relative(path: Path) -> str:
    """Return a path as a user in the current directory would type it."""
    return os.path.relpath(path)


def run_step(script: str, *arguments: object) -> None:
    """Run a script of the project; its output goes where this process's goes.

    Args:
        script: the script's path below the project's root.
        arguments: its arguments; paths are shown relative to the current directory.

    Raises:
        StepFailedError: the script's exit code is not 0.
    """
    _finish(_start(script, *arguments))


def read_step(script: str, *arguments: object) -> str:
    """Run a script of the project and return what it writes to stdout.

    Raises:
        StepFailedError: the script's exit code is not 0.
    """
    return _finish(_start(script, *arguments, stdout=subprocess.PIPE))


@contextlib.contextmanager
def scryfall(cards: int, port: int) -> Iterator[str]:
    """Serve drawn cards the way Scryfall does, for the length of the block.

    Yields:
        The server's base URL.

    Raises:
        StepFailedError: the server did not start.
    """
    arguments = ("--draw", cards, "--port", _free_port(port))
    with _serving(_start(_SERVER, *arguments, stdout=subprocess.PIPE)) as url:
        say(url)
        yield url


@contextlib.contextmanager
def quiet_scryfall(*arguments: object) -> Iterator[str]:
    """Serve cards the way Scryfall does, on any free port and without a word on stdout.

    Args:
        arguments: of `serve_scryfall.py`.

    Yields:
        The server's base URL.

    Raises:
        StepFailedError: the server did not start.
    """
    command = [sys.executable, str(ROOT / _SERVER), *map(str, arguments)]
    with _serving(launch(command, stdout=subprocess.PIPE)) as url:
        yield url


@contextlib.contextmanager
def _serving(server: subprocess.Popen[str]) -> Iterator[str]:
    try:
        yield _base_url(server)
    finally:
        _end(server)


def _base_url(server: subprocess.Popen[str]) -> str:
    url = server.stdout.readline().strip() if server.stdout else ""
    if not url.startswith("http"):
        _end(server)
        raise _failure(server)
    return url


def _free_port(wanted: int) -> int:
    """Return the wanted port, or 0 (any) if another program has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            say(f"\nPort {wanted} is taken: using another, whose image URLs are new to the cache.")
            return 0
    return wanted


def _start(script: str, *arguments: object, stdout: int | None = None) -> subprocess.Popen[str]:
    words = [relative(ROOT / script)]
    words += [relative(word) if isinstance(word, Path) else str(word) for word in arguments]
    say(f"\n$ {shlex.join(['python', *words])}")
    return launch([sys.executable, *words], stdout=stdout)


def launch(
    command: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    stdout: int | None = None,
    stderr: IO[bytes] | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a program as the leader of a session of its own; whoever starts it has to end it.

    In its own session it doesn't see Ctrl-C: it gets one signal, from the one who started it.

    Args:
        command: the program and its arguments.
        stdin: where it reads; this process's own if None, as for the other two.
        stdout: where its result goes.
        stderr: where everything else goes.
        variables: of its environment, beside this process's own.
    """
    return subprocess.Popen(  # noqa: S603 - the project's own scripts, and what they are compared to
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        env={**_environment(), **(variables or {})},
        start_new_session=True,
    )


def _environment() -> Mapping[str, str]:
    """Return this process's environment, with no proxy on the way to the loopback server."""
    hosts = ",".join(filter(None, (os.environ.get("NO_PROXY"), LOOPBACK)))
    return os.environ | {"NO_PROXY": hosts, "no_proxy": hosts, "PYTHONIOENCODING": "utf-8"}


def _finish(process: subprocess.Popen[str]) -> str:
    """Wait for a script's end and return what it wrote to its pipe."""
    try:
        output, _ = process.communicate()
    finally:
        _end(process)
    if process.returncode:
        raise _failure(process)
    return output or ""


def _end(process: subprocess.Popen[str]) -> None:
    """Stop a process if it still runs: ask, wait, insist."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(process: subprocess.Popen[str]) -> StepFailedError:
    words = process.args if isinstance(process.args, list) else []
    command = shlex.join(["python", *map(str, words[1:])])
    code = process.returncode
    return StepFailedError(command, 128 - code if code < 0 else code)
