"""Encoders of a few lines, as somebody else would export them: no torch, no wait."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, WIDTH = 16, 32
FLOAT = {"size": SIDE, "dtype": "float32", "layout": "NCHW", "mean": [0.5] * 3, "std": [0.2] * 3}
BYTES = {"size": SIDE, "dtype": "uint8", "layout": "NHWC"}


def weights() -> NDArray[np.float32]:
    """Return float32 [3 * side * side, width]."""
    shape = (3 * SIDE * SIDE, WIDTH)
    return np.random.default_rng(5).standard_normal(shape, dtype=np.float32)


def encoder(folder: Path, description: dict[str, Any], batch: int | str = "n") -> Path:
    """Write an encoder that multiplies the pixels with `weights`, and its description."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    is_bytes = description["dtype"] == "uint8"
    shape = [batch, SIDE, SIDE, 3] if description["layout"] == "NHWC" else [batch, 3, SIDE, SIDE]
    kind = TensorProto.UINT8 if is_bytes else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["picture"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["descriptor"]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("picture", kind, shape)],
        [helper.make_tensor_value_info("descriptor", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights(), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, str(folder / "encoder.onnx"))
    (folder / "encoder.json").write_text(json.dumps(description))
    return folder
