"""Where the time goes: seconds by stage."""

import contextlib
import time
from collections.abc import Iterator


class Stopwatch:
    """Seconds spent in each stage; time in a stage inside another counts for the inner one only."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._inner = [0.0]

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the `with` block takes to a stage."""
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            own = spent - self._inner.pop()
            self._seconds[name] = self._seconds.get(name, 0.0) + own
            self._inner[-1] += spent

    def take(self) -> dict[str, float]:
        """Return the seconds of each stage since the last call, in the order of their starts."""
        taken, self._seconds = self._seconds, {}
        return taken
