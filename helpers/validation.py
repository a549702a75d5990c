"""Is this file a card image that decodes completely?

It has the format its name says, its end marker is its last byte, and it decodes to the end. No
decoder can promise that no bit inside was changed; for that the cache keeps the SHA-256 of every
image it downloaded (`helpers.images.cache`).
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageFile, UnidentifiedImageError

from helpers.atomic_io import read_bounded

MAX_PIXELS = 20_000_000  # a 251 KiB PNG below Pillow's own limit took 277 MiB to decode
MIN_SIDE = 32  # pixels; Scryfall's smallest image is 146 × 204, a tracking pixel is 1 × 1
_FORMAT_OF_SUFFIX = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_CACHED_FORMATS = ("JPEG", "PNG", "WEBP")
_END = {"JPEG": b"\xff\xd9", "PNG": b"\0\0\0\0IEND\xaeB`\x82"}
_ZERO_TAIL = bytes(32)  # a WebP has no end marker; its coder never ends in that many zeros
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"hevc")
_RIFF_HEADER = 8  # bytes before what the RIFF length counts

#: What is opened at all, by its content. Pillow reads forty more, among them EPS, which runs in
#: Ghostscript, and some whose readers fail in ways of their own.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000")
#: Of one image of the cache: Scryfall's largest are 2 MB.
MAX_BYTES = 64 * 1024 * 1024

# What Pillow warns of is refused here, or does no harm; stderr is for people.
warnings.filterwarnings("ignore", module=r"PIL\.")


class Verdict(NamedTuple):
    """The answer of `validate_image`; `reason` is None for a valid image."""

    valid: bool
    reason: str | None


class InvalidImageError(ValueError):
    """The bytes are no image that can be used; `str()` is the reason."""


def validate_image(source: Path | str | bytes, suffix: str = "") -> Verdict:
    """Check a file of the cache, or the content of one that is to have the extension `suffix`.

    Returns `(True, None)`, or `(False, reason)`; nothing is raised for a bad image.
    """
    try:
        if isinstance(source, bytes):
            check_image(source, suffix)
        else:
            check_image(read_bounded(source, MAX_BYTES), Path(source).suffix)
    except OSError as error:
        return Verdict(valid=False, reason=f"cannot be read: {error.strerror or error}")
    except ValueError as error:  # an `InvalidImageError`, or a name that no file can have
        return Verdict(valid=False, reason=str(error))
    return Verdict(valid=True, reason=None)


def check_image(data: bytes, suffix: str) -> None:
    """Raise `InvalidImageError` unless `data` is a whole image of the format of `suffix`."""
    with checking(data, suffix) as image:
        if image.format == "JPEG":
            # All entropy-coded data are still read; only the pixels are fewer: 30 % faster.
            image.draft(image.mode, (image.width // 8, image.height // 8))
        image.load()


@contextlib.contextmanager
def checking(data: bytes, suffix: str) -> Iterator[Image.Image]:
    """Open an image that passes every check but one: the block must decode it to the end."""
    with decoding(data, _CACHED_FORMATS) as image:
        found = str(image.format)
        wanted = _FORMAT_OF_SUFFIX.get(suffix.lower(), found)
        if found != wanted:
            raise InvalidImageError(f"{found} content under the name of a {wanted}")
        _check_end(data, found)
        image.verify()
    # verify() leaves the object unusable, and passes most truncations that load() notices.
    with decoding(data, (found,)) as image:
        check_header(image)
        if getattr(image, "n_frames", 1) > 1:
            raise InvalidImageError("animated")
        yield image


@contextlib.contextmanager
def decoding(data: bytes, formats: tuple[str, ...] = FORMATS) -> Iterator[Image.Image]:
    """Open image bytes with Pillow; whatever goes wrong in the block is an `InvalidImageError`.

    Decoders fail in every way there is: SyntaxError, RuntimeError, AssertionError, MemoryError …
    """
    # Any library may set this flag, and then half a JPEG passes for a whole one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if not data:
        raise InvalidImageError("empty file")
    try:
        with Image.open(_Bounded(data), formats=formats) as image:
            yield image
    except InvalidImageError:
        raise
    except UnidentifiedImageError as error:
        raise InvalidImageError(_unknown_format(data, formats)) from error
    except Exception as error:
        reason = str(error).split("\n", 1)[0] or type(error).__name__
        raise InvalidImageError(f"this picture cannot be read: {reason}") from error


class _Bounded(io.BytesIO):
    """A file in memory that is read in a bounded number of pieces.

    Millions of empty segments would keep Pillow busy for minutes, which nothing can interrupt.
    """

    _left = 1_000_000  # a PNG of 100 MP has about 100,000 pieces

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise InvalidImageError("this picture cannot be read: too many segments")
        return super().read(size)


def _unknown_format(data: bytes, formats: tuple[str, ...]) -> str:
    if is_heic(data):
        return "a HEIC picture: pip install pillow-heif, or convert it to JPEG"
    if data[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "an HTML or XML page, not an image"
    return f"not a picture in a format that is read ({', '.join(formats)})"


def is_heic(data: bytes) -> bool:
    """Tell whether a picture is HEIF with HEVC inside, as iPhones take it."""
    brands = data[8:64]
    return data[4:8] == b"ftyp" and brands[:4] in _HEIC_BRANDS and b"avif" not in brands


def check_header(image: Image.Image, most: int = MAX_PIXELS) -> None:
    """Raise `InvalidImageError` for a pixel format or a size (in pixels) that no card can have."""
    width, height = image.size
    if width * height > most:
        raise InvalidImageError(f"{width} x {height} is more than {most:,} pixels")
    if min(width, height) < MIN_SIDE:
        raise InvalidImageError(f"{width} x {height} is too small for a card")
    if image.mode not in _MODES:  # converting 16-bit grey to RGB turns it white
        name = "16-bit grey" if image.mode.startswith("I") else image.mode
        raise InvalidImageError(f"pixel format {name} is not supported: convert it to 8 bits")


def _check_end(data: bytes, found: str) -> None:
    """Raise `InvalidImageError` for a cut file, a zero-filled tail, or appended bytes."""
    if found in _END:
        whole = data.endswith(_END[found])
    else:
        right_length = len(data) == int.from_bytes(data[4:8], "little") + _RIFF_HEADER
        whole = right_length and not data.endswith(_ZERO_TAIL)
    if not whole:
        raise InvalidImageError(f"truncated or followed by junk: no {found} end at its end")
