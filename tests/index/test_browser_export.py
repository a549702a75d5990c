"""scripts/export_for_browser.py: what it writes, and that a web client can read it."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support import ROOT, run

from helpers.index.browser_export import KEYS, agreement, quantize
from helpers.index.graph import read_whitening

SCRIPT = "scripts/export_for_browser.py"
CHECK = ROOT / "scripts" / "check_browser_export.mjs"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


@pytest.fixture(scope="module")
def exported(built_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small index, exported once."""
    out = tmp_path_factory.mktemp("web") / "files"
    result = run(SCRIPT, "--index", built_index, "--out", out, "--json")
    assert result.code == 0, result.err
    document = result.json()
    assert document["shape"] == [24, 32]
    assert document["bytes"]["embeddings"] * 4 == document["bytes"]["float32"]
    assert document["agreement"]["top_10"] > 0.9
    return out


def node(*args: object) -> subprocess.CompletedProcess[str]:
    """Run the reader in Node."""
    command = ["node", str(CHECK), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def searched(index: Path) -> NDArray[np.float32]:
    """Return the vectors of an index, whitened as they are searched."""
    whitening = read_whitening(index / "mtg_cards.faiss")
    assert whitening is not None, "this test needs an index that whitens"
    return whitening.apply(np.load(index / "mtg_embeddings.npy"))


def test_quantize_rounds_and_clips() -> None:
    """The value is round(x · 127), and never -128."""
    values = np.array([[1, -1, 0, 0.5, -1.02, 1.02, 0.0039, 0.004]], dtype=np.float32)
    assert quantize(values).tolist() == [[127, -127, 0, 64, -127, 127, 0, 1]]


def test_agreement_of_lossless_rows() -> None:
    """Rows that int8 holds exactly lose nothing."""
    vectors = np.eye(20, dtype=np.float32)
    assert agreement(vectors, quantize(vectors), seed=0) == (1.0, 1.0)


def test_the_files_say_what_they_hold(exported: Path, built_index: Path) -> None:
    """Each byte is its component, each record its line, and no unfinished file stays."""
    vectors = searched(built_index)
    stored = np.fromfile(exported / "embeddings.i8bin", dtype=np.int8).reshape(vectors.shape)
    assert (stored == np.rint(vectors * 127)).all()
    assert (exported / "whitening.f32bin").stat().st_size == 4 * (32 * 32 + 32)
    meta = json.loads((exported / "meta.json").read_text())
    assert meta["quantization"] == {"dtype": "int8", "scale": 127}
    assert meta["shape"] == list(vectors.shape)
    lines = map(json.loads, (built_index / "mtg_meta.jsonl").read_text().splitlines())
    assert meta["records"] == [{key: line[key] for key in KEYS} for line in lines]
    assert sorted(path.name for path in exported.iterdir()) == [
        "embeddings.i8bin",
        "meta.json",
        "whitening.f32bin",
    ]


@needs_node
def test_node_finds_the_same_cards(exported: Path, built_index: Path, tmp_path: Path) -> None:
    """A client in JavaScript gets the best rows and cosines that numpy gets from float32."""
    vectors, whitened = np.load(built_index / "mtg_embeddings.npy"), searched(built_index)
    (tmp_path / "queries.json").write_text(json.dumps(vectors[[3, 11]].tolist()))
    done = node(exported, tmp_path / "queries.json", 4)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == 8
    assert [row[2] for row in rows if row[1] == "1"] == ["3", "11"]
    for query, _, row, score, name in rows:
        cosine = float(whitened[[3, 11][int(query)]] @ whitened[int(row)])
        assert float(score) == pytest.approx(cosine, abs=0.02)
        assert name == json.loads((exported / "meta.json").read_text())["records"][int(row)]["name"]
    assert node(exported, "rows:3,11", 4).stdout.splitlines()[0].split("\t")[2] == "3"


@needs_node
def test_node_refuses_a_mixed_set(exported: Path, tmp_path: Path) -> None:
    """Vectors of another export are not read as if they belonged to these cards."""
    mixed = Path(shutil.copytree(exported, tmp_path / "mixed"))
    for name in ("embeddings.i8bin", "whitening.f32bin"):
        data = bytearray((mixed / name).read_bytes())
        data[5] ^= 1
        (mixed / name).write_bytes(data)
        assert node(mixed, "rows:0").returncode == 5
        data[5] ^= 1
        (mixed / name).write_bytes(data)
        assert node(mixed, "rows:0").returncode == 0
    assert node(exported, "rows:999").returncode == 2


def test_errors_have_their_codes(tmp_path: Path, built_index: Path) -> None:
    """No index is 5, a directory that cannot be made is 6, a missing flag is 2."""
    assert run(SCRIPT, "--index", tmp_path, "--out", tmp_path / "out").code == 5
    assert run(SCRIPT, "--index", built_index).code == 2
    (tmp_path / "file").write_text("")
    assert run(SCRIPT, "--index", built_index, "--out", tmp_path / "file" / "out").code == 6
