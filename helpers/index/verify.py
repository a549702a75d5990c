"""Is the index in a directory whole, and does every row mean the same card in all its files?"""

import functools
import itertools
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from helpers.index.graph import EF_SEARCH_AGAIN, lost_rows, read_graph
from helpers.index.manifest import damage, read_manifest
from helpers.index.publish import INDEX, METADATA, VECTORS, open_published
from helpers.index.rows import BLOCK, MetadataLines, map_vectors
from helpers.model.unit_vectors import off_unit
from helpers.report import DOCUMENT_VERSION

_FILES = "size and SHA-256 of every file"
_KEYS = ("name", "scryfall_id", "face_id", "image_file", "image_sha256")
_SAMPLE = 10_000  # rows asked for; the stored vectors are compared one and all
_WHITENED_TOLERANCE = 1e-5  # per component: FAISS multiplies in another order than numpy
_MANY = 20  # problems of one kind that are named


#: What makes of a file, and of what the manifest says of it, what is to be checked.
_READERS: dict[str, Callable[[BufferedReader, dict[str, Any]], Any]] = {
    VECTORS: map_vectors,
    METADATA: lambda file, about: MetadataLines(file, about["vectors"]),
    INDEX: read_graph,
}
#: Opens one of them by its name; some may not be readable.
Open = Callable[[str], Any]


def check_index(out: Path) -> dict[str, Any]:
    """Return the `--json` document of the index in `out`: checks and problems.

    `DataError` if there is no index.
    """
    manifest = read_manifest(out)
    damages = (damage(out, manifest, (name,)) for name in manifest["outputs"])
    found = {_FILES: list(filter(None, damages))}
    if not found[_FILES]:  # FAISS would believe the sizes in files that are not what was built

        @functools.cache
        def opened(name: str) -> Any:
            with open_published(out, name) as file:
                return _READERS[name](file, manifest["index"])

        found |= {name: _problems(check, opened) for name, check in _CHECKS.items()}
    return {
        "version": DOCUMENT_VERSION,
        "index": str(out),
        "build_id": manifest["build_id"],
        "rows": manifest["index"]["vectors"],
        "checks": list(found),
        "problems": [f"{name}: {problem}" for name, each in found.items() for problem in each],
    }


def _problems(check: Callable[[Open], Iterator[str]], opened: Open) -> list[str]:
    try:
        return list(itertools.islice(check(opened), _MANY))
    except Exception as error:  # noqa: BLE001 - damaged data fail in every way there is
        return [str(error) if isinstance(error, ValueError) else repr(error)]


def _vectors(opened: Open) -> Iterator[str]:
    vectors = opened(VECTORS)
    for start in range(0, len(vectors), BLOCK):
        for row in off_unit(np.asarray(vectors[start : start + BLOCK])).tolist():
            yield f"row {start + row} is not of unit length"


def _metadata(opened: Open) -> Iterator[str]:
    seen: set[str] = set()
    lines, vectors = opened(METADATA), opened(VECTORS)
    for row in range(len(vectors)):
        card = lines.read(row)
        missing = [key for key in _KEYS if not card.get(key)]
        if missing:
            yield f"line {row} lacks {', '.join(missing)}"
        elif card["face_id"] in seen:
            yield f"line {row} repeats the face {card['face_id']}"
        elif "same_as" in card and not np.array_equal(vectors[row], vectors[card["same_as"]]):
            yield f"line {row} is no copy of row {card['same_as']}"
        seen.add(card.get("face_id", ""))


def _graph(opened: Open) -> Iterator[str]:
    """Compare what the graph holds with the rows that its ids name, to the bit unless whitened."""
    graph, vectors = opened(INDEX), opened(VECTORS)
    copies = sorted(itertools.chain.from_iterable(opened(METADATA).copies.values()))
    if not np.array_equal(graph.rows, np.delete(np.arange(len(vectors)), copies)):
        yield "its ids and the copies in the metadata are not all rows, each once"
        return
    tolerance = 0 if graph.whitening is None else _WHITENED_TOLERANCE
    for start in range(0, len(graph.rows), BLOCK):
        rows = graph.rows[start : start + BLOCK]
        held, wanted = graph.vectors[start : start + BLOCK], vectors[rows]
        if graph.whitening is not None:
            wanted = graph.whitening.apply(wanted)
        for wrong in np.flatnonzero((np.abs(held - wanted) > tolerance).any(axis=1)).tolist():
            yield f"row {rows[wrong]} has another vector in {VECTORS}"


def _finds_itself(opened: Open) -> Iterator[str]:
    graph = opened(INDEX)
    sample = np.sort(np.random.default_rng(0).permutation(graph.rows)[:_SAMPLE])
    for start in range(0, len(sample), BLOCK):
        rows = sample[start : start + BLOCK]
        lost = lost_rows(graph.index, opened(VECTORS), rows, EF_SEARCH_AGAIN)
        yield from (f"row {row} does not find itself" for row in lost.tolist())


_CHECKS: dict[str, Callable[[Open], Iterator[str]]] = {
    "vectors: form, finite, unit length": _vectors,
    "metadata: one whole line per row": _metadata,
    "graph: every vector under its row": _graph,
    "graph: rows find themselves": _finds_itself,
}
