"""One image: asked for, checked, and only then given its name in the cache."""

from pathlib import Path

from helpers.atomic_io import atomic_write
from helpers.cards.card_face import safe_filename
from helpers.network.responses import PermanentError
from helpers.session import DownloadSession
from helpers.validation import check_image

#: Scryfall's largest card images are PNGs of about 2 MB.
MAX_IMAGE_BYTES = 16 * 1024 * 1024


def download_image(session: DownloadSession, url: str, cache_dir: Path) -> bytes:
    """Fetch `url` into `cache_dir`, validated before it gets its name; return the image file.

    A body that is cut, or complete but no image, is asked for again like a refused connection.

    Raises:
        FetchError: the image cannot be had; says why.
        SourceError: its host cannot be asked any more.
        WriteError: the disk refuses.
    """
    target = cache_dir / safe_filename(url)
    if target.is_dir():  # no file can take its place
        raise PermanentError(f"a directory has the name of its file: {target}")
    data = session.get_bytes(
        url, limit=MAX_IMAGE_BYTES, check=lambda body: check_image(body, target.suffix)
    )
    atomic_write(target, data)
    return data
