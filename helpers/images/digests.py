"""`SHA256SUMS`: the SHA-256 that every image of the cache had when it was downloaded."""

import contextlib
import hashlib
import os
from array import array
from collections.abc import Container
from pathlib import Path

from helpers.atomic_io import atomic_write_stream, disk_errors, open_regular
from helpers.images.cache import ImageCache

SUMS_NAME = "SHA256SUMS"
_LONGEST_LINE = 1024  # bytes; one of ours has 119
_KEY_BYTES = 8
_FLUSH_EVERY = 256  # lines; a lost line costs one decoding at the next validation, no more


class DigestTable:
    """The SHA-256 at download of every image, in 40 bytes each.

    The key is the last 16 digits of the file name, which hash the whole URL. A line that is torn or
    damaged is left out: its image is decoded instead.
    """

    def __init__(self, cache: ImageCache) -> None:
        import numpy as np

        keys, digests = array("Q"), bytearray()
        with (
            contextlib.suppress(FileNotFoundError),
            open_regular(cache.directory / SUMS_NAME) as file,
        ):
            while line := file.readline(_LONGEST_LINE):
                with contextlib.suppress(ValueError):
                    digest, name = line.decode("ascii").rstrip("\n").split("  ", 1)
                    key, value = _key(name), bytes.fromhex(digest)
                    if len(value) == hashlib.sha256().digest_size:
                        keys.append(key)
                        digests += value
        unsorted = np.array(keys, dtype=np.uint64)
        self._order = np.argsort(unsorted, kind="stable")
        self._keys = unsorted[self._order]
        self._digests = bytes(digests)

    def get(self, image_file: str) -> bytes | None:
        """Return the 32 bytes noted last for that name, None if there are none."""
        try:
            key = _key(image_file)
        except ValueError:
            return None
        import numpy as np

        place = int(np.searchsorted(self._keys, np.uint64(key), side="right")) - 1
        if place < 0 or int(self._keys[place]) != key:
            return None
        row = int(self._order[place])
        return self._digests[32 * row : 32 * row + 32]


def _key(image_file: str) -> int:
    """Return the last 16 digits of a name of ours; any other name is a ValueError."""
    digits = bytes.fromhex(image_file.split(".", 1)[0][-2 * _KEY_BYTES :])
    if len(digits) != _KEY_BYTES:
        raise ValueError(image_file)
    return int.from_bytes(digits, "big")


class DigestLog:
    """Appends to `SHA256SUMS`, from one thread, in blocks of lines."""

    def __init__(self, cache: ImageCache) -> None:
        self._path = cache.directory / SUMS_NAME
        self._lines: list[str] = []

    def add(self, image_file: str, digest: str) -> None:
        """Note the SHA-256 (64 hexadecimal digits) of an image that has just been published."""
        self._lines.append(f"{digest}  {image_file}\n")
        if len(self._lines) >= _FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Append what is noted.

        Raises:
            WriteError: the disk refuses.
        """
        if self._lines:
            block, self._lines = "".join(self._lines).encode(), []
            with disk_errors(self._path), self._path.open("ab") as file:
                if file.tell() and not _ends_a_line(self._path):
                    file.write(b"\n")
                file.write(block)


def forget_digests(cache: ImageCache, gone: Container[str]) -> None:
    """Leave the files named in `gone` out of `SHA256SUMS`, so that `sha256sum -c` stays content.

    Raises:
        WriteError: the disk refuses.
    """
    path = cache.directory / SUMS_NAME
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        kept = (line for line in file if line.decode("ascii", "replace")[66:].strip() not in gone)
        atomic_write_stream(path, kept)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
