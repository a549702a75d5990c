"""Which engine embeds a build: what `auto` means, what is missing, what cannot be mixed."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import VECTORS, Crash, Deck, build, manifest, names, patched, same_files, statistics
from support import ROOT, environment, run

from helpers import worker_process
from helpers.building import engine
from helpers.errors import DataError
from helpers.index.publish import ENCODER, NAMES
from helpers.model.onnx_export import export_encoder

Capture = pytest.CaptureFixture[str]
BUILD = "build_embeddings.py"
#: Tells whether torch and FAISS were loaded.
AT_THE_END = (
    "import atexit\natexit.register(lambda: print('torch' in sys.modules, 'faiss' in sys.modules))"
)


def test_without_onnxruntime(encoded: Deck, model: str, tmp_path: Path, capsys: Capture) -> None:
    """Torch builds an index without encoder; once installed, it comes along and no vector anew.

    The build never loads FAISS: both bring an OpenMP runtime, and on macOS two in one process can
    crash.
    """
    out = tmp_path / "out"
    auto = ("--engine", "auto")

    without = subprocess.run(
        [*patched(AT_THE_END), *encoded.flags(out, model), *auto],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=str(ROOT / "tests/hiding"), MTG_HIDE="onnxruntime"),
        check=False,
    )
    assert without.returncode == 0, without.stderr
    assert "is asked through torch: not installed: onnxruntime" in without.stderr
    assert without.stdout.split() == ["True", "False"]
    assert names(out) == set(NAMES) - {ENCODER}
    assert "encoder" not in manifest(out)
    before = (out / VECTORS).read_bytes()

    later = build(encoded, out, model, capsys, *auto)
    assert later.code == 0, later.err
    assert names(out) == set(NAMES)
    assert statistics(out)["reused_embeddings"] == 24
    assert manifest(out)["model"]["engine"] == "torch"
    assert (out / VECTORS).read_bytes() == before
    assert "nothing new since" in build(encoded, out, model, capsys, *auto).err

    asked = run("query_index.py", "--index", out, encoded.image(3), hide="torch,open_clip")
    assert asked.code == 0, asked.err
    assert asked.out.splitlines()[0].split("\t")[1:4] == ["1", "1.0000", "Card 3"]


def test_an_export_that_dies(
    encoded: Deck,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """Killed for its memory, say: the build goes on through torch and tells why."""
    whole = worker_process.call

    def call(function: Any, *arguments: Any) -> Any:
        if function is export_encoder:
            raise worker_process.ChildDiedError("the exporter was killed", details="code -9")
        return whole(function, *arguments)

    monkeypatch.setattr(worker_process, "call", call)
    monkeypatch.setenv("MTG_ENCODER_CACHE", str(tmp_path / "store"))

    result = build(encoded, tmp_path / "out", model, capsys, "--engine", "auto")

    assert result.code == 0, result.err
    assert "is asked through torch: the exporter was killed" in result.err
    assert manifest(tmp_path / "out")["model"]["engine"] == "torch"
    forced = build(encoded, tmp_path / "new", model, capsys, "--engine", "onnx")
    assert (forced.code, "--engine onnx is not possible here" in forced.err) == (5, True)


@pytest.mark.parametrize(
    ("flag", "value", "hidden"),
    [
        ("engine", "onnx", "onnxruntime"),
        ("precision", "int8", "onnxruntime"),
        ("engine", "onnx", "torch"),
        ("engine", "onnx", "onnx"),
        ("precision", "int8", "onnxscript"),
        ("engine", "torch", "torch"),
        ("engine", "auto", "torch"),
        ("engine", "auto", "open_clip"),
    ],
)
def test_what_is_missing_is_named(
    encoded: Deck, model: str, tmp_path: Path, flag: str, value: str, hidden: str
) -> None:
    """Where nothing was exported before: exit 5 and the pip command, before anything is made."""
    flags = [*encoded.flags(tmp_path / "out", model), "--engine", "auto", f"--{flag}", value]

    result = run(BUILD, *flags, hide=hidden, MTG_ENCODER_CACHE=str(tmp_path / "store"))

    assert result.code == 5, result.err
    assert f"{hidden} is not installed" in result.err or f"not installed: {hidden}" in result.err
    assert "pip install -r requirements.txt" in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("filled_store")
def test_int8_needs_onnx_to_quantise(encoded: Deck, model: str, tmp_path: Path) -> None:
    """Though the fp32 encoder is in the store: named like everything else that is missing."""
    flags = [*encoded.flags(tmp_path / "out", model), "--engine", "auto", "--precision", "int8"]

    result = run(BUILD, *flags, hide="onnx")

    assert result.code == 5
    assert "not installed: onnx" in result.err
    assert "Traceback" not in result.err


def test_combinations_that_cannot_be(encoded: Deck, model: str, capsys: Capture) -> None:
    """All of them are listed at once, with exit 2."""
    out = encoded.folder / "never"
    for flags, problems in (
        ("--engine onnx --device cuda --precision fp16", ("--engine onnx runs on", "fp16 needs")),
        ("--engine torch --precision int8 --size 1", ("int8 needs --engine onnx", "--size must")),
        ("--precision int8 --device mps", ("int8 needs --engine onnx",)),
        ("--precision fp16 --device cpu", ("fp16 needs a GPU and --engine torch",)),
        ("--engine fast --precision int4", ("--engine must be one of", "--precision must be")),
    ):
        result = build(encoded, out, model, capsys, "--engine", "auto", *flags.split())
        assert result.code == 2
        for problem in problems:
            assert problem in result.err
    assert not out.exists()


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a GPU, and an empty store."""
    monkeypatch.setenv("MTG_ENCODER_CACHE", str(tmp_path / "store"))
    for device in ("torch.cuda.is_available", "torch.backends.mps.is_available"):
        monkeypatch.setattr(device, lambda: False)


