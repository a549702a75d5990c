"""The store of exported encoders: once per weights, whole or not at all, never in the way."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import Deck, StoredExport, build, flip, manifest, names, patched, statistics
from support import command, environment, imported, run

from helpers.index.publish import ENCODER, NAMES
from helpers.model.encoder_cache import source_key
from helpers.model.options import ModelOptions

Capture = pytest.CaptureFixture[str]

#: Makes a build in a process of its own take the export from the build in `$EXPORTED`.
STORED = """
import os, pathlib, builds, pytest
builds.StoredExport(
    pytest.MonkeyPatch(), pathlib.Path(os.environ["EXPORTED"]), int(os.environ["COMPANY"])
)
"""


@pytest.fixture
def export(encoded: Deck, monkeypatch: pytest.MonkeyPatch) -> StoredExport:
    """The export of the small model, without waiting for it."""
    return StoredExport(monkeypatch, encoded.folder / "out")


@pytest.fixture
def flags(encoded: Deck, model: str, tmp_path: Path) -> list[str]:
    """The flags of a build into `out`, by the engine that is chosen by default."""
    return [*encoded.flags(tmp_path / "out", model), "--engine", "auto"]


def test_an_export_is_not_made_twice(encoded: Deck, flags: list[str]) -> None:
    """Another output directory takes the stored encoder, and torch is not even imported."""
    result = run("build_embeddings.py", *flags, PYTHONPROFILEIMPORTTIME="1")

    assert result.code == 0, result.err
    assert "Exporting" not in result.err
    packages = imported(result.err)
    assert packages.isdisjoint({"torch", "open_clip", "onnx", "onnxscript"})
    assert {"onnxruntime", "faiss"} <= packages, "the lists of imports were read, the child's too"
    out = Path(flags[flags.index("--out") + 1])
    assert manifest(out)["encoder"] == manifest(encoded.folder / "out")["encoder"]


def test_random_weights_are_those_of_a_version_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version draws other weights; trained ones stay what they are."""

    def key(pretrained: str, torch: str) -> str:
        monkeypatch.setattr("importlib.metadata.version", lambda _: torch)
        return source_key(ModelOptions("ViT-B-32", pretrained, "cpu", "fp32", 384, "pad"))

    assert key("random", "2.0") == key("random", "2.0") != key("random", "2.1")
    assert key("openai", "2.0") == key("openai", "2.1")


def test_an_emptied_store_is_no_loss(encoded: Deck, flags: list[str], store: Path) -> None:
    """The encoder in the output directory serves the next build, again without torch."""
    out = Path(flags[flags.index("--out") + 1])
    shutil.copytree(encoded.folder / "out", out)

    result = run("build_embeddings.py", *flags, "--hnsw-m", 8, hide="torch,open_clip,onnx")

    assert result.code == 0, result.err
    assert statistics(out)["reused_embeddings"] == 24
    assert names(out) == set(NAMES)
    assert run("scripts/verify_index.py", "--index", out).code == 0


HARMS: list[Callable[[Path, Path], object]] = [
    lambda encoder, _: flip(encoder, 300_000),
    lambda encoder, _: encoder.write_bytes(encoder.read_bytes()[:-1]),
    lambda encoder, _: encoder.unlink(),
    lambda _, about: about.unlink(),
    lambda _, about: about.write_text(about.read_text()[:99]),
    lambda _, about: about.write_text("[]"),
    lambda _, about: about.write_text(about.read_text().replace('"key": "', '"key": "0')),
]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_encoder_is_exported_again(
    encoded: Deck,
    model: str,
    filled_store: Path,
    export: StoredExport,
    capsys: Capture,
    harm: Callable[[Path, Path], object],
) -> None:
    """Flipped, cut, gone, or without a description that fits: it is made anew."""
    (path,) = filled_store.glob("*.onnx")
    about = path.with_suffix(".json")
    whole = path.read_bytes(), json.loads(about.read_bytes())
    harm(path, about)
    out = filled_store.parent / "out"

    assert build(encoded, out, model, capsys, "--engine", "onnx").code == 0

    assert export.exports == 1
    assert (path.read_bytes(), json.loads(about.read_bytes())) == whole
    assert (out / ENCODER).read_bytes() == whole[0]


