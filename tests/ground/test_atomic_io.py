"""Files appear whole or not at all."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.atomic_io import (
    AtomicFile,
    atomic_write,
    atomic_write_stream,
    part_path,
    remove_parts,
)
from helpers.errors import BusyError, WriteError
from helpers.lock import directory_lock


def test_a_write_replaces_the_old_file(tmp_path: Path) -> None:
    """The new content is there, and nothing else is left."""
    target = tmp_path / "file"
    atomic_write(target, b"old")
    atomic_write(target, "néw")
    assert target.read_text(encoding="utf-8") == "néw"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failing_stream_changes_nothing(tmp_path: Path) -> None:
    """An error of the source passes through unchanged; the old file stays and no part is left."""
    target = tmp_path / "file"
    atomic_write(target, b"old")

    def chunks() -> Iterator[bytes]:
        yield b"new"
        raise ConnectionResetError("the network")

    with pytest.raises(ConnectionResetError):
        atomic_write_stream(target, chunks())
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_final_name_appears_only_at_the_end(tmp_path: Path) -> None:
    """While a file is being written only its part exists."""
    with AtomicFile(tmp_path / "file") as file:
        file.write(b"half")
        (part,) = tmp_path.iterdir()
        assert part.name.endswith(".part")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """Let no file grow beyond 1,000 bytes: not a fixture, or pytest's own log would be cut, too."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_refusing_disk_is_a_write_error(tmp_path: Path) -> None:
    """The error carries exit code 6, the path and an advice; the old file stays."""
    target = tmp_path / "file"
    atomic_write(target, b"old")
    with pytest.raises(WriteError, match=str(target)) as caught, small_files():
        atomic_write(target, b"x" * 100_000)
    assert caught.value.exit_code == 6
    assert "ulimit -f" in caught.value.suggestion
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_directory_is_a_write_error(tmp_path: Path) -> None:
    """The path that cannot be written is named."""
    with pytest.raises(WriteError, match="nowhere"):
        atomic_write(tmp_path / "nowhere" / "file", b"")


def test_parts_of_dead_processes_are_removed(tmp_path: Path) -> None:
    """Leftovers go; the parts of a living process and foreign files stay."""
    dead = subprocess.Popen(["true"])  # noqa: S607 - any process that has ended
    dead.wait()
    leftover = tmp_path / f"a.jpg.{dead.pid}-0123abcd.part"
    living = tmp_path / f"b.jpg.{os.getppid()}-0123abcd.part"
    foreign = tmp_path / "notes.part"
    for path in (leftover, living, foreign):
        path.touch()
    remove_parts(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted((living, foreign))


def test_part_names_are_unique(tmp_path: Path) -> None:
    """Two writers of one file never share a part."""
    names = {part_path(tmp_path / "file") for _ in range(100)}
    assert len(names) == 100


def test_a_directory_is_locked_once(tmp_path: Path) -> None:
    """A second run gets exit code 75 at once; the lock file stays when the lock is free again."""
    with (
        directory_lock(tmp_path),
        pytest.raises(BusyError, match="another run") as caught,
        directory_lock(tmp_path),
    ):
        pass
    assert caught.value.exit_code == 75
    assert (tmp_path / ".lock").exists()
    with directory_lock(tmp_path):
        pass
