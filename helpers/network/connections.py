"""HTTP connections that another thread can cut.

A socket timeout bounds one silence, not a whole answer: a server that drips a byte a second holds
a reader for ever, in the headers or in the body, and a thread blocked in a read sees no Ctrl-C.
Here every connection tells which thread uses it, so that its socket can be shut down at a deadline
or at a stop; the blocked read then fails at once.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from requests.adapters import HTTPAdapter


class ConnectionAdapter(HTTPAdapter):
    """A pool of connections per host, also behind a proxy; the sockets in use are known by thread.

    It retries nothing by itself: urllib3 never retries a body and would hide the waits.
    """

    def __init__(self, pool_size: int) -> None:
        super().__init__(pool_connections=8, pool_maxsize=pool_size, max_retries=0)
        self._lock = threading.Lock()
        self._sockets: dict[int, socket.socket] = {}
        self._late: set[int] = set()  # threads whose time is up
        self._all_cut = False

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of a request, which makes connections of ours."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls.response_class is not _FinalResponse:
            pool.ConnectionCls = _telling(pool.ConnectionCls, self._use)
        return pool

    def _use(self, sock: socket.socket | None) -> None:
        """Note that the calling thread talks through `sock`."""
        if sock is not None:
            me = threading.get_ident()
            with self._lock:
                self._sockets[me] = sock
                if self._all_cut or me in self._late:
                    _cut(sock)

    @contextlib.contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Cut the calling thread's connection unless the block ends within `seconds`."""
        me, ended = threading.get_ident(), threading.Event()
        timer = threading.Timer(seconds, self._cut_one, (me, ended))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                ended.set()
                self._late.discard(me)
                self._sockets.pop(me, None)

    def _cut_one(self, thread: int, ended: threading.Event) -> None:
        with self._lock:
            if ended.is_set():  # while this waited for the lock
                return
            self._late.add(thread)
            if thread in self._sockets:
                _cut(self._sockets[thread])

    def cut_all(self) -> None:
        """Cut every connection, and every one that is opened from now on."""
        with self._lock:
            self._all_cut = True
            for sock in self._sockets.values():
                _cut(sock)


def _cut(sock: socket.socket) -> None:
    # The plain socket's method, also for TLS: SSLSocket.shutdown would drop its TLS state under
    # the thread that reads from it.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _FinalResponse(http.client.HTTPResponse):
    """Skips what a server says before its answer: 102 and 103 like http.client's own 100."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, 100 if status in {102, 103} else status, reason


def _telling(kind: Any, use: Callable[[socket.socket | None], None]) -> Any:
    """Return a class of urllib3's connections that tells whenever a thread starts to use one."""

    class Telling(kind):  # type: ignore[misc]
        response_class = _FinalResponse
        # http.client forgets the socket of an answer that ends with its connection; this does not.
        socket_in_use: socket.socket | None = None

        def connect(self) -> None:
            super().connect()
            self.socket_in_use = self.sock
            use(self.sock)

        def request(self, *args: Any, **kwargs: Any) -> None:
            use(self.socket_in_use)
            super().request(*args, **kwargs)

    return Telling
