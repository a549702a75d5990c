"""Run the project's scripts as a user would: each command shown, then run as its own process.

Whatever happens in the meantime (a failing script, Ctrl-C, SIGTERM), no process is left behind.
"""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from devtools.scryfall.process import LOOPBACK, ROOT, SERVER, base_url, failure, running
from helpers.report import Reporter


def relative(path: Path) -> str:
    """Return a path as a user in the current directory would type it."""
    return os.path.relpath(path)


class Steps:
    """Runs one script after the other, in the amount of output that the demo itself was asked for.

    Under `--quiet` the scripts say only what goes wrong; under `--json` too, since stdout then
    belongs to the demo's document.
    """

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._silent = report.quiet or report.as_json

    def say(self, text: str) -> None:
        """Print a line at once, so that it stands before what the next process prints."""
        if not self._silent:
            self._report.line(text)

    def show(self, text: str) -> None:
        """Print a line of the result, which `--quiet` leaves."""
        self._report.line(text)

    def run(self, script: str, *arguments: object) -> None:
        """Run a script below the project's root; its output goes where this process's goes.

        Raises:
            StepFailedError: the script's exit code is not 0.
        """
        quietly = {"stdout": subprocess.DEVNULL} if self._silent else {}
        with self._running(script, *arguments, **quietly) as process:
            _finish(process)

    def read(self, script: str, *arguments: object) -> str:
        """Return what a script writes to stdout; StepFailedError as `run`."""
        with self._running(script, *arguments, stdout=subprocess.PIPE) as process:
            return _finish(process)

    @contextlib.contextmanager
    def scryfall(self, cards: int, port: int) -> Iterator[str]:
        """Serve drawn cards as Scryfall does during the block, which gets the base URL.

        Raises:
            StepFailedError: the server did not start.
        """
        free = _is_free(port)
        if not free:
            self.say(f"\nPort {port} is taken: using another, whose image URLs the cache lacks.")
        arguments = ("--draw", cards, "--port", port if free else 0)
        with self._running(SERVER, *arguments, stdout=subprocess.PIPE) as server:
            url = base_url(server)
            self.say(url)
            yield url

    def _running(
        self, script: str, *arguments: object, stdout: int | None = None
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        words = [relative(ROOT / script)]
        words += [relative(word) if isinstance(word, Path) else str(word) for word in arguments]
        words += ["--quiet"] if self._silent else []
        self.say(f"\n$ {shlex.join(['python', *words])}")
        return running([sys.executable, *words], stdout=stdout)


def _is_free(port: int) -> bool:
    """Tell whether no other program has that port; 0 stands for any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _finish(process: subprocess.Popen[str]) -> str:
    """Wait for a script's end and return what it wrote to its pipe."""
    output, _ = process.communicate()
    if process.returncode:
        raise failure(process)
    return output or ""
