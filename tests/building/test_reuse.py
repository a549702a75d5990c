"""The next build: nothing to do, or only what is new."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from builds import (
    METADATA,
    VECTORS,
    Crash,
    Deck,
    build,
    flip,
    manifest,
    names,
    same_files,
    statistics,
)
from support import command, environment

from helpers.building import build_stage
from helpers.building.options import BuildOptions
from helpers.index.manifest_schema import SEAL
from helpers.index.publish import NAMES

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def deck(tmp_path: Path, model: str, capsys: Capture) -> Deck:
    """A deck of 40 cards with a build of it in `out`."""
    deck = Deck.of(tmp_path, 40)
    assert build(deck, tmp_path / "out", model, capsys).code == 0
    return deck


def test_nothing_to_do(deck: Deck, tmp_path: Path, model: str) -> None:
    """The same command again ends at once, without torch, numpy or faiss, and writes nothing."""
    before = manifest(tmp_path / "out")
    words = command("build_embeddings.py", *deck.flags(tmp_path / "out", model))

    done = subprocess.run(
        [words[0], "-X", "importtime", *words[1:]],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )

    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert len(said) == 1
    assert re.match(r"20\d\d-\d\d-\d\dT[\d:+]+ nothing new since 20", said[0])
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert imported.isdisjoint(
        {"torch", "open_clip", "onnxruntime", "faiss", "numpy", "PIL", "requests", "email"}
    )
    assert "json" in imported, "the list of imports was read"
    assert manifest(tmp_path / "out") == before


def test_vectors_of_version_1_1_are_taken_over(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resized every picture twice; its builds go on so, until somebody says --no-reuse."""
    old, out = tmp_path / "old", tmp_path / "out"
    old.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(build_stage, "_as_before", resizing_twice)
        build(deck, old, model, capsys)
    document = manifest(old)
    assert document["model"]["preprocessing"].pop("resizes") == 2
    del document[SEAL]
    (old / "build_manifest.json").write_text(json.dumps(document))

    build(deck, old, model, capsys, "--hnsw-m", "8")
    assert statistics(old)["reused_embeddings"] == 40
    build(deck, old, model, capsys, "--hnsw-m", "8", "--no-reuse")

    assert statistics(old)["reused_embeddings"] == 0
    assert same_files(old, out)


def resizing_twice(options: BuildOptions, _last: object) -> BuildOptions:
    """Do what version 1.1 did."""
    return replace(options, model=replace(options.model, resizes=2))


