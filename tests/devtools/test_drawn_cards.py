"""Drawn cards: a picture follows from its card, and two cards do not look alike."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from devtools.drawn_cards.cards import EXTENSIONS, deck, image_faces
from devtools.drawn_cards.drawing import draw, render
from devtools.drawn_cards.frames import layout

CARDS = deck(60, seed=3)
SIZES = {"normal": (488, 680), "small": (146, 204), "png": (745, 1040), "border_crop": (480, 680)}


def pixels(card: dict[str, Any], face: int = 0) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Return a card's picture as int16 [680, 488, 3]."""
    return np.asarray(draw(card, face, "normal")).astype(np.int16)


@pytest.mark.parametrize("version", EXTENSIONS)
def test_every_version_is_a_file_of_its_type(version: str) -> None:
    """Each version has the type and, where Scryfall fixes it, the size that it has there."""
    with Image.open(io.BytesIO(render(CARDS[0], 0, version))) as image:
        assert image.format == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[EXTENSIONS[version]]
        assert image.size == SIZES.get(version, image.size)


def test_a_picture_follows_from_its_card() -> None:
    """The same card is drawn the same; no two faces look the same."""
    faces = list(image_faces(CARDS))
    drawn = [render(card, face, "small") for card, face in faces]
    assert drawn == [render(card, face, "small") for card, face in faces]
    usable = [card["image_status"] != "placeholder" for card, _ in faces]
    kept = [file for file, usable_one in zip(drawn, usable, strict=True) if usable_one]
    assert len(set(kept)) == len(kept)


def test_printings_in_one_frame_differ_where_the_set_is_named() -> None:
    """The same art and frame: only the set symbol and the collector line tell them apart."""
    card = next(card for card in CARDS if card["layout"] == "normal" and not card["full_art"])
    other = card | {"set": "zzz", "collector_number": "999"}
    apart = np.abs(pixels(card) - pixels(other)).max(axis=2) > 0
    assert 0.0005 < apart.mean() < 0.02
    _, top, _, bottom = layout(card).type_line.scaled(488 / 745)
    apart[top - 8 : bottom + 8] = False  # the symbol is a little higher than the line
    assert not apart[: round(962 * 488 / 745)].any()


def test_a_card_needs_next_to_nothing() -> None:
    """The picture for missing scans comes from a card with a name only."""
    card = {"id": "soon", "name": "Image coming soon", "image_status": "placeholder"}
    assert draw(card, 0, "normal").size == (488, 680)
