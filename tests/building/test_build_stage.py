"""Step 2 as a whole: which rows come out, in which order, and what is refused."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import METADATA, VECTORS, Crash, Deck, build, names, picture, same_files, statistics
from PIL import Image
from support import run

from helpers.building.embed import embed_all
from helpers.cards.bulk_file import local_bulk
from helpers.cards.face_list import open_faces
from helpers.images.cache import ImageCache

Capture = pytest.CaptureFixture[str]


def lines(out: Path) -> list[dict[str, Any]]:
    """Return the metadata of a build."""
    return [json.loads(line) for line in (out / METADATA).read_bytes().splitlines()]


def test_five_broken_of_a_hundred(tmp_path: Path, model: str, capsys: Capture) -> None:
    """100 files of which 5 are broken give exactly 95 rows and 5 named reasons."""
    deck = Deck.of(tmp_path, 100)
    whole = deck.image(0).read_bytes()
    broken = {
        3: (b"", "empty file"),
        17: (whole[: len(whole) // 2], "no JPEG end"),
        41: (b"<!doctype html><p>Not found", "HTML"),
        66: (whole[:-40] + bytes(40), "no JPEG end"),
        99: (b"GIF89a not a card", "not a picture in a format that is read"),
    }
    for place, (data, _) in broken.items():
        deck.image(place).write_bytes(data)

    result = build(deck, tmp_path / "out", model, capsys, "--max-failure-rate", 0.05)

    assert result.code == 0, result.err
    assert result.err.splitlines()[-1].endswith(f"query_index.py photo.jpg --index {tmp_path}/out")
    assert np.load(tmp_path / "out" / VECTORS).shape == (95, 32)
    kept = [card["name"] for card in lines(tmp_path / "out")]
    assert kept == [f"Card {number}" for number in range(100) if number not in broken]
    for place, (_, reason) in broken.items():
        (line,) = [row for row in result.err.splitlines() if deck.image(place).name in row]
        assert line.startswith("WARNING: left out:")
        assert reason in line
    numbers = statistics(tmp_path / "out")
    assert numbers["validation_failures"] == 5
    assert numbers["successful_embeddings"] == 95
    assert numbers["success_rate"] == "95.0%"


def test_without_validation_the_same_rows_come_out(
    tmp_path: Path, model: str, capsys: Capture
) -> None:
    """`--no-validate-cache` finds a broken image when it is embedded, and leaves it out."""
    deck = Deck.of(tmp_path, 20)
    deck.image(4).write_bytes(deck.image(4).read_bytes()[:300])

    checked = build(deck, tmp_path / "checked", model, capsys)
    trusting = build(deck, tmp_path / "trusting", model, capsys, "--no-validate-cache")

    assert (checked.code, trusting.code) == (3, 3), "one of 20 is more than 1 %"
    assert statistics(tmp_path / "trusting")["failed_embeddings"] == 1
    assert statistics(tmp_path / "trusting")["successful_embeddings"] == 19
    assert same_files(tmp_path / "checked", tmp_path / "trusting")
    assert run("scripts/verify_index.py", "--index", tmp_path / "trusting").code == 0


def test_one_decoding_serves_validation_and_embedding(
    tmp_path: Path, model: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images without a digest of their download are decoded once each, not before as well."""
    deck, decoded, whole = Deck.of(tmp_path, 10), [], Image._getdecoder  # noqa: SLF001

    def decoder(*args: Any) -> Any:
        decoded.append(args)
        return whole(*args)

    monkeypatch.setattr(Image, "_getdecoder", decoder)

    assert build(deck, tmp_path / "out", model, capsys).code == 0
    assert len(decoded) == 10


def test_what_decodes_may_still_be_invalid(tmp_path: Path, model: str, capsys: Capture) -> None:
    """Validated in the decoding that embeds it: a PNG called JPEG is left out, unless trusted."""
    deck = Deck.of(tmp_path, 6)
    other = io.BytesIO()
    Image.open(deck.image(2)).save(other, "PNG")
    deck.image(2).write_bytes(other.getvalue())

    result = build(deck, tmp_path / "checked", model, capsys)
    build(deck, tmp_path / "trusting", model, capsys, "--no-validate-cache")

    (line,) = [row for row in result.err.splitlines() if "left out" in row]
    assert line == (
        f"WARNING: left out: {deck.image(2).name} (Card 2): PNG content under the name of a JPEG"
    )
    checked, trusting = (statistics(tmp_path / name) for name in ("checked", "trusting"))
    assert (checked["validation_failures"], checked["failed_embeddings"]) == (1, 0)
    assert (checked["successful_embeddings"], trusting["successful_embeddings"]) == (5, 6)


