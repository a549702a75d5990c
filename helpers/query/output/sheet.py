"""`--sheet`: what it shows of an answer, whether it is drawn or written as a page."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from helpers.query.answer import MATCH, NO_CARD, UNSURE, Answer, Corners, Found, Hit
from helpers.query.output.lines import where
from helpers.query.photo_file import opened

TITLE = "Which cards are in these pictures?"
COLOURS = {MATCH: "#137333", UNSURE: "#b06000", NO_CARD: "#6b6b70"}
#: Longer side in pixels of the copy that an answer keeps: about 200 kB as JPEG, and enough to
#: read the cards of a table by.
KEPT_SIDE = 1400
CARD_SIZE = (244, 340)  # width and height in pixels of a card that is cut out
_QUALITY = 85
_MOST_ENLARGED = 2  # small webcam frames, so that outlines can be told from each other
_LINE = 1 / 200  # of the longer side
_NUMBER = 1 / 26


def label(answer: Answer) -> str:
    """Return the text above a picture."""
    name = answer.query.rstrip("/").rsplit("/", 1)[-1] or answer.query
    remark = answer.error or ("the same picture as one above" if answer.repeated else "")
    return f"{name}: {remark}" if remark else name


def shown_hits(card: Found) -> list[Hit]:
    """Return the cards of the index to show, best first: of a match only that one."""
    return card.hits[:1] if card.verdict == MATCH else card.hits


def caption(hit: Hit) -> list[str]:
    """Return the lines under a scan."""
    others = len(hit.get("also", ()))
    more = f"and {others} more printing{'s' if others > 1 else ''}" if others else ""
    lines = (hit["name"], " ".join(where(hit)), f"score {hit['score']:.3f}", more)
    return [line for line in lines if line]


def scan_of(hit: Hit, cache: Path) -> Image.Image | None:
    """Return the picture of a card of the index, None if it isn't there."""
    return opened(cache / hit["image_file"]) if hit.get("image_file") else None


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


def shown_size(answer: Answer, side: int) -> tuple[int, int]:
    """Return width and height in which a picture is shown that has `side` pixels of room."""
    width, height = answer.width or 1, answer.height or 1
    scale = min(side / max(width, height), _MOST_ENLARGED)
    return max(1, round(width * scale)), max(1, round(height * scale))


def outlined(photo: Image.Image, answer: Answer, side: int) -> Image.Image:
    """Return a copy that fits `side` pixels, with numbered outlines of the cards drawn on it."""
    shown = photo.resize(shown_size(answer, side), Image.Resampling.LANCZOS)
    for number, card in enumerate(answer.cards, 1):
        if corners := _placed(card, answer, shown):
            _draw(shown, str(number), corners, COLOURS[card.verdict])
    return shown


def cut_out(photo: Image.Image, card: Found, answer: Answer) -> Image.Image | None:
    """Return a card of a copy of the photo, upright; None where the whole picture is the card."""
    corners = _placed(card, answer, photo)
    if corners is None:  # always so without OpenCV, which finds cards
        return None
    from helpers.photo.rectify import rectify

    return Image.fromarray(rectify(np.asarray(photo), np.asarray(corners), CARD_SIZE))


def _placed(card: Found, answer: Answer, copy: Image.Image) -> Corners | None:
    """Return the corners of a card in pixels of a copy of the picture that was asked."""
    scale = copy.width / (answer.width or 1)
    return card.corners and tuple((x * scale, y * scale) for x, y in card.corners)


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
