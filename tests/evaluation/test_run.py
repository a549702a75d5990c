"""scripts/evaluate_index.py: what it measures, what it saves, and what it refuses."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from documents import check
from numpy.typing import NDArray
from PIL import Image
from support import Result, run

from helpers.evaluation.identify import sample_sources
from helpers.images.non_cards import NON_CARDS, non_card
from helpers.index.exact_search import CLOSENESS, exact_top, perturbed, recall

SCRIPT = "scripts/evaluate_index.py"


def unit(rows: int, dimension: int = 16) -> NDArray[np.float32]:
    """Return random rows of unit length."""
    rng = np.random.default_rng(rows)
    vectors = rng.standard_normal((rows, dimension), dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


# --- queries and truth -----------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_perturbed_queries_are_that_close(rows: int) -> None:
    """Each is of unit length and has the stated cosine to some row, even if all noise is equal."""
    vectors = unit(rows)
    queries = perturbed(vectors, 40, seed=1)
    assert np.allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)
    near = np.abs(queries @ vectors.T - CLOSENESS).min(axis=1)
    assert (near < 1e-4).all()
    assert (queries == perturbed(vectors, 40, seed=1)).all()


def test_exact_top_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks give the same rows as one product of everything, equal scores by row."""
    vectors = np.concatenate([unit(30), unit(30)])
    queries = perturbed(vectors, 20, seed=2)
    wanted = np.argsort(-(queries @ vectors.T).round(6), axis=1, kind="stable")[:, :7]
    monkeypatch.setattr("helpers.index.exact_search._BLOCK", 8)
    scores, found = exact_top(vectors, queries, 7)
    assert (vectors[found] == vectors[wanted]).all()
    assert (np.diff(found.reshape(-1, 7)[:, :2]) == 30).all()
    assert np.allclose(scores, np.einsum("qd,qkd->qk", queries, vectors[found]), atol=1e-6)
    assert exact_top(vectors, queries, 100)[1].shape == (20, 60)


def test_recall_counts_what_is_missing() -> None:
    """-1 finds nothing, the order within the first k does not matter."""
    truth = np.array([[1, 2], [3, 4]])
    assert recall(np.array([[2, 1], [3, -1]]), truth, 2) == 0.75
    assert recall(np.array([[2, 1], [3, -1]]), truth, 1) == 0.5


# --- pictures of no card ---------------------------------------------------------------------


def test_non_cards_are_seeded() -> None:
    """The same seed draws the same picture; the kinds come one after the other."""
    drawn = [non_card(seed) for seed in range(len(NON_CARDS) + 1)]
    contents = {picture.tobytes() for picture in drawn}
    assert len(contents) == len(drawn)
    assert {picture.mode for picture in drawn} == {"RGB"}
    assert non_card(3).tobytes() == drawn[3].tobytes()


# --- the cards that are asked about ------------------------------------------------------------


def test_damaged_pictures_are_left_out(filled_cache: Path, tmp_path: Path) -> None:
    """What is missing or cut off in the cache does not end an evaluation."""
    whole, cut = sorted(filled_cache.glob("*.jpg"))[:2]
    (tmp_path / whole.name).write_bytes(whole.read_bytes())
    (tmp_path / cut.name).write_bytes(cut.read_bytes()[:-100])
    files = (whole.name, cut.name, "missing.jpg")
    rows = SimpleNamespace(vectors=3, card=lambda row: {"image_file": files[row]})
    index: Any = SimpleNamespace(searcher=SimpleNamespace(index=rows), cache=tmp_path)
    assert [source.row for source in sample_sources(index, 3, seed=0)] == [0]


