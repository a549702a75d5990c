"""`SHA256SUMS`: the SHA-256 that every image of the cache had when it was downloaded."""

import contextlib
import re

from helpers.atomic_io import disk_errors, open_regular
from helpers.images.cache import ImageCache

SUMS_NAME = "SHA256SUMS"
_LINE = re.compile(rb"([0-9a-f]{64})  ([0-9a-f]{48}\.(?:jpg|png|webp))\n?")
_LONGEST_LINE = 1024  # bytes; one of ours has 119


def read_digests(cache: ImageCache) -> dict[str, bytes]:
    """Return the 32 bytes noted last for each image, by its file name.

    A line that is torn or damaged is left out: its image is decoded instead.
    """
    digests = {}
    with contextlib.suppress(FileNotFoundError), open_regular(cache.path(SUMS_NAME)) as file:
        while line := file.readline(_LONGEST_LINE):
            if found := _LINE.fullmatch(line):
                digests[found[2].decode()] = bytes.fromhex(found[1].decode())
    return digests


def note_digest(cache: ImageCache, image_file: str, digest: str) -> None:
    """Append the SHA-256 (64 hexadecimal digits) of a new image; WriteError if the disk refuses."""
    path = cache.path(SUMS_NAME)
    with disk_errors(path), path.open("a", encoding="ascii") as file:
        file.write(f"{digest}  {image_file}\n")
