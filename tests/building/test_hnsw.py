"""The graph: duplicates, self-check, short lists, and a disk that refuses."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import METADATA, VECTORS, made_up_manifest, manifest
from numpy.typing import NDArray
from support import ROOT, environment

from helpers import worker_process
from helpers.building import hnsw
from helpers.building.hnsw import (
    BuiltIndex,
    IndexOptions,
    build,
    build_index,
    distinct_rows,
    new_graph,
    self_check,
)
from helpers.errors import DataError, WriteError
from helpers.index.card_index import CardIndex
from helpers.index.graph import lost_rows
from helpers.index.manifest import describe_outputs, write_manifest
from helpers.index.publish import INDEX
from helpers.index.rows import MetadataLines
from helpers.index.verify import check_index
from helpers.model.unit_vectors import normalize
from helpers.model.whitening import Whitening


def random_vectors(count: int, dim: int = 16, seed: int = 0) -> NDArray[np.float32]:
    """Return random unit vectors."""
    return normalize(np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32))


def index_of(folder: Path, vectors: NDArray[np.float32], *, exact: bool = False) -> CardIndex:
    """Build and open an index of some vectors."""
    np.save(folder / VECTORS, vectors)
    built = build(IndexOptions(folder / VECTORS, folder / INDEX, 32, 200, 60.0))
    first = built.first_rows
    with (folder / METADATA).open("w") as file:
        for row in range(len(vectors)):
            same = {"same_as": first[row]} if row in first else {}
            file.write(json.dumps({"name": f"Card {row}", **same}) + "\n")
    about = {"vectors": len(vectors), "dimension": vectors.shape[1], "distinct": built.distinct}
    made_up_manifest(folder, about)
    return CardIndex(folder, exact=exact)


def test_distinct_rows() -> None:
    """Each distinct vector under its first row; a last bit's difference is a difference."""
    vectors = random_vectors(6)
    vectors[4] = vectors[1]
    vectors[5] = vectors[1]
    vectors[3] = vectors[2]
    vectors[3, 0] = np.nextafter(vectors[3, 0], np.float32(1))

    rows, first = distinct_rows(vectors)

    assert rows.tolist() == [0, 1, 2, 3]
    assert first == {4: 1, 5: 1}


def test_many_duplicates_hide_nobody(tmp_path: Path) -> None:
    """20 groups of 100 copies among 5,000: every row still finds itself (else 963 of 10,000)."""
    vectors = random_vectors(5000)
    for group in range(20):
        vectors[group * 250 + 50 : group * 250 + 150] = vectors[group * 250 + 50]

    index = index_of(tmp_path, vectors)

    hits = index.search(vectors, 100, 64)
    assert all(row in {hit.row for hit in found} for row, found in enumerate(hits))


def test_copies_come_in_the_order_of_their_rows(tmp_path: Path) -> None:
    """One stored vector is answered with all its rows, best first, and exactly k of them."""
    vectors = random_vectors(50)
    vectors[[7, 30, 31]] = vectors[4]

    index = index_of(tmp_path, vectors)

    assert [hit.row for hit in index.search(vectors[4:5], 4, 64)[0]] == [4, 7, 30, 31]
    assert [hit.row for hit in index.search(vectors[4:5], 3, 64)[0]] == [4, 7, 30]
    assert len(index.search(vectors[4:5], 50, 64)[0]) == 50


def test_metadata_are_looked_up_by_row(tmp_path: Path) -> None:
    """Every line and every copy is found."""
    cards = [
        {"name": f"Card {row}", **({"same_as": row % 3} if row > 7 else {})} for row in range(40)
    ]
    path = tmp_path / METADATA
    path.write_text("".join(json.dumps(card) + "\n" for card in cards))

    with path.open("rb") as file:
        lines = MetadataLines(file, len(cards))

    assert [lines.read(row) for row in range(len(cards))] == cards
    assert lines.copies == {n: [row for row in range(8, 40) if row % 3 == n] for n in range(3)}


