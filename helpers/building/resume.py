"""Which finished vectors a new build can go on with: of a stopped build, and of the last one.

The mask says what was safely on the disk at the last checkpoint. Beyond it, every row carries the
checksum of its vector: a row whose checksum fits is done, whatever the mask says. So `kill -9`
loses only the batches in hand, and a damaged vector is noticed.
"""

import io
import json
import zipfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.atomic_io import replace_durably
from helpers.building import checkpoint
from helpers.building.checkpoint import SET_ASIDE, VectorStore
from helpers.building.inputs import Inputs
from helpers.index import publish
from helpers.index.manifest import damage
from helpers.index.npy_file import reading, vector_type
from helpers.model.fingerprint import ARITHMETIC, differences
from helpers.report import Reporter

_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
_OTHER_MODEL = "it was made with another model, other weights or other preprocessing"
_OTHER_ARITHMETIC = "it was made with another engine, precision or export of the same model"


def open_store(
    directory: Path,
    keys: NDArray[np.bytes_],
    dim: int,
    parameters: dict[str, Any],
    report: Reporter,
) -> VectorStore:
    """Go on with the checkpoint in `directory` if it is of these parameters, else start anew.

    Finished rows are recognised by their keys, S16 [n], so cards may have come, gone or moved.
    `WriteError` if the disk refuses.
    """
    store = None
    try:
        store = _resumed(directory, keys, dim, parameters, report)
    except _DAMAGED as error:
        report.warning(f"the checkpoint is unusable, starting anew: {error}")
    if store is None:
        store = VectorStore.create(directory, keys, dim, parameters)
    store.save()
    used = {
        path.name.removesuffix(SET_ASIDE) for path in directory.glob(f"checkpoint-*{SET_ASIDE}")
    }
    earlier = directory.glob("checkpoint-*.npy")
    checkpoint.remove(path for path in earlier if path.name not in {store.path.name, *used})
    return store


def _resumed(
    directory: Path,
    keys: NDArray[np.bytes_],
    dim: int,
    parameters: dict[str, Any],
    report: Reporter,
) -> VectorStore | None:
    """Go on with the checkpoint of these parameters; set one of other parameters aside."""
    current = directory / checkpoint.MASK
    for path in [current, *directory.glob(f"checkpoint-*{SET_ASIDE}")]:
        if not path.exists():
            continue
        version, name, noted, done = _read(path, report)
        if version != checkpoint.VERSION:
            raise ValueError(f"{path} has the format {version}")
        different = differences(noted, parameters)
        if not different:
            store = VectorStore.open(directory / name, len(done), dim, parameters)
            return _go_on(store, done, keys, report)
        if path == current:
            report.warning("the checkpoint is of another build; it is kept until this one succeeds")
            for difference in different:
                report.warning(f"  {difference}")
            replace_durably(current, directory / f"{name}{SET_ASIDE}")
    return None


def _read(path: Path, report: Reporter) -> tuple[int, str, dict[str, Any], NDArray[np.bool_]]:
    """Return format, file of vectors, parameters and rows done, bool [n], of a checkpoint.

    Where its mask is damaged, the meta knows all but the last; each row tells whether it is done.
    """
    try:
        # `np.load` of a path would leave the file open if it is damaged.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as mask:
            done = np.unpackbits(mask["done"], count=int(mask["rows"])).astype(bool)
            noted = json.loads(str(mask["parameters"]))
            return int(mask["version"]), str(mask["vectors"]), noted, done
    except _DAMAGED as error:
        meta = json.loads((path.parent / checkpoint.META).read_bytes())
        report.warning(f"{path} is damaged, {checkpoint.META} is read instead: {error}")
        done = np.zeros(meta["rows"], dtype=bool)
        return int(float(meta["version"])), meta["vectors"], meta["parameters"], done


def _go_on(
    store: VectorStore, done: NDArray[np.bool_], keys: NDArray[np.bytes_], report: Reporter
) -> VectorStore:
    """Return a store of the rows `keys` with what is whole in `store`, where `done` should be."""
    lost = int((done & ~store.done).sum())
    if lost:
        report.warning(f"{lost:,} vectors of the checkpoint are damaged and are done again")
    if len(store.keys) == len(keys) and (store.keys == keys)[store.done].all():
        store.keys = keys
    else:
        report.info("The cards or images have changed: finished vectors go with their image")
        with closing(store) as earlier:
            store = VectorStore.create(earlier.path.parent, keys, earlier.dim, earlier.parameters)
            store.carry_over(earlier.keys, earlier.read, earlier.done)
    report.info(f"Resuming at {int(store.done.sum()):,} of {len(keys):,} images")
    return store


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
    with publish.published_path(out, publish.METADATA).open("rb") as lines:
        records = map(json.loads, lines)
        keys = np.array([_key_of(record) for record in records], dtype=checkpoint.KEY_TYPE)
    vectors = publish.published_path(out, publish.VECTORS)
    with reading(vectors, vector_type(store.dim), len(keys)) as source:
        return store.carry_over(keys, source.read, np.ones(len(keys), dtype=bool))


def _key_of(record: dict[str, Any]) -> bytes:
    sha256 = bytes.fromhex(record["image_sha256"])
    return checkpoint.row_key(record["face_id"], record["image_file"], sha256)
