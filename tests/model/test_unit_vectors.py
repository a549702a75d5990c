"""Unit vectors, row keys, and files of rows."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.building.build import write_vectors
from helpers.building.checkpoint import KEY_TYPE, VectorStore, row_key
from helpers.errors import DataError, WriteError
from helpers.index.publish import VECTORS
from helpers.index.rows import map_vectors
from helpers.model.unit_vectors import check_unit, normalize


def unit(count: int, dim: int = 8) -> NDArray[np.float32]:
    """Return random unit vectors."""
    return normalize(np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32))


def test_unit_vectors_pass() -> None:
    """What `normalize` returns is within the tolerance, and is not refused."""
    vectors = unit(1000, 512)
    assert np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1).max() <= 1e-5
    check_unit(vectors)


@pytest.mark.parametrize(
    ("scale", "passes"), [(1.000009, True), (1.00002, False), (0.99998, False), (np.nan, False)]
)
def test_the_tolerance_is_absolute(scale: float, passes: bool) -> None:  # noqa: FBT001
    """A length of 1 ± 2e-5 fails, though `np.allclose(x, 1, atol=1e-5)` accepts it."""
    vectors = unit(5)
    vectors[3] *= np.float32(scale)
    if passes:
        check_unit(vectors)
    else:
        with pytest.raises(DataError, match="unit length") as caught:
            check_unit(vectors)
        assert "row 3 " in caught.value.details


def test_no_vectors_are_refused() -> None:
    """An empty array is no success."""
    with pytest.raises(DataError, match="No valid images to embed"):
        check_unit(np.zeros((0, 8), np.float32))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_broken_rows_are_not_normalised(bad: float) -> None:
    """A row that is zero or not finite means a broken model."""
    vectors = np.ones((4, 8), np.float32)
    vectors[2] = bad
    with pytest.raises(DataError, match="zero or not finite") as caught:
        normalize(vectors)
    assert caught.value.details == "1 of 4 rows"


def test_a_row_key_depends_on_face_file_and_content() -> None:
    """Two rows share a key only if face, image file and content are the same."""
    key = row_key("a", "b.jpg", b"\1" * 32)
    others = [("x", "b.jpg", b"\1"), ("a", "x.jpg", b"\1"), ("a", "b.jpg", b"\2"), ("ab", "", b"")]

    assert key == row_key("a", "b.jpg", b"\1" * 32)
    assert all(row_key(face, file, sha * 32) != key for face, file, sha in others)


def test_row_keys_survive_numpy() -> None:
    """Numpy drops zero bytes at the end of a string; no key may lose any."""
    keys = [row_key(str(number), "", b"") for number in range(2000)]
    assert np.array(keys, dtype=KEY_TYPE).tolist() == keys


def stored(folder: Path, vectors: NDArray[np.float32]) -> VectorStore:
    """Put vectors into a store, in seven parts and in no order."""
    keys = np.array([row_key(str(row), "", b"") for row in range(len(vectors))], dtype=KEY_TYPE)
    store = VectorStore(folder, keys, vectors.shape[1], {})
    store.create()
    order = np.random.default_rng(1).permutation(len(vectors))
    for rows in np.array_split(order, 7):
        store.put(rows, vectors[rows])
    assert np.array_equal(store.read(order), vectors[order])
    return store


def test_what_is_published_is_an_npy_file(tmp_path: Path) -> None:
    """Rows put out of order are written in order, as numpy itself writes them."""
    vectors, rows = unit(10_000), np.arange(1, 10_000)
    write_vectors(tmp_path, stored(tmp_path, vectors), rows)

    np.save(tmp_path / "numpy.npy", vectors[rows])
    assert (tmp_path / "numpy.npy").read_bytes() == (tmp_path / VECTORS).read_bytes()


@pytest.mark.parametrize(("count", "dim"), [(10, 7), (9, 8), (11, 8)])
def test_vectors_of_another_form_are_refused(tmp_path: Path, count: int, dim: int) -> None:
    """Opening checks shape and type, which `np.memmap` does not."""
    np.save(tmp_path / VECTORS, unit(10))
    with (
        (tmp_path / VECTORS).open("rb") as file,
        pytest.raises(ValueError, match="it holds float32"),
    ):
        map_vectors(file, {"vectors": count, "dimension": dim})


def test_a_full_disk_is_noticed_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Space is allocated when the file is made; if there is none, nothing stays behind."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(WriteError, match="No space left"):
        stored(tmp_path, unit(10))
    assert list(tmp_path.iterdir()) == []
