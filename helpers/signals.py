"""SIGINT and SIGTERM as one exception, `Stopped`, in the main thread.

The first signal raises `Stopped` wherever the main thread is, or at the end of the block of `held`,
so that a batch in hand is finished. A second one ends the process at once, unless `ignore_further`
was called. What the parent told us to ignore (a script's jobs with `&` ignore SIGINT) stays so.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from helpers.errors import Stopped

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _State:
    received: int | None = None
    ignores_further = False
    held: Callable[[], None] | None = None


def install() -> None:
    """Route SIGINT and SIGTERM to `Stopped`; call it once, from the main thread."""
    for signum in _SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _on_signal)


def ignore_further() -> None:
    """Ignore all signals after the first, so that what was started can be ended in peace."""
    _State.ignores_further = True


def _on_signal(signum: int, _frame: object) -> None:
    if _State.received is not None:
        if _State.ignores_further:
            return
        os._exit(128 + signum)
    _State.received = signum
    if _State.held is None:
        raise Stopped(signum)
    _State.held()


@contextlib.contextmanager
def held(notice: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let the block finish before a signal takes effect; `notice` is called when it arrives."""
    _State.held = notice
    try:
        yield
    finally:
        _State.held = None
        if _State.received is not None:
            raise Stopped(_State.received)


def pending() -> bool:
    """Tell whether a signal is being held back, for loops that want to end early and well."""
    return _State.received is not None
