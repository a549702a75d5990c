"""One host: spacing, penalties that hold everybody, how the workers come back; and its silence."""

import threading

import pytest
from support import FakeClock, Scryfall

from helpers.network import host
from helpers.network.host import Host, backoff
from helpers.network.policy import Policy
from helpers.network.responses import FetchError
from helpers.session import DownloadSession

A, B = "one request", "another"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def clock() -> FakeClock:
    """A clock at 0."""
    return FakeClock()


def gate_of(clock: FakeClock) -> Host:
    """Return a host that has answered before."""
    made = Host("example.org", clock, lambda _: None)
    made.answered()
    return made


def leave_times(gate: Host, clock: FakeClock, count: int, spacing: float = 0.0) -> list[float]:
    """Let `count` requests through one after the other and return when each left."""
    times = []
    for _ in range(count):
        assert gate.pass_through(A, spacing)
        times.append(round(clock.time, 6))
    return times


def test_the_schedule_doubles_up_to_a_minute() -> None:
    """The waits are 1, 2, 4, 8, 16, 32 and then 60 s for ever."""
    assert [backoff(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(10_000) == 60


def test_files_are_not_spaced_and_the_api_is(clock: FakeClock) -> None:
    """At most 10 requests a second reach the API; image hosts have no such limit."""
    assert leave_times(gate_of(clock), clock, 5) == [0] * 5
    api = leave_times(gate_of(clock), clock, 21, spacing=0.1)
    assert api == pytest.approx([n / 10 for n in range(21)])


def test_a_penalty_holds_all_workers(clock: FakeClock) -> None:
    """After 30 s the request that was told leaves alone; the others, once it has its answer."""
    gate = gate_of(clock)
    gate.penalise(A, 30)
    assert leave_times(gate, clock, 1) == [30]
    assert (gate.is_told(A), gate.is_told(B)) == (True, False)

    def answer(seconds: float) -> bool:
        clock.time += seconds
        if clock.time > 45:
            gate.step_aside(A)
        return True

    clock.wait = answer  # type: ignore[method-assign]
    assert gate.pass_through(B, 0)
    assert 45 <= clock.time < 45.2
    assert not gate.is_told(A)


def test_the_workers_come_back_apart(clock: FakeClock) -> None:
    """After a penalty they leave 0.1 s apart for two seconds, then as they like."""
    gate = gate_of(clock)
    gate.penalise(A, 5)
    assert leave_times(gate, clock, 1) == [5]
    gate.step_aside(A)
    times = leave_times(gate, clock, 25)
    assert times[:20] == pytest.approx([5.1 + n / 10 for n in range(20)])
    assert times[20:] == pytest.approx([7] * 5, abs=0.11)


def test_only_the_one_that_was_told_steps_aside(clock: FakeClock) -> None:
    """Another request that was under way and ends changes nothing."""
    gate = gate_of(clock)
    gate.penalise(A, 1)
    gate.penalise(B, 1)
    gate.step_aside(B)
    assert gate.is_told(A)


def test_answers_of_one_burst_are_one_penalty(clock: FakeClock) -> None:
    """16 workers that were under way when the host closed do not escalate the wait."""
    gate = gate_of(clock)
    clock.time = 5
    assert [gate.penalise(request, 1) for request in (A, *[B] * 15)] == [1] * 16
    assert leave_times(gate, clock, 1) == [6]


def test_penalties_in_a_row_grow_until_a_success(clock: FakeClock) -> None:
    """Whoever is first after a penalty and meets the next one waits twice as long."""
    gate = gate_of(clock)
    waits = []
    for _ in range(4):
        assert gate.pass_through(A, 0)
        asked = clock.time
        gate.penalise(A, 1)
        gate.pass_through(A, 0)
        waits.append(round(clock.time - asked, 6))
        clock.time += 1
    assert waits == [1, 2, 4, 8]

    gate.succeeded(A)
    assert gate.penalise(A, 1) == 1


def test_a_late_success_does_not_lift_a_penalty(clock: FakeClock) -> None:
    """An answer to a request that left before the penalty says nothing about it."""
    gate = gate_of(clock)
    clock.time = 10
    gate.penalise(A, 1)
    gate.succeeded(B)
    clock.time = 20
    assert gate.penalise(A, 1) == 2


def test_a_stop_ends_the_wait(clock: FakeClock) -> None:
    """A worker that is held at the gate learns at once that the run is being stopped."""
    gate = gate_of(clock)
    gate.penalise(A, 60)
    clock.stopped.set()
    assert gate.pass_through(A, 0) is False


def test_a_success_ends_the_count_of_exhausted_urls(clock: FakeClock) -> None:
    """Only URLs that fail in a row make a host count as down."""
    gate = gate_of(clock)
    assert [gate.exhausted(), gate.exhausted()] == [1, 2]
    gate.succeeded(A)
    assert gate.exhausted() == 1


def ask(url: str, path: str = "/x.jpg") -> tuple[list[str], float]:
    """Ask twice for what is not there; return what was said, and the seconds of waiting."""
    said: list[str] = []
    clock = FakeClock()
    session = DownloadSession(Policy("test", url, max_retries=3), clock, said.append)
    for _ in range(2):
        with pytest.raises(FetchError):
            session.get_bytes(url + path, limit=100)
    return said, clock.time


def test_a_refusal_is_said_at_once_and_the_tries_go_on() -> None:
    """One line for all tries of all requests, which are as many and as far apart as ever."""
    said, waited = ask(NOWHERE)
    assert said == ["No answer from 127.0.0.1:9 (connection refused); trying on, Ctrl-C ends it"]
    assert waited >= 2 * (1 + 2 + 4)


def test_a_host_that_answers_is_not_accused(scryfall: Scryfall) -> None:
    """Neither an error nor a body that breaks off is silence."""
    scryfall.faults({"fault": "status", "params": {"code": 503}, "times": 2})
    assert ask(scryfall.url)[0] == []


def test_silence_is_said_before_the_first_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes the request and says nothing: the clock alone brings the line, once."""
    assert Policy("", "").timeout_connect > host.SILENCE
    monkeypatch.setattr(host, "SILENCE", 0.01)
    said: list[str] = []
    heard = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        heard.set()

    silent = Host("example.org", FakeClock(), say)
    assert heard.wait(10)
    silent.failed("no answer in time")
    assert said == ["No answer from example.org (silence so far); trying on, Ctrl-C ends it"]


def test_an_answer_ends_the_watch() -> None:
    """After it nothing is said any more, and no timer is left."""
    said: list[str] = []
    others = set(threading.enumerate())
    talking = Host("example.org", FakeClock(), said.append)
    talking.answered()
    talking.failed("the connection broke off")
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers if timer not in others)
    assert said == []
