"""One run at a time per directory, one per file that grows.

The kernel frees the lock (flock(2)) when its process dies, however it dies, so no stale lock needs
a human. A lock file is never removed: unlinking a locked file would let two runs hold "the" lock
on two inodes (tox-dev/filelock's rule; `huggingface_hub` locks its cache in the same way).
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from helpers.atomic_io import disk_errors, make_directory
from helpers.errors import BusyError, WriteError

LOCK_NAME = ".lock"
_NEW_SECONDS = 60


@contextlib.contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """Yield a temporary directory; those of the same prefix that killed runs left are removed."""
    parent = Path(tempfile.gettempdir())
    with disk_errors(parent):
        for left in parent.glob(f"{prefix}*"):
            _remove_if_abandoned(left)
        made = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    with made as directory, directory_lock(Path(directory)):
        yield Path(directory)


def _remove_if_abandoned(directory: Path) -> None:
    with contextlib.suppress(OSError, BusyError, WriteError):
        status = directory.lstat()
        # A strange one is none of our business; a new one may not be locked yet.
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
        if ours and time.time() - status.st_mtime > _NEW_SECONDS:
            with directory_lock(directory):
                shutil.rmtree(directory, ignore_errors=True)


def directory_lock(directory: Path) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of `directory` for the length of a block, as `file_lock` does."""
    return file_lock(directory / LOCK_NAME, f"another run is working in {directory}")


@contextlib.contextmanager
def file_lock(path: Path, busy: str = "") -> Iterator[None]:
    """Hold the lock of a file for the length of the block.

    It is created, with its directory, if need be; its content is not touched.

    Raises:
        BusyError: another run holds it, which `busy` says (exit code 75, without waiting).
        WriteError: the file cannot be written.
    """
    make_directory(path.parent)
    with contextlib.ExitStack() as opened:
        with disk_errors(path):
            file = opened.enter_context(path.open("ab"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError(
                    busy or f"another run is writing {path}",
                    details=f"it holds the lock of {path}",
                    suggestion="wait until it ends, or stop it, then type the same command again",
                ) from error
        yield
