"""Which finished vectors a new build can go on with: of a stopped build, and of the last one."""

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.building import checkpoint
from helpers.building.checkpoint import VectorStore
from helpers.building.inputs import Inputs
from helpers.index.manifest import open_whole
from helpers.index.publish import METADATA, VECTORS
from helpers.index.rows import map_vectors
from helpers.model.fingerprint import ARITHMETIC, differences
from helpers.report import Reporter

_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
_OTHER_MODEL = "it was made with another model, other weights or other preprocessing"
_OTHER_ARITHMETIC = "it was made with another engine, precision or export of the same model"


def resume(store: VectorStore, report: Reporter) -> None:
    """Go on with the rows that a stopped build left in the file of `store`, or make it anew.

    They are recognised by their keys, so cards may have come, gone or moved. `WriteError` if the
    disk refuses.
    """
    saved = _saved(store, report)
    try:
        if saved.any() or store.path.exists():
            _go_on(store, store.found(), saved, report)
        else:
            store.create()
    except (OSError, ValueError) as error:
        report.warning(f"the checkpoint is unusable, starting anew: {error}")
        store.create()
    store.save()


def _saved(store: VectorStore, report: Reporter) -> NDArray[np.bool_]:
    """Return which rows were done at the last checkpoint, if it was one of these parameters."""
    mask, nothing = store.path.with_name(checkpoint.MASK), np.zeros(0, bool)
    if not mask.exists():
        return nothing
    try:
        # `np.load` of a path would leave the file open if it is damaged.
        with np.load(io.BytesIO(mask.read_bytes()), allow_pickle=False) as saved:
            if saved["version"] != checkpoint.VERSION:
                raise ValueError(f"it has the format {saved['version']}")
            done = np.unpackbits(saved["done"], count=int(saved["rows"])).astype(bool)
            different = differences(json.loads(str(saved["parameters"])), store.parameters)
    except _DAMAGED as error:
        report.warning(f"{mask} is damaged, the rows tell themselves what is done: {error}")
        return nothing
    if different:
        report.warning("the checkpoint is of another build; it is kept until this one succeeds")
        for difference in different:
            report.warning(f"  {difference}")
    return nothing if different else done


def _go_on(
    store: VectorStore, earlier: VectorStore, saved: NDArray[np.bool_], report: Reporter
) -> None:
    """Take over what is whole in `earlier`, where all that was `saved` should be."""
    whole = np.pad(earlier.done, (0, len(saved)))[: len(saved)]
    lost = int((saved & ~whole).sum())
    if lost:
        report.warning(f"{lost:,} vectors of the checkpoint are damaged and are done again")
    same = len(earlier.keys) == len(store.keys) and (earlier.keys == store.keys)[earlier.done].all()
    if same:
        store.done = earlier.done
    else:
        report.info("The cards or images have changed: finished vectors go with their image")
        store.create(earlier)
    report.info(f"Resuming at {int(store.done.sum()):,} of {len(store.keys):,} images")


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
    with open_whole(out, METADATA, last) as lines, open_whole(out, VECTORS, last) as file:
        lines.seek(0)
        keys = np.array([_key_of(json.loads(line)) for line in lines], dtype=checkpoint.KEY_TYPE)
        # Mapped anew for each block, as in the store.
        return store.carry_over(keys, lambda rows: map_vectors(file, last["index"])[rows])


def _key_of(record: dict[str, Any]) -> bytes:
    sha256 = bytes.fromhex(record["image_sha256"])
    return checkpoint.row_key(record["face_id"], record["image_file"], sha256)
