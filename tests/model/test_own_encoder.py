"""`--model onnx:DIR`: somebody's exported encoder, through build, query and the index."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import Deck, build, call, manifest
from encoders import BYTES, FLOAT, SIDE, WIDTH, encoder, weights

import query_index
from helpers.errors import DataError
from helpers.images.preprocess import Preprocessing
from helpers.index.publish import ENCODER
from helpers.model.onnx_embedder import OnnxEmbedder
from helpers.model.own_encoder import read_description

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    """A deck of eight small pictures."""
    return Deck.of(tmp_path / "deck", 8)


@pytest.mark.parametrize("description", [FLOAT, BYTES], ids=["float32-NCHW", "uint8-NHWC"])
def test_build_and_query(
    description: dict[str, Any], deck: Deck, tmp_path: Path, capsys: Capture, store: Path
) -> None:
    """The index takes the encoder along, and finds each picture when the directory is gone."""
    folder, out = encoder(tmp_path / "mine", description), tmp_path / "out"
    done = build(deck, out, f"onnx:{folder}", capsys, "--engine", "auto", "--size", 64)
    assert done.code == 0, done.err
    document = manifest(out)
    assert document["index"]["dimension"] == WIDTH
    assert document["model"]["input"]["dtype"] == description["dtype"]
    assert (out / ENCODER).read_bytes() == (folder / "encoder.onnx").read_bytes()
    again = build(deck, out, f"onnx:{folder}", capsys, "--engine", "auto", "--size", 64)
    assert "nothing new since" in again.err
    shutil.rmtree(folder)
    shutil.rmtree(store)
    asked = call(query_index.main, ["--index", out, "--json", "--whole", deck.cache], capsys)
    assert asked.code == 0, asked.err
    for query in asked.json()["queries"]:
        assert query["hits"][0]["score"] >= 0.99
        assert Path(query["query"]).name == query["hits"][0]["image_file"]
    text = call(query_index.main, ["--index", out, "--text", "a dragon"], capsys)
    assert text.code == 5
    assert "no sentences" in text.err


@pytest.mark.usefixtures("store")
def test_another_encoder_is_another_index(deck: Deck, tmp_path: Path, capsys: Capture) -> None:
    """With another description no vector is taken from the last build."""
    out, flags = tmp_path / "out", ("--engine", "auto", "--size", 64)
    folder = encoder(tmp_path / "mine", FLOAT)
    assert build(deck, out, f"onnx:{folder}", capsys, *flags).code == 0
    encoder(folder, {**FLOAT, "mean": [0.4] * 3})
    done = build(deck, out, f"onnx:{folder}", capsys, *flags)
    assert done.code == 0, done.err
    assert manifest(out)["statistics"]["reused_embeddings"] == 0
    assert manifest(out)["model"]["preprocessing"]["mean"] == [0.4] * 3


@pytest.mark.parametrize("batch", ["n", 1])
def test_pixels_reach_the_encoder_as_it_wants_them(batch: int | str, tmp_path: Path) -> None:
    """Bytes, channels last, not normalised; one picture at a time if the file says so."""
    folder = encoder(tmp_path, BYTES, batch)
    preprocessing = Preprocessing("pad", 64, SIDE, (0.0,) * 3, (1.0,) * 3)
    fingerprint = {"precision": "fp32", "preprocessing": asdict(preprocessing), "input": BYTES}
    embedder = OnnxEmbedder(folder / "encoder.onnx", fingerprint, 1)
    assert (embedder.dim, embedder.one_by_one) == (WIDTH, batch == 1)
    seen = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    pixels = seen.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    wanted = seen.reshape(3, -1).astype(np.float32) @ weights()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.allclose(embedder.embed(pixels), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"dtype": "float16"}, "dtype"),
        ({"layout": "HWC"}, "layout"),
        ({"size": 2}, "size"),
        ({"size": "16"}, "size"),
        ({"mean": [0.5]}, "mean"),
        ({"std": [0.2, 0.2, 0]}, "std"),
        ({"dtype": "uint8"}, "uint8 pixels have no mean"),
        ({"interpolation": "nearest"}, "interpolation"),
        ({"crop": 3}, "crop"),
    ],
)
def test_a_wrong_description_is_named(
    change: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    """The message names the field."""
    encoder(tmp_path, FLOAT)
    (tmp_path / "encoder.json").write_text(json.dumps({**FLOAT, **change}))
    with pytest.raises(DataError) as caught:
        read_description(tmp_path)
    assert complaint in str(caught.value.details)


@pytest.mark.usefixtures("store")
def test_what_cannot_be_is_refused(deck: Deck, tmp_path: Path, capsys: Capture) -> None:
    """Missing files, a layout that is not the file's, weights, another engine."""
    model, out = f"onnx:{tmp_path / 'mine'}", tmp_path / "out"
    missing = build(deck, out, model, capsys, "--engine", "auto")
    assert missing.code == 5
    assert "it needs encoder.onnx, and encoder.json" in missing.err
    encoder(tmp_path / "mine", FLOAT)
    (tmp_path / "mine/encoder.json").write_text(json.dumps({**FLOAT, "layout": "NHWC"}))
    assert build(deck, out, model, capsys, "--engine", "auto").code == 5
    for flags in (("--engine", "torch"), ("--engine", "auto", "--precision", "int8")):
        refused = build(deck, out, model, capsys, *flags)
        assert refused.code == 2
        assert "makes no sense with --model onnx:" in refused.err
    weights_too = build(deck, out, model, capsys, "--pretrained", "openai")
    assert weights_too.code == 2
