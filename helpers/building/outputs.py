"""The files of one build, written into its staging directory, or a `WriteError`."""

import os
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import AtomicFile, disk_errors, fsync_file
from helpers.building.checkpoint import VectorStore
from helpers.building.hnsw import BuiltIndex, IndexOptions, build_index
from helpers.building.options import BuildOptions
from helpers.cards.face_list import FaceList, faces_of_rows
from helpers.images.scan import Scan
from helpers.index.npy_file import BLOCK, RowFile, reading, vector_type
from helpers.index.publish import ENCODER, INDEX, METADATA, VECTORS
from helpers.model.encoder_cache import Encoder
from helpers.model.unit_vectors import check_unit
from helpers.model.whitening import Whitening

_CHECK_SHARE = 0.05  # of the build's time, which the index may spend on finding its own rows
_CHECK_LEAST = 5.0  # seconds


def write_vectors(staging: Path, store: VectorStore, rows: NDArray[np.int64]) -> None:
    """Write the rows int64 [n] of the store as float32 [n, dim], checked block by block.

    Raises:
        DataError: a vector is not finite or not of unit length.
    """
    target, row = staging / VECTORS, vector_type(store.dim)
    if len(rows) == len(store.keys):
        with disk_errors(target):
            _link_or_copy(store.path, target)
    else:
        with closing(RowFile.create(target, row, len(rows))) as packed:
            for start in range(0, len(rows), BLOCK):
                block = np.arange(start, min(start + BLOCK, len(rows)))
                packed.write(block, store.read(rows[block]))
    with disk_errors(target):
        fsync_file(target)
    with reading(target, row, len(rows)) as written:
        for _, vectors in written.blocks():
            check_unit(vectors, store.dim)


def write_index(
    staging: Path, options: BuildOptions, whitening: Whitening | None, seconds: float
) -> BuiltIndex:
    """Build the FAISS index of the staged vectors; see `helpers.building.hnsw.build_index`.

    The `seconds` that the build has taken so far bound the self-check.
    """
    return build_index(
        IndexOptions(
            vectors=(staging / VECTORS).absolute(),
            target=(staging / INDEX).absolute(),
            hnsw_m=options.hnsw_m,
            hnsw_ef_construction=options.hnsw_ef_construction,
            check_seconds=max(_CHECK_LEAST, _CHECK_SHARE * seconds),
            whitening=whitening,
        )
    )


def write_metadata(
    staging: Path,
    faces: FaceList,
    scan: Scan,
    rows: NDArray[np.int64],
    first_rows: dict[int, int],
) -> None:
    """Write one line per row: the face, the digest of its image, and the row it is a copy of."""
    with AtomicFile(staging / METADATA) as file:
        kept = faces_of_rows(faces, scan.faces[rows])
        for line, (row, face) in enumerate(zip(rows, kept, strict=True)):
            same_as = {"same_as": first_rows[line]} if line in first_rows else {}
            sha256 = scan.sha256[row].tobytes().hex()
            text = face.to_json(image_sha256=sha256, **same_as)
            file.write(text.encode("utf-8", "replace") + b"\n")


def write_encoder(staging: Path, encoder: Encoder) -> None:
    """Let the index take its encoder along; on one file system this costs no space."""
    target = staging / ENCODER
    with disk_errors(target):
        _link_or_copy(encoder.path, target)
        fsync_file(target)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
