"""The scripts of devtools/ keep to the flags and exit codes of all others."""

import json
from pathlib import Path

import pytest
from PIL import Image
from support import run

from devtools.demo.photos import CACHE, INDEX, Photo, summary, take_photos
from devtools.drawn_cards.cards import deck, image_faces
from devtools.drawn_cards.drawing import draw

WRITERS = (
    ("scripts/draw_cards.py", "--out"),
    ("scripts/make_demo_model.py", "--out"),
    ("scripts/demo.py", "--work"),
    ("scripts/serve_scryfall.py", "--log"),
)


@pytest.mark.parametrize(("script", "flag"), WRITERS)
def test_an_unwritable_directory_is_6(script: str, flag: str, tmp_path: Path) -> None:
    """Where nothing can be written, the exit code says so."""
    file = tmp_path / "file"
    file.write_text("in the way")
    result = run(script, flag, file / "below")
    assert result.code == 6, result.err
    assert "ERROR: cannot write" in result.err


@pytest.mark.parametrize(("script", "flag"), WRITERS)
def test_all_problems_are_named_at_once(script: str, flag: str) -> None:
    """A wrong value and a flag that does not exist are both named."""
    wrong = ("--out", "") if flag == "--out" else ("--port", "x")
    result = run(script, "--no-such-flag", *wrong)
    assert result.code == 2
    assert "2 arguments are wrong" in result.err


def test_drawing_says_what_it_wrote(tmp_path: Path) -> None:
    """`--json` counts, and the files are there."""
    result = run("scripts/draw_cards.py", "--out", tmp_path, "--count", 3, "--json", "-q")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["images"] == 3
    assert len(list((tmp_path / "images").iterdir())) == 3
    assert (
        len((tmp_path / "cards.jsonl").read_text().splitlines()) == json.loads(result.out)["cards"]
    )


def test_a_server_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    """Cards that are no JSON are data, not a bug."""
    broken = tmp_path / "cards.jsonl"
    broken.write_text("{no json\n")
    result = run("scripts/serve_scryfall.py", "--cards", broken)
    assert result.code == 5
    assert "unusable" in result.err


def test_table_photos_show_cards_of_the_index(tmp_path: Path) -> None:
    """Each photo names its cards, and no card lies in two photos."""
    lines = []
    for folder in (INDEX, CACHE):
        (tmp_path / folder).mkdir()
    for number, (card, face) in enumerate(image_faces(deck(4))):
        name = f"{number}.png"
        draw(card, face, "small").save(tmp_path / CACHE / name)
        lines.append(json.dumps({"name": card["name"], "image_file": name}))
    (tmp_path / INDEX / "mtg_meta.jsonl").write_text("\n".join(lines))
    photos = take_photos(tmp_path)
    shown = [card["image_file"] for photo in photos for card in photo.shown]
    assert [len(photo.shown) for photo in photos] == [1, 2, 1]
    assert len(set(shown)) == 4
    for photo in photos:
        with Image.open(photo.path) as picture:
            assert picture.size == (1600, 1200)


def test_what_was_found_is_counted_card_by_card(tmp_path: Path) -> None:
    """Another printing is the card, a card that does not lie there is wrong."""
    shown = [{"name": name, "face_id": name} for name in "ABB"]
    found = [shown[0], {"name": "B", "face_id": "reprint"}, {"name": "C", "face_id": "C"}]
    photo = Photo(tmp_path, shown, found)
    assert (photo.found_cards(), photo.found_printings(), photo.wrong()) == (2, 1, 1)
    assert summary([photo]).startswith("2 of 3 cards found")
