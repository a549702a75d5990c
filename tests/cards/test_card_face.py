"""Card objects to faces: every layout by where its images are, and names that tell scans apart."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from helpers.cards.card_face import CardFace, faces_of, image_suffix, safe_filename

HOST = "https://cards.scryfall.io"


def uris(name: str, *versions: str) -> dict[str, str]:
    """Return image URLs of a picture."""
    return {version: f"{HOST}/{version}/{name}.jpg?1" for version in versions or ("normal", "png")}


def card(**fields: Any) -> dict[str, Any]:
    """Return a card object with one picture, changed by `fields`; None takes a field out."""
    whole = {"object": "card", "id": "c1", "name": "Front // Back", "image_uris": uris("c1"),
             "colors": ["W"], "oracle_id": "o1", "lang": "en", **fields}  # fmt: skip
    return {key: value for key, value in whole.items() if value is not None}


def faces(**fields: Any) -> list[CardFace]:
    """Return the faces of such a card; a skipped one fails the test."""
    found = list(faces_of(card(**fields), "normal"))
    assert all(isinstance(face, CardFace) for face in found)
    return [face for face in found if isinstance(face, CardFace)]


SIDES = [
    {"name": "Front", "image_uris": uris("f"), "colors": ["U"], "oracle_id": "of"},
    {"name": "Back", "image_uris": uris("b")},
]


@pytest.mark.parametrize("layout", ["transform", "modal_dfc", "reversible_card", "of_tomorrow"])
def test_a_picture_per_side_is_a_face_per_side(layout: str) -> None:
    """Where `card_faces` hold the images each is a face, whatever the layout is called."""
    front, back = faces(layout=layout, image_uris=None, card_faces=SIDES)
    assert (front.face_id, back.face_id) == ("c1:face:0", "c1:face:1")
    assert (front.name, back.name) == ("Front", "Back")
    assert front.card_name == back.card_name == "Front // Back"
    assert (front.colors, back.colors) == (["U"], ["W"])
    assert (front.oracle_id, back.oracle_id) == ("of", "o1")


@pytest.mark.parametrize("layout", ["split", "adventure", "flip", "front_card"])
def test_one_picture_is_one_face(layout: str) -> None:
    """A split card has faces but one image: one face, with the card's id and whole name."""
    sides = [{"name": "Front"}, {"name": "Back"}]
    (face,) = faces(layout=layout, card_faces=sides)
    assert (face.face_id, face.name) == ("c1", "Front // Back")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"image_status": "missing"}, "missing"),
        ({"image_status": "placeholder"}, "placeholder"),
        ({"image_uris": {"normal": "https://errors.scryfall.com/soon.jpg"}}, "missing"),
        ({"image_uris": None}, "no_image"),
        ({"image_uris": {}}, "no_image"),
        ({"id": None}, "not_a_card"),
        ({"name": None}, "not_a_card"),
    ],
)
def test_what_shows_no_card_is_skipped_with_its_reason(fields: dict[str, Any], reason: str) -> None:
    """Stand-in pictures are never downloaded; each card left out has a reason to be counted by."""
    assert list(faces_of(card(**fields), "normal")) == [reason]


def test_a_side_without_image_is_skipped_alone() -> None:
    """The other side stays."""
    sides = [SIDES[0], {"name": "Back"}]
    front, back = faces_of(card(image_uris=None, card_faces=sides), "normal")
    assert isinstance(front, CardFace)
    assert back == "no_image"


@pytest.mark.parametrize(
    ("wanted", "present", "taken"),
    [
        ("png", ("normal", "png"), "png"),
        ("normal", ("small", "large"), "large"),
        ("grid", ("png", "small"), "png"),
        ("normal", ("small", "art_crop"), "small"),
        ("art_crop", ("small", "art_crop"), "art_crop"),
    ],
)
def test_the_next_best_image_stands_in(wanted: str, present: tuple[str, ...], taken: str) -> None:
    """A face without the wanted version gets the best picture of the whole card that it has."""
    (face,) = faces_of(card(image_uris=uris("c1", *present)), wanted)
    assert isinstance(face, CardFace)
    assert f"/{taken}/" in face.image_url


def test_the_metadata_line_begins_with_the_documented_keys() -> None:
    """The twelve keys of old come first, the file's name comes last, and text stays readable."""
    (face,) = faces(name="Jötun Grunt")
    line = json.loads(face.to_json())
    assert list(line)[:12] == [
        "name", "scryfall_id", "face_id", "set", "collector_number", "frame", "layout", "lang",
        "colors", "image_url", "card_url", "scryfall_uri",
    ]  # fmt: skip
    assert list(line)[-1] == "image_file"
    assert "Jötun" in face.to_json()
    assert CardFace(**line) == face
    assert asdict(face) == line


def test_a_line_of_values_is_the_face() -> None:
    """What the face list holds comes back equal; a lone surrogate becomes a question mark."""
    (face,) = faces(name="Jötun Grunt")
    assert CardFace.of_values(face.to_values()) == face
    (odd,) = faces(name="odd \ud800")
    assert CardFace.of_values(odd.to_values()).name == "odd ?"


def test_file_names_tell_scans_of_one_picture() -> None:
    """Two epochs of a URL share the first 32 digits; two pictures share nothing."""
    one, two = safe_filename(f"{HOST}/a.jpg?1"), safe_filename(f"{HOST}/a.jpg?2")
    assert one[:32] == two[:32]
    assert one[32:48] != two[32:48]
    assert len(one) == 48 + len(".jpg")
    assert safe_filename(f"{HOST}/b.jpg?1")[:32] != one[:32]


@pytest.mark.parametrize(
    ("url", "suffix"),
    [
        ("https://h/a.PNG?1", ".png"),
        ("https://h/a.webp", ".webp"),
        ("https://h/a.jpeg", ".jpg"),
        ("https://h/a", ".jpg"),
        ("https://h/a.gif", ".jpg"),
        ("https://h/../../etc/passwd", ".jpg"),
    ],
)
def test_the_extension_is_one_of_three(url: str, suffix: str) -> None:
    """Whatever a URL says, a file of the cache is .jpg, .png or .webp, and has no path."""
    assert image_suffix(url) == suffix
    assert "/" not in safe_filename(url)
