"""The files of one build appear together.

A build writes its files, under their final names, into a hidden directory beside the old ones. Then
`publish.json` names that directory: from this moment the new build counts, whatever happens. The
files are moved over the old ones one by one, the checkpoint that has served its purpose is removed,
and then `publish.json`; a crash in between is made good by the next run. A reader that finds
`publish.json` looks for each file in the hidden directory first, so it sees the old set or the new
one; that it is one set is checked against the digests of the manifest (`helpers.index.manifest`).
Whatever writes raises `WriteError` where the disk refuses.
"""

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from helpers.atomic_io import (
    atomic_write_json,
    disk_errors,
    fsync_directory,
    make_directory,
    open_regular,
    read_bounded,
    replace_durably,
)

VECTORS = "mtg_embeddings.npy"
INDEX = "mtg_cards.faiss"
METADATA = "mtg_meta.jsonl"
ENCODER = "mtg_encoder.onnx"  # not every build has one
MANIFEST = "build_manifest.json"
NAMES = (VECTORS, INDEX, METADATA, ENCODER, MANIFEST)
JOURNAL = "publish.json"
_STAGING_PREFIX = ".build-"
_OBSOLETE = ("checkpoint", ENCODER)  # nothing else is ever removed on the word of a journal
_LONGEST_JOURNAL = 1 << 20  # bytes
_LOOKS = 3  # a file that is being moved is looked for again


def new_staging(out: Path) -> Path:
    """Create and return an empty hidden directory for the files of one build."""
    staging = out / f"{_STAGING_PREFIX}{secrets.token_hex(6)}"
    make_directory(staging)
    return staging


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Yield `new_staging(out)`; if the block fails before its files are published, they go."""
    try:
        yield new_staging(out)
    except BaseException:
        if _journal(out) is None:
            recover(out)
        raise


def publish(out: Path, staging: Path, obsolete: Iterable[Path] = ()) -> None:
    """Put the files of `staging`, complete and flushed, in the place of those of `out`.

    The lock of `out` is held. Once the new build counts, the `obsolete` files of a checkpoint go,
    and so does the encoder of the old build if the new one has none. Where the disk refuses,
    readers see one whole build, and `recover` goes on.
    """
    with disk_errors(staging):
        fsync_directory(staging)
    names = [path.name for path in obsolete]
    if not (staging / ENCODER).exists():
        names.append(ENCODER)
    journal = {"version": "1.0", "staging": staging.name, "obsolete": names}
    atomic_write_json(out / JOURNAL, journal)
    _finish(out, journal)


def recover(out: Path) -> None:
    """Finish a publication that was cut short, and remove builds that were never published.

    To be called with the lock of `out` held.
    """
    journal = _journal(out)
    if journal is not None:
        _finish(out, journal)
    for leftover in out.glob(f"{_STAGING_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def published_path(out: Path, name: str) -> Path:
    """Return where a reader finds the file `name` of the build that counts now."""
    journal = _journal(out)
    if journal is not None:
        staged: Path = out / journal["staging"] / name
        if staged.exists():
            return staged
    return out / name


def open_published(out: Path, name: str) -> BufferedReader:
    """Open the file `name` of the build that counts now, though it may be on the move."""
    for _ in range(_LOOKS):
        with contextlib.suppress(FileNotFoundError):
            return open_regular(published_path(out, name))
    return open_regular(published_path(out, name))


def _journal(out: Path) -> dict[str, Any] | None:
    """Return the journal, None if there is none; one that names anything else is no journal."""
    try:
        document = json.loads(read_bounded(out / JOURNAL, _LONGEST_JOURNAL))
        staging, obsolete = document["staging"], document["obsolete"]
        ours = staging.startswith(_STAGING_PREFIX) and all(
            name.startswith(_OBSOLETE) for name in obsolete
        )
        ours = ours and not any("/" in name for name in (staging, *obsolete))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return document if ours else None


def _finish(out: Path, journal: dict[str, Any]) -> None:
    staging = out / journal["staging"]
    for name in NAMES:
        if (staging / name).exists():
            replace_durably(staging / name, out / name)
    with disk_errors(out / JOURNAL):
        for name in journal["obsolete"]:
            (out / name).unlink(missing_ok=True)
        (out / JOURNAL).unlink(missing_ok=True)
        fsync_directory(out)
    shutil.rmtree(staging, ignore_errors=True)
