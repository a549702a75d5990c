"""One polite session for all workers: who we are, how often we ask, when we give up.

One retry loop goes round everything that can go wrong with a URL: request, status, body, length
and the caller's check of the body. urllib3's own `Retry` is not used: it never retries a body,
waits 0, 2, 4 s instead of 1, 2, 4 (urllib3#3377), and holds back only the thread that was told to
wait.
Scryfall's rules: https://scryfall.com/docs/api and https://scryfall.com/docs/api/rate-limits.
"""

import contextlib
import http.client
import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import requests

from helpers.errors import DataError, SourceError
from helpers.network.clock import TIME_FACTOR, Clock
from helpers.network.connections import ConnectionAdapter, limit_reads
from helpers.network.host import LONGEST_WAIT, Host, backoff
from helpers.network.incoming_file import IncomingFile
from helpers.network.policy import Policy
from helpers.network.responses import (
    AbortedError,
    FetchError,
    PermanentError,
    TransientError,
    check_url,
    parse_retry_after,
    read_chunks,
    redirect_target,
    transient_errors,
)

T = TypeVar("T")

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
JITTER = 0.25  # of the wait, on top, so that workers that failed together come back apart
API_SPACING = 0.1  # seconds: Scryfall allows 10 requests/s at its API, any number at its files
MAX_REDIRECTS = 5
MAX_API_BYTES = 1_000_000
SLOWEST_BYTES_PER_SECOND = 10_000  # slower than that a file is not worth waiting for
_LARGE = 10**9  # bytes of a file whose size is not known
#: URLs in a row that may use up all their tries before the host counts as down (or twice the
#: number of workers, if that is more): without it, a dead network would cost days of retries.
DOWN_AFTER = 32
#: Penalties (429) in a row before we leave a host alone: 1 + 2 + … + 32 + 60 s of waiting, longer
#: than the 30 to 60 s for which Scryfall locks an address out.
MOST_PENALTIES = 8


@dataclass(slots=True, eq=False)
class _Request(Generic[T]):
    """One URL on its way through the tries."""

    url: str
    receive: Callable[[requests.Response], T]
    check: Callable[[T], object]  # of what was received; raises ValueError if it must come again
    headers: Callable[[], Mapping[str, str]] = dict  # further ones, of the next try
    size: int = 0  # bytes, if they may be many
    api: bool = False  # asks Scryfall's API, which is limited and whose refusal ends the run
    host: Host = field(init=False)
    left: float = field(init=False)  # seconds in transfer, for all tries together
    attempt: int = 0


