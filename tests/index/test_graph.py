"""The index file with a whitening in it: for FAISS alone, for numpy, and for ours."""

import json
from pathlib import Path

import faiss
import numpy as np
import pytest
from builds import made_up_manifest
from numpy.typing import NDArray

from helpers.building.hnsw import IndexOptions, build
from helpers.errors import DataError
from helpers.index.card_index import CardIndex
from helpers.index.graph import read_whitening
from helpers.index.publish import INDEX, METADATA, VECTORS
from helpers.index.verify import check_index
from helpers.model.unit_vectors import normalize
from helpers.model.whitening import Whitening, learn

DIM, COUNT = 16, 300


def vectors(count: int, seed: int) -> NDArray[np.float32]:
    """Return random unit vectors, all of them a little to one side, as a model's are."""
    rows = np.random.default_rng(seed).normal(size=(count, DIM)) + 0.5
    return normalize(rows.astype(np.float32))


@pytest.fixture
def whitening() -> Whitening:
    """A whitening of random views."""
    views = vectors(40, 1)[:, None] + np.random.default_rng(2).normal(size=(40, 6, DIM)) * 0.1
    return learn(normalize(views.reshape(-1, DIM).astype(np.float32)).reshape(40, 6, DIM), 1.0)


@pytest.fixture
def built(tmp_path: Path, whitening: Whitening) -> Path:
    """A directory with an index of 300 rows, of which row 7 is a copy of row 3."""
    rows = vectors(COUNT, 0)
    rows[7] = rows[3]
    np.save(tmp_path / VECTORS, rows)
    options = IndexOptions(tmp_path / VECTORS, tmp_path / INDEX, 16, 80, 60.0, whitening)
    result = build(options)
    assert result.self_check["found"] == result.self_check["asked"] == COUNT - 1
    keys = ("scryfall_id", "image_file", "image_sha256")
    lines = [
        {"name": f"Card {row}", "face_id": str(row), **dict.fromkeys(keys, "x")}
        for row in range(COUNT)
    ]
    lines[7]["same_as"] = 3  # type: ignore[assignment]
    (tmp_path / METADATA).write_text("".join(json.dumps(line) + "\n" for line in lines))
    describe(tmp_path, whitened=True)
    return tmp_path


def describe(folder: Path, *, whitened: bool | None) -> None:
    """Write the manifest; None: as version 1.1 did, which knew no whitening."""
    about = {"vectors": COUNT, "dimension": DIM, "distinct": COUNT - 1}
    if whitened is not None:
        about["whitened"] = whitened
    made_up_manifest(folder, about)


def test_faiss_alone_answers_a_raw_vector(built: Path, whitening: Whitening) -> None:
    """Loaded with FAISS and asked with unit vectors of the model: numpy's whitened cosines."""
    index = faiss.read_index(str(built / INDEX))
    rows, queries = np.load(built / VECTORS), vectors(20, 5)

    scores, ids = index.search(queries, 5, params=faiss.SearchParametersHNSW(efSearch=300))

    cosines = whitening.apply(queries) @ whitening.apply(rows).T
    assert np.allclose(scores, np.take_along_axis(cosines, ids, axis=1), rtol=0, atol=1e-5)
    assert np.allclose(scores[:, 0], cosines.max(axis=1), rtol=0, atol=1e-5)


def test_what_is_read_back_is_what_was_put_in(built: Path, whitening: Whitening) -> None:
    """To the bit, so that rebuilds take over the very same whitening."""
    again = read_whitening(built / INDEX)
    assert again is not None
    assert again.matrix.tobytes() == whitening.matrix.tobytes()
    assert again.bias.tobytes() == whitening.bias.tobytes()


def test_graph_and_exact_search_agree(built: Path) -> None:
    """Both whiten; a row finds itself with 1; copies come in the order of their rows."""
    rows = np.load(built / VECTORS)
    graph, exact = (
        CardIndex(built, exact=exact).search(rows[:20], 3, 300) for exact in (False, True)
    )
    for one, other in zip(graph, exact, strict=True):
        assert [hit.row for hit in one] == [hit.row for hit in other]
        assert [h.score for h in one] == pytest.approx([h.score for h in other], abs=1e-5)
    assert [hit.row for hit in exact[3]][:2] == [3, 7]
    assert all(hits[0].score == pytest.approx(1, abs=1e-5) for hits in exact)


def test_sentences_are_compared_with_the_vectors_as_they_are(built: Path) -> None:
    """`search_unwhitened` gives plain cosines, over all rows."""
    rows, queries = np.load(built / VECTORS), vectors(4, 9)
    index = CardIndex(built, with_vectors=True)

    found = index.search_unwhitened(queries, 3)

    cosines = queries @ rows.T
    assert [hits[0].score for hits in found] == pytest.approx(cosines.max(axis=1).tolist())
    with pytest.raises(ValueError, match="without its vectors"):
        CardIndex(built).search_unwhitened(queries, 3)


def test_verification_looks_through_the_whitening(built: Path) -> None:
    """A whole index has no problems; one vector that is another one is found."""
    assert check_index(built)["problems"] == []
    rows = np.load(built / VECTORS)
    rows[20] = vectors(1, 77)[0]
    np.save(built / VECTORS, rows)
    describe(built, whitened=True)
    problems = " ".join(check_index(built)["problems"])
    assert "row 20 has another vector" in problems


@pytest.mark.parametrize("whitened", [None, False])
def test_the_manifest_must_know_of_the_whitening(built: Path, *, whitened: bool | None) -> None:
    """Scores would be taken for what they are not."""
    describe(built, whitened=whitened)
    with pytest.raises(DataError, match="no usable index") as caught:
        CardIndex(built)
    assert "whitening" in caught.value.details


def test_an_index_of_version_1_1_still_answers(built: Path) -> None:
    """No word of a whitening in its manifest, none in its graph: plain cosines."""
    build(IndexOptions(built / VECTORS, built / INDEX, 16, 80, 60.0))
    describe(built, whitened=None)
    rows = np.load(built / VECTORS)

    index = CardIndex(built)

    assert index.whitening is None
    best, second = index.search(rows[:1], 2, 64)[0]
    assert best.row == 0
    assert best.score == pytest.approx(1, abs=1e-5)
    assert second.score == pytest.approx(float(np.sort(rows @ rows[0])[-2]), abs=1e-5)
