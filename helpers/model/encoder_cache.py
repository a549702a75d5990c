"""Exported encoders: image towers that run without torch, kept for every later build.

They lie in `$MTG_ENCODER_CACHE`, else in `mtg-image-db` under `$XDG_CACHE_HOME` or `~/.cache`
(https://specifications.freedesktop.org/basedir-spec/), beside the weights that the model hub's
client keeps there. One encoder is two files, `KEY-PRECISION.onnx` and, written after it,
`KEY-PRECISION.json`. Everything can be made again, so nothing here is ever repaired.
"""

import atexit
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from helpers.atomic_io import (
    AtomicFile,
    atomic_write,
    atomic_write_json,
    make_directory,
    remove_parts,
    sha256_file,
)
from helpers.errors import WriteError
from helpers.lock import scratch_directory
from helpers.model import own_encoder
from helpers.model.fingerprint import fingerprint_of
from helpers.model.onnx_embedder import OnnxEmbedder
from helpers.model.options import ModelOptions
from helpers.report import Reporter

T = TypeVar("T")

VERSION = "1.0"
_KEY_DIGITS, _MEMO_DIGITS = 32, 16


@dataclass(frozen=True, slots=True)
class Encoder:
    """An ONNX file, by an absolute path, and what is known `about` it.

    That is: `key` (which weights, see `source_key`), `precision` (`fp32` or `int8`), `sha256` and
    `bytes` of the file, `dimension`, `model` (a fingerprint without what the options of a build
    decide), `input` (`side`, `mean`, `std`, `interpolation`), `checks`.
    """

    path: Path
    about: dict[str, Any]

    def open(self, options: ModelOptions) -> OnnxEmbedder:
        """Load it, with a fingerprint of all that decides the vectors under a build's options."""
        about = self.about
        how = {"precision": about["precision"], "encoder_sha256": about["sha256"]}
        fingerprint = fingerprint_of(about["model"], about["input"], options, engine="onnx", **how)
        return OnnxEmbedder(self.path, fingerprint, 1)


def describe_own(options: ModelOptions, path: Path) -> dict[str, Any]:
    """Return what is known about the copy at `path` of somebody's own encoder, or `DataError`."""
    given, sha256 = own_encoder.read_description(options.directory), sha256_file(path)
    side = given["size"]
    about = {
        "precision": "fp32",
        "sha256": sha256,
        "model": {
            "model": options.model,
            "pretrained": "",
            "trained": True,
            "architecture_sha256": options.architecture_digest(),
            "weights_sha256": sha256,
            "input": {key: given[key] for key in ("dtype", "layout")},
        },
        "input": {"side": side, **{key: given[key] for key in ("mean", "std", "interpolation")}},
        "checks": {},
    }
    embedder = Encoder(path, about).open(options)
    embedder.embed(np.full((2, 3, side, side), 0.5, np.float32))  # whatever is wrong, say it now
    return {**about, "dimension": embedder.dim}


def source_key(options: ModelOptions) -> str:
    """Return what names the weights and the architecture, without loading them.

    A tag stands for its weights, as the hub's client takes it; files count by their content;
    random weights are those that this version of torch draws.
    """
    files = [sha256_file(path) for path in options.files()]
    origin = files or [options.model, options.pretrained]
    if not options.trained:
        origin.append(metadata.version("torch"))
    parts = json.dumps([options.architecture_digest(), origin])
    return hashlib.sha256(parts.encode()).hexdigest()[:_KEY_DIGITS]


class EncoderStore:
    """The directory of exported encoders; new ones go to a temporary one where it is read-only."""

    def __init__(self, report: Reporter) -> None:
        self.folder = self._known = default_folder()
        with contextlib.suppress(WriteError):
            make_directory(self.folder)
            remove_parts(self.folder)
        if not os.access(self.folder, os.W_OK):
            report.info(f"{self.folder} cannot be written: no new encoder is kept there")
            stack = contextlib.ExitStack()
            atexit.register(stack.close)
            self.folder = stack.enter_context(scratch_directory("mtg-encoders-"))

    def find(self, key: str, precision: str) -> Encoder | None:
        """Return the encoder of these weights if it is here and whole."""
        path = self._known / _name(key, precision)
        try:
            about = json.loads(path.with_suffix(".json").read_bytes())
            known = (about["version"], about["key"]) == (VERSION, key)
            whole = known and sha256_file(path) == about["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Encoder(path, about) if whole else None

    def make(self, key: str, precision: str, write: Callable[[Path], dict[str, Any]]) -> Encoder:
        """Keep what `write` writes to the path that it is given, and returns `about` it."""
        path = self.folder / _name(key, precision)
        with AtomicFile(path) as file:
            about = write(file.part)
            written = {"sha256": sha256_file(file.part), "bytes": file.part.stat().st_size}
        known = {"version": VERSION, "key": key, "precision": precision}
        about = {**about, **known, **written}
        atomic_write_json(path.with_suffix(".json"), about)
        return Encoder(path, about)


def _name(key: str, precision: str) -> str:
    return f"{key}-{precision}.onnx"


def remembered(kind: str, what: list[Any], possible: Iterable[T], measure: Callable[[], T]) -> T:
    """Return what was measured on this machine for `what`; measure it where that is not known.

    It is one of the `possible`, all of it JSON. Where nothing can be kept, it is measured again
    next time.
    """
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:_MEMO_DIGITS]
    memo = default_folder() / f"{kind}-{digest}.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        return {json.dumps(choice): choice for choice in possible}[memo.read_text("utf-8")]
    chosen = measure()
    with contextlib.suppress(WriteError):
        atomic_write(memo, json.dumps(chosen))
    return chosen


def default_folder() -> Path:
    """Return where encoders are kept, whether or not it is there."""
    chosen = os.environ.get("MTG_ENCODER_CACHE")
    if chosen:
        return Path(chosen).absolute()
    home = os.path.expanduser("~")  # noqa: PTH111 - `Path.expanduser` raises where there is none
    if home == "~":  # a container's user without HOME and without an entry in /etc/passwd
        home = os.devnull  # nothing can be kept there
    base = os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    return Path(base).absolute() / "mtg-image-db"
