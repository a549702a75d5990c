"""One polite session for all workers: who we are, how often we ask, when we give up.

There is one retry loop round everything that can go wrong with a URL: request, status, body,
length and whatever the caller does with the body (validation, publishing). urllib3's own `Retry`
is not used: it never retries a body, waits 0, 2, 4 s instead of 1, 2, 4 (urllib3#3377), and holds
back only the thread that was told to wait.
Scryfall's rules: https://scryfall.com/docs/api and https://scryfall.com/docs/api/rate-limits.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from helpers.cli_validation import LOOPBACK_HOSTS
from helpers.clock import TIME_FACTOR, Clock
from helpers.errors import SourceError
from helpers.gate import Gate
from helpers.transport import Lines, adapter

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds: 1, 2, 4, 8, 16, 32, 60, 60, …
JITTER = 0.25  # of the wait, on top, so that workers that failed together come back apart
API_SPACING = 0.1  # seconds: Scryfall allows 10 requests/s at its API, any number at its files
CHUNK = 64 * 1024
MAX_REDIRECTS = 5
#: URLs in a row that may use up all their tries before the host counts as down (or twice the
#: number of workers, if that is more): without it, a dead network would cost days of retries.
DOWN_AFTER = 32


class FetchError(Exception):
    """One URL could not be had; `str()` is the reason for the failure list."""


class PermanentError(FetchError):
    """Asking again would give the same answer."""


class TransientError(FetchError):
    """Asking again may help; `retry_after` is how long the server wants us to stay away."""

    def __init__(self, reason: str, *, retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.status = status


class AbortedError(FetchError):
    """The run is being stopped."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How to ask. Times are seconds."""

    user_agent: str
    api_url: str
    workers: int = 16
    timeout_connect: float = 5.0
    timeout_read: float = 30.0
    max_retries: int = 5

    @classmethod
    def from_args(cls, args: Namespace) -> Policy:
        """Read the flags of the download step; a script without them gets the defaults."""
        names = ("workers", "timeout_connect", "timeout_read", "max_retries")
        given = {name: getattr(args, name) for name in names if hasattr(args, name)}
        return cls(user_agent=args.user_agent, api_url=args.scryfall_api, **given)

    @property
    def patience(self) -> float:
        """Seconds that all tries of one image may spend in transfer, waits not counted.

        So much is needed to run into the read timeout at every try; a server that drips bytes
        gets no more.
        """
        return (self.max_retries + 1) * self.timeout_read


