"""The whitening of a build: learned from views of its own cards, kept while the model stays.

Which pictures are looked at depends on their content alone, so the same cards give the same
whitening. It is learned on some of them, and its strength chosen and its gain measured on others.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import worker_process
from helpers.building.checkpoint import VectorStore
from helpers.building.inputs import Inputs
from helpers.building.views import ViewMaker
from helpers.cards.face_list import faces_of_rows
from helpers.errors import DataError
from helpers.images.scan import Scan
from helpers.index.exact_search import nearest
from helpers.index.graph import read_whitening
from helpers.index.manifest import damage
from helpers.index.npy_file import BLOCK
from helpers.index.publish import INDEX, published_path
from helpers.index.view_answers import DEPTH, Answers, best_card, choose_thresholds, judge
from helpers.model.embedder import Embedder
from helpers.model.fingerprint import differences
from helpers.model.whitening import Whitening, learn
from helpers.report import Reporter, safe_percentage

SEED = 0
LEAST = 24  # distinct pictures: half of fewer say nothing
#: Learned on, the clean scan one of them. 40 × 10 find one hard view in fifty more, for twice the
#: time; 66 × 4 and 30 × 8 find as many.
CARDS, VIEWS = 40, 6
_HELD_OUT, _HELD_OUT_VIEWS, _NO_CARDS = 30, 3, 24
SHRINKAGES = (0.1, 0.3, 1.0, 3.0, 10.0)
_CHANCE = 0.01  # of the views
_CHOSEN_AMONG = 4096  # rows that the shrinkages are compared on; the gain is measured on all
#: Scans that are asked with their own cards left out: what unknown cards reach. They are embedded
#: already, and so many show the rare one that looks much like another card.
_UNKNOWN = 2048
PRECISION = 0.99  # of the answers above the thresholds


@dataclass(frozen=True, slots=True)
class BuildWhitening:
    """The whitening of a build, None for none, and what the manifest says of it."""

    about: dict[str, Any]
    whitening: Whitening | None = None


@dataclass(frozen=True, slots=True)
class _Trial:
    """What views are searched among: the `rows` of the store, int64 [n], and the card of each."""

    store: VectorStore
    rows: NDArray[np.int64]
    cards: NDArray[np.int64]

    def among(self, places: NDArray[np.int64]) -> "_Trial":
        """Return the same with only the rows at these places."""
        return _Trial(self.store, self.rows[places], self.cards[places])

    def nearest(
        self, views: NDArray[np.float32], whitening: Whitening | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and cards, each [q, k], of the nearest rows of views float32 [q, D]."""
        queries = views if whitening is None else whitening.apply(views)
        scores, places = nearest(self._blocks(whitening), queries, min(DEPTH, len(self.rows)))
        return scores, self.cards[places]

    def left_out(self, places: NDArray[np.int64], whitening: Whitening | None) -> Answers:
        """Return what came of the rows at these places; their cards left out tells of others."""
        vectors = self.store.read(self.rows[places])
        return judge(*self.nearest(vectors, whitening), self.cards[places])

    def _blocks(self, whitening: Whitening | None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for start in range(0, len(self.rows), BLOCK):
            block = self.store.read(self.rows[start : start + BLOCK])
            yield start, block if whitening is None else whitening.apply(block)


def whitening_of_build(
    inputs: Inputs, scan: Scan, embedder: Embedder, store: VectorStore, report: Reporter
) -> BuildWhitening:
    """Take the whitening over from the last build, or learn it; say what came of it."""
    rows = np.flatnonzero(store.done)
    order = by_content(scan.sha256[rows])
    learned_on = sample_size(len(order))
    if not inputs.options.whiten:
        return _none("--no-whiten")
    last = _last(inputs, embedder.fingerprint, learned_on)
    if last is not None:
        report.info("Whitening: that of the last build, so that scores stay comparable")
        return last
    if learned_on == 0:
        report.info(f"No whitening: it takes {LEAST} distinct pictures to learn one")
        return _none(f"fewer than {LEAST} distinct pictures")
    start = time.monotonic()
    cards = _cards_of(inputs, scan.faces[rows])
    maker = ViewMaker(inputs, scan, embedder, report)
    found = _learn(_Trial(store, rows, cards), order, learned_on, maker)
    found.about["seconds"] = round(time.monotonic() - start, 1)
    if "gain" in found.about:
        _report(found.about, report)
    return found


def by_content(sha256: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return int64 [m], one place of each distinct picture, in an order that `SEED` decides.

    Args:
        sha256: uint8 [n, 32], of the image files.
    """
    mask = np.random.default_rng(SEED).integers(0, 256, 8, dtype=np.uint8)
    keys = np.ascontiguousarray(sha256[:, :8] ^ mask).view(">u8")[:, 0]
    return np.unique(keys, return_index=True)[1]


def sample_size(distinct: int) -> int:
    """Return how many of the distinct pictures are learned on; 0 for too few."""
    return 0 if distinct < LEAST else min(CARDS, 2 * distinct // 3)


def _none(why_not: str) -> BuildWhitening:
    sample = {"cards": 0, "views": 0}
    return BuildWhitening({"used": False, "why_not": why_not, "seed": SEED, "sample": sample})


def _last(inputs: Inputs, fingerprint: dict[str, Any], learned_on: int) -> BuildWhitening | None:
    """Return what the last build learned, unless there is now more to learn from."""
    out, last = inputs.options.out, inputs.last
    if last is None or not inputs.options.reuse:
        return None
    try:
        about = last["whitening"]
        enough = about["sample"]["cards"] >= min(CARDS, learned_on) > 0
        if not enough or differences(last["model"], fingerprint):
            return None
        if not about["used"]:
            return BuildWhitening(about)
        # Thresholds that were measured without them let too much pass.
        if "unknown_scans" not in about["thresholds"] or damage(out, last, (INDEX,)) is not None:
            return None
        whitening = worker_process.call(read_whitening, published_path(out, INDEX).absolute())
        return None if whitening is None else BuildWhitening(about, whitening)
    except (DataError, KeyError, TypeError):
        return None


def _cards_of(inputs: Inputs, faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return int64 [n], a number for each row's name: printings of one card have the same."""
    numbers: dict[str, int] = {}
    names = (face.name for face in faces_of_rows(inputs.faces, faces))
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _learn(
    trial: _Trial, order: NDArray[np.int64], learned_on: int, maker: ViewMaker
) -> BuildWhitening:
    chosen = np.sort(trial.rows[order[:learned_on]])
    others = np.sort(trial.rows[order[learned_on : learned_on + _HELD_OUT]])
    chosen, views = maker.of_cards(chosen, VIEWS - 1)
    views = np.concatenate([views, trial.store.read(chosen)[:, None]], axis=1)
    others, seen = maker.of_cards(others, _HELD_OUT_VIEWS)
    if min(len(chosen), len(others)) < LEAST // 4:
        return _none("the pictures cannot be read")
    wanted = np.repeat(trial.cards[np.searchsorted(trial.rows, others)], _HELD_OUT_VIEWS)
    seen = seen.reshape(-1, seen.shape[2])
    few = trial.among(np.sort(order[:_CHOSEN_AMONG]))
    candidates = {shrinkage: learn(views, shrinkage) for shrinkage in SHRINKAGES}
    shrinkage = strongest(
        {each: judge(*few.nearest(seen, candidates[each]), wanted).top_1 for each in SHRINKAGES}
    )
    whitening = candidates[shrinkage]
    before, after = (judge(*trial.nearest(seen, each), wanted) for each in (None, whitening))
    used = after.quality > before.quality
    no_card = best_card(*trial.nearest(maker.of_no_card(_NO_CARDS), whitening))
    unknown = trial.left_out(np.sort(order[:_UNKNOWN]), whitening)
    about = {
        "used": used,
        "why_not": None if used else "it did not help",
        "seed": SEED,
        "sample": {
            "cards": learned_on,
            "views": VIEWS,
            "held_out_cards": len(others),
            "held_out_views": _HELD_OUT_VIEWS,
            "rows": len(trial.rows),
        },
        "shrinkage": shrinkage,
        "gain": {"top_1_before": round(before.top_1, 4), "top_1_after": round(after.top_1, 4)},
        "thresholds": _thresholds(after, unknown, *no_card) if used else None,
    }
    return BuildWhitening(about, whitening if used else None)


def strongest(top_1: dict[float, float]) -> float:
    """Return the largest shrinkage that is as good as the best, but for chance.

    What was not among the distortions is met better with more of it (Breiman et al.,
    "Classification and Regression Trees", 1984, choose so among trees).
    """
    best = max(top_1.values())
    return max(each for each, share in top_1.items() if share >= best - _CHANCE)


def _thresholds(
    views: Answers,
    scans: Answers,
    no_card_score: NDArray[np.float32],
    no_card_margin: NDArray[np.float32],
) -> dict[str, float | None]:
    """Return the score and margin from which on 99 of 100 answers are right, and what others reach.

    `noise_score` is the best that a picture of no card reaches, `missing_score` what 99 of 100
    views of cards that are not in the index do not, `unknown_scans` the number of scans asked.
    """
    found = choose_thresholds(
        views,
        np.concatenate([views.score_without, scans.score_without, no_card_score]),
        np.concatenate([views.margin_without, scans.margin_without, no_card_margin]),
        PRECISION,
    )
    score, margin = found or (None, None)
    missing = np.quantile(views.score_without, PRECISION)
    return {
        "score": score,
        "margin": margin,
        "noise_score": round(float(no_card_score.max()), 4),
        "missing_score": round(float(missing), 4),
        "unknown_scans": len(scans.right),
    }


def _report(about: dict[str, Any], report: Reporter) -> None:
    sample, gain = about["sample"], about["gain"]
    before, after = (safe_percentage(gain[key], 1) for key in ("top_1_before", "top_1_after"))
    report.info(
        f"Whitening: learned on {sample['cards']} cards × {sample['views']} views with shrinkage"
        f" {about['shrinkage']:g}; views of {sample['held_out_cards']} other cards find their card"
        f" in {after} instead of {before}" + ("" if about["used"] else ": it stays off")
    )
