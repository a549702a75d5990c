"""From pixels to unit vectors with open_clip (https://github.com/mlfoundations/open_clip)."""

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import DataError
from helpers.images.preprocess import Preprocessing
from helpers.model import weights
from helpers.model.fingerprint import fingerprint_of
from helpers.model.options import CONFIG_FILE, ModelOptions
from helpers.model.unit_vectors import normalize


class OpenClipEmbedder:
    """An open_clip image tower on one device; on a GPU nothing of it has been measured.

    `DataError` if the weights are not here (see `weights.fetch_weights`, which also checks the
    choice), damaged, of another model, or not finite.
    """

    one_by_one = False

    def __init__(self, options: ModelOptions) -> None:
        with weights.quiet_libraries():
            import torch

            self._torch, self._options = torch, options
            self.device = weights.torch_device(options.device)
            self._model = _load(options, self.device)
        self.tower = self._model.visual
        #: What the vectors depend on besides the options of a build: the weights, and their input.
        self.model = {
            "model": options.model,
            "pretrained": options.pretrained,
            "trained": options.trained,
            "architecture_sha256": options.architecture_digest(),
            "weights_sha256": _weights_digest(self.tower, options),
        }
        self.input = _input(self.tower.preprocess_cfg)
        self.fingerprint = fingerprint_of(
            self.model, self.input, options, engine="torch", precision=options.precision
        )
        self.preprocessing = Preprocessing(**self.fingerprint["preprocessing"])
        side = self.preprocessing.side
        self.dim = self.embed(np.zeros((1, 3, side, side), np.float32)).shape[1]

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, dim], rows of unit length, for float32 [n, 3, side, side]."""
        half = self._options.precision == "fp16"
        with (
            self._torch.inference_mode(),
            self._torch.autocast(self.device, self._torch.float16, enabled=half),
        ):
            batch = self._torch.from_numpy(pixels).to(self.device)
            vectors = self._model.encode_image(batch).float().cpu().numpy()
        return normalize(vectors)

    def embed_text(self, texts: list[str]) -> NDArray[np.float32]:
        """Return float32 [n, dim], rows of unit length, in the same space as the pictures.

        `DataError` if the model has no trained text tower, which a model directory can say itself:
        `"text_tower": "untrained"` in `open_clip_config.json`.
        """
        options, trained = self._options, self._options.trained
        if options.is_local_dir:
            config = json.loads((options.directory / CONFIG_FILE).read_bytes())
            trained = config.get("text_tower") != "untrained"
        if not trained:
            raise DataError(
                "this model has no trained text tower, so it cannot look for a sentence",
                details=f"the index was built with {options.model} {options.pretrained}".rstrip(),
                suggestion="ask with a picture, or build with a CLIP model (the default)",
            )
        with weights.quiet_libraries():
            import open_clip

            tokens = open_clip.get_tokenizer(options.model)(texts).to(self.device)
        with self._torch.inference_mode():
            vectors = self._model.encode_text(tokens).float().cpu().numpy()
        return normalize(vectors)

    def use_threads(self, count: int) -> None:
        """Let each call of `embed` use `count` threads; calls may come from several threads."""
        self._torch.set_num_threads(count)


def _load(options: ModelOptions, device: str) -> Any:
    """Return open_clip's model; the weights of a tag come from the hub's cache, asking nobody."""
    import open_clip
    import torch

    if options.is_tag:
        from helpers.network import model_hub

        model_hub.settings().HF_HUB_OFFLINE = True  # or it asks for a newer version
    torch.manual_seed(0)  # untrained weights are at least the same ones every time
    try:
        model = open_clip.create_model(
            options.model,
            pretrained=(options.pretrained or None) if options.trained else None,
            require_pretrained=options.trained,
            weights_only=True,
            device=device,
        )
    except Exception as error:
        raise DataError(
            f"the weights do not load: {options.model}, {options.pretrained}",
            details=f"{type(error).__name__}: {str(error)[:300]}",
            suggestion="they are damaged, of another model, or want to run code: get them from"
            " their publisher, best as .safetensors",
        ) from error
    return model.eval()


def _weights_digest(tower: Any, options: ModelOptions) -> str:
    """Return the SHA-256 over the image tower's tensors, wherever they came from.

    `DataError` if one is not finite: a model with NaN weights loads without complaint.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(tower.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        if values.is_floating_point() and not bool(values.isfinite().all()):
            raise DataError(
                f"the weights hold values that are not finite: {name}",
                details=f"{options.model}, {options.pretrained}",
                suggestion="get the weights from their publisher again",
            )
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}\n".encode())
        digest.update(memoryview(values.reshape(-1).numpy()).cast("B"))
    return digest.hexdigest()


def _input(config: dict[str, Any]) -> dict[str, Any]:
    """Return `side`, `mean`, `std` and `interpolation` of the pixels that a model takes."""
    side = config["size"]
    return {
        "side": side if isinstance(side, int) else side[0],
        "mean": list(config["mean"]),
        "std": list(config["std"]),
        "interpolation": config["interpolation"],
    }
