"""What servers answer, and how they fail to: bodies, redirects, waits, three kinds of errors."""

import contextlib
import http.client
import re
import sys
from collections.abc import Iterator
from urllib.parse import urljoin

import requests
import urllib3

from helpers.network.policy import may_be_asked

CHUNK = 64 * 1024
_RETRY = urllib3.Retry(retry_after_max=sys.maxsize)


class FetchError(Exception):
    """One URL could not be had; `str()` is the reason for the failure list."""


class PermanentError(FetchError):
    """Asking again would give the same answer."""


class TransientError(FetchError):
    """Asking again may help: after `retry_after` seconds if the server said so."""

    def __init__(self, reason: str, *, retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.status = status


class AbortedError(FetchError):
    """The run is being stopped."""


def check_url(url: str, found: str = "asked for") -> None:
    """Raise `PermanentError` for whatever is not https, or http on this machine."""
    try:
        allowed = may_be_asked(url)
    except ValueError as error:
        raise PermanentError(f"{found} a broken URL: {url!r}") from error
    if not allowed:
        raise PermanentError(f"{found} {url!r}, which is not https")


def redirect_target(response: requests.Response) -> str | None:
    """Return where a redirect leads, None if the answer is none (see `check_url`)."""
    if not response.is_redirect:
        return None
    target = response.headers["Location"]
    with contextlib.suppress(ValueError):
        target = urljoin(response.url, target)
    check_url(target, found="redirected to")
    return target


def content_length(response: requests.Response) -> int | None:
    """Return the announced length of a body in bytes, None if there is none."""
    text = response.headers.get("Content-Length")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise TransientError(f"no length of a body: {text[:40]!r}")
    return int(text)


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110, 10.2.3), None if it is nonsense."""
    with contextlib.suppress(urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None if value is None else float(_RETRY.parse_retry_after(value))
    return None


def read_chunks(response: requests.Response, limit: int) -> Iterator[bytes]:
    """Yield the raw bytes of an answer as they come, and check that they are all there.

    `raw.read1` returns what has arrived, where `iter_content(65536)` would wait until a dripping
    server has filled a chunk.

    Raises:
        TransientError: the body is cut, longer than `limit` bytes, or not as long as announced.
    """
    expected = content_length(response)
    if expected is not None and expected > limit:
        raise TransientError(f"{expected:,} bytes announced, at most {limit:,} allowed")
    received = 0
    while True:
        with transient_errors():
            chunk: bytes = response.raw.read1(CHUNK, decode_content=False)
        if not chunk:
            break
        received += len(chunk)
        if received > limit:
            raise TransientError(f"more than the {limit:,} bytes allowed")
        yield chunk
    if expected is not None and received != expected:
        raise TransientError(f"{received:,} of {expected:,} bytes arrived")


@contextlib.contextmanager
def transient_errors() -> Iterator[None]:
    """Turn what requests, urllib3, http.client and the socket raise into a `FetchError`."""
    try:
        yield
    except (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError) as error:
        raise PermanentError(f"a broken URL: {error}") from error
    except (
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,  # requests' own errors are of this kind, too
        ValueError,  # of a file object whose socket was cut
    ) as error:
        raise TransientError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Return a short reason that groups well in a summary; urllib3's texts hold addresses."""
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed"
    text = str(error)
    if "refused" in text:
        return "connection refused"
    if "resolve" in text or "getaddrinfo" in text:
        return "the host name cannot be resolved"
    return "the connection broke off"