class DownloadSession:
    """Fetches URLs for many threads at once.

    Args:
        policy: how to ask.
        clock: tells the time and waits; tests put in their own.
    """

    def __init__(self, policy: Policy, clock: Clock | None = None) -> None:
        self.policy = policy
        self.clock = clock or Clock()
        self._lines = Lines()
        self._adapter = adapter(self._lines, policy.workers)
        self._local = threading.local()
        self._gates: dict[str, Gate] = {}
        self._gates_lock = threading.Lock()

    def fetch(
        self,
        url: str,
        receive: Callable[[requests.Response], T],
        *,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        api: bool = False,
    ) -> T:
        """Ask for `url` until `receive` is content with the answer.

        Args:
            url: https, or http on this machine.
            receive: gets the answer (status 200, 206 or 304) with its body unread; it raises
                `TransientError` if the body is broken, and what it returns is returned.
            headers: further request headers.
            patience: seconds in transfer for all tries together (the policy's for an image).
            api: a request to Scryfall's API, which is limited and whose refusal ends the run.

        Raises:
            FetchError: this URL cannot be had; the last error of all tries.
            SourceError: the host cannot be asked any more at all.
        """
        check_url(url)
        gate = self._gate(url)
        left = self.policy.patience if patience is None else patience
        for attempt in range(self.policy.max_retries + 1):
            if not gate.pass_through(API_SPACING if api else 0.0):
                raise AbortedError("stopped")
            start = self.clock.now()
            try:
                with self._lines.deadline(left * TIME_FACTOR):
                    result = self._try(url, receive, headers or {}, api=api)
            except TransientError as error:
                left -= self.clock.now() - start
                last = attempt == self.policy.max_retries or left <= 0
                self._after_failure(gate, url, error, attempt=attempt, last=last)
                if last:
                    raise _given_up(error, attempt + 1, out_of_time=left <= 0) from error
            else:
                gate.count_exhausted(exhausted=False)
                return result
        raise AssertionError("unreachable: the last try returns or raises")

    def abort(self) -> None:
        """End all waits and cut all connections, for a run that is being stopped."""
        self.clock.stopped.set()
        self._lines.cut_all()

    def _try(
        self,
        url: str,
        receive: Callable[[requests.Response], T],
        headers: Mapping[str, str],
        *,
        api: bool,
    ) -> T:
        with transient_errors(self.clock):
            response = self._session().get(
                url,
                headers=dict(headers),
                stream=True,
                timeout=(
                    self.policy.timeout_connect * TIME_FACTOR,
                    self.policy.timeout_read * TIME_FACTOR,
                ),
            )
        with response:
            self._check_status(response, api=api)
            return receive(response)

    @staticmethod
    def _check_status(response: requests.Response, *, api: bool) -> None:
        status = response.status_code
        if status in {200, 206, 304}:
            return
        reason = f"HTTP {status} {response.reason or ''}".rstrip()
        if status in RETRIED_STATUSES:
            retry_after = parse_retry_after(response.headers.get("Retry-After"))
            raise TransientError(reason, retry_after=retry_after, status=status)
        if status in {400, 403} and api:
            raise SourceError(
                f"Scryfall refuses our requests: {reason}",
                details=f"{response.url}: {_scryfall_details(response)}",
                suggestion="correct --user-agent or --scryfall-api; asking again will not help",
            )
        raise PermanentError(reason)

    def _after_failure(
        self, gate: Gate, url: str, error: TransientError, *, attempt: int, last: bool
    ) -> None:
        wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
        if error.retry_after is not None and error.retry_after > LONGEST_WAIT:
            raise self._host_closed(url, f"asks us to stay away for {error.retry_after:.0f} s")
        if error.retry_after is not None or error.status == http.client.TOO_MANY_REQUESTS:
            gate.hold(max(wait, error.retry_after or 0.0))
        if last:
            in_a_row = gate.count_exhausted(exhausted=True)
            if in_a_row >= max(DOWN_AFTER, 2 * self.policy.workers):
                raise self._host_closed(url, f"failed {in_a_row} URLs in a row, last: {error}")
        elif not self.clock.wait(wait * (1 + random.uniform(0, JITTER))):
            raise AbortedError("stopped")

    @staticmethod
    def _host_closed(url: str, why: str) -> SourceError:
        return SourceError(
            f"{urlsplit(url).netloc} {why}",
            details=f"asked for {url}",
            suggestion="everything finished is kept: type the same command again later",
        )

    def _gate(self, url: str) -> Gate:
        host = urlsplit(url).netloc
        with self._gates_lock:
            if host not in self._gates:
                self._gates[host] = Gate(self.clock, self.policy.workers)
            return self._gates[host]

    def _session(self) -> requests.Session:
        """Return the calling thread's own `Session` (psf/requests#1871) over the shared pool."""
        if not hasattr(self._local, "session"):
            fresh = _AnonymousSession()
            fresh.max_redirects = MAX_REDIRECTS
            fresh.headers.clear()
            fresh.headers.update(
                {
                    "User-Agent": self.policy.user_agent,
                    "Accept": "application/json;q=0.9,*/*;q=0.8",
                    # Bytes on the wire are then the file's own bytes, and their count can be
                    # checked; nothing can swell while it is decoded.
                    "Accept-Encoding": "identity",
                }
            )
            fresh.mount("https://", self._adapter)
            fresh.mount("http://", self._adapter)
            self._local.session = fresh
        session: requests.Session = self._local.session
        session.cookies.clear()
        return session


