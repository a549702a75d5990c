"""Weights: whether they can be had, whether they fit their model, and on what device they run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.errors import DataError, SourceError, UsageError
from helpers.model.options import LOCAL_DIR, RANDOM, WEIGHT_FILES, ModelOptions
from helpers.packages import not_installed

if TYPE_CHECKING:
    import torch


_WAYS_OUT = (
    "with network, type the same command again (about 605 MB, once);\n"
    "without: --pretrained FILE for a weights file you have,\n"
    "or --model local-dir:DIR for an open_clip model directory"
)
_HUB_SECONDS = 4.0


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
