"""One image: asked for, checked, and only then given its name in the cache."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.atomic_io import atomic_write
from helpers.cards.card_face import safe_filename
from helpers.network.responses import TransientError, read_chunks
from helpers.validation import InvalidImageError, check_image

if TYPE_CHECKING:
    from pathlib import Path

    import requests

    from helpers.session import DownloadSession

#: Scryfall's largest card images are PNGs of about 2 MB.
MAX_IMAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Downloaded:
    """An image that is now in the cache."""

    path: Path
    sha256: str
    size: int


def download_image(session: DownloadSession, url: str, cache_dir: Path) -> Downloaded:
    """Fetch `url` into `cache_dir`, validated before it gets its name.

    Everything happens inside the session's one retry loop: a body that is cut, or complete but no
    image, is asked for again like a refused connection.

    Raises:
        FetchError: the image cannot be had; says why.
        SourceError: its host cannot be asked any more.
        WriteError: the disk refuses.
    """
    target = cache_dir / safe_filename(url)

    def receive(response: requests.Response) -> Downloaded:
        data = b"".join(read_chunks(response, MAX_IMAGE_BYTES, session.clock))
        session.body_is_read()
        try:
            check_image(data, target.suffix)
        except InvalidImageError as error:
            raise TransientError(str(error)) from error
        atomic_write(target, data)
        return Downloaded(target, hashlib.sha256(data).hexdigest(), len(data))

    return session.fetch(url, receive)
