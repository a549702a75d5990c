"""What needs no model: the list of all cards, a picture before it is embedded, a photo."""

import gzip
import io
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.material import VERSION, Material, build_arguments
from devtools.benchmarks.processes import task_command

#: Input of every CLIP of OpenAI's: https://github.com/openai/CLIP
_SIDE = 224
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_PLAIN = "Pillow alone, to RGB"
_CARDS = 9  # in the photo


def bulk(material: Material) -> list[Contender]:
    """Return how the scripts read a bulk file, beside the least that reading it can take."""
    plain, ours = "json.loads per line of the gzip stream", "into faces, as the scripts do"
    note, path = f"{material.args.cards:,} cards", material.bulk
    return [
        Contender("bulk", plain, "s", partial(task_command, parse_lines, path), note=note),
        Contender("bulk", ours, "s", partial(task_command, find_faces, path), to=plain, note=note),
    ]


def decode(material: Material) -> list[Contender]:
    """Return what a build does to a picture before the model, beside the bare decoder."""
    task, name = partial(task_command, time_build, material.cache), "decode, validate, preprocess"
    return [
        Contender("decode", _PLAIN, "ms", partial(task, "decode")),
        Contender("decode", name, "ms", partial(task, "prepare"), to=_PLAIN),
    ]


def photos(material: Material) -> list[Contender]:
    """Return the steps for a photo of nine cards, without the model."""
    steps = {
        f"find: outlines in a photo of {_CARDS} cards": "find",
        "rectify and equalise one card": "rectify",
        "verify one card, features of crop and scan new": "verify",
    }
    task = partial(task_command, time_photo, material.cache)
    return [Contender("photo", name, "ms", partial(task, step)) for name, step in steps.items()]


# --- in a process of its own: seconds for a file, the median in milliseconds for pictures -----


def parse_lines(path: str, _scratch: str) -> float:
    """Parse every line of a bulk file; return seconds."""
    start = time.perf_counter()
    with gzip.open(path) as file:
        for line in file:
            json.loads(line)
    return time.perf_counter() - start


def find_faces(path: str, scratch: str) -> float:
    """Write the list of faces of a bulk file; return seconds."""
    from helpers.cards.face_list import write_faces

    start = time.perf_counter()
    write_faces(Path(path), "0" * 64, Path(scratch) / "faces.jsonl", VERSION)
    return time.perf_counter() - start


def time_build(cache: str, step: str, _scratch: str) -> float:
    """Decode the pictures of a cache, which are in memory, or make a model's input of them."""
    from PIL import Image

    from helpers.images.preprocess import Preprocessing, load_checked_rgb, prepare

    args, files = build_arguments([]), [path.read_bytes() for path in Path(cache).glob("*.jpg")]
    how = Preprocessing(args.fit, args.size, _SIDE, _MEAN, _STD, resizes=1)
    steps = {
        "decode": lambda data: Image.open(io.BytesIO(data)).convert("RGB"),
        "prepare": lambda data: prepare(load_checked_rgb(data, ".jpg"), how),
    }
    return _median(steps[step], files)


def time_photo(cache: str, step: str, _scratch: str) -> float:
    """Do one step to a photo, for each card in it."""
    import numpy as np

    from helpers.evaluation.scenes import compose
    from helpers.images.preprocess import load_image_rgb
    from helpers.photo import detect, homography, local_features, rectify
    from helpers.query.comparison import CROP, CROP_FEATURES

    scans = [load_image_rgb(path) for path in sorted(Path(cache).glob("*.jpg"))[:_CARDS]]
    photo, corners = compose(scans, 0)
    pixels = np.asarray(photo)

    def verify(card: int) -> object:
        crop = rectify.rectify(pixels, corners[card], CROP)
        features = local_features.extract(crop, CROP_FEATURES)
        return homography.verify(features, local_features.of_scan(np.asarray(scans[card])))

    steps = {
        "find": lambda _: detect.find_quads(pixels),
        "rectify": lambda card: rectify.equalise(rectify.rectify(pixels, corners[card])),
        "verify": verify,
    }
    return _median(steps[step], range(len(scans)))


def _median(work: Callable[[Any], object], inputs: Sequence[Any]) -> float:
    seconds = []
    for each in (inputs[0], *inputs):
        start = time.perf_counter()
        work(each)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[1:])
