"""Weights: whether they can be had, whether they fit their model, and on what device they run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.cards.options import SCRYFALL_API, USER_AGENT
from helpers.errors import DataError, SourceError, UsageError
from helpers.model.options import (
    CONFIG_FILE,
    RANDOM,
    WEIGHT_FILES,
    ModelOptions,
    known_weights,
    model_config,
)
from helpers.network.policy import Policy
from helpers.packages import not_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from helpers.network.model_hub import HubFile
    from helpers.report import Reporter


WAYS_OUT = (
    "with network, type the same command again: what has arrived is kept;\n"
    "without: --pretrained FILE for a weights file you have,\n"
    "or --model local-dir:DIR for an open_clip model directory"
)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
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


def _require_torch() -> None:
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
    if options.is_local_dir:
        config = json.loads((options.directory / CONFIG_FILE).read_bytes())
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
    _require_torch()
    options.check_files()
    if not _is_local(options):
        known = known_weights(options.model)
        if options.pretrained not in known:
            raise UsageError(
                f"{options.model} has no weights {options.pretrained!r}, and no such file exists",
                details=f"looked for {Path(options.pretrained).absolute()}\n"
                f"tags of {options.model}: {', '.join(known) or 'none'}",
                suggestion="choose a tag, a file, or --pretrained random (untrained, for tests)",
            )
        _check_activation(options, known[options.pretrained])
    if options.device != "auto" or options.precision == "fp16":  # else torch need not be loaded
        _check_precision(options, torch_device(options.device))


def _is_local(options: ModelOptions) -> bool:
    """Tell whether the weights are on this machine, or none are wanted."""
    return (
        options.is_local_dir
        or options.is_own_encoder
        or options.pretrained == RANDOM
        or Path(options.pretrained).is_file()
    )


def hub_file(options: ModelOptions) -> HubFile | None:
    """Return where the model hub keeps the weights of a tag; None for weights of another kind."""
    if _is_local(options):
        return None
    from helpers.network.model_hub import HubFile

    about = known_weights(options.model).get(options.pretrained, {})
    repository, _, file = str(about.get("hf_hub", "")).rpartition("/")
    if not repository:  # older weights come from a plain address
        return None
    if not file:
        return HubFile(repository, WEIGHT_FILES)
    # open_clip's own rule: it asks for the safer format first.
    safe = [f"{file[:-4]}.safetensors"] if file.endswith((".bin", ".pth")) else []
    return HubFile(repository, (*safe, file))


def fetch_weights(
    options: ModelOptions, report: Reporter, announce: Callable[[int], object] = lambda _: None
) -> None:
    """Make sure that the weights of a tag are on this machine, fetching them if need be.

    Args:
        options: which weights.
        report: hears how far it is.
        announce: is told how many bytes they have, before they are fetched.

    Raises:
        SourceError: they cannot be had; said within seconds where nobody answers.
        DataError: they are damaged.
        WriteError, BusyError: they cannot be written.
    """
    wanted = hub_file(options)
    if wanted is None:
        return
    from helpers.network import model_hub
    from helpers.network.responses import FetchError
    from helpers.session import DownloadSession

    with quiet_libraries():
        found = model_hub.cached(wanted)
        if found is not None:
            _require_sound(found)
            return
        if model_hub.is_offline():
            raise _no_weights(options, "they are not here, and HF_HUB_OFFLINE forbids to ask")
        address = f"{model_hub.endpoint()}/{wanted.repository}"
        session = DownloadSession(Policy(USER_AGENT, SCRYFALL_API), say=report.notice)
        try:
            model_hub.fetch(wanted, session, report, announce)
        except (FetchError, SourceError) as error:
            reason = error.message if isinstance(error, SourceError) else error
            raise _no_weights(options, f"{address}{_through(address)}: {reason}") from error


def _through(address: str) -> str:
    """Say which proxy stands between, without its credentials."""
    from requests.utils import get_environ_proxies, select_proxy, urldefragauth

    proxy = select_proxy(address, get_environ_proxies(address))
    return f" (through the proxy {urldefragauth(proxy)})" if proxy else ""


def _require_sound(path: Path) -> None:
    from helpers.network import model_hub

    try:
        damaged = "its content has changed" if model_hub.is_damaged(path) else ""
    except OSError as error:
        damaged = str(error)
    if damaged:
        raise DataError(
            f"the weights are damaged: {path}",
            details=damaged,
            suggestion=f"rm {path.resolve()}\nthen type the same command again, with network",
        )


def are_here(options: ModelOptions) -> bool:
    """Tell whether the weights can be loaded without asking anybody."""
    wanted = hub_file(options)
    if wanted is None:
        return True
    from helpers.network import model_hub

    return model_hub.cached(wanted) is not None


def require_here(options: ModelOptions) -> None:
    """Let open_clip take the weights from the hub's cache, asking nobody.

    Raises:
        SourceError: they are not there (see `fetch_weights`).
    """
    wanted = hub_file(options)
    if wanted is not None:
        from helpers.network import model_hub

        if model_hub.cached(wanted) is None:
            raise _no_weights(options, "they are not in the cache of the model hub's client")
        model_hub.ask_nobody()


def _no_weights(options: ModelOptions, details: str) -> SourceError:
    return SourceError(
        f"the weights {options.model}/{options.pretrained} cannot be had",
        details=details,
        suggestion=WAYS_OUT,
    )


def _check_activation(options: ModelOptions, about: dict[str, Any]) -> None:
    model_quick = bool((model_config(options.model) or {}).get("quick_gelu"))
    if bool(about.get("quick_gelu")) != model_quick:
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
