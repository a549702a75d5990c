"""The files of one build, written into its staging directory, or a `WriteError`."""

import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import AtomicFile, disk_errors, fsync_file
from helpers.building.checkpoint import VectorStore
from helpers.cards.face_list import FaceList, faces_of_rows
from helpers.images.scan import Scan
from helpers.index.npy_file import BLOCK, write_header
from helpers.index.publish import ENCODER, METADATA, VECTORS
from helpers.model.encoder_cache import Encoder
from helpers.model.unit_vectors import check_unit


def write_vectors(staging: Path, store: VectorStore, rows: NDArray[np.int64]) -> None:
    """Write the rows int64 [n] of the store as float32 [n, dim], checked by `check_unit`."""
    with AtomicFile(staging / VECTORS) as file:
        write_header(file, len(rows), store.dim)
        for start in range(0, len(rows), BLOCK):
            vectors = store.read(rows[start : start + BLOCK])
            check_unit(vectors)
            file.write(vectors.tobytes())


def write_metadata(
    staging: Path, faces: FaceList, scan: Scan, rows: NDArray[np.int64], first_rows: dict[int, int]
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
        try:
            os.link(encoder.path, target)
        except OSError:  # a file system without hard links
            shutil.copyfile(encoder.path, target)
        fsync_file(target)
