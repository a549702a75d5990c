"""Is the index in a directory whole, and does every row mean the same card in all its files?"""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.index.card_index import map_vectors
from helpers.index.graph import (
    EF_SEARCH_AGAIN,
    lost_rows,
    read_graph,
    row_numbers,
    stored_vectors,
    whitening_of,
)
from helpers.index.manifest import damage, read_manifest
from helpers.index.metadata import MetadataLines
from helpers.index.npy_file import BLOCK
from helpers.index.publish import INDEX, METADATA, VECTORS, open_published
from helpers.model.unit_vectors import off_unit
from helpers.report import DOCUMENT_VERSION

Manifest = dict[str, Any]

_KEYS = ("name", "scryfall_id", "face_id", "image_file", "image_sha256")
_SAMPLE = 10_000  # rows asked for; the stored vectors are compared one and all
_WHITENED_TOLERANCE = 1e-5  # per component: FAISS multiplies in another order than numpy
_MANY = 20  # problems of one kind that are named


def check_index(out: Path) -> dict[str, Any]:
    """Return the `--json` document: what was checked of the index in `out`, and what is wrong.

    Raises:
        DataError: there is no index.
    """
    manifest = read_manifest(out)
    done: list[str] = []
    wrong: list[str] = []
    for name, check in _CHECKS.items():
        try:
            problems = list(itertools.islice(check(out, manifest), _MANY))
        except Exception as error:  # noqa: BLE001 - damaged data fail in every way there is
            problems = [f"{type(error).__name__}: {error}"]
        done.append(name)
        wrong.extend(f"{name}: {problem}" for problem in problems)
        if problems and check is _files:
            break  # what is not what was built is not looked into: FAISS would believe its sizes
    return {
        "version": DOCUMENT_VERSION,
        "index": str(out),
        "build_id": manifest["build_id"],
        "rows": manifest["index"]["vectors"],
        "checks": done,
        "problems": wrong,
    }


def _files(out: Path, manifest: Manifest) -> Iterator[str]:
    yield from filter(None, (damage(out, manifest, (name,)) for name in manifest["outputs"]))


def _vectors(out: Path, manifest: Manifest) -> Iterator[str]:
    vectors = _open_vectors(out, manifest)
    for start in range(0, len(vectors), BLOCK):
        for row in off_unit(np.asarray(vectors[start : start + BLOCK])).tolist():
            yield f"row {start + row} is not of unit length"


def _metadata(out: Path, manifest: Manifest) -> Iterator[str]:
    lines, vectors = _open_lines(out), _open_vectors(out, manifest)
    if len(lines) != len(vectors):
        yield f"{len(lines):,} lines, {len(vectors):,} rows"
        return
    seen: set[str] = set()
    with open_published(out, METADATA) as file:  # in a stream: no page of a map stays in memory
        for row, card in enumerate(map(json.loads, file)):
            missing = [key for key in _KEYS if not card.get(key)]
            if missing:
                yield f"line {row} lacks {', '.join(missing)}"
            elif card["face_id"] in seen:
                yield f"line {row} repeats the face {card['face_id']}"
            elif "same_as" in card and not np.array_equal(vectors[row], vectors[card["same_as"]]):
                yield f"line {row} is no copy of row {card['same_as']}"
            seen.add(card.get("face_id", ""))


def _graph(out: Path, manifest: Manifest) -> Iterator[str]:
    """Compare what the graph holds with the rows that its ids name, to the bit unless whitened."""
    vectors = _open_vectors(out, manifest)
    index = _open_graph(out, manifest)
    ids, stored, whitening = row_numbers(index), stored_vectors(index), whitening_of(index)
    copies = sorted(itertools.chain.from_iterable(_open_lines(out).copies.values()))
    if not np.array_equal(ids, np.delete(np.arange(len(vectors)), copies)):
        yield "its ids and the copies in the metadata are not all rows, each once"
        return
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK]
        held, wanted = stored[start : start + BLOCK], vectors[block]
        if whitening is not None:
            wanted = whitening.apply(wanted)
        off = np.abs(held - wanted) > (0 if whitening is None else _WHITENED_TOLERANCE)
        for wrong in np.flatnonzero(off.any(axis=1)).tolist():
            yield f"row {block[wrong]} has another vector in {VECTORS}"


def _finds_itself(out: Path, manifest: Manifest) -> Iterator[str]:
    vectors, index = _open_vectors(out, manifest), _open_graph(out, manifest)
    sample = np.sort(np.random.default_rng(0).permutation(row_numbers(index))[:_SAMPLE])
    for start in range(0, len(sample), BLOCK):
        rows = sample[start : start + BLOCK]
        lost = lost_rows(index, vectors, rows, EF_SEARCH_AGAIN)
        yield from (f"row {row} does not find itself" for row in lost.tolist())


def _open_vectors(out: Path, manifest: Manifest) -> NDArray[np.float32]:
    with open_published(out, VECTORS) as file:
        return map_vectors(file, manifest["index"])


def _open_lines(out: Path) -> MetadataLines:
    with open_published(out, METADATA) as file:
        return MetadataLines(file)


def _open_graph(out: Path, manifest: Manifest) -> Any:
    with open_published(out, INDEX) as file:
        return read_graph(file, manifest["index"])


_CHECKS: dict[str, Callable[[Path, Manifest], Iterator[str]]] = {
    "size and SHA-256 of every file": _files,
    "vectors: form, finite, unit length": _vectors,
    "metadata: one whole line per row": _metadata,
    "graph: every vector under its row": _graph,
    "graph: rows find themselves": _finds_itself,
}
