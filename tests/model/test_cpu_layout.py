"""Batch and threads: who decides, when measuring pays, and what is remembered."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.model import cpu_layout
from helpers.model.cpu_layout import Layout, _rate, choose_layout
from helpers.report import Reporter

MANY = 1_000_000
DEFAULT = Layout(batch=16, workers=4, threads=1)


class Measured:
    """Stands in for `_rate`: images/s from a table, and a list of what was asked for."""

    def __init__(self) -> None:
        self.rates: dict[Layout, float] = {}
        self.asked: list[Layout] = []

    def __call__(self, _embedder: Any, layout: Layout) -> float:
        """Return the rate of a layout, 20 images/s if it is not in the table."""
        self.asked.append(layout)
        return self.rates.get(layout, 20.0)


class SomeEmbedder:
    """As much of an embedder as the choice needs."""

    def __init__(self, device: str = "cpu", *, one_by_one: bool = False) -> None:
        self.device, self.one_by_one = device, one_by_one
        self.fingerprint = {"engine": "onnx", "precision": "fp32", "weights_sha256": "0"}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Measured:
    """A machine of 4 CPUs, a table of rates, and an empty memory."""
    rate = Measured()
    monkeypatch.setattr(cpu_layout, "_rate", rate)
    monkeypatch.setattr(cpu_layout, "cpu_count", lambda: 4)
    monkeypatch.setenv("MTG_ENCODER_CACHE", str(tmp_path))
    return rate


def choose(
    todo: int = MANY, batch: int | None = None, threads: int | None = None, **embedder: Any
) -> Layout:
    """Choose a layout."""
    some: Any = SomeEmbedder(**embedder)
    return choose_layout(some, todo, batch, threads, Reporter(quiet=True))


def test_the_default_stays_unless_another_is_clearly_faster(measured: Measured) -> None:
    """4 % is noise."""
    measured.rates = {Layout(16, 1, 4): 20.8, Layout(16, 2, 1): 20.8, Layout(4, 4, 1): 20.8}

    assert choose() == DEFAULT


@pytest.mark.parametrize("fastest", [Layout(16, 1, 4), Layout(16, 2, 1), Layout(32, 4, 1)])
def test_a_clearly_faster_layout_wins(measured: Measured, fastest: Layout) -> None:
    """6 % is not noise, be it threads or batch."""
    measured.rates = {fastest: 21.2}

    assert choose() == fastest


def test_batch_and_threads_are_measured_together(measured: Measured) -> None:
    """The best batch of one layout need not be that of another."""
    measured.rates = {Layout(16, 1, 4): 30.0, Layout(8, 1, 4): 40.0, Layout(32, 4, 1): 45.0}

    assert choose() == Layout(32, 4, 1)


@pytest.mark.parametrize("fastest", [Layout(32, 2, 1), Layout(16, 4, 1), Layout(5, 8, 1)])
def test_flags_decide(measured: Measured, fastest: Layout) -> None:
    """What the user gave stays, however fast something else would be."""
    measured.rates = {fastest: 1000.0}

    both = choose(batch=5, threads=2)
    assert (both.batch, both.workers * both.threads) == (5, 2)
    assert choose(batch=5).batch == 5
    alone = choose(threads=2)
    assert alone.workers * alone.threads == 2


def test_one_thread_and_a_batch_leave_nothing_to_measure(measured: Measured) -> None:
    """There is one such layout."""
    assert choose(batch=5, threads=1) == Layout(5, 1, 1)
    assert measured.asked == []


def test_few_images_are_not_worth_it(measured: Measured) -> None:
    """Below 6,000 images nothing is measured at all."""
    assert choose(todo=5999) == DEFAULT
    assert measured.asked == []


def test_it_is_remembered(measured: Measured) -> None:
    """Next time nothing is measured, unless a flag or the model differs."""
    measured.rates = {Layout(16, 1, 4): 30.0}
    first = choose()
    measured.asked.clear()

    assert choose() == first
    assert measured.asked == []
    choose(batch=16)
    assert measured.asked != []


BROKEN: list[Callable[[Path], object]] = [
    lambda memo: memo.write_text(""),
    lambda memo: memo.write_text("[16, 4]"),
    lambda memo: memo.write_text(json.dumps({"batch": 16, "workers": 4, "threads": 1})),
    lambda memo: memo.write_text("[0, 4, 1]"),
    lambda memo: memo.write_text('["16", 4, 1]'),
    lambda memo: memo.write_text("[16, 2.5, 1]"),
    lambda memo: memo.write_bytes(b"\xff"),
]


@pytest.mark.parametrize("harm", BROKEN)
def test_a_broken_memo_is_ignored(
    measured: Measured, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    """What cannot be a layout is measured again and written anew."""
    measured.rates = {Layout(16, 1, 4): 30.0}
    best = choose()
    (memo,) = tmp_path.glob("layout-*.json")
    whole = memo.read_bytes()
    harm(memo)

    assert choose() == best
    assert memo.read_bytes() == whole


def test_nowhere_to_remember(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that cannot be written costs a measurement, not the build."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MTG_ENCODER_CACHE", str(tmp_path / "file"))
    measured.rates = {Layout(16, 1, 4): 30.0}

    assert choose() == Layout(16, 1, 4)


def test_one_by_one_has_no_batch_to_measure(measured: Measured) -> None:
    """In int8 the batch means nothing to the model, so only threads are compared."""
    choose(one_by_one=True)

    assert {layout.batch for layout in measured.asked} == {16}


def test_a_gpu_is_not_measured(measured: Measured) -> None:
    """There was none to try: a large batch, threads that decode, and the flags."""
    assert choose(device="cuda") == Layout(64, 4, 1)
    assert choose(device="mps", batch=7, threads=1) == Layout(7, 2, 1)
    assert measured.asked == []


def test_the_real_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker counts, and the model gets the threads and the batch of the layout."""

    class Counting(SomeEmbedder):
        passes: list[int]
        threads = 0
        preprocessing = SimpleNamespace(side=2)

        def embed(self, pixels: NDArray[np.float32]) -> None:
            self.passes.append(len(pixels))

        def use_threads(self, count: int) -> None:
            self.threads = count

    some: Any = Counting()
    some.passes = []
    monkeypatch.setattr(cpu_layout, "_SECONDS", 0.0)
    rate = _rate(some, Layout(8, 3, 2))

    assert sorted(some.passes) == [1, 8, 8, 8]
    assert some.threads == 2
    assert rate > 0