def test_a_file_changed_since_its_download_ends_at_the_scan(
    tmp_path: Path, model: str, capsys: Capture
) -> None:
    """A whole image that is not the noted one is invalid before any model is loaded."""
    deck = Deck.of(tmp_path, 1)
    ImageCache(deck.cache).note_digest(deck.image(0).name, picture(5))

    result = build(deck, tmp_path / "out", model, capsys)

    assert result.code == 5
    assert "changed since its download: SHA-256 differs" in result.err
    assert "Loading" not in result.err


def test_missing_images_are_counted(tmp_path: Path, model: str, capsys: Capture) -> None:
    """A face without an image in the cache is no row, and no error."""
    deck = Deck.of(tmp_path, 10)
    deck.image(0).unlink()

    assert build(deck, tmp_path / "out", model, capsys).code == 0
    assert statistics(tmp_path / "out")["missing_from_cache"] == 1
    assert len(lines(tmp_path / "out")) == 9


def test_a_vector_does_not_depend_on_its_company(
    tmp_path: Path, model: str, capsys: Capture
) -> None:
    """An image gets the same vector to the last bit in any order and in any batch, full or not."""
    deck = Deck.of(tmp_path, 21)
    build(deck, tmp_path / "all", model, capsys)
    deck.put([(number, 1) for number in (20, 3, 7)])
    build(deck, tmp_path / "few", model, capsys)

    everything, few = (np.load(tmp_path / name / VECTORS) for name in ("all", "few"))
    assert np.array_equal(everything[[20, 3, 7]], few)
    assert len(np.unique(everything, axis=0)) == 21


def test_equal_images_are_in_the_graph_once(tmp_path: Path, model: str, capsys: Capture) -> None:
    """Rows with the very same vector name the first of them, and the index holds that one."""
    deck = Deck.of(tmp_path, 12)
    for place in (5, 9):
        deck.image(place).write_bytes(picture(2))

    assert build(deck, tmp_path / "out", model, capsys).code == 0

    copies = {
        row: card["same_as"]
        for row, card in enumerate(lines(tmp_path / "out"))
        if "same_as" in card
    }
    assert copies == {5: 2, 9: 2}
    manifest = json.loads((tmp_path / "out" / "build_manifest.json").read_text())
    assert (manifest["index"]["vectors"], manifest["index"]["distinct"]) == (12, 10)


@pytest.mark.parametrize("what", ["limit 0", "empty cache", "all broken"])
def test_nothing_to_embed(tmp_path: Path, model: str, capsys: Capture, what: str) -> None:
    """Without one valid image: exit 5, and nothing is left in the output directory.

    Without a file to decode, that directory is not even made.
    """
    deck = Deck.of(tmp_path, 3)
    for place in range(3):
        if what == "empty cache":
            deck.image(place).unlink()
        elif what == "all broken":
            deck.image(place).write_bytes(b"junk")
    more = ["--limit", "0"] if what == "limit 0" else []

    result = build(deck, tmp_path / "out", model, capsys, *more)

    assert result.code == 5
    assert "ERROR: data unusable: No valid images to embed" in result.err
    assert names(tmp_path / "out") == set()
    assert (tmp_path / "out").exists() == (what == "all broken")
    (tmp_path / "out").mkdir(exist_ok=True)
    assert build(deck, tmp_path / "out", model, capsys, *more).code == 5
    assert names(tmp_path / "out") == set()


def test_a_missing_cache_is_named(tmp_path: Path, model: str, capsys: Capture) -> None:
    """Exit 5 and the command that fills a cache."""
    deck = Deck.of(tmp_path, 1)
    deck.cache.rename(tmp_path / "elsewhere")

    result = build(deck, tmp_path / "out", model, capsys)

    assert result.code == 5
    assert "python download_images.py --cache" in result.err


