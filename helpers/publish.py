"""The files of one build appear together.

A build writes its files, under their final names, into a hidden directory beside the old ones. Then
`publish.json` names that directory: from this moment the new build counts, whatever happens. The
files are moved over the old ones one by one and `publish.json` is removed; a crash in between is
made good by the next run. A reader that finds `publish.json` looks for each file in the hidden
directory first, so it sees the old set or the new one; that it is one set is checked against the
digests of the manifest (`helpers.manifest`).
"""

from __future__ import annotations

import json
import secrets
import shutil
from typing import TYPE_CHECKING

from helpers.atomic_io import (
    atomic_write_json,
    disk_errors,
    fsync_directory,
    make_directory,
    replace_durably,
)

if TYPE_CHECKING:
    from pathlib import Path

VECTORS = "mtg_embeddings.npy"
INDEX = "mtg_cards.faiss"
METADATA = "mtg_meta.jsonl"
MANIFEST = "build_manifest.json"
NAMES = (VECTORS, INDEX, METADATA, MANIFEST)
JOURNAL = "publish.json"
_STAGING_PREFIX = ".build-"


def new_staging(out: Path) -> Path:
    """Create and return an empty hidden directory for the files of one build.

    Raises:
        WriteError: the disk refuses.
    """
    staging = out / f"{_STAGING_PREFIX}{secrets.token_hex(6)}"
    make_directory(staging)
    return staging


def publish(out: Path, staging: Path) -> None:
    """Put the files of `staging`, complete and flushed, in the place of those of `out`.

    Raises:
        WriteError: the disk refuses; readers see one whole build, and `recover` goes on.
    """
    with disk_errors(staging):
        fsync_directory(staging)
    atomic_write_json(out / JOURNAL, {"version": "1.0", "staging": staging.name})
    _finish(out, staging)


def recover(out: Path) -> None:
    """Finish a publication that was cut short, and remove builds that were never published.

    To be called with the lock of `out` held.

    Raises:
        WriteError: the disk refuses.
    """
    staging = _journal(out)
    if staging is not None:
        _finish(out, staging)
    for leftover in out.glob(f"{_STAGING_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def published_path(out: Path, name: str) -> Path:
    """Return where a reader finds the file `name` of the build that counts now."""
    staging = _journal(out)
    if staging is not None and (staging / name).exists():
        return staging / name
    return out / name


def _journal(out: Path) -> Path | None:
    try:
        document = json.loads((out / JOURNAL).read_bytes())
    except (OSError, ValueError):
        return None
    return out / str(document["staging"])


def _finish(out: Path, staging: Path) -> None:
    for name in NAMES:
        if (staging / name).exists():
            replace_durably(staging / name, out / name)
    with disk_errors(out / JOURNAL):
        (out / JOURNAL).unlink(missing_ok=True)
        fsync_directory(out)
    shutil.rmtree(staging, ignore_errors=True)
