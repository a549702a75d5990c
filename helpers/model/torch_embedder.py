"""From pixels to unit vectors with open_clip (https://github.com/mlfoundations/open_clip)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.errors import DataError, SourceError, UsageError
from helpers.images.preprocess import Preprocessing
from helpers.model.options import LOCAL_DIR, RANDOM, WEIGHT_FILES, ModelOptions
from helpers.model.unit_vectors import normalize
from helpers.packages import not_installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

_WAYS_OUT = (
    "with network, type the same command again (about 605 MB, once);\n"
    "without: --pretrained FILE for a weights file you have,\n"
    "or --model local-dir:DIR for an open_clip model directory"
)
_HUB_SECONDS = 4.0


class OpenClipEmbedder:
    """An open_clip image tower on one device.

    On a GPU nothing of it has been measured: none was at hand.

    Args:
        options: the model and its input.

    Raises:
        UsageError: open_clip knows no such model or tag, or the two do not fit.
        SourceError: the weights cannot be downloaded.
        DataError: the weights are missing, damaged, of another model, or not finite; or torch is
            not installed.
    """

    one_by_one = False

    def __init__(self, options: ModelOptions) -> None:
        require_torch()
        with _quiet_libraries():
            import open_clip
            import torch

            check_choice(options)
            require_weights(options)
            self.device = torch_device(options.device)
            self._torch = torch
            torch.manual_seed(0)  # untrained weights are at least the same ones every time
            with _loading_errors(options):
                self._model = open_clip.create_model(
                    options.model,
                    pretrained=(options.pretrained or None) if options.trained else None,
                    require_pretrained=options.trained,
                    weights_only=True,
                    device=self.device,
                )
        self._options = options
        self._model.eval()
        self.tower: torch.nn.Module = self._model.visual
        self.preprocessing = _preprocessing(self._model.visual.preprocess_cfg, options)
        self.fingerprint = {
            "model": options.model,
            "pretrained": options.pretrained,
            "trained": options.trained,
            "architecture_sha256": options.architecture_digest(),
            "weights_sha256": _weights_digest(self._model.visual, options),
            "precision": options.precision,
            "preprocessing": self.preprocessing.to_json(),
            "engine": "torch",
        }
        side = self.preprocessing.side
        self.dim = self.embed(np.zeros((1, 3, side, side), np.float32)).shape[1]

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, dim], rows of unit length, for float32 [n, 3, side, side]."""
        half = self._options.precision == "fp16"
        with (
            self._torch.inference_mode(),
            self._torch.autocast(self.device, self._torch.float16, enabled=half),
        ):
            vectors = self._model.encode_image(self._to_device(pixels)).float().cpu().numpy()
        return normalize(vectors)

    def _to_device(self, pixels: NDArray[np.float32]) -> torch.Tensor:
        batch = self._torch.from_numpy(pixels)
        if self.device == "cuda":  # pinned pages are copied while the device computes; not measured
            return batch.pin_memory().to(self.device, non_blocking=True)
        return batch.to(self.device)

    def embed_text(self, texts: list[str]) -> NDArray[np.float32]:
        """Return float32 [n, dim], rows of unit length, in the same space as the pictures.

        Raises:
            DataError: the model's text tower was never trained, or there is none.
        """
        require_text_tower(self._options)
        with _quiet_libraries():
            import open_clip

            tokens = open_clip.get_tokenizer(self._options.model)(texts).to(self.device)
        with self._torch.inference_mode():
            vectors = self._model.encode_text(tokens).float().cpu().numpy()
        return normalize(vectors)

    def use_threads(self, count: int) -> None:
        """Let each call of `embed` use `count` threads; calls may come from several threads."""
        self._torch.set_num_threads(count)


def require_torch() -> None:
    """Raise `DataError` unless torch and open_clip are installed, without importing them."""
    missing = not_installed("torch", "open_clip")
    if missing:
        raise DataError(
            "the model cannot be loaded",
            details=missing,
            suggestion="pip install -r requirements.txt\n"
            "(to ask an index that holds its encoder: requirements-query.txt)",
        )


def require_text_tower(options: ModelOptions) -> None:
    """Raise `DataError` for a model that knows no words.

    A model directory can say so itself: `"text_tower": "untrained"` in `open_clip_config.json`.
    """
    trained = options.trained
    if options.model.startswith(LOCAL_DIR):
        folder = Path(options.model.removeprefix(LOCAL_DIR))
        config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
        trained = config.get("text_tower") != "untrained"
    if not trained:
        raise DataError(
            "this model has no trained text tower, so it cannot look for a sentence",
            details=f"the index was built with {options.model} {options.pretrained}".rstrip(),
            suggestion="ask with a picture, or build with a CLIP model (the default)",
        )


def check_choice(options: ModelOptions) -> None:
    """Raise `UsageError` for what cannot be of model, weights and device, before any is loaded.

    open_clip only warns of a QuickGELU mismatch and builds a model without weights if it finds
    none; both give vectors that look right and mean nothing.
    """
    require_torch()
    options.check_files()
    _check_precision(options, torch_device(options.device))
    if _is_local(options):
        return
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(options.model)
    if options.pretrained not in tags:
        raise UsageError(
            f"{options.model} has no weights {options.pretrained!r}, and no such file exists",
            details=f"tags of {options.model}: {', '.join(tags) or 'none'}",
            suggestion="choose a tag, a file, or --pretrained random for untrained test weights",
        )
    _check_activation(options)


