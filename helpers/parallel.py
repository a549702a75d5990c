"""Work in threads with a bounded number of items in flight."""

import concurrent.futures
import os
import platform
import queue
import re
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Items handed out per worker: enough that none waits for the next one, and few enough that
#: memory does not grow with the length of the list (500,000 futures at once took 1.2 GB).
WINDOW = 4
#: How long workers get to end after a stop; Ctrl-C must end the program within 3 s.
STOP_SECONDS = 2.0


def bounded_map(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: int,
    *,
    window: int | None = None,
    on_abort: Callable[[], None] = lambda: None,
) -> Generator[tuple[T, R]]:
    """Yield `(item, function(item))` in the order in which the threads finish.

    Wrap it in `contextlib.closing`, so that an exception in the loop's body ends the threads, too.

    `items` are taken only as fast as they are worked off: at most `window` of them, or 4 × workers,
    are in flight. If the loop ends early, or with the first exception of `function`, items not yet
    begun are dropped, and `on_abort` is called to wake workers that wait for something.
    """
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="worker")
    most = WINDOW * workers if window is None else window
    running: dict[concurrent.futures.Future[R], T] = {}
    done: queue.SimpleQueue[concurrent.futures.Future[R]] = queue.SimpleQueue()

    def collect() -> tuple[T, R]:
        future = done.get()
        return running.pop(future), future.result()

    try:
        for item in items:
            future = pool.submit(function, item)
            running[future] = item
            future.add_done_callback(done.put)
            if len(running) >= most:
                yield collect()
        while running:
            yield collect()
    except BaseException:
        on_abort()
        pool.shutdown(wait=False, cancel_futures=True)
        # `wait` would wait in vain for the cancelled ones.
        begun = [future for future in running if not future.cancelled()]
        concurrent.futures.wait(begun, timeout=STOP_SECONDS)
        raise
    pool.shutdown()


def cpu_count() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """Return what the CPU calls itself; measurements of one hold for no other."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # no Linux
        text = ""
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return name[1] if name else platform.processor() or platform.machine()
