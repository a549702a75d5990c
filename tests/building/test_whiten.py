"""The whitening of a build: learned, taken over, learned anew, left out."""

import json
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from builds import INDEX, VECTORS, Deck, build, manifest, same_files, statistics

from helpers.building import whiten
from helpers.building.views import DISTORTIONS, amounts
from helpers.building.whiten import by_content, sample_size
from helpers.index.graph import read_whitening

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer cards and views, which is all that makes these builds slow."""
    for name, value in {
        "CARDS": 18,
        "VIEWS": 5,
        "_HELD_OUT": 8,
        "_HELD_OUT_VIEWS": 4,
        "_NO_CARDS": 2,
    }.items():
        monkeypatch.setattr(whiten, name, value)


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    """A deck of 30 cards: more than the sample needs."""
    return Deck.of(tmp_path, 30)


def about(out: Path) -> dict[str, Any]:
    """Return what the manifest says of the whitening."""
    found: dict[str, Any] = manifest(out)["whitening"]
    return found


def matrix(out: Path) -> bytes:
    """Return the bytes of the whitening in the index."""
    found = read_whitening(out / INDEX)
    return b"" if found is None else found.matrix.tobytes() + found.bias.tobytes()


def test_a_build_learns_it_and_says_so(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """Sample, seed, shrinkage, gain and thresholds; the files of the vectors stay as they were."""
    result = build(deck, tmp_path / "out", model, capsys, "--whiten")
    build(deck, tmp_path / "plain", model, capsys)

    found = about(tmp_path / "out")
    assert found["used"]
    assert found["sample"] == {
        "cards": 18,
        "views": 5,
        "held_out_cards": 8,
        "held_out_views": 4,
        "rows": 30,
    }
    assert found["shrinkage"] in whiten.SHRINKAGES
    assert found["gain"]["top_1_after"] > found["gain"]["top_1_before"]
    assert set(found["thresholds"]) == {
        "score",
        "margin",
        "noise_score",
        "missing_score",
        "unknown_scans",
    }
    assert found["thresholds"]["unknown_scans"] == 30
    assert "views of 8 other cards find their card in" in result.err
    assert manifest(tmp_path / "out")["index"]["scores"] == "whitened cosine"
    assert manifest(tmp_path / "plain")["index"]["scores"] == "cosine"
    assert about(tmp_path / "plain")["why_not"] == "--no-whiten"
    assert same_files(tmp_path / "out", tmp_path / "plain")


def test_faiss_alone_finds_every_row_by_its_unit_vector(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """The `.npy` holds what the index is asked with."""
    build(deck, tmp_path / "out", model, capsys, "--whiten")

    scores, ids = faiss.read_index(str(tmp_path / "out" / INDEX)).search(
        np.load(tmp_path / "out" / VECTORS), 1
    )

    assert ids[:, 0].tolist() == list(range(30))
    assert np.allclose(scores, 1, rtol=0, atol=1e-5)


def test_two_builds_from_nothing_are_the_same_to_the_byte(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """Vectors, metadata and index."""
    for name in ("one", "other"):
        assert build(deck, tmp_path / name, model, capsys, "--whiten").code == 0
    assert same_files(tmp_path / "one", tmp_path / "other")
    one, other = ((tmp_path / name / INDEX).read_bytes() for name in ("one", "other"))
    assert one == other


def test_a_rebuild_takes_it_over(deck: Deck, tmp_path: Path, model: str, capsys: Capture) -> None:
    """New cards change nothing about it; `--no-reuse` learns from what is there now."""
    out = tmp_path / "out"
    build(deck, out, model, capsys, "--whiten")
    before, matrix_before = about(out), matrix(out)
    deck.put([(number, 1) for number in range(100, 140)])

    result = build(deck, out, model, capsys, "--whiten")

    assert result.code == 0, result.err
    assert "that of the last build" in result.err
    assert (about(out), matrix(out)) == (before, matrix_before)
    assert build(deck, out, model, capsys, "--whiten", "--no-reuse").code == 0
    assert matrix(out) != matrix_before


def test_thresholds_that_never_met_unknown_cards_are_measured_anew(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """By the next build that has something new to do; no card is embedded again for it."""
    out = tmp_path / "out"
    build(deck, out, model, capsys, "--whiten")
    document = manifest(out)
    del document["whitening"]["thresholds"]["unknown_scans"], document["sha256"]
    (out / "build_manifest.json").write_text(json.dumps(document))
    deck.put([(number, 1) for number in range(31)])

    build(deck, out, model, capsys, "--whiten")

    assert about(out)["thresholds"]["unknown_scans"] == 31
    assert statistics(out)["reused_embeddings"] == 30


def test_more_cards_where_there_were_too_few_learn_it_anew(
    tmp_path: Path, model: str, capsys: Capture
) -> None:
    """16 of 24 pictures are fewer than the full sample of 18."""
    deck, out = Deck.of(tmp_path, 24), tmp_path / "out"
    build(deck, out, model, capsys, "--whiten")
    before = matrix(out)
    assert about(out)["sample"]["cards"] == 16
    deck.put([(number, 1) for number in range(30)])

    build(deck, out, model, capsys, "--whiten")

    assert about(out)["sample"]["cards"] == 18
    assert matrix(out) != before


def test_the_flag_changes_only_the_index(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """Off and on again embeds no card, and gives the same files as at first."""
    out = tmp_path / "out"
    build(deck, out, model, capsys, "--whiten")
    before = {name: (out / name).read_bytes() for name in (VECTORS, INDEX)}

    build(deck, out, model, capsys, "--no-whiten")
    assert statistics(out)["reused_embeddings"] == 30
    assert matrix(out) == b""
    build(deck, out, model, capsys, "--whiten")

    assert statistics(out)["reused_embeddings"] == 30
    assert {name: (out / name).read_bytes() for name in before} == before


def test_too_few_pictures(tmp_path: Path, model: str, capsys: Capture) -> None:
    """23 distinct pictures, one of them twice, are too few, and the build says so."""
    deck = Deck.of(tmp_path, 24)
    deck.image(3).write_bytes(deck.image(4).read_bytes())

    result = build(deck, tmp_path / "out", model, capsys, "--whiten")

    assert result.code == 0
    assert "24 distinct pictures" in result.err
    assert not about(tmp_path / "out")["used"]
    assert matrix(tmp_path / "out") == b""


def test_it_stays_off_where_it_does_not_help(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build says so, and the next one does not try again."""
    monkeypatch.setattr(whiten, "quality", lambda _: (0.5, 1.0))
    out = tmp_path / "out"

    result = build(deck, out, model, capsys, "--whiten")

    assert "it stays off" in result.err
    assert about(out)["why_not"] == "it did not help"
    assert about(out)["gain"]
    assert matrix(out) == b""
    deck.put([(number, 1) for number in range(31)])
    assert "distorted views" not in build(deck, out, model, capsys, "--whiten").err


