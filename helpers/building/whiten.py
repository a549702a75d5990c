"""The whitening of a build: learned from views of its own cards, kept while the model stays.

Which pictures are looked at depends on their content alone, so the same cards give the same
whitening. It is learned on some of them, and its strength chosen and its gain measured on others.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from helpers.index.publish import INDEX
from helpers.index.rows import BLOCK
from helpers.index.view_answers import DEPTH, choose_thresholds, judge, quality
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
#: What the manifest says of a whitening, and the whitening, None for none.
Learned = tuple[dict[str, Any], Whitening | None]
#: What vectors, float32 [n, D], go through before they are compared.
Map = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Trial:
    """What views are searched among: the `rows` of the store, int64 [n], and the card of each.

    `order`, int64 [m], are places of the distinct pictures among the rows, see `by_content`.
    """

    store: VectorStore
    rows: NDArray[np.int64]
    cards: NDArray[np.int64]
    order: NDArray[np.int64]

    def answers(
        self, views: NDArray[np.float32], wanted: NDArray[np.int64], seen_by: Map
    ) -> NDArray[Any]:
        """Return what comes of views float32 [q, D] of the cards int64 [q]: `ANSWER` [q]."""
        blocks = (
            (start, seen_by(self.store.read(self.rows[start : start + BLOCK])))
            for start in range(0, len(self.rows), BLOCK)
        )
        scores, places = nearest(blocks, seen_by(views), min(DEPTH, len(self.rows)))
        return judge(scores, self.cards[places], wanted)


def whitening_of_build(
    inputs: Inputs, scan: Scan, embedder: Embedder, store: VectorStore, report: Reporter
) -> Learned:
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
    trial = _Trial(store, rows, _cards_of(inputs, scan.faces[rows]), order)
    maker = ViewMaker(inputs, scan, embedder, report)
    about, whitening = _learn(trial, learned_on, maker)
    about["seconds"] = round(time.monotonic() - start, 1)
    if "gain" in about:
        _report(about, report)
    return about, whitening


def by_content(sha256: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return int64 [m], one place of each distinct picture, in an order that `SEED` decides.

    `sha256` is uint8 [n, 32], of the image files.
    """
    mask = np.random.default_rng(SEED).integers(0, 256, 8, dtype=np.uint8)
    keys = np.ascontiguousarray(sha256[:, :8] ^ mask).view(">u8")[:, 0]
    return np.unique(keys, return_index=True)[1]


def sample_size(distinct: int) -> int:
    """Return how many of the distinct pictures are learned on; 0 for too few."""
    return 0 if distinct < LEAST else min(CARDS, 2 * distinct // 3)


def _none(why_not: str) -> Learned:
    sample = {"cards": 0, "views": 0}
    return {"used": False, "why_not": why_not, "seed": SEED, "sample": sample}, None


def _last(inputs: Inputs, fingerprint: dict[str, Any], learned_on: int) -> Learned | None:
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
            return about, None
        # Thresholds that were measured without them let too much pass.
        if "unknown_scans" not in about["thresholds"] or damage(out, last, (INDEX,)) is not None:
            return None
        whitening = worker_process.call(read_whitening, (out / INDEX).absolute())
    except (DataError, KeyError, TypeError):
        return None
    return None if whitening is None else (about, whitening)


def _cards_of(inputs: Inputs, faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return int64 [n], a number for each row's name: printings of one card have the same."""
    numbers: dict[str, int] = {}
    names = (face.name for face in faces_of_rows(inputs.faces, faces))
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _learn(trial: _Trial, learned_on: int, maker: ViewMaker) -> Learned:
    store, rows, cards, order = trial.store, trial.rows, trial.cards, trial.order
    chosen, views = maker.of_cards(np.sort(rows[order[:learned_on]]), VIEWS - 1)
    views = np.concatenate([views, store.read(chosen)[:, None]], axis=1)
    others = np.sort(rows[order[learned_on : learned_on + _HELD_OUT]])
    others, seen = maker.of_cards(others, _HELD_OUT_VIEWS)
    if min(len(chosen), len(others)) < LEAST // 4:
        return _none("the pictures cannot be read")
    wanted = np.repeat(cards[np.searchsorted(rows, others)], _HELD_OUT_VIEWS)
    seen = seen.reshape(-1, seen.shape[2])
    places = np.sort(order[:_CHOSEN_AMONG])
    few = replace(trial, rows=rows[places], cards=cards[places])
    candidates = {shrinkage: learn(views, shrinkage) for shrinkage in SHRINKAGES}
    shrinkage = strongest(
        {each: quality(few.answers(seen, wanted, candidates[each].apply))[0] for each in SHRINKAGES}
    )
    before = quality(trial.answers(seen, wanted, np.asarray))
    after, thresholds = _measure(trial, candidates[shrinkage], seen, wanted, maker)
    used = after > before
    about = {
        "used": used,
        "why_not": None if used else "it did not help",
        "seed": SEED,
        "sample": {
            "cards": learned_on,
            "views": VIEWS,
            "held_out_cards": len(others),
            "held_out_views": _HELD_OUT_VIEWS,
            "rows": len(rows),
        },
        "shrinkage": shrinkage,
        "gain": {"top_1_before": round(before[0], 4), "top_1_after": round(after[0], 4)},
        "thresholds": thresholds if used else None,
    }
    return about, candidates[shrinkage] if used else None


def _measure(
    trial: _Trial,
    whitening: Whitening,
    seen: NDArray[np.float32],
    wanted: NDArray[np.int64],
    maker: ViewMaker,
) -> tuple[tuple[float, float], dict[str, float | int | None]]:
    """Return the `quality` of the answers to views `seen` of the cards `wanted`, and thresholds.

    What is not in the index is told of by the same views and the scans without their own cards,
    and by pictures of no card.
    """
    places = np.sort(trial.order[:_UNKNOWN])
    asked = [seen, maker.of_no_card(_NO_CARDS), trial.store.read(trial.rows[places])]
    shown = [wanted, np.full(_NO_CARDS, -1), trial.cards[places]]
    # In one pass over all rows.
    found = trial.answers(np.concatenate(asked), np.concatenate(shown), whitening.apply)
    answers, no_cards = found[: len(seen)], found[len(seen) :][:_NO_CARDS]
    score, margin = choose_thresholds(answers, found, PRECISION) or (None, None)
    return quality(answers), {
        "score": score,
        "margin": margin,
        "noise_score": round(float(no_cards["score_without"].max()), 4),
        "missing_score": round(float(np.quantile(answers["score_without"], PRECISION)), 4),
        "unknown_scans": len(places),
    }


def strongest(top_1: dict[float, float]) -> float:
    """Return the largest shrinkage that is as good as the best, but for chance.

    What was not among the distortions is met better with more of it (Breiman et al.,
    "Classification and Regression Trees", 1984, choose so among trees).
    """
    best = max(top_1.values())
    return max(each for each, share in top_1.items() if share >= best - _CHANCE)


def _report(about: dict[str, Any], report: Reporter) -> None:
    sample, gain = about["sample"], about["gain"]
    before, after = (safe_percentage(gain[key], 1) for key in ("top_1_before", "top_1_after"))
    report.info(
        f"Whitening: learned on {sample['cards']} cards × {sample['views']} views with shrinkage"
        f" {about['shrinkage']:g}; views of {sample['held_out_cards']} other cards find their card"
        f" in {after} instead of {before}" + ("" if about["used"] else ": it stays off")
    )
