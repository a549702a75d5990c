"""One gate per host: spacing, penalties that hold everybody, and how the workers come back."""

import pytest
from support import FakeClock

from helpers.network.host_gate import Gate, backoff

A, B = "one request", "another"


@pytest.fixture
def clock() -> FakeClock:
    """A clock at 0."""
    return FakeClock()


def leave_times(gate: Gate, clock: FakeClock, count: int, spacing: float = 0.0) -> list[float]:
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
    assert leave_times(Gate(clock), clock, 5) == [0] * 5
    api = leave_times(Gate(clock), clock, 21, spacing=0.1)
    assert api == pytest.approx([n / 10 for n in range(21)])


def test_a_penalty_holds_all_workers(clock: FakeClock) -> None:
    """After 30 s the request that was told leaves alone; the others, once it has its answer."""
    gate = Gate(clock)
    gate.penalise(A, 30, asked=0)
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
    gate = Gate(clock)
    gate.penalise(A, 5, asked=0)
    assert leave_times(gate, clock, 1) == [5]
    gate.step_aside(A)
    times = leave_times(gate, clock, 25)
    assert times[:20] == pytest.approx([5.1 + n / 10 for n in range(20)])
    assert times[20:] == pytest.approx([7] * 5, abs=0.11)


def test_only_the_one_that_was_told_steps_aside(clock: FakeClock) -> None:
    """Another request that was under way and ends changes nothing."""
    gate = Gate(clock)
    gate.penalise(A, 1, asked=0)
    gate.penalise(B, 1, asked=0)
    gate.step_aside(B)
    assert gate.is_told(A)


def test_answers_of_one_burst_are_one_penalty(clock: FakeClock) -> None:
    """16 workers that were under way when the host closed do not escalate the wait."""
    gate = Gate(clock)
    clock.time = 5
    assert [gate.penalise(A, 1, asked=4.9) for _ in range(16)] == [1] * 16
    assert leave_times(gate, clock, 1) == [6]


def test_penalties_in_a_row_grow_until_a_success(clock: FakeClock) -> None:
    """Whoever is first after a penalty and meets the next one waits twice as long."""
    gate = Gate(clock)
    waits = []
    for _ in range(4):
        assert gate.pass_through(A, 0)
        asked = clock.time
        gate.penalise(A, 1, asked)
        gate.pass_through(A, 0)
        waits.append(round(clock.time - asked, 6))
        clock.time += 1
    assert waits == [1, 2, 4, 8]

    gate.answered(clock.time)
    assert gate.penalise(A, 1, clock.time) == 1


def test_a_late_success_does_not_lift_a_penalty(clock: FakeClock) -> None:
    """An answer to a request that left before the penalty says nothing about it."""
    gate = Gate(clock)
    clock.time = 10
    gate.penalise(A, 1, asked=9)
    gate.answered(asked=8)
    clock.time = 20
    assert gate.penalise(A, 1, asked=20) == 2


def test_a_stop_ends_the_wait(clock: FakeClock) -> None:
    """A worker that is held at the gate learns at once that the run is being stopped."""
    gate = Gate(clock)
    gate.penalise(A, 60, asked=0)
    clock.stopped.set()
    assert gate.pass_through(A, 0) is False


def test_a_success_ends_the_count_of_exhausted_urls(clock: FakeClock) -> None:
    """Only URLs that fail in a row make a host count as down."""
    gate = Gate(clock)
    assert [gate.exhausted(), gate.exhausted()] == [1, 2]
    gate.answered(0)
    assert gate.exhausted() == 1