def _is_local(options: ModelOptions) -> bool:
    """Tell whether the weights are on this machine, or none are wanted."""
    return (
        options.model.startswith(LOCAL_DIR)
        or options.pretrained == RANDOM
        or Path(options.pretrained).is_file()
    )


def require_weights(options: ModelOptions) -> None:
    """Make sure, within seconds, that the weights of a tag are here or can be had.

    The hub's client retries for 47 s before it gives up, and asks the network even for weights
    that lie in its cache; so one short question is asked first, or none at all.

    Raises:
        SourceError: they are not in the hub's cache, and the hub does not answer.
    """
    if _is_local(options):
        return
    import huggingface_hub
    import open_clip
    from huggingface_hub import constants

    weights = open_clip.get_pretrained_cfg(options.model, options.pretrained)
    repository, _, file = str(weights.get("hf_hub", "")).rpartition("/")
    if not repository:  # older weights come from a plain URL, which fails at once
        return
    names = (file, str(Path(file).with_suffix(".safetensors"))) if file else WEIGHT_FILES
    if any(_in_cache(repository, name) for name in names):
        constants.HF_HUB_OFFLINE = True
        return
    try:
        huggingface_hub.get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
    except Exception as error:
        reason = str(error).split("\n", 1)[0] or type(error).__name__
        raise _no_weights(options, f"{constants.ENDPOINT}: {reason}") from error


def _in_cache(repository: str, name: str) -> bool:
    import huggingface_hub

    return isinstance(huggingface_hub.try_to_load_from_cache(repository, name), str)


def _no_weights(options: ModelOptions, details: str) -> SourceError:
    return SourceError(
        f"the weights {options.model}/{options.pretrained} cannot be downloaded",
        details=details,
        suggestion=_WAYS_OUT,
    )


def _check_activation(options: ModelOptions) -> None:
    import open_clip

    weights = open_clip.get_pretrained_cfg(options.model, options.pretrained)
    model_quick = bool((open_clip.get_model_config(options.model) or {}).get("quick_gelu"))
    if bool(weights.get("quick_gelu")) != model_quick:
        plain = options.model.removesuffix("-quickgelu")
        raise UsageError(
            f"{options.model} does not fit the weights {options.pretrained!r}",
            details="one uses QuickGELU and the other GELU: the vectors would be wrong",
            suggestion=f"--model {plain if model_quick else plain + '-quickgelu'}",
        )


@contextlib.contextmanager
def _loading_errors(options: ModelOptions) -> Iterator[None]:
    try:
        yield
    except UserWarning as error:
        raise DataError(f"open_clip warns of {options.model}: {error}") from error
    except pickle.UnpicklingError as error:
        raise DataError(
            f"the weights file is damaged or wants to run code: {options.pretrained}",
            details=str(error).split("\n", 1)[0],
            suggestion="get the weights from their publisher, best as .safetensors",
        ) from error
    except Exception as error:
        if "Failed to download" in str(error) or isinstance(error, ConnectionError):
            raise _no_weights(options, str(error).split("\n", 1)[0][:300]) from error
        raise DataError(
            f"the weights do not load: {options.model}, {options.pretrained}",
            details=f"{type(error).__name__}: {str(error)[:300]}",
            suggestion=_WAYS_OUT,
        ) from error


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep chatter off stderr, but make the one warning that matters an error."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1" if not os.isatty(2) else "0")
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message="QuickGELU mismatch")
            yield
    finally:
        logging.disable(logging.NOTSET)


def torch_device(wanted: str) -> str:
    """Return the device that `--device` means on this machine.

    Raises:
        UsageError: torch has none of that kind.
    """
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return next(name for name, there in available.items() if there)
    if not available[wanted]:
        raise UsageError(
            f"--device {wanted}: this machine has none that torch can use",
            details="available: " + ", ".join(name for name, there in available.items() if there),
            suggestion="--device auto",
        )
    return wanted


def _check_precision(options: ModelOptions, device: str) -> None:
    if options.precision == "fp16" and device == "cpu":
        raise UsageError(
            "--precision fp16 needs a GPU",
            details="torch finds none here, and on a CPU fp16 is slower than fp32",
            suggestion="--precision fp32, or int8, which is made for CPUs",
        )


def _preprocessing(config: dict[str, Any], options: ModelOptions) -> Preprocessing:
    side = config["size"]
    shape = {
        "side": side if isinstance(side, int) else side[0],
        "interpolation": config.get("interpolation", "bicubic"),
    }
    return Preprocessing.of_model({**config, **shape}, options.size, options.fit)


def _weights_digest(tower: torch.nn.Module, options: ModelOptions) -> str:
    """Return the SHA-256 over the image tower's tensors, wherever they came from.

    Raises:
        DataError: a weight is not finite; a model with NaN weights loads without complaint.
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
