"""Say soon that a host does not answer: the tries go on for minutes, and somebody waits."""

import threading
from collections.abc import Callable

SILENCE = 4.0  # seconds; the timeout of a connection is 5 s


class FirstContact:
    """Watches a host from the first request on; tells `say`, once at most, that it is silent."""

    def __init__(self, host: str, say: Callable[[str], object]) -> None:
        self._host, self._say = host, say
        self._lock = threading.Lock()
        self._is_over = False
        self._timer = threading.Timer(SILENCE, self.failed, ("silence so far",))
        self._timer.daemon = True
        self._timer.start()

    def answered(self) -> None:
        """Note that the host has said something, whatever it was."""
        self._is_over = True
        self._timer.cancel()

    def failed(self, reason: object) -> None:
        """Say that a request got no answer and will be made again, unless one was answered."""
        with self._lock:
            was_over, self._is_over = self._is_over, True
        self._timer.cancel()
        if not was_over:
            self._say(f"No answer from {self._host} ({reason}); trying on, Ctrl-C ends it")
