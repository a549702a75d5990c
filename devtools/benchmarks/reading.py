"""Reading: the list of all cards, and one picture before a model sees it."""

from __future__ import annotations

import gzip
import io
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender
from devtools.benchmarks.material import VERSION, build_arguments
from devtools.benchmarks.processes import task_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from devtools.benchmarks.material import Material

#: Input of every CLIP of OpenAI's: https://github.com/openai/CLIP
_SIDE = 224
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def bulk(material: Material) -> list[Contender]:
    """Return how the scripts read a bulk file, beside the least that reading it can take."""
    plain, ours = "json.loads per line of the gzip stream", "into faces, as the scripts do"
    note, path = f"{material.args.cards:,} cards", material.bulk
    return [
        Contender("bulk", plain, "s", partial(task_command, parse_lines, path), note=note),
        Contender("bulk", ours, "s", partial(task_command, find_faces, path), to=plain, note=note),
    ]


def decode(material: Material) -> list[Contender]:
    """Return what is done to a picture, one step each on one thread, beside the bare decoder."""
    plain = "Pillow alone, to RGB"
    steps = {
        plain: "plain",
        "decode and validate: load_checked_rgb": "checked",
        f"preprocess to {_SIDE} × {_SIDE}: prepare": "preprocess",
    }
    task, unit = partial(task_command, time_images, material.cache), "ms/image"
    return [
        Contender("decode", name, unit, partial(task, step), to="" if name == plain else plain)
        for name, step in steps.items()
    ]


# --- in a process of its own -----------------------------------------------------------------


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


def time_images(cache: str, step: str, _scratch: str) -> float:
    """Do one step to every image of a cache, whose files are in memory; return CPU ms an image."""
    from helpers.images.cache import ImageCache

    files = [path.read_bytes() for path in ImageCache(cache).images()]
    work, inputs = _work(step, files)
    work(inputs[0])
    start = time.process_time()
    for each in inputs:
        work(each)
    return 1000 * (time.process_time() - start) / len(inputs)


def _work(step: str, files: list[bytes]) -> tuple[Callable[[Any], object], list[Any]]:
    from PIL import Image

    from helpers.images.preprocess import Preprocessing, load_checked_rgb, load_image_rgb, prepare

    if step == "plain":
        return lambda data: Image.open(io.BytesIO(data)).convert("RGB"), files
    if step == "checked":
        return lambda data: load_checked_rgb(data, ""), files  # "": whatever format it has
    args = build_arguments([])
    how = Preprocessing(args.fit, args.size, _SIDE, _MEAN, _STD, resizes=1)
    return lambda image: prepare(image, how), list(map(load_image_rgb, files))
