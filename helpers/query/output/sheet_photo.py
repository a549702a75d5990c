"""The photo of a sheet: small, with the outlines of its cards drawn on it, and cut into cards."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from helpers.packages import is_here
from helpers.query.answer import MATCH, NO_CARD, UNSURE, Answer, Found

Corners = Sequence[tuple[float, float]]


COLOURS = {MATCH: "#137333", UNSURE: "#b06000", NO_CARD: "#6b6b70"}

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


def opened(source: Path | bytes | None) -> Image.Image | None:
    """Return a picture the way it is to be looked at, or None if there isn't one."""
    if source is None:
        return None
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def placed(card: Found, answer: Answer, copy: Image.Image) -> Corners | None:
    """Return the corners of a card in pixels of a copy of the picture that was asked."""
    scale = copy.width / (answer.width or 1)
    return card.corners and [(x * scale, y * scale) for x, y in card.corners]


def cut_out(photo: Image.Image, corners: Corners) -> Image.Image:
    """Return a card of the photo, upright where OpenCV is installed, else its bounding box.

    Args:
        photo: RGB.
        corners: in pixels of `photo`, clockwise from the card's own top left.
    """
    if is_here("cv2"):
        import numpy as np

        from helpers.photo.rectify import rectify

        return Image.fromarray(rectify(np.asarray(photo), np.asarray(corners), CARD_SIZE))
    across, down = zip(*corners, strict=True)
    left, top = max(0, int(min(across))), max(0, int(min(down)))
    right, bottom = max(left + 1, int(max(across))), max(top + 1, int(max(down)))
    return photo.crop((left, top, right, bottom))


def outlined(photo: Image.Image, answer: Answer, side: int) -> Image.Image:
    """Return a copy that fits `side` pixels, with numbered outlines of the cards drawn on it."""
    side = min(side, _MOST_ENLARGED * max(photo.size))
    shown = ImageOps.contain(photo, (side, side), Image.Resampling.LANCZOS)
    for number, card in enumerate(answer.cards, 1):
        corners = placed(card, answer, shown)
        if corners is not None:
            _draw(shown, str(number), corners, COLOURS[card.verdict])
    return shown


def _draw(shown: Image.Image, number: str, corners: Corners, colour: str) -> None:
    draw = ImageDraw.Draw(shown)
    side = max(shown.size)
    width = max(2, round(side * _LINE))
    draw.line([*corners, corners[0], corners[1]], fill=colour, width=width, joint="curve")
    radius = max(9, round(side * _NUMBER / 2))
    x, y = (
        min(max(place, radius), length - radius)
        for place, length in zip(corners[0], shown.size, strict=True)
    )
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    font = ImageFont.load_default(radius * 1.3)
    draw.text((x, y), number, fill="white", font=font, anchor="mm")
