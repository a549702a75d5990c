"""One run at a time per directory, one per file that grows.

The kernel frees the lock when its process dies, however it dies, so no stale lock needs a human.
The lock file itself is never removed: unlinking a locked file would let two runs hold "the" lock
on two inodes (tox-dev/filelock's rule).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.atomic_io import disk_errors, make_directory
from helpers.errors import BusyError, write_error

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_NAME = ".lock"
_NEW_SECONDS = 60


@contextlib.contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """Yield a temporary directory; those of the same prefix that killed runs left are removed.

    Raises:
        WriteError: it cannot be made.
    """
    from filelock import FileLock

    with disk_errors(Path(tempfile.gettempdir())):
        _remove_abandoned(Path(tempfile.gettempdir()), prefix)
        directory = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        with FileLock(directory / LOCK_NAME, timeout=0):
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    from filelock import FileLock, Timeout

    for directory in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError, Timeout):
            status = directory.lstat()
            # A strange one is none of our business; a new one may not be locked yet.
            if _is_ours(status) and time.time() - status.st_mtime > _NEW_SECONDS:
                with FileLock(directory / LOCK_NAME, timeout=0):
                    shutil.rmtree(directory, ignore_errors=True)


def _is_ours(status: os.stat_result) -> bool:
    mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return mine and stat.S_ISDIR(status.st_mode)


@contextlib.contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Hold the lock of `directory` (created if need be) for the length of the block.

    Raises:
        BusyError: another run holds it (exit code 75, at once, without waiting).
        WriteError: the directory cannot be written.
    """
    with exclusive(directory / LOCK_NAME, f"another run is working in {directory}"):
        yield


@contextlib.contextmanager
def exclusive(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file `path`, in a directory that is created if need be.

    Args:
        path: the lock file; it is never removed.
        busy: what to say if another run holds it.

    Raises:
        BusyError: another run holds it (exit code 75, at once, without waiting).
        WriteError: the file cannot be written.
    """
    from filelock import FileLock, Timeout

    make_directory(path.parent)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(
            busy,
            details=f"it holds the lock {path}",
            suggestion="wait until it ends, then type the same command again",
        ) from error
    except OSError as error:
        raise write_error(error, path) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file (created if need be) for the length of the block.

    The lock is on the file itself, which `filelock` would empty; and a query does without it.

    Raises:
        BusyError: another run holds it (exit code 75, at once, without waiting).
        WriteError: the file cannot be written.
    """
    with disk_errors(path), path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"another run is writing {path}",
                details="it holds the lock of that file",
                suggestion="stop it first, or name another file",
            ) from error
        yield
