"""A body that comes in parts: what has arrived stays, and the next try asks for the rest.

Two versions of a file must never be joined. RFC 9110 (13.1.5, 14.4, 15.3.7): `If-Range` makes the
server send the whole file if it has changed; not every server and proxy obeys, so the answer is
compared with the first part, too.
"""

from http import HTTPStatus
from typing import Protocol

import requests

from helpers.network.responses import TransientError, content_length, read_chunks


class Sink(Protocol):
    """Where a body goes."""

    def restart(self) -> object:
        """Throw away everything written so far."""

    def write(self, data: bytes) -> object:
        """Append `data`."""

    def check(self) -> object:
        """Look at the whole; raise ValueError if it is not what was asked for."""


class PartialBody:
    """What has arrived of one body, over all tries; the arguments are those of `get_stream`.

    Where the sink's check knows the digest of the whole, parts need not name their version.
    """

    def __init__(self, sink: Sink, limit: int, size: int | None, kept: int | None = None) -> None:
        self._sink = sink
        self._limit = limit
        self._size = size
        self._total = size  # of the version that is on its way
        self._received = kept or 0
        self._by_digest = kept is not None
        self._etag = ""

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest; none if the whole must come (again)."""
        if not 0 < self._received < (self._total or self._limit):
            return {}
        rest = {"Range": f"bytes={self._received}-"}
        if self._etag.startswith('"'):  # only such an ETag tells the very bytes
            return {**rest, "If-Range": self._etag}
        return rest if self._by_digest else {}

    def take(self, response: requests.Response) -> None:
        """Take in one answer: 200, or 206 or 416 to a request for the rest."""
        if response.status_code == HTTPStatus.OK:
            self._start(response)
        elif not self._is_continued_by(response):
            self._received = 0
            raise TransientError("the file has changed since its first part came")
        for chunk in read_chunks(response, (self._total or self._limit) - self._received):
            self._sink.write(chunk)
            self._received += len(chunk)
        self._expect(self._received, "arrived")

    def check(self) -> None:
        """Let the sink check the whole."""
        self._received = 0  # if the check fails the next try asks for all of it again
        self._sink.check()

    def _start(self, response: requests.Response) -> None:
        self._sink.restart()
        self._received = 0
        self._etag = response.headers.get("ETag", "")
        announced = content_length(response)
        self._total = announced if self._size is None else self._size
        if announced is not None:  # refused before it is loaded in vain
            self._expect(announced, "announced by the server")

    def _is_continued_by(self, part: requests.Response) -> bool:
        """Tell whether an answer is the rest of the very file whose start has arrived."""
        span, _, total = part.headers.get("Content-Range", "").partition("/")
        return (
            part.status_code == HTTPStatus.PARTIAL_CONTENT
            and span.startswith(f"bytes {self._received}-")
            and (total == "*" or self._total is None or total == str(self._total))
            and (self._by_digest or part.headers.get("ETag") == self._etag)
        )

    def _expect(self, size: int, how: str) -> None:
        if self._total is not None and size != self._total:
            raise TransientError(f"{size:,} bytes {how}, {self._total:,} expected")
