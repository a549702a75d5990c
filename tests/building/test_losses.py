"""An index never loses rows, and a build never leaves out images, in silence."""

from pathlib import Path

import pytest
from builds import MANIFEST, VECTORS, Deck, build, manifest, statistics
from support import Scryfall, run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def cards(tmp_path: Path) -> Deck:
    """Thirty cards."""
    return Deck.of(tmp_path, 30)


@pytest.fixture
def out(cards: Deck, tmp_path: Path, model: str, capsys: Capture) -> Path:
    """An index of all of them."""
    assert build(cards, tmp_path / "out", model, capsys, "--no-whiten").code == 0
    return tmp_path / "out"


def spoil(cards: Deck, count: int) -> None:
    """Cut the images of the first cards."""
    for place in range(count):
        cards.image(place).write_bytes(cards.image(place).read_bytes()[:400])


def test_broken_images_do_not_shrink_an_index(
    cards: Deck, out: Path, model: str, capsys: Capture
) -> None:
    """Exit 5 with both numbers, whatever was asked; the old index is as it was, also next week."""
    spoil(cards, 12)
    before = (out / MANIFEST).read_bytes(), (out / VECTORS).read_bytes()

    for _ in range(2):
        result = build(cards, out, model, capsys, "--no-whiten", "--quiet")

        assert result.code == 5
        assert "would shrink from 30 rows to 18" in result.err
        assert "12 images are broken" in result.err
        assert "--allow-shrink" in result.err
        assert ((out / MANIFEST).read_bytes(), (out / VECTORS).read_bytes()) == before

    result = build(cards, out, model, capsys, "--no-whiten", "--allow-shrink")
    assert result.code == 3, "broken images are told all the same"
    assert statistics(out)["successful_embeddings"] == 18


def test_missing_images_do_not_shrink_an_index(
    cards: Deck, out: Path, model: str, capsys: Capture
) -> None:
    """Nor does a cache that was half removed."""
    for place in range(20):
        cards.image(place).unlink()

    result = build(cards, out, model, capsys, "--no-whiten")

    assert result.code == 5
    assert "would shrink from 30 rows to 10" in result.err
    assert "20 are not in" in result.err


def test_fewer_cards_do_not_shrink_an_index(
    cards: Deck, out: Path, model: str, capsys: Capture
) -> None:
    """`--limit` over a full index is a usage error, unless it is meant."""
    result = build(cards, out, model, capsys, "--no-whiten", "--limit", 5)
    assert result.code == 2
    assert "would shrink from 30 rows to 5" in result.err
    assert "the flags ask for 5 faces" in result.err

    assert build(cards, out, model, capsys, "--no-whiten", "--limit", 5, "--allow-shrink").code == 0
    assert manifest(out)["index"]["vectors"] == 5


def test_a_tenth_may_go(cards: Deck, out: Path, model: str, capsys: Capture) -> None:
    """27 of 30 is nine tenths; 26 is not."""
    assert build(cards, out, model, capsys, "--no-whiten", "--limit", 26).code == 2
    assert build(cards, out, model, capsys, "--no-whiten", "--limit", 27).code == 0


def test_broken_images_above_the_rate_are_incomplete(
    cards: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """A first build of 28 of 30 is 3, and so is the next one that has nothing to do."""
    spoil(cards, 2)
    flags = ("--no-whiten", "--quiet")
    for _ in range(2):
        result = build(cards, tmp_path / "new", model, capsys, *flags)
        assert result.code == 3
        assert "lacks 2 cards whose images are broken" in result.err
        assert "6.7% of 30 images" in result.err

    result = build(cards, tmp_path / "new", model, capsys, *flags, "--max-failure-rate", 0.1)
    assert result.code == 0
    assert "WARNING: the index in" in result.err, "--quiet is silent only when all is well"


def test_quiet_is_silent_when_all_is_well(
    cards: Deck, out: Path, model: str, capsys: Capture
) -> None:
    """Nothing on stderr, from a build and from one that has nothing to do."""
    assert build(cards, out, model, capsys, "--no-whiten", "--quiet").err == ""
    assert build(cards, out, model, capsys, "--no-whiten", "--quiet", "--no-reuse").err == ""


@pytest.mark.parametrize("noted", [True, False])
def test_one_step_fetches_broken_images_again(
    scryfall: Scryfall,
    tmp_path: Path,
    plain_model: str,
    noted: bool,  # noqa: FBT001
) -> None:
    """What validation rejects is fetched anew, with and without a note of its digest."""
    cache, out = tmp_path / "cache", tmp_path / "out"
    flags = ("--scryfall-api", scryfall.url, "--cache", cache, "--out", out, "--model", plain_model)
    more = ("--no-whiten", "--quiet")
    first = run("build_mtg_faiss.py", *flags, *more)
    assert (first.code, first.err) == (0, "")
    before = (out / VECTORS).read_bytes()
    for path in sorted(cache.glob("*.jpg"))[:12]:
        path.write_bytes(path.read_bytes()[:5000])
    if not noted:
        (cache / "SHA256SUMS").unlink()

    again = run("build_mtg_faiss.py", *flags, *more, "--json")

    assert again.code == 0, again.err
    assert "12 broken images are fetched again" in again.err
    assert again.json()["download"]["downloaded"] == 12
    assert (out / VECTORS).read_bytes() == before
    assert statistics(out)["validation_failures"] == 0
