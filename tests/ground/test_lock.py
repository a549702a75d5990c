"""Locks and temporary directories, and what killed runs leave of them."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support import ROOT

from helpers.errors import BusyError
from helpers.lock import file_lock, scratch_directory

PREFIX = "mtg-test-"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system's temporary directory of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def age(directory: Path) -> None:
    """Make a directory an hour old."""
    os.utime(directory, (0, directory.stat().st_mtime - 3600))


def test_a_scratch_directory_goes_with_its_block(temporary: Path) -> None:
    """However the block ends."""

    def fail() -> None:
        with scratch_directory(PREFIX) as folder:
            (folder / "file").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next(temporary: Path) -> None:
    """A directory that nobody holds goes; one that a living process holds stays, so do others."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from helpers.lock import scratch_directory\n"
        f"with scratch_directory({PREFIX!r}) as folder:\n"
        "    print(folder, flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        left = temporary / child.stdout.readline().strip()
        (temporary / "mtg-other-1").mkdir()
        (temporary / f"{PREFIX}link").symlink_to(temporary / "mtg-other-1")
        age(left)
        with scratch_directory(PREFIX):
            assert left.exists(), "its owner lives"
        child.send_signal(signal.SIGKILL)
        child.wait()
    age(left)
    with scratch_directory(PREFIX):
        assert not left.exists()
    assert {path.name for path in temporary.iterdir()} == {"mtg-other-1", f"{PREFIX}link"}


def test_a_directory_of_this_moment_stays(temporary: Path) -> None:
    """Its owner may be about to lock it."""
    (temporary / f"{PREFIX}new").mkdir()
    with scratch_directory(PREFIX):
        pass
    assert (temporary / f"{PREFIX}new").exists()


def test_the_lock_of_a_file_is_about_nothing_else(tmp_path: Path) -> None:
    """It keeps the content, it refuses a second run, and errors of its block pass through."""
    path = tmp_path / "list.csv"
    path.write_text("one line\n")
    with file_lock(path), pytest.raises(BusyError, match=r"list\.csv"), file_lock(path):
        pass
    with pytest.raises(FileNotFoundError), file_lock(path):
        (tmp_path / "missing").read_bytes()
    assert path.read_text() == "one line\n"
