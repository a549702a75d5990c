"""One run at a time per directory.

The kernel frees the lock when its process dies, however it dies, so no stale lock needs a human.
The lock file itself is never removed: unlinking a locked file would let two runs hold "the" lock
on two inodes (tox-dev/filelock's rule).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from helpers.atomic_io import make_directory
from helpers.errors import BusyError, write_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = ".lock"


@contextlib.contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Hold the lock of `directory` (created if need be) for the length of the block.

    Raises:
        BusyError: another run holds it (exit code 75, at once, without waiting).
        WriteError: the directory cannot be written.
    """
    from filelock import FileLock, Timeout

    make_directory(directory)
    lock = FileLock(directory / LOCK_NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(
            f"another run is working in {directory}",
            details=f"it holds the lock {directory / LOCK_NAME}",
            suggestion="wait until it ends, then type the same command again",
        ) from error
    except OSError as error:
        raise write_error(error, directory / LOCK_NAME) from error
    try:
        yield
    finally:
        lock.release()
