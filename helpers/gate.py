"""One gate per host: when one worker is told to slow down, all workers of that host wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.clock import Clock

#: After a penalty the workers come back one after the other, this many seconds apart, until as
#: many requests have passed as there are workers.
RETURN_SPACING = 0.1


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
        self._exhausted = 0

    def hold(self, seconds: float) -> None:
        """Let nobody through for `seconds`."""
        with self._lock:
            self._opens = max(self._opens, self._clock.now() + seconds)
            self._returning = self._workers

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

    def _turn(self, spacing: float) -> float:
        least = max(spacing, RETURN_SPACING if self._returning else 0.0)
        return max(self._opens, self._last + least)

    def count_exhausted(self, *, exhausted: bool) -> int:
        """Count one more URL whose tries are used up, or start anew after a success.

        Returns:
            The number of URLs in a row that used up their tries.
        """
        with self._lock:
            self._exhausted = self._exhausted + 1 if exhausted else 0
            return self._exhausted
