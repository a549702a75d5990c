"""One gate per host: when one worker is told to slow down, all workers of that host wait."""

import threading

from helpers.network.clock import Clock

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds: 1, 2, 4, 8, 16, 32, 60, 60, …
#: After a penalty requests leave this many seconds apart until one of them has been answered: a
#: host that has locked us out hears about one per step of the schedule, not one per worker.
RETURN_SPACING = 1.0


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, not counting the latest."""
    return min(FIRST_WAIT * 2.0 ** min(failures, 10), LONGEST_WAIT)


class Gate:
    """Decides when the next request to one host may leave. All times are seconds of `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._opens = 0.0
        self._last = float("-inf")
        self._penalised = float("-inf")
        self._penalties = 0
        self._exhausted = 0

    def pass_through(self, spacing: float) -> bool:
        """Wait until `spacing` seconds after the request before; False if the run is stopped."""
        while True:
            with self._lock:
                now = self._clock.now()
                least = max(spacing, RETURN_SPACING if self._penalties else 0.0)
                wait = max(self._opens, self._last + least) - now
                if wait <= 0:
                    self._last = now
                    return True
            if not self._clock.wait(wait):
                return False

    def penalise(self, seconds: float, asked: float) -> int:
        """Let nobody through for `seconds`, or for longer if penalty follows on penalty.

        Returns the number of penalties since the last success. Answers to requests that were under
        way together, by when they were `asked`, are one.
        """
        with self._lock:
            now = self._clock.now()
            if asked >= self._penalised:
                self._penalties += 1
            self._penalised = now
            self._opens = max(self._opens, now + max(seconds, backoff(self._penalties - 1)))
            return self._penalties

    def answered(self, asked: float) -> None:
        """Note that the host answered, well or for good, a request that left at `asked`."""
        with self._lock:
            self._exhausted = 0
            if asked >= self._penalised:
                self._penalties = 0

    def exhausted(self) -> int:
        """Note a URL whose tries are used up; return how many there were in a row."""
        with self._lock:
            self._exhausted += 1
            return self._exhausted
