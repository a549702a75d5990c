"""One host: when the next request to it may leave, and whether anybody answers there.

When one worker is told to slow down, all workers of that host wait. After the penalty the request
that was told alone is made again, until it has got its answer. So a host that has locked us out
hears one request per step of the schedule, not one per worker.

That nobody answers is said soon: the tries go on for minutes, and somebody waits.
"""

import threading
from collections.abc import Callable

from helpers.network.clock import Clock

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds: 1, 2, 4, 8, 16, 32, 60, 60, …
#: For so many seconds after a penalty requests leave this many seconds apart, not all at once.
RETURN_SECONDS, RETURN_SPACING = 2.0, 0.1
SILENCE = 4.0  # seconds; the timeout of a connection is 5 s
_POLL = 0.1  # seconds between two looks whether the request that was told has its answer


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, not counting the latest."""
    return min(FIRST_WAIT * 2.0 ** min(failures, 10), LONGEST_WAIT)


class Host:
    """What is known of a host since the first request to it. All times are seconds of `clock`.

    A request is whatever object stands for one URL, through all its tries. `say` is told, once at
    most, that the host is silent.
    """

    def __init__(self, name: str, clock: Clock, say: Callable[[str], object]) -> None:
        self._name, self._clock, self._say = name, clock, say
        self._lock = threading.Lock()
        self._opens = 0.0
        self._last = float("-inf")
        self._penalties = 0
        self._told: object = None  # the request that alone may leave
        self._returned = float("-inf")  # when the others might leave again
        self._exhausted = 0
        self._is_known = False  # it has said something, or we that it does not
        self._silence = threading.Timer(SILENCE, self.failed, ("silence so far",))
        self._silence.daemon = True
        self._silence.start()

    def pass_through(self, request: object, spacing: float) -> bool:
        """Wait until `spacing` seconds after the request before; False if the run is stopped."""
        while not self._clock.stopped.is_set():
            with self._lock:
                now = self._clock.now()
                is_returning = now < self._returned + RETURN_SECONDS
                least = max(spacing, RETURN_SPACING if is_returning else 0.0)
                wait = max(self._opens, self._last + least) - now
                if self._told not in {None, request}:
                    wait = max(wait, _POLL)
                if wait <= 0:
                    self._last = now
                    return True
            self._clock.wait(wait)
        return False

    def is_told(self, request: object) -> bool:
        """Tell whether this request alone may leave."""
        with self._lock:
            return self._told is request

    def step_aside(self, request: object) -> None:
        """Let the others go on: this request has its answer, or is given up."""
        with self._lock:
            if self._told is request:
                self._told, self._returned = None, self._clock.now()

    def penalise(self, request: object, seconds: float) -> int:
        """Let nobody through for `seconds`, or for longer if penalty follows on penalty.

        Returns the number of penalties since the last success. Requests that were under way
        together with the one that was told are not counted.
        """
        with self._lock:
            self._told = self._told or request
            self._penalties += self._told is request
            wait = max(seconds, backoff(self._penalties - 1))
            self._opens = max(self._opens, self._clock.now() + wait)
            return self._penalties

    def succeeded(self, request: object) -> None:
        """Note that the host answered a request, well or for good."""
        with self._lock:
            self._exhausted = 0
            if self._told in {None, request}:  # others left before the penalty
                self._penalties = 0

    def exhausted(self) -> int:
        """Note a URL whose tries are used up; return how many there were in a row."""
        with self._lock:
            self._exhausted += 1
            return self._exhausted

    def answered(self) -> None:
        """Note that the host has said something, whatever it was."""
        self._is_known = True
        self._silence.cancel()

    def failed(self, reason: object) -> None:
        """Say that a request got no answer and will be made again, unless one was answered."""
        with self._lock:
            was_known, self._is_known = self._is_known, True
        self._silence.cancel()
        if not was_known:
            self._say(f"No answer from {self._name} ({reason}); trying on, Ctrl-C ends it")