# --- the script ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full(built_index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """One run of all parts, with photos: a clean scan, a card it does not know, and no picture."""
    folder = tmp_path_factory.mktemp("photos")
    lines = (built_index / "mtg_meta.jsonl").read_text().splitlines()
    known = json.loads(lines[5])
    manifest = json.loads((built_index / "build_manifest.json").read_text())
    cache = manifest["parameters"]["cache"]
    scan = Image.open(f"{cache}/{known['image_file']}")
    scan.convert("RGB").save(folder / "known.png")
    non_card(0).save(folder / "none.png")
    (folder / "broken.jpg").write_text("no picture")
    with (folder / "photos.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "shows", "scryfall_id", "kind"))
        writer.writerow(("known.png", "? | Sol Ring", known["scryfall_id"], "single"))
        writer.writerow(("none.png", "", "", "none"))
        writer.writerow(("broken.jpg", known["name"], "", "single"))
    options = ("--ladder", "16,64", "--grid", "8/40", "--sample", 2, "--seed", 1)
    photos = ("--photos", folder / "photos.csv", "--ablate", "--plot", folder / "plot.png")
    return run(SCRIPT, "--index", built_index, "--json", *options, *photos), folder


def test_every_part_is_measured(full: tuple[Result, Path]) -> None:
    """The document holds ladder, grid, conditions, distributions; clean scans find themselves."""
    result, _ = full
    found = result.json()
    check(found, "evaluate_index")
    assert [row["ef_search"] for row in found["recall"]] == [16, 64]
    assert found["recall"][1]["recall_at_10"] == 1.0
    assert [(row["m"], row["ef_construction"]) for row in found["grid"]] == [(8, 40)]
    assert [row["ef_search"] for row in found["grid"][0]["search"]] == [16, 64]
    assert found["grid"][0]["bytes"] > 24 * 32 * 4
    conditions = {row["condition"]: row for row in found["identify"]["conditions"]}
    assert conditions["clean"]["card_top_1"] == conditions["clean"]["printing_top_1"] == 1.0
    assert {"sleeve", "jpeg", "easy", "photo", "hard"} <= conditions.keys()
    assert found["identify"]["sample"] == conditions["photo"]["pictures"] == 2
    counts = {name: each["pictures"] for name, each in found["identify"]["answers"].items()}
    assert counts["right"] + counts["wrong"] == 6  # 3 levels of 2 cards
    assert counts["unknown_card"] == 2
    assert counts["no_card"] == 2
    assert (found["scenes"]["photos"], found["scenes"]["cards"]) == (1, 2)
    assert found["scenes"]["found"] == 2


def test_photos_are_judged(full: tuple[Result, Path]) -> None:
    """Found by its id, absent where the index holds nothing shown, unreadable named: code 3."""
    result, _ = full
    assert result.code == 3
    found = result.json()
    photos = {photo["file"]: photo for photo in found["photos"]}
    wanted = {"known.png": "right", "none.png": "not in the index", "broken.jpg": "unreadable"}
    assert {name: photo["result"] for name, photo in photos.items()} == wanted
    known = photos["known.png"]
    assert [card["outcome"] for card in known["cards"]] == ["found", "not in the index"]
    assert {"read", "find", "embed", "search", "compare", "total"} <= known["seconds"].keys()
    none, single, every = found["photo_totals"]["kinds"]
    assert (none["kind"], none["absent_photos"]) == ("none", 1)
    assert (single["photos"], single["unreadable"], single["found"]) == (2, 1, 1)
    assert (every["photos"], every["cards"], every["missed"]) == (3, 1, 0)


def test_stages_are_switched_off(full: tuple[Result, Path]) -> None:
    """A row for everything switched on, and one for each stage; a scan is found in all of them."""
    rows = full[0].json()["ablation"]
    switched = [row["without"] for row in rows]
    assert switched[:1] == ["full"]
    assert {"graph", "finding", "whitening", "verification"} < set(switched)
    assert [row["found"] + row["unsure"] for row in rows] == [1] * len(rows)
    assert [row["ef_search"] for row in full[0].json()["photo_recall"]] == [16, 64]


def test_the_plot_is_drawn(full: tuple[Result, Path]) -> None:
    """A panel for distorted cards, two for photos."""
    with Image.open(full[1] / "plot.png") as plot:
        assert plot.size == (1100, 3 * 380 + 50)


@pytest.mark.parametrize(
    ("flags", "complaints"),
    [
        (("--parts", "recall,all"), ["--parts"]),
        (("--grid", "32/16", "--ladder", "0"), ["--grid", "--ladder"]),
        (("--parts", "photos", "--ablate"), ["photos needs --photos", "--ablate needs --photos"]),
        (("--plot", "a.pdf", "--photos", "missing"), ["--plot", "--photos"]),
        (("--sample", "0", "--seed", "-1"), ["--sample", "--seed"]),
    ],
)
def test_bad_flags_are_named(flags: tuple[str, ...], complaints: list[str]) -> None:
    """All problems at once, exit code 2, before any work."""
    result = run(SCRIPT, *flags)
    assert result.code == 2
    assert [word for word in complaints if word not in result.err] == []


def test_unusable_data_is_refused(index: Path, tmp_path: Path) -> None:
    """No index, a damaged graph, a cache without its pictures, a CSV that is none: code 5."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(SCRIPT, "--index", empty).code == 5
    (empty / "photos.csv").write_text("a,b\n1,2\n")
    identify = ("--parts", "identify", "--cache", empty)
    assert run(SCRIPT, "--index", index, *identify).code == 5
    photos = ("--parts", "photos", "--photos", empty / "photos.csv")
    assert "missing: file, shows" in run(SCRIPT, "--index", index, *photos).err
    (index / "mtg_cards.faiss").write_bytes(b"x")
    result = run(SCRIPT, "--index", index, "--parts", "recall")
    assert result.code == 5
    assert "mtg_cards.faiss" in result.err
