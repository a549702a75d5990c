"""What a build starts from, and how to tell that nothing has changed since the last one."""

import hashlib
import heapq
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers import __version__
from helpers.building.options import BuildOptions
from helpers.cards.bulk_file import BulkFile
from helpers.cards.face_list import FaceList
from helpers.images.cache import ImageCache
from helpers.packages import is_here


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a build starts from: its flags, the cache, and the faces that the bulk file lists.

    `last` is the manifest of the index that is there, None if there is none to rely on.
    """

    options: BuildOptions
    cache: ImageCache
    bulk: BulkFile
    faces: FaceList
    last: dict[str, Any] | None

    def images(self) -> Iterator[Path]:
        """Yield the path of each image that is in the cache, whole or broken."""
        yield from map(self.cache.path, filter(self.cache.has, self.faces.image_files()))

    def sample(self, count: int) -> list[Path]:
        """Return up to `count` of the images; their names are digests, so any first are random."""
        return [path.absolute() for path in heapq.nsmallest(count, self.images())]


#: Once these are installed, an index without an encoder is built anew and takes one along.
_EXPORTERS = ("onnxruntime", "onnx", "onnxscript")
#: Where something is, or how it is worked off: with the same images the same vectors are reused.
_NOT_SHAPING = frozenset({"cache", "bulk_file", "batch", "threads", "device"})


def input_state(inputs: Inputs) -> str:
    """Return a SHA-256 of everything a build depends on, without reading an image.

    Files count by name, size and time of change, as for make(1).
    """
    options, cache = inputs.options, inputs.cache
    shaping = {name: value for name, value in options.to_json().items() if name not in _NOT_SHAPING}
    digest = hashlib.sha256(__version__.encode())
    exporters = list(map(is_here, _EXPORTERS))
    digest.update(json.dumps([shaping, inputs.bulk.sha256, exporters], sort_keys=True).encode())
    for path in options.model.files():
        digest.update(_stamp(path))
    for image_file in inputs.faces.image_files():
        digest.update(image_file.encode() + _stamp(f"{cache.directory}/{image_file}"))
    return digest.hexdigest()


def _stamp(path: Path | str) -> bytes:
    try:
        status = os.stat(path)  # noqa: PTH116 - see `ImageCache.has`
    except OSError:
        return b"missing\n"
    return f" {status.st_size} {status.st_mtime_ns}\n".encode()