def test_a_failed_build_leaves_the_old_index(
    tmp_path: Path, model: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in the middle keeps the published files and the finished vectors."""
    deck, out = Deck.of(tmp_path, 40), tmp_path / "out"
    build(deck, out, model, capsys)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with monkeypatch.context() as patch:
        Crash(patch, batch=3)
        crashed = build(deck, out, model, capsys, "--fit", "crop")
    assert crashed.code == 1
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name in before} == before

    resumed = build(deck, out, model, capsys, "--fit", "crop")
    build(deck, tmp_path / "undisturbed", model, capsys, "--fit", "crop")

    assert resumed.code == 0
    assert statistics(out)["resumed_embeddings"] >= 8
    assert same_files(out, tmp_path / "undisturbed")
    assert not any(name.startswith(("checkpoint", ".build-")) for name in names(out))


def test_no_resume_starts_anew(
    tmp_path: Path, model: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--no-resume` takes nothing from a stopped build, and says so."""
    deck, out = Deck.of(tmp_path, 40), tmp_path / "out"
    with monkeypatch.context() as patch:
        Crash(patch, batch=4)
        build(deck, out, model, capsys)
    assert "checkpoint.npz" in names(out)

    with monkeypatch.context() as patch:
        counter = Crash(patch, batch=-1)
        result = build(deck, out, model, capsys, "--no-resume")

    assert result.code == 0
    assert counter.embedded == 5
    assert "--no-resume: the checkpoint is removed" in result.err


def test_a_full_disk_is_exit_6(tmp_path: Path, model: str) -> None:
    """Where the vectors do not fit, the build ends before the first forward pass."""
    flags = Deck.of(tmp_path, 200).flags(tmp_path / "out", model)

    result = run("build_embeddings.py", *flags, timeout=60, file_limit=16_000)

    assert result.code == 6, result.err
    assert "ERROR: cannot write: File too large" in result.err
    assert "Traceback" not in result.err
    assert not any(name.endswith((".npy", ".npz", ".faiss")) for name in names(tmp_path / "out"))


def test_two_builds_into_one_directory(tmp_path: Path, model: str, capsys: Capture) -> None:
    """The second one ends at once with 75 and harms nothing."""
    from helpers.lock import directory_lock

    deck = Deck.of(tmp_path, 4)
    with directory_lock(tmp_path / "out"):
        result = build(deck, tmp_path / "out", model, capsys)

    assert result.code == 75
    assert names(tmp_path / "out") == set()


def test_the_document_is_the_manifest(tmp_path: Path, model: str, capsys: Capture) -> None:
    """`--json` prints what `build_manifest.json` holds."""
    deck = Deck.of(tmp_path, 4)

    result = build(deck, tmp_path / "out", model, capsys, "--json", "--hnsw-m", 8)

    manifest = json.loads((tmp_path / "out" / "build_manifest.json").read_text())
    assert result.json() == manifest
    assert manifest["index"]["type"] == "IDMap,HNSW8,Flat"
    assert manifest["index"]["metric"] == "METRIC_INNER_PRODUCT"
    assert manifest["environment"]["device"] == "cpu"


@pytest.mark.parametrize("before", [True, False])
def test_a_list_of_cards_that_is_replaced_meanwhile(
    tmp_path: Path, model: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    """A download, or a build of another bulk file, puts its cards in place: rows keep their own."""
    deck, out = Deck.of(tmp_path, 12), tmp_path / "out"
    assert build(deck, tmp_path / "undisturbed", model, capsys).code == 0
    other = tmp_path / "other.jsonl"
    other.write_text("".join(reversed(deck.bulk.read_text().splitlines(keepends=True))))

    def disturbed(*arguments: Any) -> None:
        if before:
            open_faces(local_bulk(other), deck.cache, "normal")
        embed_all(*arguments)
        open_faces(local_bulk(other), deck.cache, "normal")

    monkeypatch.setattr("helpers.building.build.embed_all", disturbed)
    assert build(deck, out, model, capsys, "--no-reuse").code == 0

    assert same_files(out, tmp_path / "undisturbed")
