"""Fixtures: a drawn deck, a Scryfall that serves it, a small model, a cache and an index of it."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builds import Deck, card, manifest
from encoders import FLOAT, encoder
from filelock import FileLock
from support import Scryfall, run

from helpers import packages

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


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first worker to need it has made for all of them.

    None may change it. See pytest-xdist, "Making session-scoped fixtures execute only once".
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / ".made").exists():
            folder.mkdir()  # where another worker has failed, this one does, too
            make(folder)
            (folder / ".made").touch()
    return folder


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Let children obey Ctrl-C also where a shell started the tests in the background.

    It then ignores SIGINT for them, and only what has a handler is reset in a child.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def encoder_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Exported encoders of this worker's tests; never those of whoever runs them."""
    folder = tmp_path_factory.mktemp("encoders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTG_ENCODER_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cards.jsonl` and `images/`: 24 faces, drawn once."""

    def make(folder: Path) -> None:
        assert run("scripts/draw_cards.py", "--out", folder, "--count", FACES).code == 0

    return once(tmp_path_factory, "deck", make)


@pytest.fixture
def scryfall(deck: Path) -> Iterator[Scryfall]:
    """A Scryfall of our own that serves the deck, new for each test."""
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        yield server


@pytest.fixture(scope="session")
def filled_cache(deck: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with all 24 images; copy it before changing it (`cache`)."""

    def make(folder: Path) -> None:
        with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
            flags = ("--scryfall-api", server.url, "--cache", folder / "cache")
            result = run("download_images.py", *flags)
        assert result.code == 0, result.err

    return once(tmp_path_factory, "filled", make) / "cache"


@pytest.fixture
def cache(filled_cache: Path, tmp_path: Path) -> Path:
    """A cache of the test's own with all 24 images."""
    return Path(shutil.copytree(filled_cache, tmp_path / "cache"))


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small real open_clip model with fixed untrained weights, as `local-dir:DIR`."""

    def make(folder: Path) -> None:
        import open_clip
        import torch
        from safetensors.torch import save_file

        (folder / "open_clip_config.json").write_text(json.dumps(SMALL_CLIP))
        torch.manual_seed(7)
        clip = open_clip.CLIP(**SMALL_CLIP["model_cfg"])
        save_file(clip.state_dict(), folder / "open_clip_model.safetensors")

    return f"local-dir:{once(tmp_path_factory, 'small-clip', make)}"


@pytest.fixture(scope="session")
def plain_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encoder as `onnx:DIR`, for processes that need any model: torch alone loads for 4 s."""
    folder = once(tmp_path_factory, "plain-model", lambda folder: encoder(folder, FLOAT))
    return f"onnx:{folder}"


@pytest.fixture(scope="session")
def built_index(
    filled_cache: Path, plain_model: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An index of the filled cache; copy it before changing it (`index`)."""

    def make(folder: Path) -> None:
        cache = shutil.copytree(filled_cache, folder / "cache")
        flags = ("--cache", cache, "--out", folder / "index", "--model", plain_model)
        result = run("build_embeddings.py", *flags)
        assert result.code == 0, result.err

    return once(tmp_path_factory, "built", make) / "index"


@pytest.fixture(scope="session")
def encoded(small_clip: str, tmp_path_factory: pytest.TempPathFactory, encoder_cache: Path) -> Deck:
    """A deck of 24 small pictures, with a build by ONNX Runtime in `out` that none may change."""

    def make(folder: Path) -> None:
        flags = Deck.of(folder, FACES).flags(folder / "out", small_clip)
        store = str(folder / "store")
        result = run("build_embeddings.py", *flags, "--engine", "onnx", MTG_ENCODER_CACHE=store)
        assert result.code == 0, result.err

    folder = once(tmp_path_factory, "encoded", make)
    shutil.copytree(folder / "store", encoder_cache, dirs_exist_ok=True)
    return Deck(folder, [card(number) for number in range(FACES)])


@pytest.fixture(scope="session")
def model(small_clip: str, encoded: Deck) -> str:
    """The small model, whose encoder is in the store: an export takes seconds."""
    return small_clip


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds in this process work as if ONNX Runtime were not installed."""
    whole = packages.is_here
    for module in ("packages", "building.engine"):
        is_here = f"helpers.{module}.is_here"
        monkeypatch.setattr(is_here, lambda name: name != "onnxruntime" and whole(name))


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