def test_verification_names_a_face_that_is_there_twice(tmp_path: Path) -> None:
    """Two lines of one face, far from each other."""
    index_of(tmp_path, random_vectors(6))
    keys = ("name", "scryfall_id", "image_file", "image_sha256")
    faces = [{**dict.fromkeys(keys, "x"), "face_id": str(row % 4)} for row in range(6)]
    (tmp_path / METADATA).write_text("".join(json.dumps(face) + "\n" for face in faces))
    write_manifest(tmp_path, {**manifest(tmp_path), "outputs": describe_outputs(tmp_path)})

    found = [problem for problem in check_index(tmp_path)["problems"] if "repeats" in problem]

    kind = "metadata: one whole line per row"
    assert found == [f"{kind}: line 4 repeats the face 0", f"{kind}: line 5 repeats the face 1"]


def test_more_hits_than_rows(tmp_path: Path) -> None:
    """FAISS pads with -1, which would be the last card: k = 20 of 5 rows gives 5 hits."""
    vectors = random_vectors(5)

    for exact in (False, True):
        hits = index_of(tmp_path, vectors, exact=exact).search(vectors[:1], 20, 64)[0]
        assert sorted(hit.row for hit in hits) == [0, 1, 2, 3, 4]
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        assert all(-1.001 <= hit.score <= 1.001 for hit in hits)


def test_many_hits_with_a_small_ef_search(tmp_path: Path) -> None:
    """EfSearch 16 gives short lists at k = 200; it is raised to 2 k."""
    vectors = random_vectors(3000)
    index = index_of(tmp_path, vectors)

    assert index.effective_ef_search(200, 16) == 400
    assert index.effective_ef_search(5, 64) == 64
    assert all(len(hits) == 200 for hits in index.search(vectors[:50], 200, 16))


def test_the_graph_agrees_with_brute_force(tmp_path: Path) -> None:
    """At efSearch 64 nearly all of the ten best are the ten best; scores are equal."""
    vectors, queries = random_vectors(3000), random_vectors(100, seed=1)
    graph = index_of(tmp_path, vectors).search(queries, 10, 64)
    exact = index_of(tmp_path, vectors, exact=True).search(queries, 10, 64)
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]

    assert [[hit.row for hit in hits] for hits in exact] == truth.tolist()
    found = [
        len({h.row for h in a} & {h.row for h in b}) for a, b in zip(graph, exact, strict=True)
    ]
    assert np.mean(found) > 9.8
    assert graph[0][0].score == pytest.approx(exact[0][0].score, abs=1e-5)


def test_queries_of_another_width_are_refused(tmp_path: Path) -> None:
    """FAISS would read past the end of the array."""
    index = index_of(tmp_path, random_vectors(10))
    with pytest.raises(ValueError, match=r"expected \(n, 16\)"):
        index.search(random_vectors(1, 8), 1, 64)


def test_the_self_check_finds_lost_rows(tmp_path: Path) -> None:
    """An index whose ids point at other rows is found out."""
    import faiss

    vectors = random_vectors(100)
    graph = faiss.IndexHNSWFlat(16, 16, faiss.METRIC_INNER_PRODUCT)
    index = faiss.IndexIDMap(graph)
    index.add_with_ids(vectors, np.roll(np.arange(100), 1))

    check = self_check(index, vectors, np.arange(100), 60)

    assert (check["asked"], check["found"]) == (100, 0)


def test_what_a_small_search_misses_is_asked_for_again() -> None:
    """A graph of too few links: the self-check counts as if it had asked at 64 and 512 at once."""
    import faiss

    vectors, rows = random_vectors(2000), np.arange(2000)
    index = faiss.IndexIDMap(new_graph(16, 2, 8))
    index.add_with_ids(vectors, rows)

    check = self_check(index, vectors, rows, 60)

    lost = [len(lost_rows(index, vectors, rows, ef_search)) for ef_search in (4, 64, 512)]
    assert lost[0] > lost[1] > lost[2] > 0
    assert [check["of"] - check[at] for at in ("found_at_64", "found")] == lost[1:]