class DownloadSession:
    """Fetches URLs for many threads at once.

    `say` is told, once a host and within seconds, that nobody answers there.
    """

    def __init__(
        self,
        policy: Policy,
        clock: Clock | None = None,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.policy = policy
        self.clock = clock or Clock()
        # There may be more threads than requests at a time: some check and write what has come.
        self._lines = threading.Semaphore(policy.workers)
        self._adapter = ConnectionAdapter(policy.workers)
        self._environment = requests.Session()
        self._say = say
        self._hosts: dict[str, Host] = {}
        self._hosts_lock = threading.Lock()

    def get_bytes(
        self, url: str, *, limit: int, check: Callable[[bytes], object] = lambda _: None
    ) -> bytes:
        """Return the body of `url`, asked for until it is whole and `check` is content with it.

        Args:
            url: https, or http on this machine.
            limit: bytes that the body may have.
            check: raises ValueError for a body that is not what was asked for.

        Raises:
            FetchError: this URL cannot be had; the last error of all tries.
            SourceError: the host cannot be asked any more at all.
        """
        return self._fetch(_Request(url, lambda response: _read(response, limit), check))

    def get_api(
        self, path: str, *, etag: str | None = None
    ) -> tuple[dict[str, Any], str | None] | None:
        """Ask Scryfall's API for `/path`; return the object and its ETag, None if that is `etag`.

        Raises what `get_bytes` does; `SourceError` also if the API refuses us.
        """
        known = {"If-None-Match": etag} if etag else {}

        def receive(response: requests.Response) -> tuple[dict[str, Any], str | None] | None:
            if response.status_code == http.client.NOT_MODIFIED:
                return None
            return _json_object(response), response.headers.get("ETag")

        url = self.policy.api_url + path
        return self._fetch(_Request(url, receive, lambda _: None, lambda: known, api=True))

    def get_file(self, url: str, file: IncomingFile) -> None:
        """Send the body of `url` to `file`; after a break only the rest is asked for.

        Raises what `get_bytes` does.
        """
        size = file.size or _LARGE
        self._fetch(_Request(url, file.take, lambda _: file.check(), file.headers, size))

    def abort(self) -> None:
        """End all waits and reads, for a run that is being stopped."""
        self.clock.stopped.set()

    def _fetch(self, request: _Request[T]) -> T:
        check_url(request.url)
        request.host = self._host(request.url)
        request.left = max(self.policy.patience, request.size / SLOWEST_BYTES_PER_SECOND)
        try:
            while True:
                try:
                    result = self._try_once(request)
                    _require(request.check, result)
                except TransientError as error:
                    self._recover(request, error)
                    request.attempt += 1
                else:
                    request.host.succeeded(request)
                    return result
        except PermanentError:
            request.host.succeeded(request)
            raise
        finally:
            request.host.step_aside(request)

    def _try_once(self, request: _Request[T]) -> T:
        # Those that wait for the request that was told to slow down may hold all the lines.
        line = contextlib.nullcontext() if request.host.is_told(request) else self._lines
        with line:
            if not request.host.pass_through(request, API_SPACING if request.api else 0.0):
                raise AbortedError("stopped")
            start = self.clock.now()
            # One dripping answer must not eat up the time of all tries: half of it is for the next.
            share = request.left if self._is_last(request) else request.left / 2
            limit_reads(share * TIME_FACTOR, self.clock.stopped)
            try:
                return self._ask(request)
            finally:
                request.left -= self.clock.now() - start

    def _is_last(self, request: _Request[T]) -> bool:
        return request.attempt == self.policy.max_retries or request.left <= 0

    def _recover(self, request: _Request[T], error: TransientError) -> None:
        """Wait until the next try is due; raise what ends the request if there is none."""
        if self.clock.stopped.is_set():
            raise AbortedError("stopped") from error
        wait = backoff(request.attempt)
        if error.retry_after is not None or error.status == http.client.TOO_MANY_REQUESTS:
            self._hold_all(request, max(wait, error.retry_after or 0.0))
        else:  # the host takes requests again, whatever is wrong with this one
            request.host.step_aside(request)
        if self._is_last(request):
            in_a_row = request.host.exhausted()
            if in_a_row >= max(DOWN_AFTER, 2 * self.policy.workers):
                raise _host_closed(request.url, f"failed {in_a_row} URLs in a row, last: {error}")
            raise _given_up(error, request.attempt + 1, out_of_time=request.left <= 0) from error
        request.host.failed(error)
        self.clock.wait(wait * (1 + random.uniform(0, JITTER)))

    def _hold_all(self, request: _Request[T], seconds: float) -> None:
        """Hold all workers of the host for as long as it asks, unless that is too long."""
        if seconds > LONGEST_WAIT:
            raise _host_closed(request.url, f"asks us to stay away for {seconds:.0f} s")
        penalties = request.host.penalise(request, seconds)
        if penalties >= max(MOST_PENALTIES, self.policy.max_retries + 2):
            raise _host_closed(request.url, f"told us {penalties} times in a row to slow down")

    def _ask(self, request: _Request[T]) -> T:
        url = request.url
        for _ in range(MAX_REDIRECTS + 1):
            with self._get(url, request.headers()) as response:
                request.host.answered()
                target = redirect_target(response)
                if target is None:
                    self._check_status(response, api=request.api)
                    return request.receive(response)
            url = target
        raise PermanentError(f"more than {MAX_REDIRECTS} redirects")

    def _get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Send one request, with the proxies and certificates that the environment names.

        Not by `Session.get`, which sends credentials of `.netrc` and cookies, and reads the body of
        a redirect, however long it is.
        """
        wanted = {
            "User-Agent": self.policy.user_agent,
            "Accept": "application/json;q=0.9,*/*;q=0.8",
            # Bytes on the wire are then the file's own bytes, and their count can be checked;
            # nothing can swell while it is decoded.
            "Accept-Encoding": "identity",
            **headers,
        }
        times = self.policy.timeout_connect * TIME_FACTOR, self.policy.timeout_read * TIME_FACTOR
        with transient_errors():
            request = requests.Request("GET", url, wanted).prepare()
            settings: Any = self._environment.merge_environment_settings(
                url, proxies={}, stream=True, verify=None, cert=None
            )
            return self._adapter.send(request, timeout=times, **settings)

    def _check_status(self, response: requests.Response, *, api: bool) -> None:
        asked, status = response.request.headers, response.status_code
        if (
            status == http.client.OK
            or (status in {206, 416} and "Range" in asked)
            or (status == http.client.NOT_MODIFIED and "If-None-Match" in asked)
        ):
            return
        reason = f"HTTP {status} {response.reason or ''}".rstrip()
        if status in RETRIED_STATUSES:
            retry_after = parse_retry_after(response.headers.get("Retry-After"))
            raise TransientError(reason, retry_after=retry_after, status=status)
        if status in {400, 403} and api:
            raise SourceError(
                f"Scryfall refuses our requests: {reason}",
                details=f"{response.url}: {_explanation(response)}",
                suggestion="correct --user-agent or --scryfall-api; asking again will not help",
            )
        raise PermanentError(reason)

    def _host(self, url: str) -> Host:
        name = urlsplit(url).netloc
        with self._hosts_lock:
            if name not in self._hosts:
                self._hosts[name] = Host(name, self.clock, self._say)
            return self._hosts[name]


def _require(check: Callable[[T], object], result: T) -> None:
    """Turn what a check raises into a reason to ask again."""
    try:
        check(result)
    except (ValueError, RecursionError) as error:
        raise TransientError(str(error)) from error
    except DataError as error:
        raise TransientError(f"{error.message} ({error.details})") from error


def _read(response: requests.Response, limit: int) -> bytes:
    return b"".join(read_chunks(response, limit))


def _json_object(response: requests.Response) -> dict[str, Any]:
    try:
        answer = json.loads(_read(response, MAX_API_BYTES))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise TransientError("the answer is no JSON object")
    return answer


def _explanation(response: requests.Response) -> str:
    """Return the `details` of Scryfall's error object (https://scryfall.com/docs/api/errors)."""
    with contextlib.suppress(FetchError):
        return str(_json_object(response).get("details", "no reason given"))
    return "no reason given"


def _host_closed(url: str, why: str) -> SourceError:
    return SourceError(
        f"{urlsplit(url).netloc} {why}",
        details=f"asked for {url}",
        suggestion="everything finished is kept: type the same command again later",
    )


def _given_up(error: TransientError, tries: int, *, out_of_time: bool) -> FetchError:
    if out_of_time:
        return FetchError(f"too slow: time is up after {tries} tries, last: {error}")
    return FetchError(f"{error} ({tries} tries)" if tries > 1 else str(error))
