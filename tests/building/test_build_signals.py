"""A build that is stopped or killed, and then goes on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from builds import Deck, build, names, same_files, statistics
from support import ROOT, environment

from helpers.index.publish import NAMES

Capture = pytest.CaptureFixture[str]

#: `build_embeddings.py` with a model that takes its time, as a real one does.
SLOW = """
import sys, time
sys.path.insert(0, sys.argv.pop(1))
import build_embeddings
from helpers.model.onnx_embedder import OnnxEmbedder
whole, seconds = OnnxEmbedder.embed, float(sys.argv.pop(1))
def embed(self, pixels):
    time.sleep(seconds if len(pixels) > 1 else 0)
    return whole(self, pixels)
OnnxEmbedder.embed = embed
raise SystemExit(build_embeddings.main())
"""

#: An index that takes minutes.
INDEXING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv.pop(1))
from helpers.building.hnsw import IndexOptions, build_index
build_index(IndexOptions(*map(Path, sys.argv[1:]), 64, 1000, 60.0))
"""


@pytest.fixture
def model(plain_model: str) -> str:
    """A model that is there at once."""
    return plain_model


class SlowBuild:
    """A build in a process of its own, slow enough to be caught in the middle."""

    def __init__(
        self, deck: Deck, out: Path, model: str, *more: str, seconds: float = 0.15
    ) -> None:
        self.out = out
        self.process = subprocess.Popen(
            [sys.executable, "-c", SLOW, str(ROOT), str(seconds), *deck.flags(out, model), *more],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def wait_for(self, text: str) -> None:
        """Read stderr until a line holds `text`."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if text in line:
                return
        raise AssertionError(f"the build ended without saying {text!r}")

    def stop(self, *signals: int) -> tuple[int, str]:
        """Send signals, a little apart; return the exit code and what was said then."""
        for signum in signals:
            self.process.send_signal(signum)
            time.sleep(0.1)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_same_command_resumes(
    tmp_path: Path, model: str, capsys: Capture, signum: int, code: int
) -> None:
    """The batches in hand are finished and saved; the result is that of an undisturbed build."""
    deck, out = Deck.of(tmp_path, 160), tmp_path / "out"
    slow = SlowBuild(deck, out, model)
    slow.wait_for("Embedding:")
    time.sleep(0.5)

    returned, err = slow.stop(signum)

    assert returned == code
    assert "Stopping after the batches in hand" in err
    assert "type the same command again" in err
    saved = json.loads((out / "checkpoint_meta.json").read_text())["rows_done"]
    assert 8 <= saved < 160
    assert build(deck, out, model, capsys).code == 0
    assert statistics(out)["resumed_embeddings"] == saved
    build(deck, tmp_path / "undisturbed", model, capsys)
    assert same_files(out, tmp_path / "undisturbed")


def test_a_second_signal_ends_at_once(tmp_path: Path, model: str) -> None:
    """Whoever asks twice does not wait for the batch."""
    deck = Deck.of(tmp_path, 40)
    slow = SlowBuild(deck, tmp_path / "out", model, seconds=8)
    slow.wait_for("Embedding:")
    time.sleep(0.5)  # until a batch is in hand
    start = time.monotonic()

    returned, err = slow.stop(signal.SIGTERM, signal.SIGTERM)

    assert returned == 143
    assert "again: at once" in err
    assert time.monotonic() - start < 5


def test_kill_9_loses_only_the_batches_in_hand(tmp_path: Path, model: str, capsys: Capture) -> None:
    """Even without a checkpoint since the start, what was embedded is not embedded twice."""
    deck, out = Deck.of(tmp_path, 160), tmp_path / "out"
    slow = SlowBuild(deck, out, model, "--checkpoint-frequency", "0")
    slow.wait_for("Embedding:")
    time.sleep(1)

    returned, _ = slow.stop(signal.SIGKILL)

    assert returned == -signal.SIGKILL
    result = build(deck, out, model, capsys)
    assert result.code == 0
    assert statistics(out)["resumed_embeddings"] >= 16
    build(deck, tmp_path / "undisturbed", model, capsys)
    assert same_files(out, tmp_path / "undisturbed")
    assert names(out) == set(NAMES)


def test_the_index_process_ends_with_its_parent(tmp_path: Path) -> None:
    """A child whose parent is killed does not go on building for hours."""
    vectors = np.random.default_rng(0).normal(size=(60_000, 64)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    with subprocess.Popen(
        [sys.executable, "-c", INDEXING, str(ROOT), tmp_path / "vectors.npy", tmp_path / "index"],
        stderr=subprocess.PIPE,
        env=environment(),
    ) as parent:
        time.sleep(2)
        assert parent.poll() is None
        parent.kill()
        parent.communicate(timeout=10)  # stderr is also the child's: it ends when both have

    assert not (tmp_path / "index").exists()


def test_a_stop_while_the_index_is_built(tmp_path: Path, model: str, capsys: Capture) -> None:
    """SIGTERM ends the child, too, and every vector is kept."""
    deck, out = Deck.of(tmp_path, 24), tmp_path / "out"
    slow = SlowBuild(deck, out, model, seconds=0)
    slow.wait_for("Embedding: 24 of 24")

    returned, _ = slow.stop(signal.SIGTERM)

    if returned == 0:
        pytest.skip("the index was built before the signal came")
    assert returned == 143
    assert build(deck, out, model, capsys).code == 0
    assert statistics(out)["resumed_embeddings"] == 24
