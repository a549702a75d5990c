"""An index for web clients: one byte per component, and the cards as JSON.

`embeddings.i8bin` is a plain int8 array, row after row, value = round(x · 127); `meta.json` names
its shape and says which card a row is. A client multiplies a query with every row: the products,
divided by 127, are the cosines. `meta.json` is written last and holds the digests of the others.

Where the index whitens, so are the rows, and a client whitens each query q, the unit vector that
the model gives it: y = M q + b, divided by its length. `whitening.f32bin` holds M row after row
and then b, as little-endian float32 (D · D + D numbers).
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import atomic_write_stream, make_directory, sha256_file
from helpers.index.card_index import CardIndex
from helpers.index.exact_search import exact_top, perturbed, recall
from helpers.index.rows import BLOCK
from helpers.report import DOCUMENT_VERSION

EMBEDDINGS, WHITENING, META = "embeddings.i8bin", "whitening.f32bin", "meta.json"
SCALE = 127
QUERIES = 500  # asked of both forms, to see what is lost
_NEIGHBOURS = 10
KEYS = (
    *("name", "set", "collector_number", "lang", "scryfall_id", "face_id"),
    *("card_url", "scryfall_uri", "image_url"),
)


def quantize(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return int8 [n, D]: round(x · 127), within ±127."""
    scaled = np.rint(vectors * np.float32(SCALE))
    return np.asarray(np.clip(scaled, -SCALE, SCALE), dtype=np.int8)


def export(index: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write the files, read the vectors back and compare their answers to queries of that seed.

    Return the `--json` document. `DataError` if the index cannot be used, `WriteError` if the disk
    refuses.
    """
    make_directory(out)
    opened = CardIndex(index, with_vectors=True)
    vectors, whitening, manifest = opened.unit_vectors, opened.whitening, opened.manifest
    starts = range(0, len(vectors), BLOCK)
    if whitening is not None:
        vectors = np.concatenate([whitening.apply(vectors[at : at + BLOCK]) for at in starts])
    rows = (quantize(vectors[at : at + BLOCK]).tobytes() for at in starts)
    head = {
        "version": DOCUMENT_VERSION,
        "quantization": {"dtype": "int8", "scale": SCALE},
        "shape": list(vectors.shape),
        "embeddings": _write(out / EMBEDDINGS, rows),
        "build_id": manifest["build_id"],
        "model": manifest["model"],
        "whitening": None,
    }
    if whitening is None:
        (out / WHITENING).unlink(missing_ok=True)  # of an earlier export
    else:
        numbers = np.concatenate([whitening.matrix.ravel(), whitening.bias])
        head["whitening"] = _write(out / WHITENING, [numbers.astype("<f4").tobytes()])
    size_meta = atomic_write_stream(out / META, _meta(head, opened))
    written = np.memmap(out / EMBEDDINGS, dtype=np.int8, mode="r", shape=vectors.shape)
    top_1, top_10 = agreement(vectors, written, seed)
    return {
        "version": DOCUMENT_VERSION,
        "shape": list(vectors.shape),
        "bytes": {"embeddings": vectors.size, "meta": size_meta, "float32": vectors.nbytes},
        "agreement": {"queries": QUERIES, "top_1": top_1, "top_10": top_10},
    }


def _write(target: Path, chunks: Iterable[bytes]) -> dict[str, str]:
    """Write a file and return what the head says of it."""
    atomic_write_stream(target, chunks)
    return {"file": target.name, "sha256": sha256_file(target)}


def _meta(head: dict[str, Any], index: CardIndex) -> Iterator[bytes]:
    """Yield the JSON document with one record a line, so that it is never whole in memory."""
    opening = json.dumps(head, ensure_ascii=False).removesuffix("}")
    yield f'{opening}, "records": [\n'.encode()
    for row in range(index.vectors):
        record = index.card(row)
        text = json.dumps({key: record.get(key) for key in KEYS}, ensure_ascii=False)
        yield (text + ("" if row == index.vectors - 1 else ",") + "\n").encode()
    yield b"]}\n"


def agreement(
    vectors: NDArray[np.float32], written: NDArray[np.int8], seed: int
) -> tuple[float, float]:
    """Return how much of the exact best 1 and best 10 rows the int8 rows find, 0 to 1.

    `vectors` are float32 [n, D], `written` int8 of the same rows; the perturbed queries of that
    `seed` stay float32, as they do in a client.
    """
    queries = perturbed(vectors, QUERIES, seed)
    _, truth = exact_top(vectors, queries, _NEIGHBOURS)
    _, found = exact_top(written, queries, _NEIGHBOURS)
    return recall(found, truth, 1), recall(found, truth, _NEIGHBOURS)