def test_where_things_lie_does_not_matter(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """A renamed cache, bulk file or another batch size are no reason to build anew."""
    deck.cache = deck.cache.rename(tmp_path / "renamed")
    deck.bulk = deck.bulk.rename(tmp_path / "other.jsonl")

    result = build(deck, tmp_path / "out", model, capsys, "--batch", "5")

    assert "nothing new since" in result.err


@pytest.mark.parametrize("flags", [["--hnsw-m", "8"], ["--limit", "39"], ["--no-reuse"]])
def test_a_changed_flag_is_something_to_do(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture, flags: list[str]
) -> None:
    """What shapes the result is not skipped over, and costs no embedding but with `--no-reuse`."""
    result = build(deck, tmp_path / "out", model, capsys, *flags)

    assert "nothing new since" not in result.err
    wanted = {"--hnsw-m": 40, "--limit": 39, "--no-reuse": 0}[flags[0]]
    assert statistics(tmp_path / "out")["reused_embeddings"] == wanted


def test_only_new_and_changed_images_are_embedded(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """3 new cards, 2 rescanned, 1 gone: 5 embedded, and the files of a build from nothing."""
    scans = [(number, 2 if number in {4, 30} else 1) for number in range(43) if number != 11]
    deck.put([*scans[-3:], *scans[:-3]])

    result = build(deck, tmp_path / "out", model, capsys)
    build(deck, tmp_path / "fresh", model, capsys)

    assert result.code == 0
    numbers = statistics(tmp_path / "out")
    assert numbers["reused_embeddings"] == 37
    assert numbers["successful_embeddings"] == 42
    assert "Embedded 5 images" in result.err
    assert same_files(tmp_path / "out", tmp_path / "fresh")


def test_a_changed_file_is_embedded_though_its_name_is_the_same(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """Rows are recognised by content: exchanging two files changes both vectors."""
    one, other = deck.image(3), deck.image(8)
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)

    build(deck, tmp_path / "out", model, capsys)
    build(deck, tmp_path / "fresh", model, capsys)

    assert statistics(tmp_path / "out")["reused_embeddings"] == 38
    assert same_files(tmp_path / "out", tmp_path / "fresh")


def test_other_preprocessing_reuses_nothing(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """Vectors of another fit are not mixed in; the reason is said."""
    result = build(deck, tmp_path / "out", model, capsys, "--fit", "squash")

    assert statistics(tmp_path / "out")["reused_embeddings"] == 0
    assert "another model, other weights or other preprocessing" in result.err


@pytest.mark.usefixtures("no_export")
def test_an_edited_model_reuses_nothing(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """The activation is in no weight, only in the configuration: it counts, too."""
    folder = tmp_path / "edited"
    shutil.copytree(model.removeprefix("local-dir:"), folder)
    config = folder / "open_clip_config.json"
    config.write_text(config.read_text().replace('"embed_dim"', '"quick_gelu": true, "embed_dim"'))

    build(deck, tmp_path / "out", f"local-dir:{folder}", capsys)

    assert statistics(tmp_path / "out")["reused_embeddings"] == 0


def test_a_moved_model_reuses_everything(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture
) -> None:
    """The same weights in another directory give the same vectors."""
    folder = shutil.copytree(model.removeprefix("local-dir:"), tmp_path / "moved")

    build(deck, tmp_path / "out", f"local-dir:{folder}", capsys)

    assert statistics(tmp_path / "out")["reused_embeddings"] == 40


@pytest.mark.parametrize("name", [VECTORS, METADATA, "mtg_cards.faiss"])
def test_a_damaged_index_is_built_anew(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture, name: str
) -> None:
    """One flipped byte: not "nothing to do", nothing damaged is reused, the result is whole."""
    out = tmp_path / "out"
    shutil.copytree(out, tmp_path / "good")
    flip(out / name, -30)

    result = build(deck, out, model, capsys)

    assert result.code == 0
    assert f"{name} is damaged or of another build: its SHA-256 differs" in result.err
    assert statistics(out)["reused_embeddings"] == (40 if name.endswith("faiss") else 0)
    assert same_files(out, tmp_path / "good")


def test_a_stopped_rebuild_still_reuses(
    deck: Deck, tmp_path: Path, model: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reuse and resume add up: nothing is embedded twice."""
    deck.put([(number, 1) for number in range(80)])
    with monkeypatch.context() as patch:
        Crash(patch, batch=3)
        assert build(deck, tmp_path / "out", model, capsys).code == 1
    with monkeypatch.context() as patch:
        rest = Crash(patch, batch=-1)
        assert build(deck, tmp_path / "out", model, capsys).code == 0
    build(deck, tmp_path / "fresh", model, capsys)

    assert rest.embedded <= 4
    assert same_files(tmp_path / "out", tmp_path / "fresh")
    assert names(tmp_path / "out") == set(NAMES)


def test_the_output_directory_may_hold_other_files(
    tmp_path: Path, model: str, capsys: Capture
) -> None:
    """Files that are not ours are left alone, even if a name resembles ours."""
    deck, out = Deck.of(tmp_path, 4), tmp_path / "out"
    out.mkdir()
    mine = {"notes.txt": b"mine", "mtg_meta.jsonl": b"not a build", "publish.json": b"[1]"}
    for name, data in mine.items():
        (out / name).write_bytes(data)

    assert build(deck, out, model, capsys).code == 0
    assert (out / "notes.txt").read_bytes() == b"mine"
    assert sys.executable
