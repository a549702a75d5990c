"""What is done to a photo without a model: find outlines, cut cards out, compare with scans."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.processes import task_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devtools.benchmarks.material import Material

_CARDS, _CALLS = 9, 5


def photos(material: Material) -> list[Contender]:
    """Return the steps for one photo of nine cards."""
    steps = {
        "find: outlines in a photo of 1600 × 1200": "find",
        "rectify and equalise one card": "rectify",
        "verify one card, features of crop and scan new": "verify",
    }
    task = partial(task_command, time_step, material.cache)
    return [Contender("photo", name, "ms", partial(task, step)) for name, step in steps.items()]


def time_step(cache: str, step: str, _scratch: str) -> float:
    """Return the fastest of some calls, in milliseconds."""
    call, best = _step(cache, step), float("inf")
    for _ in range(_CALLS):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def _step(cache: str, step: str) -> Callable[[], Any]:
    import numpy as np

    from helpers.evaluation.scenes import compose
    from helpers.images.cache import ImageCache
    from helpers.images.preprocess import load_image_rgb
    from helpers.photo import colours, detect, homography, local_features, rectify
    from helpers.query.comparison import CROP, CROP_FEATURES

    paths: list[Path] = sorted(ImageCache(cache).images())[:_CARDS]
    scene = compose([load_image_rgb(path) for path in paths], 0)
    pixels, card = np.asarray(scene.photo), scene.placed[0]
    crop = rectify.rectify(pixels, card.corners, CROP)
    scan = np.asarray(load_image_rgb(paths[card.card]))
    return {
        "find": lambda: detect.find_quads(pixels),
        "rectify": lambda: colours.equalise(rectify.rectify(pixels, card.corners)),
        "verify": lambda: homography.verify(
            local_features.extract(crop, CROP_FEATURES), local_features.of_scan(scan)
        ),
    }[step]
