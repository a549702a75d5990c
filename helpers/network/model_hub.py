"""A file of a model hub, fetched into the cache of the hub's own client (`huggingface_hub`).

The client says what the file is and gives it its place in the cache; the bytes come through
`DownloadSession`, for the client throws a download away that ends early, and compares no digest.
Its cache: https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
"""

import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from helpers.atomic_io import disk_errors, make_directory, sha256_file
from helpers.errors import WriteError, write_error
from helpers.lock import file_lock
from helpers.network.host import LONGEST_WAIT, backoff
from helpers.network.incoming_file import IncomingFile
from helpers.network.responses import FetchError, PermanentError, TransientError, parse_retry_after
from helpers.report import BYTES, Reporter, byte_size
from helpers.session import RETRIED_STATUSES, DownloadSession

#: Seconds in which the hub must say what the file is; then it counts as out of reach.
ANSWER_SECONDS = 4.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEANINGS = {
    401: "the hub shows it to nobody without a token, or has no such repository",
    403: "the hub refuses it to this token or address",
    404: "the hub has no such file",
    429: "the hub wants fewer requests",
}


class HubFile(NamedTuple):
    """A file of a repository such as `timm/vit_base_patch32_clip_224.openai`."""

    repository: str
    names: tuple[str, ...]  # what it may be called; the first that there is counts


class _Remote(NamedTuple):
    """What the hub says of a file."""

    name: str
    url: str
    sha256: str
    size: int


def settings() -> Any:
    """Return the client's settings, which come from the environment, as a module of constants."""
    from huggingface_hub import constants

    return constants


def cached(wanted: HubFile) -> Path | None:
    """Return the file in the client's cache, None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    for name in wanted.names:
        path = try_to_load_from_cache(wanted.repository, name)
        if isinstance(path, str):
            return Path(path)
    return None


def is_damaged(path: Path) -> bool:
    """Tell whether a file of the cache has another content than at the hub; OSError if unread."""
    blob = path.resolve().name  # the cache calls large contents by their SHA-256
    return bool(_SHA256.fullmatch(blob)) and sha256_file(path) != blob


def fetch(
    wanted: HubFile,
    session: DownloadSession,
    report: Reporter,
    announce: Callable[[int], object] = lambda _: None,
) -> None:
    """Fetch a file into the client's cache, going on where an earlier run was stopped.

    `announce` is told how many bytes the file has, before the first one comes.

    Raises:
        FetchError, SourceError: it cannot be had.
        WriteError: the disk refuses, or has no room for it.
        BusyError: another run is fetching it.
    """
    from huggingface_hub.file_download import repo_folder_name

    remote = _ask(wanted, session, report)
    folder = repo_folder_name(repo_id=wanted.repository, repo_type="model")
    cache = Path(settings().HF_HUB_CACHE)
    blob = cache / folder / "blobs" / remote.sha256
    lock = cache / ".locks" / folder / f"{remote.sha256}.lock"  # the client's own
    with file_lock(lock, "another run is fetching the same weights"):
        if not blob.is_file():
            announce(remote.size)
            _download(remote, blob, session, report)
    _note(wanted.repository, remote.name, blob)


def _ask(wanted: HubFile, session: DownloadSession, report: Reporter) -> _Remote:
    """Ask what the file is; wait and ask again where the hub is overloaded."""
    names, attempt = list(wanted.names), 0
    while True:
        try:
            return _ask_in_time(wanted.repository, names[0])
        except TransientError as error:
            if error.status == HTTPStatus.NOT_FOUND and len(names) > 1:
                names.pop(0)
                continue
            wait = max(backoff(attempt), error.retry_after or 0.0)
            again = error.status in RETRIED_STATUSES and wait <= LONGEST_WAIT
            if not again or attempt == session.policy.max_retries:
                raise
            report.info(f"The model hub answers {error}: asking again in {wait:.0f} s")
            attempt += 1
            if not session.clock.wait(wait):
                raise


def _ask_in_time(repository: str, name: str) -> _Remote:
    """Ask once, in a thread of its own: to look up a host's name has no timeout."""
    answer: Future[_Remote] = Future()

    def ask() -> None:
        try:
            answer.set_result(_metadata(repository, name))
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no answer
            answer.set_exception(_client_error(error))

    threading.Thread(target=ask, name="model hub", daemon=True).start()
    try:
        return answer.result(ANSWER_SECONDS)
    except TimeoutError as error:
        raise PermanentError(f"no answer in {ANSWER_SECONDS:.0f} s") from error


def _metadata(repository: str, name: str) -> _Remote:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, name)
    found = get_hf_file_metadata(url, timeout=ANSWER_SECONDS)
    sha256 = found.etag or ""  # of a large file
    if not (_SHA256.fullmatch(sha256) and found.size and found.commit_hash):
        raise PermanentError("something answers that is no model hub")
    return _Remote(name, url, sha256, found.size)


def _client_error(error: Exception) -> FetchError:
    """Return what an error of the client, or of the libraries below it, means, in one line."""
    if isinstance(error, FetchError):
        return error
    response: Any = getattr(error, "response", None)
    if response is None:
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        return PermanentError(reason[:200])
    status = int(response.status_code)
    reason = f"HTTP {status}: {_MEANINGS.get(status, '')}".rstrip(": ")
    waits = parse_retry_after(response.headers.get("Retry-After"))
    return TransientError(reason, status=status, retry_after=waits)


def _download(remote: _Remote, blob: Path, session: DownloadSession, report: Reporter) -> None:
    """Fetch a content, or what an earlier run has not fetched of it."""

    def check(_: Path, sha256: str) -> None:
        if sha256 != remote.sha256:
            # Where all of it came anew, asking again would not help.
            error = ValueError if file.kept else PermanentError
            raise error(f"its SHA-256 is not {remote.sha256}, which was announced")

    make_directory(blob.parent)
    # The name that earlier versions of the client gave it, which went on with it, too.
    part = blob.with_name(f"{blob.name}.incomplete")
    with IncomingFile(blob, remote.size, check, remote.size, part) as file:
        _require_room(blob.parent, remote.size - file.kept)
        here = f"; {byte_size(file.kept)} are here already" if file.kept else ""
        report.info(
            f"Weights: {byte_size(remote.size)}, once, from {remote.url.partition('/resolve/')[0]}"
            f" to {blob.parent.parent}{here}"
        )
        with report.progress(remote.size, "Weights", BYTES, done=file.kept) as file.progress:
            if file.kept < remote.size or file.sha256() != remote.sha256:
                session.get_file(remote.url, file)


def _note(repository: str, name: str, blob: Path) -> None:
    """Let the client note in its cache what the content is; it fetches nothing again."""
    from huggingface_hub import hf_hub_download

    try:
        hf_hub_download(repository, name, etag_timeout=ANSWER_SECONDS)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise write_error(error, blob.parent.parent) from error
        raise _client_error(error) from error


def _require_room(directory: Path, needed: int) -> None:
    with disk_errors(directory):
        free = shutil.disk_usage(directory).free
    if free < needed:
        raise WriteError(
            f"no room for the weights in {directory}",
            details=f"{byte_size(needed)} are needed, {byte_size(free)} are free",
            suggestion="free some space, or set HF_HOME to a directory on another disk,"
            "\nthen type the same command again",
        )
