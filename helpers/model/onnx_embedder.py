"""From pixels to unit vectors with ONNX Runtime (https://onnxruntime.ai): no torch is needed.

Measured on 2 cores, ViT-B/32: twice the rate of torch in fp32, four to five times in int8.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError
from helpers.images.preprocess import Preprocessing
from helpers.model.unit_vectors import normalize

INPUT, OUTPUT = "pixels", "vectors"  # of what we export


class OnnxEmbedder:
    """The image tower in an ONNX file, on the CPU; `DataError` if ONNX Runtime cannot use it.

    `fingerprint` is that of the vectors (`helpers.model.fingerprint.fingerprint_of`);
    `threads` is how many one call of `embed` uses.
    """

    device = "cpu"

    def __init__(self, path: Path, fingerprint: dict[str, Any], threads: int) -> None:
        self._path = str(path)  # loading its content from memory would take 2.5 times as much
        self.fingerprint = fingerprint
        self.preprocessing = Preprocessing(**fingerprint["preprocessing"])
        self._input = fingerprint.get("input", {"dtype": "float32", "layout": "NCHW"})
        self._threads = threads
        self._session = self._load()
        pixels = self._session.get_inputs()[0]
        self._names = [self._session.get_outputs()[0].name], pixels.name
        #: int8 scales activations by the largest one in the whole pass, so that in a batch every
        #: vector would depend on its company; one by one, each depends on its image alone. Others
        #: may have been exported for single pictures.
        self.one_by_one = fingerprint["precision"] == "int8" or pixels.shape[:1] == [1]
        side = self.preprocessing.side  # a file of somebody else's may not say how wide vectors are
        self.dim = int(self.embed(np.ones((1, 3, side, side), np.float32)).shape[1])

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, dim], rows of unit length, for float32 [n, 3, side, side]."""
        step = 1 if self.one_by_one else len(pixels)
        outputs, name = self._names
        shaped = self._shaped(pixels)
        try:
            passes = [
                self._session.run(outputs, {name: shaped[start : start + step]})[0]
                for start in range(0, len(shaped), step)
            ]
        except Exception as error:  # ONNX Runtime's own classes, which have no common base
            raise _unusable(error) from error
        vectors = np.concatenate(passes)
        if vectors.ndim != 2 or len(vectors) != len(pixels):  # noqa: PLR2004
            raise _unusable(f"{len(pixels)} pictures gave an output of the shape {vectors.shape}")
        return normalize(vectors)

    def _shaped(self, pixels: NDArray[np.float32]) -> NDArray[Any]:
        """Return float32 [n, 3, side, side] as the type and the layout of the file's input."""
        if self._input["layout"] == "NHWC":
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        if self._input["dtype"] == "uint8":
            return np.asarray(np.rint(pixels * np.float32(255)), dtype=np.uint8)
        return pixels

    def use_threads(self, count: int) -> None:
        """Let each call of `embed` use `count` threads; calls may come from several threads."""
        if count != self._threads:
            self._threads = count
            self._session = self._load()

    def _load(self) -> Any:
        """Return ONNX Runtime's session of the file."""
        import onnxruntime

        options, providers = onnxruntime.SessionOptions(), ["CPUExecutionProvider"]
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait should not burn the CPU that decodes the next image.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(self._path, options, providers=providers)
        except Exception as error:
            raise _unusable(error) from error


def _unusable(reason: object) -> DataError:
    return DataError(
        "the encoder cannot be used",
        details=str(reason).split("\n", 1)[0],
        suggestion="build the index anew: python build_embeddings.py --no-reuse",
    )