def test_changed_weights_are_another_encoder(
    encoded: Deck, model: str, store: Path, export: StoredExport, capsys: Capture
) -> None:
    """Weights count by content: rewritten in place they are exported anew, touched they are not."""
    own = shutil.copytree(model.removeprefix("local-dir:"), store.parent / "model")
    weights = Path(own) / "open_clip_model.safetensors"
    exports = []
    for change in ("none", "touched", "rewritten"):
        if change == "touched":
            os.utime(weights, (1, 1))
        elif change == "rewritten":
            flip(weights, -30)
        out = store.parent / "out"
        assert build(encoded, out, f"local-dir:{own}", capsys, "--engine", "onnx").code == 0
        exports.append(export.exports)

    assert exports == [1, 1, 2]
    assert len(list(store.glob("*.onnx"))) == 2


def stored_build(flags: list[str], encoded: Deck, **env: str) -> subprocess.Popen[str]:
    """Start a build in a process of its own that exports nothing itself."""
    env = {"EXPORTED": str(encoded.folder / "out"), "COMPANY": "1", **env}
    return subprocess.Popen(
        patched(STORED, *flags), stderr=subprocess.PIPE, text=True, env=environment(**env)
    )


def test_a_store_that_cannot_be_made(encoded: Deck, flags: list[str], tmp_path: Path) -> None:
    """The build says so and works; of the temporary directory nothing is left afterwards."""
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    where = {"MTG_ENCODER_CACHE": str(tmp_path / "file/store"), "TMPDIR": str(tmp_path / "tmp")}
    with stored_build(flags, encoded, **where) as process:
        _, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert f"{tmp_path}/file/store cannot be written" in err
    assert f"(once) to {tmp_path / 'tmp' / 'mtg-encoders-'}" in err
    assert names(tmp_path / "out") == set(NAMES)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_read_only_store_still_serves(
    encoded: Deck,
    model: str,
    export: StoredExport,
    encoder_cache: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What lies in a store that others filled is used, though nothing can be added."""
    before = set(encoder_cache.iterdir())
    monkeypatch.setattr("os.access", lambda *_: False)

    result = build(encoded, encoded.folder / "read-only", model, capsys, "--engine", "onnx")

    assert result.code == 0
    assert "cannot be written" in result.err
    assert export.exports == 0
    assert set(encoder_cache.iterdir()) == before


def test_two_exports_at_the_same_time(
    encoded: Deck, model: str, store: Path, tmp_path: Path
) -> None:
    """Both builds succeed, each with a whole encoder, and so is the stored one."""
    outs = [tmp_path / "one", tmp_path / "two"]
    both = [
        stored_build([*encoded.flags(out, model), "--engine", "onnx"], encoded, COMPANY="2")
        for out in outs
    ]
    for process in both:
        with process:
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "Exporting" in err

    for out in outs:
        assert run("scripts/verify_index.py", "--index", out).code == 0
    (path,) = store.glob("*.onnx")
    about = json.loads(path.with_suffix(".json").read_text())
    assert about == manifest(outs[0])["encoder"]
    assert {entry.name for entry in store.iterdir()} == {path.name, path.with_suffix(".json").name}


def test_what_a_killed_export_left_is_removed(
    encoded: Deck, model: str, store: Path, export: StoredExport, capsys: Capture
) -> None:
    """The part of a process that lives stays, that of a dead one goes."""
    store.mkdir()
    with subprocess.Popen(command("-c", "")) as gone:
        gone.wait()
    living, dead = (
        store / f"0-fp32.onnx.{number}-0123abcd.part" for number in (os.getppid(), gone.pid)
    )
    living.touch()
    dead.touch()

    assert build(encoded, store.parent / "out", model, capsys, "--engine", "onnx").code == 0

    assert living.exists()
    assert not dead.exists()


@pytest.mark.parametrize("step", ["export", "int8"])
def test_a_full_disk(
    flags: list[str], store: Path, step: str, request: pytest.FixtureRequest
) -> None:
    """Where the encoder does not fit: exit 6 with its name, and nothing unfinished is left."""
    if step == "int8":
        request.getfixturevalue("filled_store")
        flags += ["--precision", "int8"]
    before = set(store.glob("*"))
    result = run("build_embeddings.py", *flags, timeout=60, file_limit=100_000)

    assert result.code == 6, result.err
    assert "ERROR: cannot write: " in result.err
    assert str(store) in result.err
    assert "Traceback" not in result.err
    assert set(store.iterdir()) == before
    assert not Path(flags[flags.index("--out") + 1]).exists()


def test_a_stop_during_the_export(flags: list[str], store: Path) -> None:
    """SIGTERM: 143, the child is gone, too, and nothing unfinished is left."""
    with subprocess.Popen(
        command("build_embeddings.py", *flags), stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stderr is not None
        while "Exporting" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)  # stderr is the child's, too: it ends with both

    assert process.returncode == 143
    assert "type the same command again" in err
    assert list(store.iterdir()) == []
    assert not Path(flags[flags.index("--out") + 1]).exists()
