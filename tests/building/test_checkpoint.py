"""Checkpoints: what survives, what is carried over, and what is never mixed in."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import flip
from numpy.typing import NDArray

from helpers.building.checkpoint import KEY_TYPE, MASK, META, VectorStore
from helpers.building.resume import resume as go_on
from helpers.errors import WriteError
from helpers.index.publish import remove_checkpoints
from helpers.model.unit_vectors import normalize
from helpers.report import Reporter

DIM = 8
PARAMETERS: dict[str, Any] = {
    "model": "A",
    "pretrained": "tag",
    "weights_sha256": "aa",
    "preprocessing": {"fit": "pad", "size": 384},
}
OTHER = {**PARAMETERS, "preprocessing": {"fit": "crop", "size": 384}}


class Said(Reporter):
    """A reporter that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def _say(self, text: str, label: str = "") -> None:
        self.lines.append(label + text)

    @property
    def text(self) -> str:
        """Everything that was said."""
        return "\n".join(self.lines)


def keys_of(cards: Sequence[int]) -> NDArray[np.bytes_]:
    """Return the keys of some cards."""
    return np.array([b"card %06d" % card for card in cards], dtype=KEY_TYPE)


def vectors_of(cards: Sequence[int]) -> NDArray[np.float32]:
    """Return for each card the one vector that is right for it."""
    numbers = np.array(cards, dtype=np.float32)
    steps = np.arange(1, DIM + 1, dtype=np.float32)
    return normalize(np.add.outer(numbers, steps).astype(np.float32))


def interrupted(folder: Path, cards: Sequence[int], done: int, saved: int) -> None:
    """Leave a checkpoint of the first `done` cards behind, of which `saved` are in the mask."""
    store = VectorStore(folder, keys_of(cards), DIM, PARAMETERS)
    store.create()
    store.save()
    rows = np.arange(done)
    store.put(rows[:saved], vectors_of(cards[:saved]))
    store.save()
    store.put(rows[saved:], vectors_of(cards[saved:done]))


def resume(
    folder: Path, cards: Sequence[int], parameters: dict[str, Any] | None = None
) -> tuple[VectorStore, Said]:
    """Open the store as the next build does."""
    said, store = Said(), VectorStore(folder, keys_of(cards), DIM, parameters or PARAMETERS)
    go_on(store, said)
    return store, said


def assert_right(store: VectorStore, cards: Sequence[int]) -> None:
    """Check that every row that counts as done holds the vector of its own card."""
    rows = np.flatnonzero(store.done)
    expected = vectors_of([cards[row] for row in rows.tolist()])
    assert np.array_equal(store.read(rows), expected)


def test_a_resumed_build_knows_every_finished_row(tmp_path: Path) -> None:
    """Rows after the last checkpoint count, too, if they are whole: `kill -9` loses none."""
    cards = range(1000)
    interrupted(tmp_path, cards, done=730, saved=500)

    store, said = resume(tmp_path, cards)

    assert store.done.tolist() == [row < 730 for row in cards]
    assert "Resuming at 730 of 1,000 images" in said.text
    assert_right(store, cards)


def test_a_half_written_row_is_done_again(tmp_path: Path) -> None:
    """A vector without its checksum, as a power cut may leave it, does not count."""
    cards = range(100)
    interrupted(tmp_path, cards, done=60, saved=50)
    (vectors,) = tmp_path.glob("checkpoint-*.rows")
    flip(vectors, 55 * (16 + 4 * DIM + 4) + 17)

    store, _ = resume(tmp_path, cards)

    assert np.flatnonzero(~store.done).tolist() == [55, *range(60, 100)]
    assert_right(store, cards)


@pytest.mark.parametrize("change", ["inserted", "removed", "reversed"])
def test_vectors_follow_their_card(tmp_path: Path, change: str) -> None:
    """A card inserted at row 100 of 30,000 puts no vector on a wrong card."""
    cards = list(range(30_000))
    interrupted(tmp_path, cards, done=20_000, saved=20_000)
    changed = {
        "inserted": [*cards[:100], 99_999, *cards[100:]],
        "removed": [*cards[:100], *cards[101:]],
        "reversed": cards[::-1],
    }[change]

    store, said = resume(tmp_path, changed)

    assert int(store.done.sum()) == 20_000 - (change == "removed")
    assert "finished vectors go with their image" in said.text
    assert_right(store, changed)
    assert len(list(tmp_path.glob("checkpoint-*.rows"))) == 1


def test_another_build_is_never_mixed_in(tmp_path: Path) -> None:
    """Every difference is named, nothing is taken, and the old checkpoint is kept."""
    cards = range(300)
    interrupted(tmp_path, cards, done=200, saved=200)
    changed = {**OTHER, "weights_sha256": "bb"}

    store, said = resume(tmp_path, cards, changed)

    assert not store.done.any()
    assert "preprocessing.fit: was 'pad', is now 'crop'" in said.text
    assert "weights_sha256: was 'aa', is now 'bb'" in said.text
    assert "size" not in said.text
    assert len(list(tmp_path.glob("checkpoint-*.rows"))) == 2


def test_going_back_finds_the_first_checkpoint(tmp_path: Path) -> None:
    """Build A, then B, both stopped: A goes on where it was, and so does B after it."""
    cards = range(300)
    interrupted(tmp_path, cards, done=200, saved=200)
    store, _ = resume(tmp_path, cards, OTHER)
    store.put(np.arange(50), vectors_of(cards[:50]))

    store, _ = resume(tmp_path, cards)
    assert int(store.done.sum()) == 200
    assert_right(store, cards)
    store, _ = resume(tmp_path, cards, OTHER)
    assert int(store.done.sum()) == 50
    assert_right(store, cards)