class _AnonymousSession(requests.Session):
    """Sends no credentials of `.netrc` and follows redirects to https (or this machine) only."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _no_credentials

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Add nothing when following a redirect (requests would look into `.netrc`)."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            check_url(requests.compat.urljoin(resp.url, target), found="redirected to")
        return target


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def check_url(url: str, found: str = "asked for") -> None:
    """Refuse whatever is not https, or http on this machine.

    Raises:
        PermanentError: names the URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise PermanentError(f"{found} a broken URL: {url!r}") from error
    local = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if not (parts.hostname and (parts.scheme == "https" or local)):
        raise PermanentError(f"{found} {url!r}, which is not https")


def read_chunks(response: requests.Response, limit: int, clock: Clock) -> Iterator[bytes]:
    """Yield the raw bytes of an answer as they come, and check that they are all there.

    `raw.read1` returns what has arrived, where `iter_content(65536)` would wait until a dripping
    server has filled a chunk.

    Args:
        response: an answer with its body unread.
        limit: bytes after which the answer is refused.
        clock: of the session, to know whether the run is being stopped.

    Raises:
        TransientError: the body is cut, too long, or of another length than announced.
    """
    announced = response.headers.get("Content-Length", "")
    expected = int(announced) if announced.isdecimal() else None
    if expected is not None and expected > limit:
        raise TransientError(f"{expected:,} bytes announced, at most {limit:,} allowed")
    received = 0
    while chunk := _read1(response, clock):
        received += len(chunk)
        if received > limit:
            raise TransientError(f"more than the {limit:,} bytes allowed")
        yield chunk
    if expected is not None and received != expected:
        raise TransientError(f"{received:,} of {expected:,} bytes arrived")


def _read1(response: requests.Response, clock: Clock) -> bytes:
    with transient_errors(clock):
        chunk: bytes = response.raw.read1(CHUNK, decode_content=False)
        return chunk


_FINAL = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.TooManyRedirects,
)
_PASSING = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # of a file object whose socket the watchdog has cut
)


@contextlib.contextmanager
def transient_errors(clock: Clock) -> Iterator[None]:
    """Turn what requests, urllib3, http.client and the socket raise into a `FetchError`."""
    try:
        yield
    except _FINAL as error:
        raise PermanentError(_reason(error)) from error
    except _PASSING as error:
        if clock.stopped.is_set():
            raise AbortedError("stopped") from error
        raise TransientError(_reason(error)) from error


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.TooManyRedirects, f"more than {MAX_REDIRECTS} redirects"),
    (requests.exceptions.ConnectTimeout, "no connection in time"),
    (requests.exceptions.ReadTimeout, "no answer in time"),
    (urllib3.exceptions.ReadTimeoutError, "the body stalled"),
    (requests.exceptions.SSLError, "TLS failed"),
    (urllib3.exceptions.IncompleteRead, "the body broke off"),
    (urllib3.exceptions.ProtocolError, "the connection broke off"),
)


def _reason(error: BaseException) -> str:
    """Return a short reason that groups well in a summary; urllib3's texts hold addresses."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    text = str(error)
    if "refused" in text:
        return "connection refused"
    if "resolve" in text or "getaddrinfo" in text:
        return "the host name cannot be resolved"
    if isinstance(error, (requests.ConnectionError, OSError)):
        return "the connection broke off"
    return f"{type(error).__name__}: {text[:120]}"


def _given_up(error: TransientError, tries: int, *, out_of_time: bool) -> FetchError:
    if out_of_time:
        return FetchError(f"too slow: time is up after {tries} tries, last: {error}")
    return FetchError(f"{error} ({tries} tries)" if tries > 1 else str(error))


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110, 10.2.3), None if it is nonsense."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds < float("inf") else None


def _scryfall_details(response: requests.Response) -> str:
    """Return the `details` of Scryfall's error object (https://scryfall.com/docs/api/errors)."""
    try:
        answer: Any = response.json()
        return str(answer["details"])
    except (ValueError, KeyError, TypeError, requests.RequestException):
        return "no reason given"
