"""What one picture costs before a model sees it: reading, checking, shrinking."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender, Series
from devtools.benchmarks.processes import task_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from devtools.benchmarks.material import Material

PLAIN = "Pillow alone, to RGB"
_SUFFIX = ""  # whatever format the content has
#: Input of every CLIP of OpenAI's: https://github.com/openai/CLIP
_SIDE = 224
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_WORK = {
    PLAIN: "plain",
    "decode: load_image_rgb": "decode",
    "validate: validate_image": "validate",
    "decode and validate at once: load_checked_rgb": "checked",
    "preprocess: prepare": "preprocess",
}


def contenders(material: Material) -> list[Contender]:
    """Return what is done to a picture, one step each, beside the bare decoder."""
    return [_contender(material, name, what) for name, what in _WORK.items()]


def _contender(material: Material, name: str, what: str) -> Contender:
    series = Series(
        name,
        "ms/image",
        lambda run: float(run.answer()["ms"]),
        to="" if name == PLAIN else PLAIN,
        note="one thread" + (f", to {_SIDE} × {_SIDE} pixels" if what == "preprocess" else ""),
    )
    command = task_command(time_images, material.cache, what)
    return Contender("decode", lambda _: command, (series,))


# --- in a process of its own -----------------------------------------------------------------


def time_images(cache: str, what: str) -> dict[str, Any]:
    """Do one step to every image of a cache, whose files are in memory; return `ms` per image."""
    from helpers.images.cache import ImageCache

    files = [path.read_bytes() for path in ImageCache(cache).images()]
    step, inputs = _step(what, files)
    step(inputs[0])
    start = time.perf_counter()
    for each in inputs:
        step(each)
    return {"ms": 1000 * (time.perf_counter() - start) / len(inputs)}


def _step(what: str, files: list[bytes]) -> tuple[Callable[[Any], Any], list[Any]]:
    from PIL import Image

    from helpers.images.preprocess import load_checked_rgb, load_image_rgb, prepare
    from helpers.validation import validate_image

    if what == "preprocess":
        how = _preprocessing()
        return lambda image: prepare(image, how), [load_image_rgb(data) for data in files]
    steps: dict[str, Callable[[bytes], object]] = {
        "plain": lambda data: Image.open(io.BytesIO(data)).convert("RGB"),
        "decode": load_image_rgb,
        "validate": lambda data: validate_image(data, _SUFFIX),
        "checked": lambda data: load_checked_rgb(data, _SUFFIX),
    }
    return steps[what], files


def _preprocessing() -> Any:
    from devtools.benchmarks.engines import build_arguments
    from helpers.images.preprocess import Preprocessing

    args = build_arguments([])
    return Preprocessing(args.fit, args.size, _SIDE, _MEAN, _STD)
