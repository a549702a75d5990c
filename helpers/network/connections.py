"""HTTP connections that another thread can cut.

A socket timeout bounds one silence, not a whole answer: a server that drips a byte a second holds
a reader for ever, in the headers or in the body, and a thread blocked in a read sees no Ctrl-C.
Here every connection tells which thread uses it, so that a watchdog (at a deadline) or `cut_all`
(at a stop) can shut its socket down; the blocked read then fails at once.
"""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_TICK = 0.1  # seconds between two looks of the watchdog: how late a deadline may be noticed


class Connections:
    """The sockets in use, by thread, and until when each thread may use its own.

    Args:
        most: requests under way at the same time. There may be more threads than that: some
            check and write what they have got while others use the network.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)
        self._holders: set[int] = set()
        self._lock = threading.Lock()
        self._sockets: dict[int, socket.socket] = {}
        self._deadlines: dict[int, float] = {}
        self._all_cut = False
        self._watchdog: threading.Thread | None = None

    def use(self, sock: socket.socket | None) -> None:
        """Note that the calling thread talks through `sock`."""
        if sock is not None:
            with self._lock:
                self._sockets[threading.get_ident()] = sock
                if self._all_cut:
                    _cut(sock)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Wait for a free connection, and hold it to the end of the block or until `release`."""
        self._free.acquire()
        with self._lock:
            self._holders.add(threading.get_ident())
        try:
            yield
        finally:
            self.release()

    def set_deadline(self, seconds: float) -> None:
        """Cut the calling thread's connection unless it is done with it within `seconds`."""
        with self._lock:
            self._deadlines[threading.get_ident()] = time.monotonic() + seconds
            self._start_watchdog()

    def release(self) -> None:
        """Let another thread use the network; a no-op if the calling thread does not."""
        me = threading.get_ident()
        with self._lock:
            self._deadlines.pop(me, None)
            self._sockets.pop(me, None)
            if me not in self._holders:
                return
            self._holders.remove(me)
        self._free.release()

    def cut_all(self) -> None:
        """Cut every connection, and every one that is opened from now on."""
        with self._lock:
            self._all_cut = True
            for sock in self._sockets.values():
                _cut(sock)

    def _start_watchdog(self) -> None:
        if self._watchdog is None:
            self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._watchdog.start()

    def _watch(self) -> None:
        while True:
            time.sleep(_TICK)
            now = time.monotonic()
            with self._lock:
                for owner, end in self._deadlines.items():
                    if now > end and owner in self._sockets:
                        _cut(self._sockets.pop(owner))


def _cut(sock: socket.socket) -> None:
    # The plain socket's method, also for TLS: SSLSocket.shutdown would drop its TLS state under
    # the thread that reads from it.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class ConnectionAdapter(HTTPAdapter):
    """A pool of connections per host, all known to `connections`, also behind a proxy.

    It retries nothing by itself: urllib3 never retries a body and would hide the waits.
    """

    def __init__(self, connections: Connections, pool_size: int) -> None:
        self._pools = _pools(connections)
        super().__init__(pool_connections=8, pool_maxsize=pool_size, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Return the manager of the connections through `proxy` (SOCKS has pools of its own)."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(connections: Connections) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(_Registered, HTTPConnection):
        pass

    class Secure(_Registered, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    Plain.connections = Secure.connections = connections
    return {"http": PlainPool, "https": SecurePool}


class _FinalResponse(http.client.HTTPResponse):
    """Skips what a server says before its answer: 102 and 103 like http.client's own 100."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, 100 if status in {102, 103} else status, reason


class _Registered:
    """Mixed into urllib3's connections: reports the socket whenever a thread starts to use it."""

    response_class: type[http.client.HTTPResponse] = _FinalResponse
    connections: Connections
    _socket: socket.socket | None = None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        # http.client forgets the socket of an answer that ends with its connection; this does not.
        self._socket = self.sock  # type: ignore[attr-defined]
        self.connections.use(self._socket)

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.connections.use(self._socket)
        super().request(*args, **kwargs)  # type: ignore[misc]
