"""Files that appear whole or not at all.

Every file of the project is written to a unique `*.part` in its own directory, flushed to the disk
and renamed over its final name; then the directory is flushed, so that the rename survives a power
cut (borgbackup's `SaveFile` does the same). An `OSError` of the disk becomes a `WriteError` here,
where the path is known; an error of whoever supplies the bytes passes through untouched.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Self

from helpers.errors import write_error

_BUFFER = 1 << 16  # bytes: half a million short writes are few calls of the system
_PART_OWNER = re.compile(r"\.(\d+)-[0-9a-f]{8}\.part$")


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into the `WriteError` (exit code 6) that names `path`."""
    try:
        yield
    except OSError as error:
        raise write_error(error, path) from error


def part_path(target: Path) -> Path:
    """Return a name beside `target` that no other process or thread will choose."""
    return target.with_name(f"{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


def fsync_directory(directory: Path) -> None:
    """Make renames inside `directory` durable; a no-op where directories cannot be opened."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Flush a file that somebody else wrote; OSError if the disk turns out to be full."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def replace_durably(source: Path, target: Path) -> None:
    """Rename `source` over `target` in the same directory and make it survive a power cut."""
    with disk_errors(target):
        source.replace(target)
        fsync_directory(target.parent)


class AtomicFile:
    """A binary file that gets its name when the `with` block ends well, and vanishes otherwise.

    If `part` is given, the file has that name until then, goes on where an earlier one ended, and
    stays where the block fails.

    Raises:
        WriteError: from any method, if the disk refuses.
    """

    def __init__(self, target: Path, part: Path | None = None) -> None:
        self.target = target
        self.part = part or part_path(target)
        self._stays = part is not None
        with disk_errors(target):
            self._file: IO[bytes] = self.part.open("ab", _BUFFER)

    def write(self, data: bytes | memoryview) -> None:
        """Append `data` to the unfinished file."""
        try:  # half a million times: `disk_errors` would take longer than writing
            self._file.write(data)
        except OSError as error:
            raise write_error(error, self.target) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                with disk_errors(self.target):
                    self._file.flush()
                    os.fsync(self._file.fileno())
                replace_durably(self.part, self.target)
        finally:
            with contextlib.suppress(OSError):
                if not self._stays:
                    self.part.unlink(missing_ok=True)
                self._file.close()  # it flushes, which a full disk refuses


def atomic_write(target: Path | str, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) to `target`, whole or not at all; raises `WriteError`."""
    atomic_write_stream(
        target, [data.encode("utf-8", "replace") if isinstance(data, str) else data]
    )


def atomic_write_stream(target: Path | str, chunks: Iterable[bytes]) -> int:
    """Write the `chunks` to `target`, whole or not at all; return the number of bytes.

    Raises:
        WriteError: the disk refuses, and `target` is as it was; so it is if `chunks` raises.
    """
    written = 0
    with AtomicFile(Path(target)) as file:
        for chunk in chunks:
            file.write(chunk)
            written += len(chunk)
    return written


def atomic_write_json(target: Path, document: Any) -> None:
    """Write `document` as indented JSON, like `atomic_write`."""
    atomic_write(target, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def make_directory(directory: Path) -> None:
    """Create `directory` and its parents if need be; `WriteError` if that cannot be."""
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)


def remove_parts(directory: Path) -> None:
    """Remove what stopped runs left unfinished in `directory`, never another living process's.

    Called before the first write of a run or after its last: parts that carry this process's own id
    are leftovers too (in a container every run has the same id).
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            owner = _PART_OWNER.search(entry.name)
            if owner is not None and not _is_another_living_process(int(owner[1])):
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()


def _is_another_living_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is somebody else's
        return True
    return pid != os.getpid()


def open_regular(path: Path | str) -> BufferedReader:
    """Open a file for reading; OSError if it is a pipe or a device, which might never end."""

    def at_once(name: str, flags: int) -> int:
        # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
        return os.open(name, flags | os.O_NONBLOCK)

    file = open(path, "rb", opener=at_once)  # noqa: SIM115 - `Path.open` has no opener
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "a pipe or a device, not a file", str(path))


def read_bounded(path: Path | str, most: int) -> bytes:
    """Return the content of a regular file; OSError if it has more than `most` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"{size:,} bytes, more than {most:,}", str(path))
        return file.read(size + 1)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a regular file as 64 hexadecimal digits."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
