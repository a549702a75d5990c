"""An exported encoder in int8, judged by its answers; runs in a `helpers.worker_process`.

Weights become int8 per channel, activations are scaled as they come (dynamic quantisation,
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

import errno
import logging
from pathlib import Path
from typing import Any

from helpers.atomic_io import disk_errors
from helpers.errors import DataError
from helpers.model.agreement import CASES, CASES_UNTRAINED, compare, readable
from helpers.model.encoder_cache import Encoder
from helpers.model.options import ModelOptions

#: Matrix products only: convolutions in int8 turned out slower, and far from fp32 (cosine 0.79).
_OPERATORS = ["MatMul", "Gemm"]


def quantize_and_compare(
    options: ModelOptions, source: Encoder, target: Path, folder: Path, pictures: list[Path]
) -> dict[str, Any]:
    """Write the int8 version of an fp32 encoder to `target`; return how the two `compare`.

    `folder` is an empty directory, for what is only needed meanwhile. `DataError` if none of the
    `pictures` can be read, or ONNX Runtime refuses; `WriteError` if the disk does.
    """
    with disk_errors(target):
        _quantize(source.path, target, folder)
    small = Encoder(target, {**source.about, "precision": "int8"})
    images = list(readable(pictures))
    if not images:
        raise DataError("int8 cannot be judged: no picture can be read")
    least = CASES if options.trained else CASES_UNTRAINED
    return compare(source.open(options), small.open(options), images, least)


def _quantize(source: Path, target: Path, folder: Path) -> None:
    """Write the int8 version of an fp32 encoder.

    ONNX Runtime writes another version beside its source, under a name that two processes would
    share; so it is shown the source in an empty `folder`.
    """
    from google.protobuf.message import DecodeError
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # advice to prepare models that were not exported for this
    link = folder / source.name
    link.symlink_to(source)
    try:
        quantize_dynamic(
            link,
            target,
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    except DecodeError as error:  # the source is whole, so that version was cut: a full disk
        raise OSError(errno.ENOSPC, f"no room for a second version in {folder}") from error
