"""`SHA256SUMS`: the SHA-256 that every image of the cache had when it was downloaded."""

import contextlib
import re
from array import array
from bisect import bisect_right
from collections.abc import Container

from helpers.atomic_io import atomic_write_stream, disk_errors, open_regular
from helpers.images.cache import OUR_NAME, ImageCache

SUMS_NAME = "SHA256SUMS"
_LINE = re.compile(rb"([0-9a-f]{64})  [0-9a-f]{32}([0-9a-f]{16})\.(?:jpg|png|webp)\n?")
_LONGEST_LINE = 1024  # bytes; one of ours has 119
_DIGEST = 32  # bytes


class DigestTable:
    """The SHA-256 at download of every image, in 40 bytes each.

    The key is the last 16 digits of the file name, which hash the whole URL. A line that is torn or
    damaged is left out: its image is decoded instead.
    """

    def __init__(self, cache: ImageCache) -> None:
        keys, digests = array("Q"), bytearray()
        with (
            contextlib.suppress(FileNotFoundError),
            open_regular(cache.directory / SUMS_NAME) as file,
        ):
            while line := file.readline(_LONGEST_LINE):
                if found := _LINE.fullmatch(line):
                    keys.append(int(found[2], 16))
                    digests += bytes.fromhex(found[1].decode())
        order = sorted(range(len(keys)), key=keys.__getitem__)  # the last of equal ones stays last
        self._keys = array("Q", map(keys.__getitem__, order))
        self._digests = b"".join(digests[_DIGEST * row : _DIGEST * (row + 1)] for row in order)

    def get(self, image_file: str) -> bytes | None:
        """Return the 32 bytes noted last for that name, None if there are none."""
        found = OUR_NAME.fullmatch(image_file)
        if found is None:
            return None
        key = int(found[2], 16)
        place = bisect_right(self._keys, key) - 1
        if place < 0 or self._keys[place] != key:
            return None
        return self._digests[_DIGEST * place : _DIGEST * (place + 1)]


def note_digest(cache: ImageCache, image_file: str, digest: str) -> None:
    """Append the SHA-256 (64 hexadecimal digits) of a new image; WriteError if the disk refuses."""
    path = cache.directory / SUMS_NAME
    with disk_errors(path), path.open("a", encoding="ascii") as file:
        file.write(f"{digest}  {image_file}\n")


def forget_digests(cache: ImageCache, gone: Container[str]) -> None:
    """Leave these files out, so that `sha256sum -c` stays content; WriteError as `note_digest`."""
    path = cache.directory / SUMS_NAME
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        kept = (line for line in file if line.decode("ascii", "replace")[66:].strip() not in gone)
        atomic_write_stream(path, kept)
