"""Is the index in a directory whole, and does every row mean the same card in all its files?"""

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from helpers.index.npy_file import BLOCK, map_vectors
from helpers.index.publish import INDEX, METADATA, VECTORS, open_published
from helpers.model.unit_vectors import off_unit
from helpers.report import DOCUMENT_VERSION

_FILES = "size and SHA-256 of every file"
_KEYS = ("name", "scryfall_id", "face_id", "image_file", "image_sha256")
_SAMPLE = 10_000  # rows asked for; the stored vectors are compared one and all
_WHITENED_TOLERANCE = 1e-5  # per component: FAISS multiplies in another order than numpy
_MANY = 20  # problems of one kind that are named


class _Files:
    """The files of an index, opened one by one as they are asked for: some may not be readable."""

    def __init__(self, out: Path, about: dict[str, Any]) -> None:
        self.out, self.about = out, about

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        with open_published(self.out, VECTORS) as file:
            return map_vectors(file, self.about)

    @cached_property
    def lines(self) -> MetadataLines:
        with open_published(self.out, METADATA) as file:
            return MetadataLines(file)

    @cached_property
    def graph(self) -> Any:
        with open_published(self.out, INDEX) as file:
            return read_graph(file, self.about)


def check_index(out: Path) -> dict[str, Any]:
    """Return the `--json` document: what was checked of the index in `out`, and what is wrong.

    Raises:
        DataError: there is no index.
    """
    manifest = read_manifest(out)
    damages = (damage(out, manifest, (name,)) for name in manifest["outputs"])
    found = {_FILES: list(filter(None, damages))}
    if not found[_FILES]:  # FAISS would believe the sizes in files that are not what was built
        files = _Files(out, manifest["index"])
        found |= {name: _problems(check, files) for name, check in _CHECKS.items()}
    return {
        "version": DOCUMENT_VERSION,
        "index": str(out),
        "build_id": manifest["build_id"],
        "rows": manifest["index"]["vectors"],
        "checks": list(found),
        "problems": [f"{name}: {problem}" for name, each in found.items() for problem in each],
    }


def _problems(check: Callable[[_Files], Iterator[str]], files: _Files) -> list[str]:
    try:
        return list(itertools.islice(check(files), _MANY))
    except Exception as error:  # noqa: BLE001 - damaged data fail in every way there is
        return [f"{type(error).__name__}: {error}"]


def _vectors(files: _Files) -> Iterator[str]:
    vectors = files.vectors
    for start in range(0, len(vectors), BLOCK):
        for row in off_unit(np.asarray(vectors[start : start + BLOCK])).tolist():
            yield f"row {start + row} is not of unit length"


def _metadata(files: _Files) -> Iterator[str]:
    seen: set[str] = set()
    lines, vectors = files.lines, files.vectors
    if len(lines) != len(vectors):
        yield f"{len(lines):,} lines, {len(vectors):,} rows"
        return
    for row in range(len(lines)):
        card = lines.read(row)
        missing = [key for key in _KEYS if not card.get(key)]
        if missing:
            yield f"line {row} lacks {', '.join(missing)}"
        elif card["face_id"] in seen:
            yield f"line {row} repeats the face {card['face_id']}"
        elif "same_as" in card and not np.array_equal(vectors[row], vectors[card["same_as"]]):
            yield f"line {row} is no copy of row {card['same_as']}"
        seen.add(card.get("face_id", ""))


def _graph(files: _Files) -> Iterator[str]:
    """Compare what the graph holds with the rows that its ids name, to the bit unless whitened."""
    ids, stored = row_numbers(files.graph), stored_vectors(files.graph)
    whitening = whitening_of(files.graph)
    copies = sorted(itertools.chain.from_iterable(files.lines.copies.values()))
    if not np.array_equal(ids, np.delete(np.arange(len(files.vectors)), copies)):
        yield "its ids and the copies in the metadata are not all rows, each once"
        return
    tolerance = 0 if whitening is None else _WHITENED_TOLERANCE
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK]
        held, wanted = stored[start : start + BLOCK], files.vectors[block]
        if whitening is not None:
            wanted = whitening.apply(wanted)
        for wrong in np.flatnonzero((np.abs(held - wanted) > tolerance).any(axis=1)).tolist():
            yield f"row {block[wrong]} has another vector in {VECTORS}"


def _finds_itself(files: _Files) -> Iterator[str]:
    sample = np.sort(np.random.default_rng(0).permutation(row_numbers(files.graph))[:_SAMPLE])
    for start in range(0, len(sample), BLOCK):
        rows = sample[start : start + BLOCK]
        lost = lost_rows(files.graph, files.vectors, rows, EF_SEARCH_AGAIN)
        yield from (f"row {row} does not find itself" for row in lost.tolist())


_CHECKS: dict[str, Callable[[_Files], Iterator[str]]] = {
    "vectors: form, finite, unit length": _vectors,
    "metadata: one whole line per row": _metadata,
    "graph: every vector under its row": _graph,
    "graph: rows find themselves": _finds_itself,
}