def test_an_index_of_version_1_1_is_built_anew_without_embedding(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """It says nothing of a whitening: its vectors are reused and the whitening is learned."""
    out = tmp_path / "out"
    build(deck, out, model, capsys)
    document = manifest(out)
    del document["whitening"], document["index"]["whitened"], document["index"]["scores"]
    del document["sha256"]
    (out / "build_manifest.json").write_text(json.dumps(document))

    build(deck, out, model, capsys, "--whiten")

    assert statistics(out)["reused_embeddings"] == 30
    assert about(out)["used"]


def test_the_sample_is_one_of_contents() -> None:
    """Whatever the order of the rows; copies count once."""
    sha256 = np.random.default_rng(0).integers(0, 256, (50, 32), dtype=np.uint8)
    sha256[7] = sha256[3]
    order = np.random.default_rng(1).permutation(50)

    chosen, shuffled = sha256[by_content(sha256)], sha256[order][by_content(sha256[order])]

    assert len(chosen) == 49
    assert (chosen == shuffled).all()


def test_the_strongest_of_equally_good_shrinkages() -> None:
    """One view of 150 decides nothing."""
    assert whiten.strongest({0.1: 0.907, 1.0: 0.9, 3.0: 0.893, 10.0: 0.7}) == 1.0


def test_how_many_are_learned_on() -> None:
    """Two thirds, up to the full sample; none of too few."""
    assert [sample_size(count) for count in (0, 23, 24, 26, 27, 9999)] == [0, 0, 16, 17, 18, 18]


def test_light_and_contrast_are_among_the_distortions() -> None:
    """In every view, by another amount each time."""
    views = [amounts(seed) for seed in range(20)]
    for kind in ("colour_cast", "contrast"):
        found = [view[kind] for view in views]
        assert len(set(found)) == 20
        assert 0 <= min(found) < max(found) <= DISTORTIONS[kind][0]
    assert any("glare" not in view for view in views)
