"""`devtools.scryfall.process`: no program outlives the one that started it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from devtools.scryfall.process import running
from helpers import signals
from helpers.errors import Stopped

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def _no_signal_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("helpers.signals._State.received", None)
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    signals.install()
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_a_signal_at_the_very_start_ends_the_program_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when the program runs and nobody has got hold of it yet."""
    started = []

    def start(*args: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(real(*args, **options))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(Stopped), running(SLEEPS):
        pytest.fail("the block must not be entered")
    assert started[0].returncode == -signal.SIGTERM


def test_an_error_in_the_block_ends_the_program() -> None:
    """Whatever the block raises."""
    with pytest.raises(ZeroDivisionError), running(SLEEPS) as process:
        _ = 1 / 0
    assert process.returncode == -signal.SIGTERM


def stop_twice() -> None:
    """Press Ctrl-C, and once more while the first is seen to."""
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)


def test_further_signals_are_ignored_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one would otherwise end this process, and leave the program running."""
    monkeypatch.setattr("helpers.signals._State.ignores_further", False)
    signals.ignore_further()
    with pytest.raises(Stopped), running(SLEEPS) as process:
        stop_twice()
    assert process.returncode == -signal.SIGTERM