def test_a_model_may_be_moved(tmp_path: Path) -> None:
    """Where the weights lie does not count: their digest does."""
    interrupted(tmp_path, range(10), done=5, saved=5)
    moved = {**PARAMETERS, "model": "local-dir:/elsewhere", "pretrained": ""}

    store, said = resume(tmp_path, range(10), moved)

    assert int(store.done.sum()) == 5
    assert "WARNING" not in said.text


def empty(path: Path) -> None:
    """Leave nothing of a file."""
    path.write_bytes(b"")


def cut(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def age(path: Path) -> None:
    """Make a mask look as if a later version had written it."""
    with np.load(path) as mask:
        fields = {**mask, "version": 99}
    buffer = io.BytesIO()
    np.savez(buffer, **fields)
    path.write_bytes(buffer.getvalue())


def flip_middle(path: Path) -> None:
    """Change one byte in the middle of a file."""
    flip(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("pattern", "harm", "left", "message"),
    [
        (MASK, empty, 200, "checkpoint.npz is damaged"),
        (MASK, cut, 200, "checkpoint.npz is damaged"),
        (MASK, age, 200, "it has the format 99"),
        (META, empty, 200, "Resuming at 200"),
        ("checkpoint-*.rows", flip_middle, 199, "1 vectors of the checkpoint are damaged"),
        ("checkpoint-*.rows", cut, 150, "50 vectors of the checkpoint are damaged"),
        ("checkpoint-*.rows", empty, 0, "unusable, starting anew"),
        ("checkpoint-*.rows", None, 0, "unusable, starting anew"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_damage_is_said_and_the_last_good_state_used(
    tmp_path: Path, pattern: str, harm: Any, left: int, message: str
) -> None:
    """Whatever file is harmed: a warning, and only whole vectors count."""
    cards = range(300)
    interrupted(tmp_path, cards, done=200, saved=200)
    (path,) = tmp_path.glob(pattern)
    if harm is None:
        path.unlink()
    else:
        harm(path)

    store, said = resume(tmp_path, cards)

    assert int(store.done.sum()) == left
    assert message in said.text
    assert_right(store, cards)
    _, said = resume(tmp_path, cards)
    assert "WARNING" not in said.text, "the next run finds everything in order"


def test_mask_and_meta_both_lost(tmp_path: Path) -> None:
    """The rows tell themselves what is done, and their name with which parameters."""
    interrupted(tmp_path, range(50), done=20, saved=20)
    (tmp_path / MASK).unlink()
    (tmp_path / META).unlink()

    store, said = resume(tmp_path, range(50))

    assert int(store.done.sum()) == 20
    assert "WARNING" not in said.text
    assert_right(store, range(50))


def test_a_crash_while_rows_are_carried_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the earlier cards stay until those of the new ones have taken their place."""
    cards, changed = range(300), [999, *range(300)]
    interrupted(tmp_path, cards, done=200, saved=200)

    def crash(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("helpers.building.checkpoint.replace_durably", crash)
        with pytest.raises(RuntimeError):
            resume(tmp_path, changed)

    assert len(list(tmp_path.iterdir())) == 3
    store, _ = resume(tmp_path, changed)
    assert int(store.done.sum()) == 200
    assert_right(store, changed)


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a checkpoint cannot be written, the one before it still can be resumed."""
    cards = range(300)
    interrupted(tmp_path, cards, done=100, saved=100)
    store, _ = resume(tmp_path, cards)
    store.put(np.arange(100, 200), vectors_of(cards[100:200]))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(WriteError, match="No space left"):
            store.save()

    store, _ = resume(tmp_path, cards)
    assert int(store.done.sum()) == 200
    assert_right(store, cards)


def test_a_checkpoint_costs_the_same_however_much_is_done(tmp_path: Path) -> None:
    """What `save` writes does not grow with the vectors: a bit per row and the parameters."""
    store = VectorStore(tmp_path, keys_of(range(40_000)), DIM, PARAMETERS)
    store.create()
    sizes = []
    for start in (0, 20_000):
        store.put(np.arange(start, start + 20_000), vectors_of(range(start, start + 20_000)))
        store.save()
        sizes.append((tmp_path / MASK).stat().st_size)

    assert sizes[0] == sizes[1] < 10_000


def test_the_meta_says_the_same_to_people(tmp_path: Path) -> None:
    """`checkpoint_meta.json` holds time, counts, parameters and a digest of the ordered rows."""
    interrupted(tmp_path, range(50), done=20, saved=20)
    meta = json.loads((tmp_path / META).read_text())

    assert (meta["rows"], meta["rows_done"], meta["parameters"]) == (50, 20, PARAMETERS)
    assert meta["timestamp"].endswith("+00:00")
    assert len(meta["rows_sha256"]) == 64
    assert (tmp_path / meta["vectors"]).exists()


def test_nothing_but_other_files_is_left(tmp_path: Path) -> None:
    """Every file of every checkpoint goes, and nothing else."""
    interrupted(tmp_path, range(50), done=20, saved=20)
    resume(tmp_path, range(50), OTHER)
    (tmp_path / "mine.npy").touch()
    (tmp_path / "checkpoint-0123.previous.npz").touch()  # of an earlier version

    assert remove_checkpoints(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.npy"]
    assert not remove_checkpoints(tmp_path)
