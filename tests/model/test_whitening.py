"""Whitening: what it overlooks, what it keeps, and how answers to views are judged."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.index.view_answers import (
    ANSWER,
    Thresholds,
    best_card,
    choose_thresholds,
    judge,
    quality,
)
from helpers.model.unit_vectors import normalize
from helpers.model.whitening import Whitening, learn

DIM = 24


def cards(count: int, seed: int) -> NDArray[Any]:
    """Return float64 [count, DIM] random points."""
    return np.random.default_rng(seed).normal(size=(count, DIM))


def views_of(points: NDArray[Any], count: int, seed: int) -> NDArray[Any]:
    """Return float32 [cards, count, DIM]: views that differ mostly in the first six directions."""
    spread = np.where(np.arange(DIM) < 6, 4.0, 0.1)
    noise = np.random.default_rng(seed).normal(size=(len(points), count, DIM)) * spread
    views = (points[:, None] + noise).reshape(-1, DIM).astype(np.float32)
    return normalize(views).reshape(len(points), count, DIM)


def top_1(queries: NDArray[Any], scans: NDArray[Any]) -> float:
    """Return the share of the views, card after card, whose nearest scan is their own."""
    nearest = (queries @ scans.T).argmax(axis=1)
    return float((nearest == np.repeat(np.arange(len(scans)), len(queries) // len(scans))).mean())


def test_it_helps_on_cards_that_it_was_not_learned_on() -> None:
    """Directions in which views of a card differ count little; plain cosines weigh them fully."""
    whitening = learn(views_of(cards(40, 0), 10, 1), 1.0)
    others = cards(60, 2)
    scans = normalize(others.astype(np.float32))
    queries = views_of(others, 5, 3).reshape(-1, DIM)

    plain, whitened = top_1(queries, scans), top_1(whitening.apply(queries), whitening.apply(scans))

    assert plain < 0.6
    assert whitened > plain + 0.25


def test_it_is_the_formula() -> None:
    """(S + λ I)^(-1/2) (x - m), of unit length: written out the slow way."""
    views = views_of(cards(10, 4), 6, 5)
    flat = views.reshape(-1, DIM).astype(np.float64)
    within = flat - np.repeat(views.mean(axis=1, dtype=np.float64), 6, axis=0)
    covariance = within.T @ within / (10 * 5)
    shrunk = covariance + 0.3 * np.trace(covariance) / DIM * np.eye(DIM)

    found = learn(views, 0.3)

    matrix = found.matrix.astype(np.float64)
    assert np.allclose(matrix @ shrunk @ matrix, np.eye(DIM), atol=1e-4)
    assert np.allclose(matrix, matrix.T, atol=1e-5)
    expected = (flat - flat.mean(axis=0)) @ matrix
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(found.apply(flat.astype(np.float32)), expected, atol=1e-5)


def test_the_same_views_give_the_same_whitening() -> None:
    """To the bit, so that a build from nothing gives the same file."""
    one, other = (learn(views_of(cards(30, 6), 8, 7), 1.0) for _ in range(2))
    assert one.matrix.tobytes() == other.matrix.tobytes()
    assert one.bias.tobytes() == other.bias.tobytes()


def test_much_shrinkage_only_centres() -> None:
    """With a large λ every direction counts the same."""
    matrix = learn(views_of(cards(30, 8), 8, 9), 1e6).matrix
    assert np.allclose(matrix / matrix[0, 0], np.eye(DIM), atol=1e-3)


def test_views_that_do_not_differ_are_refused() -> None:
    """There is nothing to learn, and nothing to divide by."""
    scans = normalize(cards(5, 0).astype(np.float32))
    with pytest.raises(ValueError, match="do not differ"):
        learn(np.repeat(scans[:, None], 4, axis=1), 1.0)


def test_rows_stay_of_unit_length() -> None:
    """Whatever the matrix, the rows are unit vectors, and a row's cosine with itself is 1."""
    whitening = Whitening(np.diag(np.arange(1.0, DIM + 1)).astype(np.float32), np.ones(DIM, "f4"))
    rows = whitening.apply(normalize(cards(7, 1).astype(np.float32)))
    assert np.allclose((rows * rows).sum(axis=1), 1, rtol=0, atol=1e-6)


def test_margins_are_to_the_next_card_not_to_the_next_printing() -> None:
    """Rows of the same card do not count; without the right card the next one is the answer."""
    scores = np.array([[0.9, 0.8, 0.7, 0.4], [0.9, 0.8, 0.7, 0.4]], dtype=np.float32)
    found = np.array([[5, 5, 6, 7], [5, 5, 5, 5]])

    answers = judge(scores, found, np.array([5, 6]))

    assert answers["right"].tolist() == [True, False]
    assert answers["score"] == pytest.approx([0.9, 0.9])
    assert answers["margin"] == pytest.approx([0.2, 0.5])
    assert answers["score_without"] == pytest.approx([0.7, 0.9])
    assert answers["margin_without"] == pytest.approx([0.3, 0.5])
    assert quality(answers)[0] == 0.5


def test_nothing_left_is_no_answer() -> None:
    """Where all rows are of the right card, without it there is nothing."""
    score, margin = best_card(np.full((1, 3), -np.inf, dtype=np.float32), np.zeros((1, 3), int))
    assert (score.tolist(), margin.tolist()) == ([-1.0], [0.0])


def answers_to(score: list[float], margin: list[float], right: list[bool]) -> NDArray[Any]:
    """Return answers of which only these matter."""
    values = list(zip(score, margin, right, score, margin, strict=True))
    return np.array(values, dtype=ANSWER)


def test_thresholds_keep_the_most_at_that_precision() -> None:
    """A wrong answer with a high score is shut out by its margin; no way out is None."""
    score, margin = [0.9, 0.8, 0.7, 0.85], [0.5, 0.4, 0.3, 0.05]
    nothing = answers_to([0.0], [0.0], [False])

    found = answers_to(score, margin, [True, True, True, False])
    assert choose_thresholds(found, nothing, 0.99) == pytest.approx((0.7, 0.3), abs=1e-4)
    never = answers_to(score, margin, [False] * 4)
    assert choose_thresholds(never, nothing, 0.99) is None
    mixed = answers_to([0.85, 0.85], [0.05, 0.05], [True, False])
    assert choose_thresholds(mixed, nothing, 0.99) is None


def test_unknown_cards_count_as_much_as_known_ones_however_many_were_asked() -> None:
    """1 of 1,000 above the thresholds is 1 % of 10 views of which one passes; 2 are too many."""
    found = answers_to([0.9] * 10, [0.5] + [0.1] * 9, [True] + [False] * 9)
    score, margin, right = [0.95] * 1000, [0.6] + [0.0] * 999, [False] * 1000

    unknown = answers_to(score, margin, right)
    assert choose_thresholds(found, unknown, 0.99) == pytest.approx((0.9, 0.5), abs=1e-4)
    margin[1] = 0.6
    assert choose_thresholds(found, answers_to(score, margin, right), 0.99) is None


def test_thresholds_that_nothing_reaches_are_never_met() -> None:
    """A build that found no sure pair makes no match by score, however good."""
    manifest = {"whitening": {"thresholds": {"score": None, "margin": None, "noise_score": 0.3}}}
    thresholds = Thresholds.of(manifest)

    assert thresholds is not None
    assert not thresholds.are_met(1.0, 1.0)
