"""Time and waiting, in one place, so that tests can shorten both."""

import os
import threading
import time

#: Shortens every wait and timeout, so that tests of long schedules end soon. 1 in real life.
TIME_FACTOR = float(os.environ.get("MTG_TIME_FACTOR", "1"))


class Clock:
    """Time and waiting, replaceable in tests; a wait ends early once the run is stopped."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.waiting = 0  # threads, at this moment
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic() / TIME_FACTOR

    def wait(self, seconds: float) -> bool:
        """Wait `seconds`; return False at once if the run is stopped meanwhile."""
        with self._lock:
            self.waiting += 1
        try:
            return not self.stopped.wait(max(0.0, seconds) * TIME_FACTOR)
        finally:
            with self._lock:
                self.waiting -= 1
