"""One gate per host: when one worker is told to slow down, all workers of that host wait.

After the penalty that worker alone asks again; the others follow once it has been answered. So a
host that has locked us out hears one request per step of the schedule, not one per worker.
"""

import threading

from helpers.network.clock import Clock

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds: 1, 2, 4, 8, 16, 32, 60, 60, …
#: After a penalty the workers come back one after the other, this many seconds apart, until as
#: many requests have passed as there are workers.
RETURN_SPACING = 0.1
_POLL = 0.1  # seconds between two looks whether the first one back has been answered


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, not counting the latest."""
    return min(FIRST_WAIT * 2.0 ** min(failures, 10), LONGEST_WAIT)


class Gate:
    """Decides when the next request to one host may leave.

    Args:
        clock: tells the time.
        workers: how many workers may be waiting here.
    """

    def __init__(self, clock: Clock, workers: int) -> None:
        self._clock = clock
        self._workers = workers
        self._lock = threading.Lock()
        self._opens = 0.0
        self._last = float("-inf")
        self._returning = 0
        self._penalised = float("-inf")
        self._penalties = 0
        self._first_back: int | None = None  # the thread that asks after a penalty
        self._exhausted = 0

    def pass_through(self, spacing: float) -> bool:
        """Wait for this caller's turn; return False if the run is stopped meanwhile.

        Args:
            spacing: least seconds since the request before, 0 where there is no such limit.
        """
        while True:
            with self._lock:
                wait = self._turn(spacing) - self._clock.now()
                if wait <= 0:
                    self._last = self._clock.now()
                    self._returning = max(0, self._returning - 1)
                    return True
            if not self._clock.wait(wait):
                return False

    def is_open(self) -> bool:
        """Tell whether the calling thread may ask right now."""
        with self._lock:
            mine = self._first_back in {None, threading.get_ident()}
            return mine and self._clock.now() >= self._opens

    def _turn(self, spacing: float) -> float:
        if self._first_back not in {None, threading.get_ident()}:
            return max(self._opens, self._clock.now() + _POLL)
        least = max(spacing, RETURN_SPACING if self._returning else 0.0)
        return max(self._opens, self._last + least)

    def penalise(self, seconds: float, asked: float) -> int:
        """Let nobody through for `seconds`, or for longer if penalty follows on penalty.

        Args:
            seconds: the least that is asked of us.
            asked: when the request left. Answers to requests that were under way together are
                one penalty.

        Returns:
            The number of penalties since the last success.
        """
        with self._lock:
            now = self._clock.now()
            if asked >= self._penalised:
                self._penalties += 1
            self._penalised = now
            if self._first_back is None:
                self._first_back = threading.get_ident()
            self._opens = max(self._opens, now + max(seconds, backoff(self._penalties - 1)))
            self._returning = self._workers
            return self._penalties

    def answered(self, asked: float) -> None:
        """Note that the host answered, well or for good, a request that left at `asked`."""
        with self._lock:
            self._exhausted = 0
            if asked >= self._penalised:
                self._penalties = 0

    def step_aside(self) -> None:
        """Let the others go on, whatever became of the calling thread's request."""
        with self._lock:
            if self._first_back == threading.get_ident():
                self._first_back = None

    def exhausted(self) -> int:
        """Note a URL whose tries are used up; return how many there were in a row."""
        with self._lock:
            self._exhausted += 1
            return self._exhausted
