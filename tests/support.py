"""What the tests share: running the real scripts, and a loopback Scryfall to run them against."""

import json
import os
import resource
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

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


class Scryfall:
    """`scripts/serve_scryfall.py` in a process of its own, ended with the `with` block."""

    def __init__(self, *args: object) -> None:
        self._process = subprocess.Popen(
            command("scripts/serve_scryfall.py", *args),
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), "the loopback Scryfall did not start"

    def log(self) -> list[dict[str, Any]]:
        """Return every request so far."""
        with urllib.request.urlopen(f"{self.url}/_log") as answer:  # noqa: S310 - loopback
            entries: list[dict[str, Any]] = json.load(answer)
            return entries

    def image_requests(self) -> list[dict[str, Any]]:
        """Return the requests for images so far."""
        return [entry for entry in self.log() if "/cards.scryfall.io/" in entry["path"]]

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the fault rules; see `devtools/scryfall/faults.py`."""
        body = json.dumps({"seed": 1, "rules": list(rules)}).encode()
        request = urllib.request.Request(f"{self.url}/_faults", data=body, method="POST")  # noqa: S310
        with urllib.request.urlopen(request):  # noqa: S310 - loopback
            pass

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


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
