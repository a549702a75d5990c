"""The image tower of an open_clip model → ONNX; runs in a `helpers.worker_process`.

The file is checked against the model that it came from, on real pictures: cosine >= 0.99999.
"""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from helpers.atomic_io import disk_errors
from helpers.errors import DataError
from helpers.images.preprocess import prepare
from helpers.model.agreement import cosines, readable
from helpers.model.onnx_embedder import INPUT, OUTPUT, OnnxEmbedder
from helpers.model.options import ModelOptions
from helpers.model.torch_embedder import OpenClipEmbedder
from helpers.parallel import cpu_count

OPSET = 20  # of ONNX: the first with everything a vision transformer needs, https://onnx.ai
LEAST_COSINE = 0.99999  # to the model that was exported
_MOST_BYTES = 1_900_000_000  # one protobuf file holds at most 2 GiB


class NoEncoderError(DataError):
    """An encoder cannot be made; torch may embed all the same."""


def export_encoder(options: ModelOptions, target: Path, pictures: list[Path]) -> dict[str, Any]:
    """Export the image tower of a model into the file `target` and check it on `pictures`.

    Return what is known of the encoder, see `Encoder`. `UsageError`, `SourceError` or `DataError`
    if the model cannot be had, `NoEncoderError` if it cannot be exported.
    """
    embedder = OpenClipEmbedder(options)
    about = {"dimension": embedder.dim, "model": embedder.model, "input": embedder.input}
    try:
        _export(embedder, target)
        return {**about, "checks": _check(embedder, target, pictures)}
    except DataError as error:
        raise NoEncoderError(error.message, details=error.details) from error


def _export(embedder: OpenClipEmbedder, target: Path) -> None:
    """Write the image tower as one ONNX file, for batches of any size."""
    import onnx
    import torch

    size = sum(value.nbytes for value in embedder.tower.state_dict().values())
    if size > _MOST_BYTES:
        raise DataError("the model is too large for one ONNX file", details=f"{size:,} bytes")
    side = embedder.preprocessing.side
    try:
        # The exporter prints its progress and warns of its own future.
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            torch.inference_mode(),
        ):
            program: Any = torch.onnx.export(
                embedder.tower,
                (torch.zeros(2, 3, side, side),),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("n")},),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                verbose=False,
            )
        model = program.model_proto
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
        raise DataError("the model cannot be exported to ONNX", details=reason) from error
    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces of this machine
    with disk_errors(target):
        onnx.save(model, str(target))


def _check(embedder: OpenClipEmbedder, target: Path, paths: list[Path]) -> dict[str, Any]:
    """Compare the file with the model it came from; raise `DataError` where they differ."""
    exported = OnnxEmbedder(target, embedder.fingerprint, cpu_count())
    pixels = [prepare(image, embedder.preprocessing) for image in readable(paths)]
    if not pixels:
        raise DataError("the export cannot be checked", details="no picture can be read")
    batch = np.stack(pixels)
    least = float(cosines(embedder.embed(batch), exported.embed(batch)).min())
    if least < LEAST_COSINE:
        raise DataError(
            "the exported encoder gives other vectors than the model",
            details=f"least cosine {least:.7f} on {len(pixels)} pictures, {LEAST_COSINE} needed",
        )
    return {"pictures": len(pixels), "least_cosine": least}
