"""The pictures that a query names: read whole, bounded before they are decoded, and shrunk.

Pillow's decoders cannot be interrupted, so what a file may cost is read from its header first.
"""

import re
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from helpers.images.preprocess import load_image_rgb, picture_bytes, upright_rgb
from helpers.packages import is_here
from helpers.validation import FORMATS, InvalidImageError, check_header, decoding, is_heic

MAX_BYTES = 256 * 1024 * 1024  # an uncompressed picture of 80 megapixels
MAX_PIXELS = 100_000_000
MAX_JPEG_PIXELS = 220_000_000  # phones take up to 200 megapixels; JPEGs are shrunk while decoded
MAX_SCANS = 64  # of a JPEG; common encoders make 1 to 12
LEAST_SIDE, MOST_SIDE = 2000, 3200  # pixels of the longer side after shrinking

#: A marker among a JPEG's entropy-coded data, where 00 and D0 to D7 are none (ITU T.81, B.1.1).
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_SCAN, _END = 0xDA, 0xD9
_MOST_SEGMENTS = 20_000  # of a header and between scans; colour profiles and depth maps take 300
_NO_LENGTH = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # markers without a segment


def load_photo(source: Path | str | bytes) -> Image.Image:
    """Decode a regular file or its content, turn it upright (EXIF), and flatten it to RGB.

    A picture whose longer side has more than `MOST_SIDE` pixels is shrunk to `LEAST_SIDE` or more.
    Of an animated picture, the first frame counts.

    Raises:
        InvalidImageError: it cannot be read, is no picture, or too much work; the message says why.
    """
    data = picture_bytes(source, MAX_BYTES)
    if not (is_heic(data) and is_here("pillow_heif")):
        return _decoded(data)
    import pillow_heif  # of the user's own, its wheels are GPL

    pillow_heif.register_heif_opener()
    try:
        return _decoded(data, ("HEIF",))
    except InvalidImageError as error:
        if isinstance(error.__cause__, UnidentifiedImageError):  # it names the missing package
            raise InvalidImageError("this HEIC picture is cut off or broken") from error
        raise


def opened(source: Path | bytes | None) -> Image.Image | None:
    """Return a scan or a sheet's copy of a photo, RGB; None if there is none, or it is broken."""
    try:
        return None if source is None else load_image_rgb(source)
    except InvalidImageError:
        return None


def _decoded(data: bytes, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    with decoding(data, formats) as image:
        scans = jpeg_scans(data)
        if scans > MAX_SCANS:
            raise InvalidImageError(f"a JPEG of {scans} scans, more than {MAX_SCANS}")
        check_header(image, MAX_JPEG_PIXELS if scans == 1 else MAX_PIXELS)
        longer = max(image.size)
        if longer >= 2 * LEAST_SIDE:  # only a JPEG heeds this, and halves at most three times
            width, height = image.size
            image.draft(None, (width * LEAST_SIDE // longer, height * LEAST_SIDE // longer))
        return _shrunk(upright_rgb(_shrunk(image)))


def _shrunk(image: Image.Image) -> Image.Image:
    """Return `image` no larger than `MOST_SIDE`; a palette has to become colours first."""
    if max(image.size) > MOST_SIDE and image.mode not in {"1", "P", "PA"}:
        image.load()  # `thumbnail` would ask for another draft
        image.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image


def jpeg_scans(data: bytes) -> int:
    """Count the scans of a JPEG, each of which costs a pass over all its pixels; 0 if it is none.

    Counting ends at the first image's end (many phones append a second one), and one above
    `MAX_SCANS`. Too many segments are an `InvalidImageError`.
    """
    if not data.startswith(b"\xff\xd8"):
        return 0
    scans, place = 0, 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, place)
        if found is None or found[1][0] == _END or scans > MAX_SCANS:
            return scans
        scans += found[1][0] == _SCAN
        place = found.end()
        if found[1][0] not in _NO_LENGTH:
            place += int.from_bytes(data[place : place + 2], "big")
    raise InvalidImageError(f"a JPEG of more than {_MOST_SEGMENTS:,} segments")