def die_of_memory(_: IndexOptions) -> None:
    """End as the kernel ends a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def ask(folder: Path) -> IndexOptions:
    """Return the options of a small index of random vectors."""
    np.save(folder / VECTORS, random_vectors(500))
    return IndexOptions(folder / VECTORS, folder / INDEX, 8, 40, 5.0)


def test_the_child_process_builds_the_same(tmp_path: Path) -> None:
    """What the parent is told is what lies on the disk."""
    built = build_index(ask(tmp_path))

    assert built.distinct == 500
    assert built.self_check["found"] == 500
    assert (tmp_path / INDEX).stat().st_size > 500 * 16 * 4


def test_the_parent_does_not_load_faiss(tmp_path: Path) -> None:
    """On macOS its OpenMP and that of torch crash in one process."""
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests/building')!r}]\n"
        "from pathlib import Path\nfrom helpers.building.hnsw import IndexOptions, build_index\n"
        "build_index(IndexOptions(*map(Path, sys.argv[1:]), 8, 40, 5.0))\n"
        "raise SystemExit(bool({'faiss', 'torch', 'onnx'} & set(sys.modules)))"
    )
    wanted = ask(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", code, wanted.vectors, wanted.target], env=environment(), check=False
    )

    assert done.returncode == 0
    assert wanted.target.exists()


def test_a_full_disk_while_the_index_is_written(tmp_path: Path) -> None:
    """FAISS may return OK on a full disk; here it is a `WriteError` with the disk's reason."""
    wanted = ask(tmp_path)
    (tmp_path / INDEX).unlink(missing_ok=True)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        with pytest.raises(WriteError, match="File too large"):
            build_index(wanted)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_a_child_that_dies_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed for its memory, say: exit 5 and its code, never a half-built index."""
    whole = worker_process.call
    monkeypatch.setattr(worker_process, "call", lambda _, options: whole(die_of_memory, options))

    with pytest.raises(DataError, match="ended with code -9"):
        build_index(ask(tmp_path))


def test_an_index_that_loses_rows_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build fails with the flags that help."""
    check = {"asked": 1000, "of": 1000, "found_at_64": 990, "found": 999}
    monkeypatch.setattr(worker_process, "call", lambda *_: BuiltIndex(1000, {}, check, 1.0))

    with pytest.raises(DataError, match="does not find its own rows") as caught:
        build_index(ask(tmp_path))
    assert "--hnsw-m 48" in caught.value.suggestion


@pytest.mark.parametrize(
    ("whitened", "lost", "tried"),
    [
        (False, [0], [True]),
        (False, [1], [True]),
        (True, [0], [False]),
        (True, [1, 0], [False, True]),
        (True, [1, 1], [False, True]),
    ],
)
def test_full_lists_are_for_those_who_need_them(
    whitened: bool,  # noqa: FBT001
    lost: list[int],
    tried: list[bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plain vectors get them at once, whitened ones after a row was lost."""
    graphs = []

    def graph(*shape: int, full_lists: bool) -> Any:
        graphs.append(full_lists)
        return new_graph(*shape, full_lists=full_lists)

    checks = [{"asked": 40, "found": 40 - count} for count in lost]
    monkeypatch.setattr(hnsw, "new_graph", graph)
    monkeypatch.setattr(hnsw, "self_check", lambda *_: checks[len(graphs) - 1])
    vectors = normalize(np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
    np.save(tmp_path / "vectors.npy", vectors)
    whitening = Whitening(np.eye(8, dtype=np.float32), np.zeros(8, dtype=np.float32))
    options = (tmp_path / "vectors.npy", tmp_path / "index", 8, 40, 5.0)

    built = build(IndexOptions(*options, whitening if whitened else None))

    assert graphs == tried
    assert built.self_check == checks[-1]
