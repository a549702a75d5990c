"""The photo of a sheet: small, with the outlines of its cards drawn on it, and cut into cards."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps

from helpers.packages import is_here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Source = Path | bytes | Image.Image | None
    Corners = Sequence[tuple[float, float]]

#: Longer side in pixels of the copy that an answer keeps: about 200 kB as JPEG, and enough to
#: read the cards of a table by.
KEPT_SIDE = 1400
#: Width and height in pixels of a card that is cut out.
CARD_SIZE = (244, 340)
_QUALITY = 85
_MOST_ENLARGED = 2  # small webcam frames, so that outlines can be told from each other
_LINE = 1 / 200  # of the longer side
_NUMBER = 1 / 26


def small_copy(picture: Image.Image) -> bytes:
    """Return a small JPEG of a picture."""
    copy = picture.convert("RGB")
    copy.thumbnail((KEPT_SIDE, KEPT_SIDE), reducing_gap=2.0)
    return jpeg(copy)


def jpeg(picture: Image.Image) -> bytes:
    """Return a picture as JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def opened(source: Source) -> Image.Image | None:
    """Return a picture the way it is to be looked at, or None if there isn't one."""
    if isinstance(source, Image.Image):
        return source.convert("RGB")
    if source is None:
        return None
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def cut_out(photo: Image.Image, corners: Corners | None) -> Image.Image:
    """Return a card of the photo, upright where OpenCV is installed, else its bounding box.

    Args:
        photo: RGB.
        corners: in pixels of `photo`, clockwise from the card's own top left; None for all of it.
    """
    if corners is None:
        return photo
    if is_here("cv2"):
        import numpy as np

        from helpers.photo.rectify import rectify

        return Image.fromarray(rectify(np.asarray(photo), np.asarray(corners), CARD_SIZE))
    across, down = zip(*corners, strict=True)
    left, top = max(0, int(min(across))), max(0, int(min(down)))
    right, bottom = max(left + 1, int(max(across))), max(top + 1, int(max(down)))
    return photo.crop((left, top, right, bottom))


def outlined(
    photo: Image.Image, outlines: Sequence[tuple[str, Corners, str]], side: int
) -> Image.Image:
    """Return a copy that fits `side` pixels, with outlines drawn on it.

    Args:
        photo: RGB.
        outlines: of each card its number, its corners in pixels of `photo`, and a colour.
        side: in pixels.
    """
    side = min(side, _MOST_ENLARGED * max(photo.size))
    shown = ImageOps.contain(photo, (side, side), Image.Resampling.LANCZOS)
    scale = shown.width / photo.width
    for number, corners, colour in outlines:
        _draw(shown, number, [(x * scale, y * scale) for x, y in corners], colour)
    return shown


def _draw(shown: Image.Image, number: str, corners: Corners, colour: str) -> None:
    draw = ImageDraw.Draw(shown)
    side = max(shown.size)
    width = max(2, round(side * _LINE))
    draw.line([*corners, corners[0], corners[1]], fill=colour, width=width, joint="curve")
    radius = max(9, round(side * _NUMBER / 2))
    x, y = (_inside(corners[0][axis], radius, shown.size[axis]) for axis in (0, 1))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    font = ImageFont.load_default(radius * 1.3)
    draw.text((x, y), number, fill="white", font=font, anchor="mm")


def _inside(place: float, radius: int, length: int) -> float:
    return min(max(place, radius), length - radius)