@pytest.mark.parametrize(
    ("flags", "suggestion"),
    [("--precision fp16", "--precision fp32, or int8"), ("--device cuda", "--device auto")],
)
@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there(
    encoded: Deck, model: str, tmp_path: Path, capsys: Capture, flags: str, suggestion: str
) -> None:
    """What needs a GPU is exit 2 where there is none, before anything is exported or read."""
    out = tmp_path / "out"
    result = build(encoded, out, model, capsys, "--engine", "auto", *flags.split())

    assert result.code == 2
    assert suggestion in result.err
    assert "Exporting" not in result.err
    assert "Checking the cache" not in result.err
    assert not out.exists()


def test_both_engines_give_the_same_vectors(
    encoded: Deck, model: str, tmp_path: Path, capsys: Capture
) -> None:
    """Cosine at least 0.99999 between torch and ONNX Runtime in fp32, row by row."""
    assert build(encoded, tmp_path / "torch", model, capsys).code == 0

    folders = (tmp_path / "torch", encoded.folder / "out")
    one, other = (np.load(folder / VECTORS).astype(np.float64) for folder in folders)
    assert [manifest(folder)["model"]["engine"] for folder in folders] == ["torch", "onnx"]
    assert np.einsum("nd,nd->n", one, other).min() >= 0.99999
    assert not np.array_equal(one, other), "two engines were at work"


def test_a_build_of_the_other_engine_is_not_mixed_in(
    encoded: Deck, model: str, tmp_path: Path, capsys: Capture
) -> None:
    """`auto` keeps the engine of the last build; another, asked for, embeds all again."""
    out = tmp_path / "out"
    build(encoded, out, model, capsys)
    build(encoded, out, model, capsys, "--engine", "auto", "--hnsw-m", 8)
    assert manifest(out)["model"]["engine"] == "torch"
    assert statistics(out)["reused_embeddings"] == 24

    result = build(encoded, out, model, capsys, "--engine", "onnx")

    assert result.code == 0
    assert "made with another engine, precision or export of the same model" in result.err
    assert statistics(out)["reused_embeddings"] == 0
    assert same_files(out, encoded.folder / "out")
    build(encoded, out, model, capsys, "--engine", "auto", "--hnsw-m", 8)
    assert manifest(out)["model"]["engine"] == "onnx"


def test_a_checkpoint_of_the_other_engine_is_not_mixed_in(
    encoded: Deck, model: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch left unfinished stays aside; the warning names the engine."""
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        Crash(patch, batch=3)
        assert build(encoded, out, model, capsys).code == 1

    result = build(encoded, out, model, capsys, "--engine", "onnx")

    assert result.code == 0
    assert "WARNING:   engine: was 'torch', is now 'onnx'" in result.err
    assert statistics(out)["resumed_embeddings"] == 0
    assert same_files(out, encoded.folder / "out")


@pytest.mark.parametrize(
    "case",
    [(50.0, "torch"), (31.0, "onnx"), (10.0, "onnx"), (DataError("no memory"), "onnx")],
)
def test_a_long_build_takes_the_faster_engine(
    case: tuple[float | DataError, str],
    encoded: Deck,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """Measured once on a machine; a difference of 5 % is none; what is remembered is not asked."""
    torch, chosen = case
    rates = {"onnx": 30.0, "torch": torch}
    whole = worker_process.call

    def call(function: Any, *arguments: Any) -> Any:
        if function is not engine.rate_in_child:
            return whole(function, *arguments)
        rate = rates.pop(arguments[0].name)
        if isinstance(rate, DataError):
            raise rate
        return rate

    monkeypatch.setattr(worker_process, "call", call)
    monkeypatch.setattr(engine, "_LONG", 20)
    monkeypatch.setattr(engine, "cpu_name", lambda: str(tmp_path))
    for out in (tmp_path / "one", tmp_path / "two"):
        flags = ("--engine", "auto", "--no-whiten")
        assert build(encoded, out, model, capsys, *flags).code == 0
        assert manifest(out)["model"]["engine"] == chosen
    assert rates == {}
