"""The options of a build, and how to tell that nothing has changed since the last one."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import __version__
from helpers.cards.card_source import CardSource
from helpers.model.options import ModelOptions
from helpers.packages import is_here

if TYPE_CHECKING:
    from argparse import Namespace

    from helpers.cards.bulk_file import BulkFile
    from helpers.cards.face_list import FaceList
    from helpers.images.cache import ImageCache


#: Once these are installed, an index without an encoder is built anew and takes one along.
_EXPORTERS = ("onnxruntime", "onnx", "onnxscript")
#: Where something is, or how it is worked off: with the same images the same vectors are reused.
_NOT_SHAPING = frozenset({"cache", "bulk_file", "batch", "threads", "device"})


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """The flags of the group "build"."""

    out: Path
    batch: int | None
    threads: int | None
    validate_cache: bool
    hnsw_m: int
    hnsw_ef_construction: int
    checkpoint_frequency: int
    resume: bool
    reuse: bool
    model: ModelOptions
    source: CardSource

    @classmethod
    def from_args(cls, args: Namespace) -> BuildOptions:
        """Read the flags, already validated.

        Raises:
            UsageError: the flags of the model contradict each other.
        """
        return cls(
            out=Path(args.out),
            batch=args.batch,
            threads=args.threads,
            validate_cache=args.validate_cache,
            hnsw_m=args.hnsw_m,
            hnsw_ef_construction=args.hnsw_ef_construction,
            checkpoint_frequency=args.checkpoint_frequency,
            resume=args.resume,
            reuse=args.reuse,
            model=ModelOptions.from_args(args),
            source=CardSource.from_args(args),
        )

    def to_json(self) -> dict[str, Any]:
        """Return every flag that shaped the result, for the manifest."""
        return {
            "kind": self.source.kind,
            "limit": self.source.limit,
            "image_version": self.source.image_version,
            "cache": str(self.source.cache),
            "bulk_file": str(self.source.bulk_file) if self.source.bulk_file else None,
            "batch": self.batch,
            "threads": self.threads,
            "validate_cache": self.validate_cache,
            "hnsw_m": self.hnsw_m,
            "hnsw_ef_construction": self.hnsw_ef_construction,
            **asdict(self.model),
        }


def input_state(options: BuildOptions, bulk: BulkFile, faces: FaceList, cache: ImageCache) -> str:
    """Return a SHA-256 of everything a build depends on, without reading an image.

    Files count by name, size and time of change, as for make(1).
    """
    shaping = {name: value for name, value in options.to_json().items() if name not in _NOT_SHAPING}
    digest = hashlib.sha256(__version__.encode())
    exporters = list(map(is_here, _EXPORTERS))
    digest.update(json.dumps([shaping, bulk.sha256, exporters], sort_keys=True).encode())
    for path in options.model.files():
        digest.update(_stamp(path))
    for image_file in faces.image_files():
        digest.update(image_file.encode() + _stamp(cache.text_path(image_file)))
    return digest.hexdigest()


def _stamp(path: Path | str) -> bytes:
    try:
        status = os.stat(path)  # noqa: PTH116 - see `ImageCache.text_path`
    except OSError:
        return b"missing\n"
    return f" {status.st_size} {status.st_mtime_ns}\n".encode()
