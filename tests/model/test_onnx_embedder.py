"""The encoder that travels with an index: queries without torch, without the model, elsewhere."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builds import Deck, flip, manifest, names
from support import Result, imported, run

from helpers.index.publish import ENCODER, NAMES

#: Everything of requirements.txt that is not in requirements-query.txt, and what that brings.
NOT_FOR_QUERIES = (
    "torch,torchvision,open_clip,requests,urllib3,filelock,onnx,onnxscript,safetensors,timm,"
    "huggingface_hub,matplotlib"
)


@dataclass(frozen=True)
class Travelled:
    """An index and its pictures in another place; its home, with the model, is gone."""

    index: Path
    pictures: list[Path]
    by_torch: Any  # what torch answered at home

    def ask(self, *more: object, hide: str = NOT_FOR_QUERIES, **env: Any) -> Result:
        """Run `query_index.py` on a machine that only has what queries need."""
        return run("query_index.py", "--index", self.index, *more, hide=hide, **env)


@pytest.fixture(scope="module")
def travelled(model: str, encoded: Deck, tmp_path_factory: pytest.TempPathFactory) -> Travelled:
    """An index of 24 cards that was built, asked through torch, copied, and lost its home."""
    home, away = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("away")
    deck = Deck.of(home, 24)
    shutil.copytree(model.removeprefix("local-dir:"), home / "model")
    flags = deck.flags(home / "out", f"local-dir:{home}/model")
    built = run("build_embeddings.py", *flags, "--engine", "onnx")
    assert built.code == 0, built.err
    asked = ("--index", home / "out", "--whole", "--json", "--k", 3, "--cache", away, deck.cache)
    by_torch = run("query_index.py", *asked, hide="onnxruntime")
    assert by_torch.code == 0, by_torch.err
    shutil.copytree(home / "out", away / "index")
    shutil.copytree(deck.cache, away / "pictures")
    shutil.rmtree(home)
    pictures = sorted((away / "pictures").glob("*.jpg"))
    return Travelled(away / "index", pictures, by_torch.json())


def test_a_build_leaves_its_encoder(encoded: Deck) -> None:
    """The file is one of the outputs, with size and digest, and was checked against torch."""
    out = encoded.folder / "out"
    document = manifest(out)
    data = (out / ENCODER).read_bytes()

    digest = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert names(out) == set(NAMES)
    assert document["outputs"][ENCODER] == digest
    assert {key: document["encoder"][key] for key in digest} == digest
    assert document["model"]["encoder_sha256"] == digest["sha256"]
    assert (document["model"]["engine"], document["encoder"]["precision"]) == ("onnx", "fp32")
    assert document["encoder"]["checks"]["pictures"] == 24
    assert document["encoder"]["checks"]["least_cosine"] >= 0.99999


def test_the_encoder_names_no_place(encoded: Deck, model: str) -> None:
    """A published index does not tell where it was exported: no paths of stack traces."""
    data = (encoded.folder / "out" / ENCODER).read_bytes()

    assert b".py" not in data
    assert model.removeprefix("local-dir:").encode() not in data


def test_a_damaged_encoder_is_refused(encoded: Deck, tmp_path: Path) -> None:
    """One flipped byte: `verify_index.py` says so, and no query is answered through it."""
    out = Path(shutil.copytree(encoded.folder / "out", tmp_path / "out"))
    assert run("scripts/verify_index.py", "--index", out).code == 0
    flip(out / ENCODER, 300_000)

    verified = run("scripts/verify_index.py", "--index", out)
    asked = run("query_index.py", "--index", out, encoded.image(1))

    assert (verified.code, asked.code) == (5, 5)
    for result in (verified, asked):
        assert ENCODER in result.out + result.err
        assert "Traceback" not in result.err
    assert asked.out == ""


def test_an_encoder_that_is_gone_is_missed(encoded: Deck, tmp_path: Path) -> None:
    """A directory copied without it is refused by name, with the command that helps."""
    out = Path(shutil.copytree(encoded.folder / "out", tmp_path / "out"))
    (out / ENCODER).unlink()

    asked = run("query_index.py", "--index", out, encoded.image(1))

    assert asked.code == 5
    assert ENCODER in asked.err
    assert "python build_embeddings.py" in asked.err


def test_the_same_hits_without_torch_and_model(travelled: Travelled) -> None:
    """Far from home the encoder finds what torch found there, with equal scores to 1e-5."""
    result = travelled.ask("--whole", "--json", "--k", 3, travelled.pictures[0].parent)

    assert result.code == 0, result.err
    found, wanted = result.json()["queries"], travelled.by_torch["queries"]
    assert len(found) == 24
    for one, other in zip(found, wanted, strict=True):
        assert Path(one["query"]).name == Path(other["query"]).name
        assert [hit["row"] for hit in one["hits"]] == [hit["row"] for hit in other["hits"]]
        for hit, by_torch in zip(one["hits"], other["hits"], strict=True):
            assert hit["score"] == pytest.approx(by_torch["score"], rel=0, abs=1e-5)


def test_a_query_loads_nothing_it_does_not_need(travelled: Travelled) -> None:
    """Where everything is installed, a picture still costs no start of torch."""
    result = travelled.ask(travelled.pictures[0], hide="", PYTHONPROFILEIMPORTTIME="1")

    assert result.code == 0, result.err
    packages = imported(result.err)
    assert packages.isdisjoint({"torch", "open_clip", "requests", "onnx", "urllib3", "timm"})
    assert {"onnxruntime", "faiss"} <= packages, "the list of imports was read"


def test_onnxruntime_reports_nothing(travelled: Travelled, tmp_path: Path) -> None:
    """Its official builds tell Microsoft of their use and keep notes for it; here they do not."""
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(tmp_path))

    result = travelled.ask(travelled.pictures[0], **places)

    assert result.code == 0, result.err
    assert list(tmp_path.iterdir()) == []


def test_a_sentence_needs_the_model(travelled: Travelled) -> None:
    """`--text` without torch is exit 5 with what is missing, and the command that installs it."""
    result = travelled.ask("--text", "a red dragon")

    assert result.code == 5
    assert "not installed: torch, open_clip" in result.err
    assert "pip install -r requirements.txt" in result.err
    assert "Traceback" not in result.err


def test_neither_torch_nor_onnxruntime(travelled: Travelled) -> None:
    """The requirements of queries are enough for an index that holds its encoder."""
    result = travelled.ask(travelled.pictures[0], hide=f"{NOT_FOR_QUERIES},onnxruntime")

    assert result.code == 5
    assert "to ask an index that holds its encoder: requirements-query.txt" in result.err


@pytest.mark.parametrize(("others", "code"), [(0, 5), (1, 3)])
def test_an_address_needs_requests(travelled: Travelled, others: int, code: int) -> None:
    """It is one picture's failure and says what to install; other pictures are answered."""
    result = travelled.ask("https://example.com/card.jpg", *travelled.pictures[:others], "--json")

    assert result.code == code
    first, *rest = result.json()["queries"]
    assert "pip install requests" in first["error"]
    assert [query["error"] for query in rest] == [None] * others
    assert "Traceback" not in result.err
