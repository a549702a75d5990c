"""An index for web clients: one byte per component, and the cards as JSON.

`embeddings.i8bin` is a plain int8 array, row after row, value = round(x · 127); `meta.json` names
its shape and says which card a row is. A client multiplies a query with every row: the products,
divided by 127, are the cosines. `meta.json` is written last and holds the digests of the others.

Where the index whitens, so are the rows, and a client whitens each query q, the unit vector that
the model gives it: y = M q + b, divided by its length. `whitening.f32bin` holds M row after row
and then b, as little-endian float32 (D · D + D numbers).
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import AtomicFile, atomic_write, atomic_write_stream, make_directory
from helpers.index.card_index import map_vectors, open_set
from helpers.index.exact_search import exact_top, perturbed, recall
from helpers.index.graph import read_graph, whitening_of
from helpers.index.metadata import MetadataLines
from helpers.index.publish import INDEX, METADATA, VECTORS
from helpers.model.whitening import Whitening
from helpers.report import DOCUMENT_VERSION

EMBEDDINGS, WHITENING, META = "embeddings.i8bin", "whitening.f32bin", "meta.json"
SCALE = 127
KEYS = (
    "name",
    "set",
    "collector_number",
    "lang",
    "scryfall_id",
    "face_id",
    "card_url",
    "scryfall_uri",
    "image_url",
)
QUERIES = 500  # asked of both forms, to see what is lost
_NEIGHBOURS = 10
_BLOCK = 4096  # rows in memory at a time


def quantize(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return int8 [n, D]: round(x · 127), within ±127."""
    scaled = np.rint(vectors * np.float32(SCALE))
    return np.asarray(np.clip(scaled, -SCALE, SCALE), dtype=np.int8)


def export(index: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write the files, read the vectors back and compare their answers to queries of that seed.

    Returns:
        The `--json` document: what was written, and how well it agrees with the original.

    Raises:
        DataError: the index cannot be used.
        WriteError: the disk refuses.
    """
    make_directory(out)
    with open_set(index, (VECTORS, INDEX, METADATA)) as (manifest, files):
        vectors: NDArray[np.float32] = map_vectors(files[VECTORS], manifest["index"])
        whitening = whitening_of(read_graph(files[INDEX], manifest["index"]))
        lines = MetadataLines(files[METADATA])
    if whitening is not None:
        vectors = np.concatenate(
            [whitening.apply(vectors[at : at + _BLOCK]) for at in range(0, len(vectors), _BLOCK)]
        )
    digest = _write_embeddings(out / EMBEDDINGS, vectors)
    head = _head(manifest, vectors.shape, digest) | _write_whitening(out / WHITENING, whitening)
    size_meta = atomic_write_stream(out / META, _meta(head, lines))
    written = np.memmap(out / EMBEDDINGS, dtype=np.int8, mode="r", shape=vectors.shape)
    top_1, top_10 = agreement(vectors, written, seed)
    sizes = {"embeddings": written.nbytes, "meta": size_meta, "float32": vectors.nbytes}
    return {
        "version": DOCUMENT_VERSION,
        "shape": list(vectors.shape),
        "bytes": sizes,
        "agreement": {"queries": QUERIES, "top_1": top_1, "top_10": top_10},
    }


def _write_embeddings(target: Path, vectors: NDArray[np.float32]) -> str:
    """Write the int8 rows block by block; return the SHA-256 of the file."""
    digest = hashlib.sha256()
    with AtomicFile(target) as file:
        for start in range(0, len(vectors), _BLOCK):
            data = quantize(np.asarray(vectors[start : start + _BLOCK])).tobytes()
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def _write_whitening(target: Path, whitening: Whitening | None) -> dict[str, Any]:
    """Write the whitening, if there is one, and return what the head says of it."""
    if whitening is None:
        target.unlink(missing_ok=True)  # of an earlier export
        return {"whitening": None}
    data = np.concatenate([whitening.matrix.ravel(), whitening.bias]).astype("<f4").tobytes()
    atomic_write(target, data)
    return {"whitening": {"file": target.name, "sha256": hashlib.sha256(data).hexdigest()}}


def _head(manifest: dict[str, Any], shape: tuple[int, ...], digest: str) -> dict[str, Any]:
    return {
        "version": DOCUMENT_VERSION,
        "quantization": {"dtype": "int8", "scale": SCALE},
        "shape": list(shape),
        "embeddings": {"file": EMBEDDINGS, "sha256": digest},
        "build_id": manifest["build_id"],
        "model": manifest["model"],
    }


def _meta(head: dict[str, Any], lines: MetadataLines) -> Iterator[bytes]:
    """Yield the JSON document with one record a line, so that it is never whole in memory."""
    opening = json.dumps(head, ensure_ascii=False).removesuffix("}")
    yield f'{opening}, "records": [\n'.encode()
    for row in range(len(lines)):
        record = lines.read(row)
        text = json.dumps({key: record.get(key) for key in KEYS}, ensure_ascii=False)
        yield (text + ("" if row == len(lines) - 1 else ",") + "\n").encode()
    yield b"]}\n"


def agreement(
    vectors: NDArray[np.float32], written: NDArray[np.int8], seed: int
) -> tuple[float, float]:
    """Return how much of the exact best 1 and best 10 rows the int8 rows find, 0 to 1.

    Args:
        vectors: float32 [n, D].
        written: int8 [n, D], of the same rows.
        seed: of the perturbed queries, which stay float32, as they do in a client.
    """
    queries = perturbed(vectors, QUERIES, seed)
    _, truth = exact_top(vectors, queries, _NEIGHBOURS)
    _, found = exact_top(written, queries, _NEIGHBOURS)
    return recall(found, truth, 1), recall(found, truth, _NEIGHBOURS)
