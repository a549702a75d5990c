"""Say soon that a host does not answer: the tries go on for minutes, and somebody waits."""

import threading
from collections.abc import Callable

SILENCE = 4.0  # seconds; the timeout of a connection is 5 s


class FirstContact:
    """Watches the first requests to one host, until it has answered once or that was said.

    Args:
        host: its name.
        say: is told, once at most.
    """

    def __init__(self, host: str, say: Callable[[str], object]) -> None:
        self._host, self._say = host, say
        self._lock = threading.Lock()
        self._is_over = False
        self._timer: threading.Timer | None = None

    def asked(self) -> None:
        """Note that a request leaves."""
        with self._lock:
            if self._timer is None and not self._is_over:
                self._timer = threading.Timer(SILENCE, self.failed, ("silence so far",))
                self._timer.daemon = True
                self._timer.start()

    def answered(self) -> None:
        """Note that the host has said something, whatever it was."""
        with self._lock:
            self._end()

    def failed(self, reason: object) -> None:
        """Say that a request got no answer and will be made again, unless one was answered."""
        with self._lock:
            if not self._is_over:
                self._say(f"No answer from {self._host} ({reason}); trying on, Ctrl-C ends it")
            self._end()

    def _end(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
