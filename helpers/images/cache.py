"""The image cache: which file belongs to which picture, and whether it is still what it was.

The directory holds image files named by `card_face.safe_filename`, the bulk files, and `SHA256SUMS`
in the format of `sha256sum(1)`: one line per downloaded image, appended in the order of download;
the last line of a file counts. `sha256sum -c --ignore-missing SHA256SUMS` works in there.
"""

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from helpers.atomic_io import disk_errors, open_regular
from helpers.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
SUMS_NAME = "SHA256SUMS"
_LINE = re.compile(rb"([0-9a-f]{64})  ([0-9a-f]{48}\.(?:jpg|png|webp))\n?")
_LONGEST_LINE = 1024  # bytes; one of ours has 119


class ImageCache:
    """A cache directory. Nothing is read until it is needed."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def require(self, command: str = "") -> None:
        """Raise `DataError` unless the directory exists; `command` is what to type to fill it."""
        if not self.directory.is_dir():
            raise DataError(
                f"there is no image cache at {self.directory.absolute()}",
                details=f"no such directory: {self.directory}",
                suggestion=command or f"python download_images.py --cache {self.directory}",
            )

    def path(self, image_file: str) -> Path:
        """Return where the image of that name is, or will be."""
        return self.directory / image_file

    def has(self, image_file: str) -> bool:
        """Tell whether the image is there. A file under its final name was validated before."""
        try:
            # Making a `Path` takes twice as long as asking for its status.
            status = os.stat(f"{self.directory}/{image_file}")  # noqa: PTH116
        except FileNotFoundError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size > 0

    def digests(self) -> dict[str, bytes]:
        """Return the SHA-256 (32 bytes) noted last for each image, by its file name.

        A line that is torn or damaged is left out: its image is decoded instead.
        """
        found = {}
        with contextlib.suppress(FileNotFoundError), open_regular(self.path(SUMS_NAME)) as file:
            while line := file.readline(_LONGEST_LINE):
                if parts := _LINE.fullmatch(line):
                    found[parts[2].decode()] = bytes.fromhex(parts[1].decode())
        return found

    def note_digest(self, image_file: str, data: bytes) -> None:
        """Append the SHA-256 of a new image's content, or raise `WriteError`; threads may."""
        path, digest = self.path(SUMS_NAME), hashlib.sha256(data).hexdigest()
        with disk_errors(path), path.open("a", encoding="ascii") as file:
            file.write(f"{digest}  {image_file}\n")  # one call of the system, at the end

    def remove(self, image_file: str) -> None:
        """Remove a file, or an empty directory, under the name of an image; `WriteError` if not."""
        path = self.path(image_file)
        with disk_errors(path):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)

    def image_names(self) -> Iterator[str]:
        """Yield the name of every image file, in no order; parts, bulk files, lists are none.

        What has the name of one but is a directory or a pipe is yielded, too: it is a broken image.
        """
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if entry.name[entry.name.rfind(".") :].lower() in IMAGE_SUFFIXES:
                    yield entry.name
