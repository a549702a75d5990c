"""Which finished vectors a new build can go on with: of a stopped build, and of the last one.

The mask says what was safely on the disk at the last checkpoint. Beyond it, every row carries the
checksum of its vector: a row whose checksum fits is done, whatever the mask says. So `kill -9`
loses only the batches in hand, and a damaged vector is noticed.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import disk_errors, replace_durably
from helpers.building.checkpoint import (
    MASK,
    ROW_TYPE,
    ROWS,
    SET_ASIDE,
    VECTORS,
    VERSION,
    VectorStore,
    checksums,
    ident_of,
    path_of,
    remove,
)
from helpers.building.inputs import Inputs
from helpers.building.row_keys import KEY_TYPE, row_key
from helpers.index import publish
from helpers.index.manifest import damage
from helpers.index.npy_file import RowFile, reading, vector_type
from helpers.model.fingerprint import ARITHMETIC, differences
from helpers.report import Reporter

_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
_OTHER_MODEL = "it was made with another model, other weights or other preprocessing"
_OTHER_ARITHMETIC = "it was made with another engine, precision or export of the same model"


@dataclass(frozen=True, slots=True)
class _Note:
    """What a checkpoint says of itself; `done` is bool [rows]."""

    ident: str
    parameters: dict[str, Any]
    done: NDArray[np.bool_]


def open_store(
    directory: Path,
    keys: NDArray[np.bytes_],
    dim: int,
    parameters: dict[str, Any],
    report: Reporter,
) -> VectorStore:
    """Go on with the checkpoint in `directory` if it is of these parameters, else start anew.

    Finished rows are recognised by their keys, S16 [n], so cards may have come, gone or moved.

    Raises:
        WriteError: the disk is full or refuses.
    """
    store = None
    try:
        note = _find(directory, parameters, report)
        if note is not None:
            store = _go_on(directory, note, keys, dim, report)
    except _DAMAGED as error:
        report.warning(f"the checkpoint is unusable, starting anew: {error}")
    if store is None:
        store = VectorStore.create(directory, keys, dim, parameters)
    store.save()
    _remove_strangers(directory, store)
    return store


def _find(directory: Path, parameters: dict[str, Any], report: Reporter) -> _Note | None:
    """Return the checkpoint of these parameters; set one of other parameters aside."""
    current = directory / MASK
    set_aside = directory.glob(path_of(directory, "*", SET_ASIDE).name)
    for path in (*([current] if current.exists() else ()), *set_aside):
        note = _read_mask(path)
        different = differences(note.parameters, parameters)
        if not different:
            if path != current:
                replace_durably(path, current)
            return note
        if path == current:
            report.warning("the checkpoint is of another build; it is kept until this one succeeds")
            for difference in different:
                report.warning(f"  {difference}")
            replace_durably(current, path_of(directory, note.ident, SET_ASIDE))
    return None


def _read_mask(path: Path) -> _Note:
    # `np.load` of a path would leave the file open if it is damaged.
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as mask:
        if int(mask["version"]) != VERSION:
            raise ValueError(f"{path} has the format {mask['version']}")
        done = np.unpackbits(mask["done"], count=int(mask["rows"])).astype(bool)
        return _Note(str(mask["ident"]), json.loads(str(mask["parameters"])), done)


def _go_on(
    directory: Path, note: _Note, keys: NDArray[np.bytes_], dim: int, report: Reporter
) -> VectorStore:
    known, done = _read_rows(directory, note, dim, report)
    if np.array_equal(known, keys):
        with disk_errors(directory):
            vectors, rows = (
                RowFile.open(path_of(directory, note.ident, what), row, len(keys), writable=True)
                for what, row in ((VECTORS, vector_type(dim)), (ROWS, ROW_TYPE))
            )
        store = VectorStore(keys, note.parameters, vectors, rows)
        store.done = done
    else:
        report.info("The cards or images have changed: finished vectors go with their image")
        store = VectorStore.create(directory, keys, dim, note.parameters)
        earlier = path_of(directory, note.ident, VECTORS)
        with reading(earlier, vector_type(dim), len(known)) as source:
            store.carry_over(known, source, done)
    report.info(f"Resuming at {int(store.done.sum()):,} of {len(keys):,} images")
    return store


def _read_rows(
    directory: Path, note: _Note, dim: int, report: Reporter
) -> tuple[NDArray[np.bytes_], NDArray[np.bool_]]:
    """Return S16 [rows] what the rows are of, and bool [rows] whose vectors are there, whole."""
    known = np.empty(len(note.done), dtype=KEY_TYPE)
    done = np.empty(len(note.done), dtype=bool)
    keys, numbers = (path_of(directory, note.ident, what) for what in (ROWS, VECTORS))
    with (
        reading(keys, ROW_TYPE, len(known)) as rows,
        reading(numbers, vector_type(dim), len(known)) as vectors,
    ):
        for (begin, records), (_, block) in zip(rows.blocks(), vectors.blocks(), strict=True):
            known[begin : begin + len(records)] = records["key"]
            done[begin : begin + len(records)] = records["crc32"] == checksums(block)
    lost = int((note.done & ~done).sum())
    if lost:
        report.warning(f"{lost:,} vectors of the checkpoint are damaged and are done again")
    return known, done


def _remove_strangers(directory: Path, store: VectorStore) -> None:
    """Remove vectors that neither `store` nor a checkpoint that was set aside needs."""
    set_aside = directory.glob(path_of(directory, "*", SET_ASIDE).name)
    named = {ident_of(store.path), *map(ident_of, set_aside)}
    for path in directory.glob("checkpoint-*.npy"):
        if ident_of(path) not in named:
            remove(path)


def reuse_last_build(
    inputs: Inputs, fingerprint: dict[str, Any], store: VectorStore, report: Reporter
) -> int:
    """Take the vectors of unchanged images from the last build; return how many."""
    last = inputs.last
    if last is None or not inputs.options.reuse:
        return 0
    try:
        reused = _reuse(inputs.options.out, last, fingerprint, store)
    except (OSError, ValueError, KeyError) as error:
        report.info(f"No vectors are taken from the last build: {error}")
        return 0
    if reused:
        report.info(f"Taken from the last build: {reused:,} vectors of unchanged images")
    return reused


def _reuse(out: Path, last: dict[str, Any], fingerprint: dict[str, Any], store: VectorStore) -> int:
    if differences(last["model"], fingerprint):
        same_model = not differences(last["model"], fingerprint, ARITHMETIC)
        raise ValueError(_OTHER_ARITHMETIC if same_model else _OTHER_MODEL)
    problem = damage(out, last, (publish.VECTORS, publish.METADATA))
    if problem is not None:
        raise ValueError(problem)
    lines, vectors = (
        publish.published_path(out, name) for name in (publish.METADATA, publish.VECTORS)
    )
    keys = np.array(list(_published_keys(lines)), dtype=KEY_TYPE)
    with reading(vectors, vector_type(store.dim), len(keys)) as source:
        return store.carry_over(keys, source, np.ones(len(keys), dtype=bool))


def _published_keys(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            record = json.loads(line)
            sha256 = bytes.fromhex(record["image_sha256"])
            yield row_key(record["face_id"], record["image_file"], sha256)
