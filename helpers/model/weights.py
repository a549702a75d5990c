"""Weights: whether they can be had, whether they fit their model, and on what device they run."""

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.cards.options import SCRYFALL_API, USER_AGENT
from helpers.errors import DataError, SourceError, UsageError
from helpers.model.options import WEIGHT_FILES, ModelOptions, known_weights
from helpers.network.policy import Policy
from helpers.packages import not_installed
from helpers.report import Reporter

if TYPE_CHECKING:  # needs `requests`, which who only asks an index may lack
    from helpers.network.model_hub import HubFile


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


def check_choice(options: ModelOptions) -> None:
    """Raise `UsageError` for what cannot be of model, weights and device, before any is loaded.

    open_clip only warns of a QuickGELU mismatch and builds a model without weights if it finds
    none; both give vectors that look right and mean nothing. `DataError` if it is not installed.
    """
    missing = not_installed("torch", "open_clip")
    if missing:
        raise DataError(
            "the model cannot be loaded",
            details=missing,
            suggestion="pip install -r requirements.txt\n"
            "(to ask an index that holds its encoder: requirements-query.txt)",
        )
    options.check_files()
    hub_file(options)
    # Else torch need not be loaded.
    asks_device = options.device != "auto" or options.precision == "fp16"
    if asks_device and torch_device(options.device) == "cpu" and options.precision == "fp16":
        raise UsageError(
            "--precision fp16 needs a GPU",
            details="torch finds none here, and on a CPU fp16 is slower than fp32",
            suggestion="--precision fp32, or int8, which is made for CPUs",
        )


def hub_file(options: ModelOptions) -> "HubFile | None":
    """Return where the model hub keeps the weights of a tag; None for weights of another kind.

    `UsageError` if the model has no such weights, or they do not fit it.
    """
    if not options.is_tag:
        return None
    from helpers.network.model_hub import HubFile

    known = known_weights(options.model)
    if options.pretrained not in known:
        raise UsageError(
            f"{options.model} has no weights {options.pretrained!r}, and no such file exists",
            details=f"looked for {Path(options.pretrained).absolute()}\n"
            f"tags of {options.model}: {', '.join(known) or 'none'}",
            suggestion="choose a tag, a file, or --pretrained random (untrained, for tests)",
        )
    about, is_quick = known[options.pretrained], options.description().get("quick_gelu", False)
    if about.get("quick_gelu", False) != is_quick:
        plain = options.model.removesuffix("-quickgelu")
        raise UsageError(
            f"{options.model} does not fit the weights {options.pretrained!r}",
            details="one uses QuickGELU and the other GELU: the vectors would be wrong",
            suggestion=f"--model {plain if is_quick else plain + '-quickgelu'}",
        )
    repository, _, file = about["hf_hub"].rpartition("/")
    if not file:
        return HubFile(repository, WEIGHT_FILES)
    # open_clip's own rule: it asks for the safer format first.
    safe = [f"{file[:-4]}.safetensors"] if file.endswith((".bin", ".pth")) else []
    return HubFile(repository, (*safe, file))


def fetch_weights(
    options: ModelOptions, report: Reporter, announce: Callable[[int], object] = lambda _: None
) -> None:
    """Check the choice, and fetch the weights of a tag unless they are on this machine.

    `announce` is told how many bytes they have, before they are fetched. `SourceError`, within
    seconds where nobody answers, if they cannot be had; `DataError` if they are damaged;
    `WriteError` or `BusyError` if they cannot be written.
    """
    check_choice(options)
    wanted = hub_file(options)
    if wanted is None:
        return
    from helpers.network import model_hub
    from helpers.network.responses import FetchError
    from helpers.session import DownloadSession

    with quiet_libraries():
        found = model_hub.cached(wanted)
        if found is not None:
            if model_hub.is_damaged(found):
                raise DataError(
                    f"the weights are damaged: {found}",
                    details="its content has changed",
                    suggestion=f"rm {found.resolve()}\nthen type the same command again,"
                    " with network",
                )
            return
        if model_hub.settings().HF_HUB_OFFLINE:
            raise no_weights(options, "they are not here, and HF_HUB_OFFLINE forbids to ask")
        address = f"{model_hub.settings().ENDPOINT}/{wanted.repository}"
        session = DownloadSession(Policy(USER_AGENT, SCRYFALL_API), say=report.notice)
        try:
            model_hub.fetch(wanted, session, report, announce)
        except (FetchError, SourceError) as error:
            reason = error.message if isinstance(error, SourceError) else error
            raise no_weights(options, f"{address}{_through(address)}: {reason}") from error


def _through(address: str) -> str:
    """Say which proxy stands between, without its credentials."""
    from requests.utils import get_environ_proxies, select_proxy, urldefragauth

    proxy = select_proxy(address, get_environ_proxies(address))
    return f" (through the proxy {urldefragauth(proxy)})" if proxy else ""


def are_here(options: ModelOptions) -> bool:
    """Tell whether the weights can be loaded without asking anybody."""
    wanted = hub_file(options)
    if wanted is None:
        return True
    from helpers.network import model_hub

    return model_hub.cached(wanted) is not None


def no_weights(options: ModelOptions, details: str) -> SourceError:
    """Return the error for weights that cannot be had."""
    return SourceError(
        f"the weights {options.model}/{options.pretrained} cannot be had",
        details=details,
        suggestion="with network, type the same command again: what has arrived is kept;\n"
        "without: --pretrained FILE for a weights file you have,\n"
        "or --model local-dir:DIR for an open_clip model directory",
    )


def torch_device(wanted: str) -> str:
    """Return the device that `--device` means on this machine; `UsageError` if it has none."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    available = [name for name, is_there in there.items() if is_there] + ["cpu"]
    if wanted == "auto":
        return available[0]
    if wanted not in available:
        raise UsageError(
            f"--device {wanted}: this machine has none that torch can use",
            details=f"available: {', '.join(available)}",
            suggestion="--device auto",
        )
    return wanted
