"""The loopback Scryfall, and other programs, as processes that never outlive this one."""

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from helpers import signals

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
SERVER = "scripts/serve_scryfall.py"
#: Seconds that a stopped script has to save its work before it is killed.
GRACE = 20


class StepFailedError(Exception):
    """A script ended with an exit code other than 0."""

    def __init__(self, command: str, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}: {command}")
        self.exit_code = exit_code


@contextlib.contextmanager
def quiet_scryfall(*arguments: object) -> Iterator[str]:
    """Run `serve_scryfall.py` on any free port during the block, which gets the base URL.

    Raises:
        StepFailedError: the server did not start.
    """
    command = [sys.executable, str(ROOT / SERVER), *map(str, arguments)]
    with running(command, stdout=subprocess.PIPE) as server:
        yield base_url(server)


def base_url(server: subprocess.Popen[str]) -> str:
    """Return the base URL that a server prints when it is ready.

    Raises:
        StepFailedError: the server did not start.
    """
    url = server.stdout.readline().strip() if server.stdout else ""
    if not url.startswith("http"):
        end(server)
        raise failure(server)
    return url


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    stdout: int | None = None,
    stderr: IO[bytes] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a program as the leader of a session of its own, at most as long as the block.

    In its own session it doesn't see Ctrl-C: it gets one signal, from this process. Streams that
    are None are this process's own; `variables` are added to this process's environment.
    """
    process = None
    try:
        with signals.held():  # one that came right after the start would leave it running
            process = subprocess.Popen(  # noqa: S603 - our own scripts, and what is compared to them
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
                encoding="utf-8",
                env={**_environment(), **(variables or {})},
                start_new_session=True,
            )
        yield process
    finally:
        if process is not None:
            end(process)


def _environment() -> Mapping[str, str]:
    """Return this process's environment, with no proxy on the way to the loopback server."""
    hosts = ",".join(filter(None, (os.environ.get("NO_PROXY"), LOOPBACK)))
    return os.environ | {"NO_PROXY": hosts, "no_proxy": hosts, "PYTHONIOENCODING": "utf-8"}


def end(process: subprocess.Popen[str]) -> None:
    """Stop a process if it still runs: ask, wait, insist."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def failure(process: subprocess.Popen[str]) -> StepFailedError:
    """Return what to raise for a process that ended with another code than 0."""
    words = process.args if isinstance(process.args, list) else []
    command = shlex.join(["python", *map(str, words[1:])])
    code = process.returncode
    return StepFailedError(command, 128 - code if code < 0 else code)
