"""HTTP connections whose reads end at a deadline, and when the run is stopped.

A socket timeout bounds one silence, not a whole answer: a server that drips a byte a second holds
a reader for ever, in the headers or in the body, and a thread blocked in a read sees no Ctrl-C.
Here every read waits in short steps, and between them looks at the clock.
"""

import contextlib
import http.client
import io
import math
import socket
import threading
import time
from typing import Any

from requests.adapters import HTTPAdapter

_STEP = 0.25  # seconds between two looks whether the run is stopped
_try = threading.local()  # of the calling thread: when its time is up, and what stops it


def limit_reads(seconds: float, stopped: threading.Event) -> None:
    """Let reads of the calling thread fail from now on after `seconds`, and once it is stopped."""
    _try.ends, _try.stopped = time.monotonic() + seconds, stopped


class ConnectionAdapter(HTTPAdapter):
    """A pool of connections per host, also behind a proxy, for threads that call `limit_reads`.

    It retries nothing by itself: urllib3 never retries a body and would hide the waits.
    """

    def __init__(self, pool_size: int) -> None:
        super().__init__(pool_connections=8, pool_maxsize=pool_size, max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of a request, whose connections read as ours do."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = pool.ConnectionCls
        if kind.response_class is not _Response:
            pool.ConnectionCls = type(kind.__name__, (kind,), {"response_class": _Response})
        return pool


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Reader(sock, self.fp))

    def _read_status(self) -> tuple[str, int, str]:
        """Skip what a server says before its answer: 102 and 103 like http.client's own 100."""
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, 100 if status in {102, 103} else status, reason


class _Reader(io.RawIOBase):
    """What a socket receives while the calling thread has time."""

    def __init__(self, sock: socket.socket, opened: io.BufferedIOBase) -> None:
        self._sock = sock
        self._opened = opened  # http.client's own reader, which keeps the socket open
        self._timeout = sock.gettimeout() or math.inf

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        ends = min(_try.ends, time.monotonic() + self._timeout)
        while not _try.stopped.is_set():
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError
            step = min(left, _STEP)
            if self._sock.gettimeout() != step:  # setting it is a system call
                self._sock.settimeout(step)
            with contextlib.suppress(TimeoutError):
                return self._sock.recv_into(buffer)
        raise ConnectionAbortedError

    def close(self) -> None:
        self._opened.close()
        super().close()
