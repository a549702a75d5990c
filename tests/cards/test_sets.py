"""`--set`: only the cards of some sets, and never an index that shrinks by it unasked."""

import json
from pathlib import Path

from support import Scryfall, run


def sets_of(deck: Path) -> list[str]:
    """Return the set of every card of the drawn deck."""
    return [json.loads(line)["set"] for line in (deck / "cards.jsonl").read_text().splitlines()]


def test_only_the_cards_of_a_set_are_fetched(
    scryfall: Scryfall, deck: Path, tmp_path: Path
) -> None:
    """Codes in any case; faces of other sets are neither asked for nor counted."""
    wanted = sets_of(deck)[0]
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path, "--json")
    result = run("download_images.py", *flags, "--set", wanted.upper())
    assert result.code == 0, result.err
    faces = result.json()["faces"]
    assert 0 < faces < len(sets_of(deck))
    assert len(scryfall.image_requests()) == faces
    limited = run("download_images.py", *flags, "--set", wanted, "--limit", 1)
    assert limited.json()["faces"] == 1


def test_a_set_that_nobody_knows_is_refused(scryfall: Scryfall, tmp_path: Path) -> None:
    """Named, with what was looked for: exit code 2; a code of odd letters before any request."""
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path)
    result = run("download_images.py", *flags, "--set", "zzz9")
    assert result.code == 2
    assert "no card of the sets zzz9" in result.err
    before = len(scryfall.log())
    assert run("download_images.py", *flags, "--set", "r t,r").code == 2
    assert len(scryfall.log()) == before
