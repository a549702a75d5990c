"""Fixtures: a drawn deck, a Scryfall that serves it, a small model, a cache and an index of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from builds import Deck, manifest
from support import Scryfall, run

if TYPE_CHECKING:
    from collections.abc import Iterator

FACES = 24

VISION = {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
SMALL_CLIP: dict[str, dict[str, Any]] = {
    "model_cfg": {
        "embed_dim": 32,
        "vision_cfg": VISION,
        "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
}


@pytest.fixture(scope="session", autouse=True)
def encoder_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Exported encoders of all tests; never those of whoever runs them."""
    folder = tmp_path_factory.mktemp("encoders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTG_ENCODER_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cards.jsonl` and `images/`: 24 faces, drawn once."""
    folder = tmp_path_factory.mktemp("deck")
    assert run("scripts/draw_cards.py", "--out", folder, "--count", FACES).code == 0
    return folder


@pytest.fixture
def scryfall(deck: Path) -> Iterator[Scryfall]:
    """A Scryfall of our own that serves the deck, new for each test."""
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        yield server


@pytest.fixture(scope="session")
def filled_cache(deck: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with all 24 images; copy it before changing it (`cache`)."""
    cache = tmp_path_factory.mktemp("filled") / "cache"
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        result = run("download_images.py", "--scryfall-api", server.url, "--cache", cache)
    assert result.code == 0, result.err
    return cache


@pytest.fixture
def cache(filled_cache: Path, tmp_path: Path) -> Path:
    """A cache of the test's own with all 24 images."""
    return Path(shutil.copytree(filled_cache, tmp_path / "cache"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small real open_clip model with fixed untrained weights, as `local-dir:DIR`."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("small-clip")
    (folder / "open_clip_config.json").write_text(json.dumps(SMALL_CLIP))
    torch.manual_seed(7)
    clip = open_clip.CLIP(**SMALL_CLIP["model_cfg"])
    save_file(clip.state_dict(), folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


@pytest.fixture(scope="session")
def built_index(filled_cache: Path, model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the filled cache; copy it before changing it (`index`)."""
    out = tmp_path_factory.mktemp("built") / "index"
    result = run("build_embeddings.py", "--cache", filled_cache, "--out", out, "--model", model)
    assert result.code == 0, result.err
    return out


@pytest.fixture(scope="session")
def encoded(model: str, tmp_path_factory: pytest.TempPathFactory, encoder_cache: Path) -> Deck:
    """A deck of 24 small pictures, with a build by ONNX Runtime in `out` that none may change."""
    deck = Deck.of(tmp_path_factory.mktemp("encoded"), FACES)
    flags = deck.flags(deck.folder / "out", model)
    for path in encoder_cache.glob("*-fp32.*"):  # another test's, judged on other pictures
        path.unlink()
    result = run("build_embeddings.py", *flags, "--engine", "onnx")
    assert result.code == 0, result.err
    return deck


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store of the test's own."""
    monkeypatch.setenv("MTG_ENCODER_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def filled_store(store: Path, encoded: Deck, encoder_cache: Path) -> Path:
    """A store of the test's own that holds the encoder of the small model, and no other."""
    store.mkdir()
    for path in encoder_cache.glob(manifest(encoded.folder / "out")["encoder"]["key"] + "-fp32.*"):
        shutil.copy(path, store)
    return store


@pytest.fixture
def index(built_index: Path, tmp_path: Path) -> Path:
    """An index of the test's own."""
    return Path(shutil.copytree(built_index, tmp_path / "index"))
