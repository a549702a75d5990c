"""Which finished vectors a new build can go on with.

The mask says what was safely on the disk at the last checkpoint. Beyond it, every row carries the
checksum of its vector: a row whose checksum fits is done, whatever the mask says. So `kill -9`
loses only the batches in hand, a damaged vector is noticed, and a damaged mask costs nothing.
"""

import contextlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import disk_errors, replace_durably
from helpers.building.checkpoint import (
    MASK,
    META,
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
from helpers.index.npy_file import RowFile, reading, vector_type
from helpers.model.fingerprint import differences
from helpers.report import Reporter

_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


class _NewerError(ValueError):
    """A newer version of this program wrote it."""


@dataclass(frozen=True, slots=True)
class _Note:
    """What a checkpoint says of itself; `done` is bool [rows], None if only the meta is left."""

    ident: str
    rows: int
    dim: int
    parameters: dict[str, Any]
    done: NDArray[np.bool_] | None


def open_store(
    directory: Path,
    keys: NDArray[np.bytes_],
    dim: int,
    parameters: dict[str, Any],
    report: Reporter,
) -> VectorStore:
    """Go on with the checkpoint in `directory` if it is of these parameters, else start anew.

    Finished rows are recognised by their keys, so cards may have come, gone or moved.

    Returns:
        The store; its `done` rows are those of the checkpoint.

    Raises:
        WriteError: the disk is full or refuses.
    """
    note = _find(directory, parameters, report)
    _remove_strangers(directory, note)
    store = None
    if note is not None:
        try:
            store = _go_on(directory, note, keys, parameters, report)
        except (OSError, ValueError) as error:
            report.warning(f"the vectors of the checkpoint are unusable, starting anew: {error}")
    if store is None:
        store = VectorStore.create(directory, keys, dim, parameters)
    store.save()
    _remove_strangers(directory, None)
    return store


def _go_on(
    directory: Path,
    note: _Note,
    keys: NDArray[np.bytes_],
    parameters: dict[str, Any],
    report: Reporter,
) -> VectorStore:
    known, done = _read_rows(directory, note, report)
    if np.array_equal(known, keys):
        with disk_errors(directory):
            vectors, rows = (
                RowFile.open(path_of(directory, note.ident, what), row, len(keys), writable=True)
                for what, row in ((VECTORS, vector_type(note.dim)), (ROWS, ROW_TYPE))
            )
        store = VectorStore(keys, parameters, vectors, rows)
        store.done = done
    else:
        report.info("The cards or images have changed: finished vectors go with their image")
        store = VectorStore.create(directory, keys, note.dim, parameters)
        earlier = path_of(directory, note.ident, VECTORS)
        with reading(earlier, vector_type(note.dim), note.rows) as source:
            store.carry_over(known, source, done)
    report.info(f"Resuming at {int(store.done.sum()):,} of {len(keys):,} images")
    return store


def _read_rows(
    directory: Path, note: _Note, report: Reporter
) -> tuple[NDArray[np.bytes_], NDArray[np.bool_]]:
    """Return S16 [rows] what the rows are of, and bool [rows] whose vectors are there, whole."""
    known = np.empty(note.rows, dtype=ROW_TYPE["key"])
    done = np.empty(note.rows, dtype=bool)
    keys, numbers = (path_of(directory, note.ident, what) for what in (ROWS, VECTORS))
    with (
        reading(keys, ROW_TYPE, note.rows) as rows,
        reading(numbers, vector_type(note.dim), note.rows) as vectors,
    ):
        for (begin, records), (_, block) in zip(rows.blocks(), vectors.blocks(), strict=True):
            known[begin : begin + len(records)] = records["key"]
            done[begin : begin + len(records)] = records["crc32"] == checksums(block)
    lost = 0 if note.done is None else int((note.done & ~done).sum())
    if lost:
        report.warning(f"{lost:,} vectors of the checkpoint are damaged and are done again")
    return known, done


def _find(directory: Path, parameters: dict[str, Any], report: Reporter) -> _Note | None:
    """Return the checkpoint of these parameters; set one of other parameters aside."""
    note = _current(directory, report)
    if note is not None:
        different = differences(note.parameters, parameters)
        if not different:
            return note
        report.warning("the checkpoint is of another build; it is kept until this one succeeds")
        for difference in different:
            report.warning(f"  {difference}")
        _set_aside(directory, note.ident)
    for path in directory.glob(path_of(directory, "*", SET_ASIDE).name):
        with contextlib.suppress(*_DAMAGED):
            note = _read_mask(path)
            if not differences(note.parameters, parameters):
                replace_durably(path, directory / MASK)
                return note
    return None


def _current(directory: Path, report: Reporter) -> _Note | None:
    """Return what `checkpoint.npz` says, or, if it is damaged, `checkpoint_meta.json`."""
    if not (directory / MASK).exists():
        return None
    try:
        return _read_mask(directory / MASK)
    except _NewerError as error:
        report.warning(f"the checkpoint is of {error}; it is kept until this build succeeds")
        _set_aside(directory, "newer")
        return None
    except _DAMAGED as error:
        report.warning(f"{directory / MASK} is damaged: {error}")
    try:
        return _read_meta(directory / META)
    except _DAMAGED as error:
        report.warning(f"{directory / META} is no help, starting anew: {error}")
        return None


def _read_mask(path: Path) -> _Note:
    # `np.load` of a path would leave the file open if it is damaged.
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as mask:
        _check_version(int(mask["version"]))
        rows = int(mask["rows"])
        return _Note(
            ident=str(mask["ident"]),
            rows=rows,
            dim=int(mask["dim"]),
            parameters=json.loads(str(mask["parameters"])),
            done=np.unpackbits(mask["done"], count=rows).astype(bool),
        )


def _read_meta(path: Path) -> _Note:
    meta = json.loads(path.read_bytes())
    _check_version(int(meta["version"].split(".", 1)[0]))
    return _Note(
        ident=ident_of(path.with_name(meta["vectors"])),
        rows=int(meta["rows"]),
        dim=int(meta["dim"]),
        parameters=dict(meta["parameters"]),
        done=None,
    )


def _check_version(version: int) -> None:
    if version > VERSION:
        raise _NewerError(f"a newer version of this program (format {version})")


def _set_aside(directory: Path, ident: str) -> None:
    replace_durably(directory / MASK, path_of(directory, ident, SET_ASIDE))


def _remove_strangers(directory: Path, note: _Note | None) -> None:
    """Remove vectors that no checkpoint names; all stay if one cannot be asked."""
    named = {note.ident} if note else set()
    for path in (directory / MASK, *directory.glob(path_of(directory, "*", SET_ASIDE).name)):
        try:
            named.add(_read_mask(path).ident)
        except FileNotFoundError:
            continue
        except _DAMAGED:
            return
    for path in directory.glob("checkpoint-*.npy"):
        if ident_of(path) not in named:
            remove(path)
