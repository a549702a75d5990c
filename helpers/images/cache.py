"""The image cache: which file belongs to which picture, and whether it is still what it was.

The directory holds image files named by `card_face.safe_filename`, the bulk files, and `SHA256SUMS`
in the format of `sha256sum(1)`: one line per downloaded image, appended in the order of download;
the last line of a file counts. `sha256sum -c SHA256SUMS` works in the cache directory.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True, slots=True)
class UselessFile:
    """An image file that can go, and why."""

    filename: str
    reason: str
    size_bytes: int


class ImageCache:
    """A cache directory. Nothing is read until it is needed."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._prefix = os.path.join(directory, "")  # noqa: PTH118 - of strings, for `text_path`

    def require(self, command: str = "") -> None:
        """Raise `DataError` (exit code 5) unless the directory exists.

        Args:
            command: what to type to fill it, if more is known of it than the directory.
        """
        if not self.directory.is_dir():
            raise DataError(
                f"there is no image cache at {self.directory.absolute()}",
                details=f"no such directory: {self.directory}",
                suggestion=command or f"python download_images.py --cache {self.directory}",
            )

    def path(self, image_file: str) -> Path:
        """Return where the image of that name is, or will be."""
        return self.directory / image_file

    def text_path(self, image_file: str) -> str:
        """Return the same as text: making a `Path` takes twice as long as asking for its status."""
        return self._prefix + image_file

    def has(self, image_file: str) -> bool:
        """Tell whether the image is there. A file under its final name was validated before."""
        return self.size(image_file) > 0

    def size(self, image_file: str) -> int:
        """Return the bytes of the image; 0 if it is not there."""
        try:
            status = os.stat(self.text_path(image_file))  # noqa: PTH116 - 3 × as fast
        except FileNotFoundError:
            return 0
        return status.st_size if stat.S_ISREG(status.st_mode) else 0

    def images(self) -> Iterator[Path]:
        """Yield every image file, sorted by name, which needs memory for all the names."""
        return (self.directory / name for name in sorted(self.image_names()))

    def image_names(self) -> Iterator[str]:
        """Yield the name of every image file, in no order; parts, bulk files, lists are none.

        What has the name of one but is a directory or a pipe is yielded, too: it is a broken image.
        """
        with os.scandir(self.directory) as entries:
            for entry in entries:
                ending = entry.name[entry.name.rfind(".") :].lower()
                if ending in IMAGE_SUFFIXES:
                    yield entry.name
