"""Stopping a download: by signal, by kill -9, by a second run; nothing finished is lost."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Scryfall, command, environment, run

from helpers.validation import validate_image

HANG = {"match": "/cards.scryfall.io/", "fault": "hang"}


def start(scryfall: Scryfall, cache: Path, *args: object) -> subprocess.Popen[str]:
    """Start a download with waits of real length."""
    flags = ("--scryfall-api", scryfall.url, "--cache", cache, *args)
    return subprocess.Popen(
        command("download_images.py", *flags),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(MTG_TIME_FACTOR="1"),
    )


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_a_signal_ends_16_blocked_workers(
    scryfall: Scryfall, tmp_path: Path, signum: int, code: int, fault: str
) -> None:
    """Every worker is blocked in a read: exit within 3 s, no part left, and a word of comfort."""
    scryfall.faults({**HANG, "fault": fault})
    process = start(scryfall, tmp_path)
    until(lambda: len(scryfall.image_requests()) == 16)
    begin = time.monotonic()
    process.send_signal(signum)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - begin < 3
    assert process.returncode == code
    assert "the same command again" in err
    assert not list(tmp_path.glob("*.part"))

    scryfall.faults()
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path, "--json")
    assert run("download_images.py", *flags).json()["downloaded"] == 24


@pytest.mark.parametrize("where", ["/bulk-data/", "/data.scryfall.io/"])
def test_a_signal_ends_the_wait_for_bulk_data(
    scryfall: Scryfall, tmp_path: Path, where: str
) -> None:
    """The listing or the file hangs: Ctrl-C ends it, nothing is left but the lock."""
    scryfall.faults({"match": where, "fault": "stall"})
    process = start(scryfall, tmp_path)
    until(lambda: any(where in entry["path"] for entry in scryfall.log()))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=3)
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_signal_ends_a_penalty(scryfall: Scryfall, tmp_path: Path) -> None:
    """All workers wait at the gate for a minute: Ctrl-C does not."""
    params = {"code": 429, "retry_after": "60"}
    scryfall.faults({"match": "/cards.scryfall.io/", "fault": "status", "params": params})
    process = start(scryfall, tmp_path)
    until(lambda: len(scryfall.image_requests()) >= 1)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=3)
    assert process.returncode == 130


def test_a_second_signal_ends_at_once() -> None:
    """Whoever presses Ctrl-C twice does not wait for anything, not even for `held()`."""
    script = (
        "import os, signal, time\n"
        "from helpers import signals\n"
        "signals.install()\n"
        "with signals.held():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(30)\n"
    )
    begin = time.monotonic()
    line = command("x", "-c", script)
    done = subprocess.run([line[0], *line[2:]], check=False, timeout=20, env=environment(),
                          cwd=os.path.dirname(line[1]))  # noqa: PTH120  # fmt: skip
    assert done.returncode == 130
    assert time.monotonic() - begin < 10


def test_what_was_finished_is_kept_and_not_fetched_again(
    scryfall: Scryfall, tmp_path: Path
) -> None:
    """Stopped halfway, the same command asks only for the rest."""
    scryfall.faults({**HANG, "match": "/cards.scryfall.io/.*[0-7].jpg"})
    process = start(scryfall, tmp_path)
    until(lambda: len(list(tmp_path.glob("*.jpg"))) >= 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.jpg")}

    scryfall.faults()
    before = len(scryfall.image_requests())
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path, "--json")
    assert run("download_images.py", *flags).json()["already_cached"] == len(kept)
    assert len(scryfall.image_requests()) - before == 24 - len(kept)
    assert all((tmp_path / name).stat().st_mtime_ns == at for name, at in kept.items())


def test_kill_9_leaves_nothing_broken(deck: Path, tmp_path: Path) -> None:
    """Killed at eight random moments, then resumed: whole files only, each fetched once."""
    chance = random.Random(7)
    images = ("--cards", deck / "cards.jsonl", "--images", deck / "images")
    with Scryfall(*images, "--latency", 0.1) as server:
        for _ in range(8):
            process = start(server, tmp_path, "--workers", 2, "--quiet")
            time.sleep(chance.uniform(0.15, 0.7))
            process.kill()
            process.communicate()
            for path in tmp_path.glob("*.jpg"):
                assert validate_image(path).valid
        finished = set(tmp_path.glob("*.jpg"))
        (tmp_path / f"{'a' * 48}.jpg.999999999-0123abcd.part").write_bytes(b"of a dead process")
        before = len(server.image_requests())
        flags = ("--scryfall-api", server.url, "--cache", tmp_path)
        assert run("download_images.py", *flags).code == 0
        asked = len(server.image_requests()) - before
    assert asked == 24 - len(finished)
    assert len(list(tmp_path.glob("*.jpg"))) == 24
    assert not list(tmp_path.glob("*.part"))


def test_parts_of_a_living_process_stay(scryfall: Scryfall, tmp_path: Path) -> None:
    """Only what dead processes left is cleaned."""
    living = tmp_path / f"{'b' * 48}.jpg.{os.getpid()}-0123abcd.part"
    living.write_bytes(b"")
    assert run("download_images.py", "--scryfall-api", scryfall.url, "--cache", tmp_path).code == 0
    assert living.exists()


def test_a_second_run_on_one_cache_is_75_at_once(scryfall: Scryfall, tmp_path: Path) -> None:
    """It asks nobody, says who is in the way, and leaves the first one alone."""
    scryfall.faults({**HANG, "params": {"seconds": 3}})
    first = start(scryfall, tmp_path, "--max-retries", 1)
    until(lambda: len(scryfall.image_requests()) == 16)
    begin = time.monotonic()
    second = run("download_images.py", "--scryfall-api", scryfall.url, "--cache", tmp_path)
    assert second.code == 75
    assert time.monotonic() - begin < 2
    assert "another run is working in" in second.err
    assert len(scryfall.image_requests()) == 16
    scryfall.faults()
    _, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
