"""`tests/fuzz.py` for a moment; by hand it runs for as long as one likes."""

import random
from pathlib import Path

import fuzz


def test_damaged_input_of_every_kind(tmp_path: Path) -> None:
    """No traceback, no hang, and both outcomes are reached: taken and refused."""
    counts = fuzz.fuzz(12, 0, tmp_path)

    assert [text for count in counts.values() for text in count.tracebacks] == []
    for kind, count in counts.items():
        assert 0 < count.refused < count.cases, kind


def test_a_traceback_is_counted() -> None:
    """The fuzzer itself can fail."""

    def case(_: random.Random) -> None:
        raise KeyError("x")

    count = fuzz.Count()
    fuzz.run_case(case, "x", 3, 4, count)

    assert "seed 3, x 4" in count.tracebacks[0]
