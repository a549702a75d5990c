"""Card objects to faces: every layout by where its images are, and names that tell scans apart."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import run

from helpers.cards.card_face import CardFace, faces_of, safe_filename
from helpers.cards.face_list import list_path, read_list

HOST = "https://cards.scryfall.io"
LONE = "\ud800"  # half of a surrogate pair: JSON can hold it, UTF-8 cannot


def uris(name: str, *versions: str) -> dict[str, str]:
    """Return image URLs of a picture."""
    return {version: f"{HOST}/{version}/{name}.jpg?1" for version in versions or ("normal", "png")}


WHOLE = {"object": "card", "id": "c1", "name": "Front // Back", "image_uris": uris("c1"),
         "colors": ["W"], "oracle_id": "o1", "lang": "en", "set": "tst", "collector_number": "1",
         "frame": "2015", "layout": "normal", "scryfall_uri": f"{HOST}/tst/1", "artist": "Someone",
         "illustration_id": "i1", "released_at": "2020-01-01", "set_name": "Test"}  # fmt: skip


def card(**changes: Any) -> dict[str, Any]:
    """Return a card object with one picture, changed by `changes`; None takes a field out."""
    return {key: value for key, value in {**WHOLE, **changes}.items() if value is not None}


def faces(**changes: Any) -> list[CardFace]:
    """Return the faces of such a card; a skipped one fails the test."""
    found = list(faces_of(card(**changes), "normal"))
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
    ("changes", "reason"),
    [
        ({"image_status": "missing"}, "missing"),
        ({"image_status": "placeholder"}, "placeholder"),
        ({"image_uris": {"normal": "https://errors.scryfall.com/soon.jpg"}}, "missing"),
        ({"image_uris": None}, "no_image"),
        ({"image_uris": {}}, "no_image"),
        ({"id": None}, "not_a_card"),
        ({"name": None}, "not_a_card"),
        ({"id": ""}, "not_a_card"),
        ({"id": 17}, "not_a_card"),
        ({"id": LONE}, "not_a_card"),
        ({"name": ""}, "not_a_card"),
        ({"name": ["Front"]}, "not_a_card"),
        ({"image_uris": "https://cards.scryfall.io/a.jpg"}, "bad_image_uris"),
        ({"image_uris": ["https://cards.scryfall.io/a.jpg"]}, "bad_image_uris"),
        ({"image_uris": {"normal": 17}}, "bad_image_uris"),
        ({"image_uris": {"normal": ["a.jpg"]}}, "bad_image_uris"),
        ({"image_uris": {"normal": f"https://cards.scryfall.io/{LONE}.jpg"}}, "bad_image_uris"),
        ({"image_uris": {"normal": [], "png": 5}}, "bad_image_uris"),
        ({"image_uris": None, "card_faces": {"name": "Front"}}, "bad_card_faces"),
        ({"image_uris": None, "card_faces": "Front"}, "bad_card_faces"),
        ({"image_uris": None, "card_faces": [None]}, "bad_card_faces"),
        ({"image_uris": None, "card_faces": [{"image_uris": "x"}]}, "bad_image_uris"),
        ({"image_uris": None, "card_faces": [{**SIDES[0], "name": 17}]}, "bad_name"),
        ({"collector_number": 17}, "bad_collector_number"),
        ({"lang": ["en"]}, "bad_lang"),
        ({"set": {}}, "bad_set"),
        ({"artist": LONE}, "bad_artist"),
        ({"colors": "W"}, "bad_colors"),
        ({"colors": {"W": 1}}, "bad_colors"),
        ({"colors": {LONE: 1}}, "bad_colors"),
        ({"colors": ["W", 1]}, "bad_colors"),
        ({"colors": ["W", ""]}, "bad_colors"),
        ({"released_at": 1.5}, "bad_released_at"),
        ({"scryfall_uri": True}, "bad_scryfall_uri"),
    ],
)
def test_what_shows_no_card_is_skipped_with_its_reason(
    changes: dict[str, Any], reason: str
) -> None:
    """Stand-in pictures are never downloaded; each card left out has a reason to be counted by."""
    assert list(faces_of(card(**changes), "normal")) == [reason]


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


@pytest.mark.parametrize(
    ("lang", "changes", "printed"),
    [
        ("de", {"printed_name": "Blitzschlag"}, "Blitzschlag"),
        ("ja", {"card_faces": [{"printed_name": "火"}, {"printed_name": "氷"}]}, "火 // 氷"),
        ("es", {"card_faces": [{"printed_name": "Oferta/Demanda"}, {}]}, "Oferta/Demanda"),
        ("de", {"card_faces": [{}, 1]}, None),
        ("de", {"printed_name": ""}, None),
        ("en", {"printed_name": "Lightning Bolt"}, None),
        ("fr", {"printed_name": ["Foudre"]}, "bad_printed_name"),
    ],
)
def test_a_print_in_another_language_is_known_by_its_title(
    lang: str, changes: dict[str, Any], printed: str | None
) -> None:
    """Lines of English cards are as they always were."""
    (face,) = faces_of(card(lang=lang, **changes), "normal")
    if isinstance(face, str):
        assert face == printed
        return
    line = json.loads(face.to_json())
    assert line.get("printed_name") == printed
    assert ("printed_name" in line) is (printed is not None)
    assert CardFace.of_values(face.to_values()) == face


def test_each_side_has_its_printed_title() -> None:
    """A picture per side is a title per side."""
    sides = [{**SIDES[0], "printed_name": "Vorne"}, SIDES[1]]
    front, back = faces(lang="de", image_uris=None, card_faces=sides)
    assert (front.printed_name, back.printed_name) == ("Vorne", None)


def test_a_line_of_values_is_the_face() -> None:
    """What the face list holds comes back equal."""
    (face,) = faces(name="Jötun Grunt", artist="", colors=[])
    assert CardFace.of_values(face.to_values()) == face


@pytest.mark.parametrize("value", [None, 5, 1.5, True, "", LONE, [], [5], [None], {}, {"a": 1}])
@pytest.mark.parametrize("field", [*CardFace._fields, *WHOLE])
@pytest.mark.parametrize("at_side", ["card", "side"])
def test_no_value_of_any_field_is_too_odd(field: str, value: Any, at_side: str) -> None:
    """Each field of a card and of its sides may hold anything: a writable face, or a reason."""
    whole: dict[str, Any] = {**WHOLE, "card_faces": [dict(side) for side in SIDES]}
    if at_side == "side":
        del whole["image_uris"]
        whole["card_faces"][0][field] = value
    else:
        whole[field] = value
    for found in faces_of(whole, "normal"):
        if isinstance(found, CardFace):
            assert CardFace.of_values(found.to_values()) == found
            assert found.name
            assert found.scryfall_id
            assert found.face_id
        else:
            assert re.fullmatch(r"missing|placeholder|no_image|not_a_card|bad_[a-z_]+", found)


def test_odd_cards_are_counted_and_named(tmp_path: Path) -> None:
    """A run leaves them out, with the first of each kind by its name; the others are all there."""
    good = [card(id=f"c{n}", name=f"Card {n}") for n in range(3)]
    odd = [card(id="c3", lang=["en"]), card(id="c4", lang=5), card(id="c1"), {"name": LONE}]
    bulk = tmp_path / "bulk.jsonl"
    bulk.write_text("".join(json.dumps(each) + "\n" for each in (*good, *odd)))
    flags = ("--bulk-file", bulk, "--cache", tmp_path / "cache", "--limit", 0, "--json")
    result = run("download_images.py", *flags)
    assert result.code == 0, result.err
    assert result.json()["skipped"] == {"bad_lang": 2, "duplicate_id": 1, "not_a_card": 1}
    assert "2 bad_lang (the first: 'c3' 'Front // Back')" in result.err
    assert "1 duplicate_id (the first: 'c1' 'Front // Back')" in result.err
    listed = read_list(list_path(tmp_path / "cache", "local", "normal"))
    assert listed is not None
    assert [face.face_id for face in listed] == ["c0", "c1", "c2"]
    assert [face.name for face in listed] == ["Card 0", "Card 1", "Card 2"]


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
    assert re.fullmatch(r"[0-9a-f]{48}" + re.escape(suffix), safe_filename(url))


def test_a_bulk_file_without_a_single_readable_card_is_refused(tmp_path: Path) -> None:
    """Exit code 5 instead of an empty list: not one card but the format has changed."""
    bulk = tmp_path / "bulk.jsonl"
    bulk.write_text("".join(json.dumps(card(id=f"c{n}", lang=["en"])) + "\n" for n in range(9)))
    result = run("download_images.py", "--bulk-file", bulk, "--cache", tmp_path / "cache")
    assert result.code == 5
    assert "{'bad_lang': 9}" in result.err
