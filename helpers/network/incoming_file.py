"""A file that comes over the network: what has arrived stays, the next try asks for the rest.

Two versions of a file must never be joined. RFC 9110 (13.1.5, 14.4, 15.3.7): `If-Range` makes the
server send the whole file if it has changed; not every server and proxy obeys, so the answer is
compared with the first part, too.
"""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import requests

from helpers.atomic_io import AtomicFile, disk_errors, sha256_file
from helpers.network.responses import TransientError, content_length, read_chunks
from helpers.report import Progress


class IncomingFile(AtomicFile):
    """An `AtomicFile` that arrives over several tries, by `DownloadSession.get_file`.

    Args:
        target: its name, once it has been checked.
        limit: bytes that it may have.
        check: is given the whole, with its SHA-256; raises ValueError or DataError if all must
            come again.
        size: bytes that it must have, if that is known.
        part: where an earlier run has left the start of it, perhaps of another version: `check`
            knows the digest of the whole.
    """

    def __init__(
        self,
        target: Path,
        limit: int,
        check: Callable[[Path, str], object],
        size: int | None = None,
        part: Path | None = None,
    ) -> None:
        super().__init__(target, part)
        self._limit, self._check, self.size = limit, check, size
        self._total = size  # of the version that is on its way
        self._by_digest = part is not None
        self._etag = ""
        self.progress = Progress()
        self.received = self.kept = self._file.tell()  # kept: what an earlier run has left of it
        if self.received > (size or limit):
            self.restart()

    def check(self) -> None:
        """Let the whole be checked; if it is refused nothing of it stays."""
        try:
            self._check(self.part, self.sha256())
        except Exception:
            self.restart()
            raise

    def sha256(self) -> str:
        """Return the digest of what has arrived, 64 hexadecimal digits."""
        with disk_errors(self.target):
            self._file.flush()
            return sha256_file(self.part)

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest; none if the whole must come (again)."""
        if not 0 < self.received < (self._total or self._limit):
            return {}
        rest = {"Range": f"bytes={self.received}-"}
        if self._etag.startswith('"'):  # only such an ETag tells the very bytes
            return {**rest, "If-Range": self._etag}
        return rest if self._by_digest else {}

    def take(self, response: requests.Response) -> None:
        """Take in one answer: 200, or 206 or 416 to a request for the rest."""
        if response.status_code == HTTPStatus.OK:
            self._start(response)
        elif not self._is_continued_by(response):
            self.restart()
            raise TransientError("the file has changed since its first part came")
        for chunk in read_chunks(response, (self._total or self._limit) - self.received):
            self.write(chunk)
            self.received += len(chunk)
            self.progress.advance(len(chunk))
        self._expect(self.received, "arrived")

    def restart(self) -> None:
        """Throw away everything that has arrived."""
        self.progress.advance(-self.received)
        self.received = self.kept = 0
        with disk_errors(self.target):
            self._file.seek(0)
            self._file.truncate()

    def _start(self, response: requests.Response) -> None:
        self.restart()
        self._etag = response.headers.get("ETag", "")
        announced = content_length(response)
        self._total = announced if self.size is None else self.size
        if announced is not None:  # refused before it is loaded in vain
            self._expect(announced, "announced by the server")

    def _is_continued_by(self, part: requests.Response) -> bool:
        """Tell whether an answer is the rest of the very file whose start has arrived."""
        span, _, total = part.headers.get("Content-Range", "").partition("/")
        return (
            part.status_code == HTTPStatus.PARTIAL_CONTENT
            and span.startswith(f"bytes {self.received}-")
            and (total == "*" or self._total is None or total == str(self._total))
            and (self._by_digest or part.headers.get("ETag") == self._etag)
        )

    def _expect(self, size: int, how: str) -> None:
        if self._total is not None and size != self._total:
            raise TransientError(f"{size:,} bytes {how}, {self._total:,} expected")
