"""One gate per host: spacing, penalties that hold everybody, and how the workers come back."""

import pytest
from support import FakeClock

from helpers.network.host_gate import Gate, backoff


@pytest.fixture
def clock() -> FakeClock:
    """A clock at 0."""
    return FakeClock()


def leave_times(gate: Gate, clock: FakeClock, count: int, spacing: float = 0.0) -> list[float]:
    """Let `count` requests through one after the other and return when each left."""
    times = []
    for _ in range(count):
        assert gate.pass_through(spacing)
        times.append(round(clock.time, 6))
    return times


def test_the_schedule_doubles_up_to_a_minute() -> None:
    """The waits are 1, 2, 4, 8, 16, 32 and then 60 s for ever."""
    assert [backoff(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(10_000) == 60


def test_files_are_not_spaced_and_the_api_is(clock: FakeClock) -> None:
    """At most 10 requests a second reach the API; image hosts have no such limit."""
    assert leave_times(Gate(clock), clock, 5) == [0] * 5
    api = leave_times(Gate(clock), clock, 21, spacing=0.1)
    assert api == pytest.approx([n / 10 for n in range(21)])


def test_a_penalty_holds_all_workers_until_one_is_answered(clock: FakeClock) -> None:
    """After 30 s of penalty requests leave a second apart; the first good answer ends that."""
    gate = Gate(clock)
    gate.penalise(30, asked=0)
    assert leave_times(gate, clock, 3) == [30, 31, 32]
    gate.answered(asked=30)
    assert leave_times(gate, clock, 3) == [32] * 3


def test_answers_of_one_burst_are_one_penalty(clock: FakeClock) -> None:
    """16 workers that were under way when the host closed do not escalate the wait."""
    gate = Gate(clock)
    clock.time = 5
    assert [gate.penalise(1, asked=4.9) for _ in range(16)] == [1] * 16
    assert leave_times(gate, clock, 1) == [6]


def test_penalties_in_a_row_grow_until_a_success(clock: FakeClock) -> None:
    """Whoever is first after a penalty and meets the next one waits twice as long."""
    gate = Gate(clock)
    waits = []
    for _ in range(4):
        assert gate.pass_through(0)
        asked = clock.time
        gate.penalise(1, asked)
        gate.pass_through(0)
        waits.append(round(clock.time - asked, 6))
        clock.time += 1
    assert waits == [1, 2, 4, 8]

    gate.answered(clock.time)
    assert gate.penalise(1, clock.time) == 1


def test_a_late_success_does_not_lift_a_penalty(clock: FakeClock) -> None:
    """An answer to a request that left before the penalty says nothing about it."""
    gate = Gate(clock)
    clock.time = 10
    gate.penalise(1, asked=9)
    gate.answered(asked=8)
    clock.time = 20
    assert gate.penalise(1, asked=20) == 2


def test_a_stop_ends_the_wait(clock: FakeClock) -> None:
    """A worker that is held at the gate learns at once that the run is being stopped."""
    gate = Gate(clock)
    gate.penalise(60, asked=0)
    clock.stopped.set()
    assert gate.pass_through(0) is False


def test_a_success_ends_the_count_of_exhausted_urls(clock: FakeClock) -> None:
    """Only URLs that fail in a row make a host count as down."""
    gate = Gate(clock)
    assert [gate.exhausted(), gate.exhausted()] == [1, 2]
    gate.answered(0)
    assert gate.exhausted() == 1
