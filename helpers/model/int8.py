"""An exported encoder in int8, judged by its answers; runs in a `helpers.worker_process`.

Weights become int8 per channel, activations are scaled as they come (dynamic quantisation,
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

import errno
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from onnxruntime.quantization import QuantType, quantize_dynamic

from helpers import worker_process
from helpers.atomic_io import disk_errors
from helpers.errors import DataError
from helpers.model.agreement import CASES, CASES_UNTRAINED, compare, readable
from helpers.model.encoder_cache import Encoder
from helpers.model.onnx_embedder import OnnxEmbedder
from helpers.model.options import ModelOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Matrix products only: convolutions in int8 turned out slower, and far from fp32 (cosine 0.79).
_OPERATORS = ["MatMul", "Gemm"]


def work(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Quantise, compare, and yield how far that is, and what there is to know of it at last.

    Args:
        request: `options` (of `ModelOptions`), `source` (path of the fp32 encoder), `about` (what
            is known of it), `target` (path of the file), `folder` (an empty directory, for what
            is only needed meanwhile), `pictures` (paths of images).

    Raises:
        DataError: no picture can be read, or ONNX Runtime refuses.
        WriteError: the disk refuses.
    """
    source, target = Path(request["source"]), Path(request["target"])
    options = ModelOptions(**request["options"])
    quantize(source, target, Path(request["folder"]))
    small = {**request["about"], "precision": "int8"}
    reference, other = (
        OnnxEmbedder(path, Encoder(path, about).fingerprint(options), 1)
        for path, about in ((source, request["about"]), (target, small))
    )
    images = list(readable(list(map(Path, request["pictures"]))))
    if not images:
        raise DataError("int8 cannot be judged: no picture can be read")
    least = CASES if options.trained else CASES_UNTRAINED
    for done, total, found in compare(reference, other, images, least):
        yield {"total": total, "checks": found.to_json() if done == total else None}


def quantize(source: Path, target: Path, folder: Path) -> None:
    """Write the int8 version of an fp32 encoder.

    ONNX Runtime writes another version beside its source, under a name that two processes would
    share; so it is shown the source in an empty `folder`.

    Raises:
        WriteError: the disk refuses.
    """
    logging.disable(logging.WARNING)  # advice to prepare models that were not exported for this
    with disk_errors(target):
        try:
            quantize_dynamic(
                _linked(source, folder),
                target,
                op_types_to_quantize=_OPERATORS,
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
        except DecodeError as error:  # the source is whole, so that version was cut: a full disk
            raise OSError(errno.ENOSPC, f"no room for a second version in {folder}") from error


def _linked(source: Path, folder: Path) -> Path:
    """Return another name of a file, in `folder`."""
    link = folder / source.name
    try:
        link.symlink_to(source)
    except OSError:  # Windows lets few users do so
        shutil.copyfile(source, link)
    return link


if __name__ == "__main__":
    raise SystemExit(worker_process.serve(work))
