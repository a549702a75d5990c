"""The files of one build appear together.

A build writes its files, under their final names, into a hidden directory beside the old ones. Then
`publish.json` names that directory: from this moment the new build counts, whatever happens. The
files are moved over the old ones one by one, checkpoints, which have served their purpose, are
removed, and then `publish.json`; a crash in between is made good by the next run. A reader that
finds `publish.json` looks for each file in the hidden directory first, so it sees the old set or
the new one; that it is one set is checked against the digests of the manifest
(`helpers.index.manifest`). Whatever writes raises `WriteError` where the disk refuses.
"""

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

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
_STAGING = re.compile(r"\.build-[0-9a-f]{12}")
_LONGEST_JOURNAL = 1 << 20  # bytes
#: Files of an unfinished build (`helpers.building.checkpoint`), those of earlier versions, too.
_CHECKPOINTS = (
    *("checkpoint.npz", "checkpoint_meta.json"),
    *("checkpoint-*.rows", "checkpoint-*.npy", "checkpoint-*.npz"),
)


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Yield an empty hidden directory for the files of one build.

    It goes with them if the block fails before they are published.
    """
    staging = out / f".build-{secrets.token_hex(6)}"
    make_directory(staging)
    try:
        yield staging
    except BaseException:
        if _journal(out) is None:
            recover(out)
        raise


def publish(out: Path, staging: Path) -> None:
    """Put the files of `staging`, complete and flushed, in the place of those of `out`.

    The lock of `out` is held. Once the new build counts, all checkpoints go, and so does the
    encoder of the old build if the new one has none. Where the disk refuses, readers see one whole
    build, and `recover` goes on.
    """
    with disk_errors(staging):
        fsync_directory(staging)
    obsolete = [] if (staging / ENCODER).exists() else [ENCODER]
    journal = {"version": "1.0", "staging": staging.name, "obsolete": obsolete}
    atomic_write_json(out / JOURNAL, journal)
    recover(out)


def recover(out: Path) -> None:
    """Finish a publication that has begun, if any, and remove builds that were never published.

    To be called with the lock of `out` held.
    """
    journal = _journal(out)
    if journal is not None:
        staging, has_encoder = journal
        for name in NAMES:
            if (staging / name).exists():
                replace_durably(staging / name, out / name)
        with disk_errors(out / JOURNAL):
            if not has_encoder:
                (out / ENCODER).unlink(missing_ok=True)
            remove_checkpoints(out)
            (out / JOURNAL).unlink(missing_ok=True)
            fsync_directory(out)
    for leftover in out.glob(".build-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def remove_checkpoints(out: Path) -> bool:
    """Remove every file of every unfinished build; tell whether there was any."""
    found = [path for pattern in _CHECKPOINTS for path in out.glob(pattern)]
    for path in found:
        with disk_errors(path):
            path.unlink(missing_ok=True)
    return bool(found)


def open_published(out: Path, name: str) -> BufferedReader:
    """Open the file `name` of the build that counts now, though it may be on the move."""
    journal = _journal(out)
    if journal is not None:
        with contextlib.suppress(FileNotFoundError):  # it has been moved by now
            return open_regular(journal[0] / name)
    return open_regular(out / name)


def _journal(out: Path) -> tuple[Path, bool] | None:
    """Return where the files of the build lie that counts now, and whether it has an encoder.

    None if there is no journal, or one that names anything else.
    """
    try:
        document = json.loads(read_bounded(out / JOURNAL, _LONGEST_JOURNAL))
        has_encoder = ENCODER not in document["obsolete"]
        ours = _STAGING.fullmatch(document["staging"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return (out / ours[0], has_encoder) if ours else None
