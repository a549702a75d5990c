"""What the tests share: running the real scripts, and a Scryfall of our own to run them against."""

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.scryfall.options import FLAGS
from devtools.scryfall.server import LoopbackScryfall
from helpers import cli
from helpers.cli_validation import validate_args
from helpers.network.clock import Clock

ROOT = Path(__file__).resolve().parent.parent
#: Waits and timeouts of the scripts, times this: 1 s of back-off becomes 20 ms.
TIME_FACTOR = 0.02


@dataclass(frozen=True)
class Result:
    """What a script did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return stdout as one JSON document."""
        return json.loads(self.out)


def environment(**extra: str) -> dict[str, str]:
    """Return an environment in which waits are short and no proxy stands in the way."""
    return {
        **{key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")},
        "MTG_TIME_FACTOR": str(TIME_FACTOR),
        "HF_HUB_OFFLINE": "1",
        **extra,
    }


def command(script: str, *args: object) -> list[str]:
    """Return the command line that runs a script of the project."""
    return [sys.executable, str(ROOT / script), *map(str, args)]


def run(
    script: str,
    *args: object,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float = 300,
    hide: str = "",
    file_limit: int = resource.RLIM_INFINITY,
    **env: str,
) -> Result:
    """Run a script as a user would, in a process of its own.

    Packages named in `hide`, with commas, seem not to be installed. No file may become larger than
    `file_limit` bytes, as if the disk were full.
    """

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    if hide:
        env |= {"PYTHONPATH": str(ROOT / "tests/hiding"), "MTG_HIDE": hide}
    done = subprocess.run(
        command(script, *args),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**env),
        preexec_fn=limit_files if file_limit != resource.RLIM_INFINITY else None,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def imported(err: str) -> set[str]:
    """Return the packages that a run with `PYTHONPROFILEIMPORTTIME="1"` names on stderr."""
    lines = [line for line in err.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in lines}


class Scryfall(LoopbackScryfall):
    """A Scryfall of our own, with the flags of `scripts/serve_scryfall.py`, in this process."""

    def __init__(self, *args: object) -> None:
        flags = cli.parser(None, FLAGS).read([str(arg) for arg in args])
        validate_args(flags)
        super().__init__(flags)

    def image_requests(self) -> list[dict[str, Any]]:
        """Return the requests for images so far."""
        return [entry for entry in self.log() if "/cards.scryfall.io/" in entry["path"]]


class FakeClock(Clock):
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def now(self) -> float:
        """Return the fake time."""
        return self.time

    def wait(self, seconds: float) -> bool:
        """Jump ahead, unless the run is stopped."""
        self.time += max(0.0, seconds)
        return not self.stopped.is_set()
