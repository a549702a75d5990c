"""`build_manifest.json`: how an index was made, and which files belong to it."""

import contextlib
import hashlib
import json
import os
import platform
import shlex
import subprocess
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import Any

from helpers.atomic_io import atomic_write_json, sha256_file
from helpers.cards import options as cards
from helpers.errors import DataError
from helpers.index.manifest_schema import SEAL, check_manifest, seal
from helpers.index.publish import MANIFEST, NAMES, open_published
from helpers.model import options as model

VERSION = "1.0"
_LONGEST = 1 << 24  # bytes; one of ours has about 5,000
_PACKAGES = ("numpy", "torch", "open_clip_torch", "onnxruntime", "faiss-cpu", "pillow")


def describe_outputs(staging: Path) -> dict[str, dict[str, Any]]:
    """Return size in bytes and SHA-256 of each file of a build."""
    paths = [staging / name for name in NAMES if name != MANIFEST]
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in paths
        if path.exists()
    }


def describe_environment(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Return the versions of Python, of the system, and of those packages that are installed."""
    from importlib import metadata  # loads `email`, which a run with nothing to do does not need

    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def git_commit() -> str | None:
    """Return the commit of this program, None if it is not in a git checkout."""
    try:
        answer = subprocess.check_output(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - the user's own git, wherever it is
            cwd=Path(__file__).parent,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.strip()


def read_manifest(out: Path) -> dict[str, Any]:
    """Return the manifest of the index in `out`; `DataError` if there is none to rely on."""
    try:
        with open_published(out, MANIFEST) as file:
            document: dict[str, Any] = json.loads(file.read(_LONGEST))
        check_manifest(document)
    except FileNotFoundError as error:
        raise no_index(out, f"there is no {MANIFEST}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise no_index(out, f"{MANIFEST} cannot be used: {error}") from error
    return document


def last_manifest(out: Path) -> dict[str, Any] | None:
    """Return the manifest of the index in `out`, None if there is none to rely on."""
    try:
        return read_manifest(out)
    except DataError:
        return None


def write_manifest(directory: Path, document: dict[str, Any]) -> dict[str, Any]:
    """Write a manifest with its own digest, whole or not at all, and return it."""
    sealed = {**document, SEAL: seal(document)}
    atomic_write_json(directory / MANIFEST, sealed)
    return sealed


def no_index(out: Path, details: str, document: dict[str, Any] | None = None) -> DataError:
    """Return the error for a directory without a usable index; `document` is a sound manifest."""
    return DataError(
        f"no usable index in {out.absolute()}",
        details=details,
        suggestion=f"build it: {rebuild_command(document or {'parameters': {}}, out)}",
    )


def rebuild_command(document: dict[str, Any], out: Path) -> str:
    """Return what to type to build an index again, from the same cards and with the same model."""
    given = document["parameters"]
    flags = [*cards.FLAGS.typed(given), *model.FLAGS.typed(given), "--out", str(out)]
    flags += [] if given.get("whiten", True) else ["--no-whiten"]
    return shlex.join(["python", "build_embeddings.py", *flags])


def damage(out: Path, manifest: dict[str, Any], names: Iterable[str] = ()) -> str | None:
    """Return what is wrong with these files, or all that the manifest names; None if nothing."""
    try:
        for name in names or manifest["outputs"]:
            open_whole(out, name, manifest).close()
    except ValueError as error:
        return str(error)
    return None


def open_whole(out: Path, name: str, manifest: dict[str, Any]) -> BufferedReader:
    """Open a file, read to its end, or `ValueError` if it is not the one of the manifest."""
    if name not in manifest["outputs"]:
        raise ValueError(f"{name} is no file of this build")
    expected = manifest["outputs"][name]
    try:
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(open_published(out, name))
            size = os.fstat(file.fileno()).st_size
            if size != expected["bytes"]:
                raise ValueError(f"{name} has {size:,} bytes, {expected['bytes']:,} expected")
            if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
                raise ValueError(f"{name} is damaged or of another build: its SHA-256 differs")
            opened.pop_all()
            return file
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror or error}") from error
