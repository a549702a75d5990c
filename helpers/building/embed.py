"""Images → vectors: threads that each decode a batch and run the model on it.

Two such threads with one torch thread each are as fast as the model alone on two threads: while
one decodes, the other multiplies (measured: 1.01 of the model's rate, 0.87 for a decoding thread
beside the model, 0.83 for one after the other).
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from helpers import signals
from helpers.building.checkpoint import VectorStore
from helpers.cards.face_list import FaceList, faces_of_rows
from helpers.images.cache import ImageCache
from helpers.images.preprocess import load_checked_rgb, load_image_rgb, picture_bytes, prepare
from helpers.images.scan import Scan
from helpers.model.cpu_layout import Layout
from helpers.model.embedder import Embedder
from helpers.parallel import bounded_map
from helpers.report import Reporter
from helpers.validation import MAX_BYTES, InvalidImageError


@dataclass(frozen=True, slots=True)
class Item:
    """One image to embed: its row, its card, its file, and its SHA-256 (32 bytes) at the scan.

    `validate`: it must also pass every check of `validation.check_image`.
    """

    row: int
    name: str
    path: Path
    sha256: bytes
    validate: bool


def unfinished(
    store: VectorStore, faces: FaceList, scan: Scan, cache: ImageCache, *, validate: bool
) -> Iterator[Item]:
    """Yield the images whose row is not done, in the order of the rows."""
    rows = np.flatnonzero(~store.done)
    for row, face in zip(rows.tolist(), faces_of_rows(faces, scan.faces[rows]), strict=True):
        path, sha256 = cache.path(face.image_file), scan.sha256[row].tobytes()
        yield Item(row, face.name, path, sha256, validate)


def embed_batch(
    items: list[Item], embedder: Embedder, batch: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], list[tuple[Item, str]]]:
    """Decode and embed up to `batch` images, in one forward pass of exactly `batch`.

    With one shape of input a vector depends on its image alone, to the last bit; in a smaller
    batch it would differ by up to 3e-6, and a resumed build would not be the same file.
    Return int64 [m] rows, float32 [m, dim] vectors, and what failed, each with its reason.
    """
    side = embedder.preprocessing.side
    pixels = np.empty((batch, 3, side, side), dtype=np.float32)
    rows: list[int] = []
    failures: list[tuple[Item, str]] = []
    for item in items:
        try:
            _load(item, embedder, pixels[len(rows)])
            rows.append(item.row)
        except InvalidImageError as error:
            failures.append((item, str(error)))
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, embedder.dim), np.float32), failures
    if embedder.one_by_one:
        vectors = embedder.embed(pixels[: len(rows)])
    else:
        pixels[len(rows) :] = pixels[0]
        vectors = embedder.embed(pixels)[: len(rows)]
    return np.array(rows, dtype=np.int64), vectors, failures


def _load(item: Item, embedder: Embedder, out: NDArray[np.float32]) -> None:
    """Fill `out`, float32 [3, side, side], with the model's input."""
    data = picture_bytes(item.path, MAX_BYTES)
    if hashlib.sha256(data).digest() != item.sha256:
        raise InvalidImageError("the file has changed during the build")
    image = load_checked_rgb(data, item.path.suffix) if item.validate else load_image_rgb(data)
    prepare(image, embedder.preprocessing, out)


def embed_all(
    items: Iterator[Item],
    store: VectorStore,
    embedder: Embedder,
    layout: Layout,
    save_every: int,
    report: Reporter,
) -> None:
    """Embed `items` and put the vectors into `store`, saved after every `save_every` (0: not).

    A signal lets the batches in hand finish; then the store is saved and `Stopped` raised. Images
    that cannot be embedded are named in warnings.
    """
    since_save = 0
    results = bounded_map(
        lambda task: embed_batch(task, embedder, layout.batch),
        _batches(items, layout.batch),
        layout.workers,
        window=layout.workers,
    )
    todo = int((~store.done).sum())
    with (
        signals.held(lambda: report.at_once("Stopping after the batches in hand; again: at once")),
        report.progress(todo, "Embedding") as progress,
        closing(results),
    ):
        for _, (rows, vectors, failures) in results:
            store.put(rows, vectors)
            for item, reason in failures:
                report.warning(f"left out: {item.path.name} ({item.name}): {reason}")
            since_save += len(rows)
            progress.advance(len(rows) + len(failures))
            if save_every and since_save >= save_every:
                store.save()
                since_save = 0
        if since_save:
            store.save()


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while not signals.pending() and (batch := list(islice(items, size))):
        yield batch
