"""int8: refused where answers suffer, recorded, and every vector by its picture alone."""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import MANIFEST, VECTORS, Deck, call, manifest, names, patched, same_files, statistics
from numpy.typing import NDArray
from PIL import Image
from support import Result, environment, run

import query_index
from helpers.images.preprocess import Preprocessing
from helpers.index.publish import ENCODER, NAMES
from helpers.model.agreement import CASES, LEAST_AGREEMENT, agreement, compare

Capture = pytest.CaptureFixture[str]

#: The small model was never trained, and to guess otherwise than fp32 is no fault of int8.
LENIENT = "import helpers.model.agreement as check; check.LEAST_AGREEMENT = 0.0"
#: ... and the machine dies with the tenth forward pass.
DYING = f"""{LENIENT}
import itertools, os, signal
from helpers.model.onnx_embedder import OnnxEmbedder
whole, passes = OnnxEmbedder.embed, itertools.count(1)
def embed(self, pixels):
    if next(passes) == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, pixels)
OnnxEmbedder.embed = embed
"""


def int8_build(deck: Deck, out: Path, model: str, *more: str, before: str = LENIENT) -> Result:
    """Build in int8, in a process of its own, after some statements."""
    flags = [*deck.flags(out, model), "--engine", "auto", "--precision", "int8", *more]
    done = subprocess.run(
        patched(before, *flags), capture_output=True, text=True, env=environment(), check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def small(encoded: Deck, model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An int8 index of the 24 cards."""
    out = tmp_path_factory.mktemp("int8") / "out"
    result = int8_build(encoded, out, model)
    assert result.code == 0, result.err
    return out


def test_the_manifest_tells(small: Path, encoded: Deck) -> None:
    """Precision, engine, and how the answers compare with those of fp32."""
    document = manifest(small)
    checks = document["encoder"]["checks"]

    assert names(small) == set(NAMES)
    assert document["parameters"]["precision"] == "int8"
    assert (document["model"]["precision"], document["model"]["engine"]) == ("int8", "onnx")
    assert document["encoder"]["precision"] == "int8"
    assert checks["cards"] == 24
    assert checks["cases"] >= CASES
    assert checks["agreement"] == checks["same"] / checks["cases"]
    assert 0.99 < checks["least_cosine"] <= checks["mean_cosine"] < 0.999999
    full = encoded.folder / "out" / ENCODER
    assert document["outputs"][ENCODER]["bytes"] < 0.6 * full.stat().st_size
    assert run("scripts/verify_index.py", "--index", small).code == 0


def test_queries_are_int8_as_well(
    small: Path, encoded: Deck, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every picture finds itself with score 1; through torch nearly so, with a warning."""
    ask = ("--index", small, "--json", "--whole", "--cache", tmp_path, "--k", 1)
    by_encoder = call(query_index.main, [*ask, encoded.cache], capsys)
    assert by_encoder.code == 0, by_encoder.err
    scores = [query["hits"][0]["score"] for query in by_encoder.json()["queries"]]
    assert scores == [1.0] * 24

    monkeypatch.setattr("helpers.query.searcher.is_here", lambda name: name != "onnxruntime")
    by_torch = call(query_index.main, [*ask, encoded.image(1)], capsys)
    assert by_torch.code == 0, by_torch.err
    assert "the index is int8, and without onnxruntime queries are fp32" in by_torch.err
    assert 0.99 < by_torch.json()["queries"][0]["hits"][0]["score"] < 1.0


@pytest.mark.parametrize(
    "flags",
    [["--limit", "5"], ["--limit", "1"], ["--batch", "3", "--threads", "2"], ["--threads", "1"]],
)
def test_a_vector_does_not_depend_on_its_company(
    small: Path, encoded: Deck, model: str, tmp_path: Path, flags: list[str]
) -> None:
    """Few images, another batch or other threads: the same rows to the last bit."""
    result = int8_build(encoded, tmp_path / "out", model, *flags)

    assert result.code == 0, result.err
    all_rows, rows = np.load(small / VECTORS), np.load(tmp_path / "out" / VECTORS)
    assert np.array_equal(rows, all_rows[: len(rows)])
    assert len(np.unique(all_rows, axis=0)) == 24


def test_a_killed_build_goes_on(small: Path, encoded: Deck, model: str, tmp_path: Path) -> None:
    """Resumed after `kill -9`, the files are those of a build that nothing disturbed."""
    out = tmp_path / "out"
    flags = ("--batch", "1", "--threads", "1", "--checkpoint-frequency", "0")
    killed = int8_build(encoded, out, model, *flags, before=DYING)
    assert killed.code == -signal.SIGKILL
    assert "checkpoint.npz" in names(out)

    resumed = int8_build(encoded, out, model, *flags)

    assert resumed.code == 0, resumed.err
    assert 0 < statistics(out)["resumed_embeddings"] < 24
    assert same_files(out, small)
    assert names(out) == set(NAMES)


def test_other_answers_are_refused(small: Path, encoded: Deck, model: str, tmp_path: Path) -> None:
    """Below 99.5 % of equal answers: exit 5 with the figures, and the old index stays."""
    out = Path(shutil.copytree(encoded.folder / "out", tmp_path / "out"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    checks = manifest(small)["encoder"]["checks"]
    assert checks["agreement"] < LEAST_AGREEMENT, "the small model guesses, so it may truly fail"

    result = int8_build(encoded, out, model, before="")

    assert result.code == 5
    assert "ERROR: data unusable: int8 gives other answers than fp32" in result.err
    assert f"of {checks['cases']:,} cases" in result.err
    assert "99.5% needed" in result.err
    assert "--precision fp32" in result.err
    assert "Quantising" not in result.err, "what was found out is remembered"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_int8_is_not_mixed_with_fp32(
    small: Path, encoded: Deck, model: str, tmp_path: Path
) -> None:
    """Over a build in fp32 everything is embedded anew."""
    out = Path(shutil.copytree(encoded.folder / "out", tmp_path / "out"))

    result = int8_build(encoded, out, model)

    assert result.code == 0, result.err
    assert "another engine, precision or export of the same model" in result.err
    assert statistics(out)["reused_embeddings"] == 0
    assert same_files(out, small)
    assert MANIFEST in names(out)


def test_it_is_judged_again_when_there_are_more_cards(
    small: Path, model: str, tmp_path: Path
) -> None:
    """What was found out on 24 cards says too little of 25."""
    assert manifest(small)["encoder"]["checks"]["pictures"] == 24
    result = int8_build(Deck.of(tmp_path, 25), tmp_path / "out", model)

    assert "Quantising" in result.err
    assert manifest(tmp_path / "out")["encoder"]["checks"]["pictures"] == 25


def test_exchanged_answers_are_counted() -> None:
    """An encoder that takes two cards for each other differs in those cases."""
    vectors = np.eye(4, dtype=np.float32)
    asked = np.stack([vectors, vectors[[0, 2, 1, 3]]], axis=1)
    checks = agreement(np.stack([vectors, vectors], axis=1), asked, range(4))

    assert (checks["cards"], checks["cases"], checks["same"]) == (4, 4, 2)
    assert checks["agreement"] == 0.5
    assert (checks["least_cosine"], checks["mean_cosine"]) == (0.0, 0.5)
    assert checks["right"] == {"reference": 4, "other": 2}


def test_equally_wrong_is_agreement() -> None:
    """Each answers by its own gallery, and only whether both say the same counts."""
    vectors = np.eye(4, dtype=np.float32)
    wrong = np.roll(vectors, 1, axis=0)
    gallery = np.stack([vectors, vectors[:, ::-1]], axis=1)
    checks = agreement(gallery, np.stack([wrong, wrong[:, ::-1]], axis=1), range(4))

    assert checks["agreement"] == 1.0
    assert checks["mean_cosine"] == 0.0
    assert checks["right"] == {"reference": 0, "other": 0}


class ByColour:
    """An encoder that knows red from green from blue, and may be wrong where it is not plain."""

    preprocessing = Preprocessing("pad", 64, 64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def __init__(self, *, wrong: bool = False) -> None:
        self._wrong = wrong

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vector of the strongest colour in the middle."""
        assert len(pixels) == 1, "in company an int8 vector would be another"
        colour = int(pixels[0, :, 16:48, 16:48].mean(axis=(1, 2)).argmax())
        if self._wrong and pixels.std(axis=(2, 3)).max() > 0.01:
            colour = (colour + 1) % 3
        return np.eye(3, dtype=np.float32)[[colour]]


@pytest.mark.parametrize(("wrong", "same"), [(False, 12), (True, 0)])
def test_encoders_are_asked_about_distorted_cards(
    wrong: bool,  # noqa: FBT001
    same: int,
) -> None:
    """The gallery is of clean pictures, the cases are not; there are as many as asked for."""
    colours = ((230, 0, 0), (0, 230, 0), (0, 0, 230))
    reference: Any = ByColour()
    other: Any = ByColour(wrong=wrong)

    images = [Image.new("RGB", (64, 64), colour) for colour in colours]
    checks = compare(reference, other, images, 10)

    assert (checks["cards"], checks["cases"], checks["same"]) == (3, 12, same)
    assert checks["right"] == {"reference": 12, "other": same}
