"""What the measurements need, made once in a directory that is removed: pictures, cards, vectors.

A cache of real size comes into being as a user's does: a Scryfall of our own serves the cards, and
`download_images.py` fetches them.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import random
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.engines import ENGINES, EngineFlags, model_flags, prepare
from devtools.benchmarks.processes import Run, RunFailedError, run_command, task_command
from devtools.drawn_cards.cards import deck, image_faces
from devtools.scryfall.process import ROOT, quiet_scryfall
from helpers.errors import DataError
from helpers.packages import not_installed

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from contextlib import ExitStack

    from PIL import Image

    from helpers.cards.face_list import FaceList
    from helpers.report import Reporter

_CARDS_FILE, _IMAGES_FILE = "cards.jsonl", "images.csv"
KIND, VERSION = "unique_artwork", "normal"
_DRAWN = 24  # cards that are drawn; the others are variations of them
_NOISE = 7.0  # standard deviation: it makes a drawn JPEG as large as a scan, about 110 kB
_QUALITY = 90
_CARD_BYTES = 4900  # of a card object of Scryfall's, on average
_FREEDOM = 24  # degrees of freedom of the synthetic vectors


class Material:
    """What the measurements share; every piece is made when it is first asked for.

    Args:
        args: the flags, already validated.
        folder: an empty directory that is removed afterwards.
        closing: ends what has to be ended, such as servers.
        report: hears what is being made.

    Raises:
        DataError: of every property: something could not be made.
    """

    def __init__(self, args: Namespace, folder: Path, closing: ExitStack, report: Reporter) -> None:
        self.args = args
        self.folder = folder
        self.closing = closing
        self.model = model_flags(args)
        #: Of the environment of everything that runs a model.
        self.variables = {"MTG_ENCODER_CACHE": str(folder / "encoders")}
        self._report = report

    @cached_property
    def served(self) -> tuple[str, ...]:
        """The arguments that make `serve_scryfall.py` serve `--images` pictures."""
        self._report.info(f"Preparing {self.args.images:,} pictures")
        self.task(prepare_pictures, self.folder, self.args.images, self.args.cache, self.args.seed)
        return (
            *("--cards", str(self.folder / _CARDS_FILE)),
            *("--images", str(self.folder / _IMAGES_FILE)),
        )

    @cached_property
    def cache(self) -> Path:
        """An image cache that holds all of them, as a download leaves it."""
        folder = self.folder / "cache"
        with quiet_scryfall(*self.served) as url:
            self.run("download_images.py", "--cache", folder, "--scryfall-api", url, "--quiet")
        return folder

    @cached_property
    def bulk(self) -> Path:
        """A gzipped JSONL of `--cards` cards, each as long as Scryfall's."""
        self._report.info(f"Preparing {self.args.cards:,} cards")
        path = self.folder / "bulk.jsonl.gz"
        self.task(prepare_bulk, path, self.args.cards, self.args.seed)
        return path

    @cached_property
    def engines(self) -> dict[EngineFlags, str]:
        """The engines that were asked for, and why one cannot run here; empty where it can."""
        wanted = [each for each in ENGINES if each.name in self.args.engines]
        return {each: not_installed(*each.needs) or self._prepared(each) for each in wanted}

    def _prepared(self, engine: EngineFlags) -> str:
        """Let an engine make what it makes only once; return what goes wrong, if anything."""
        self._report.info(f"Preparing {engine.name}")
        try:
            self.task(prepare, [*self.model, *engine.flags], self.cache)
        except DataError as error:
            return f"cannot be used: {error.details}"
        return ""

    def vectors(self, dimension: int) -> Path:
        """Return a file of `--vectors` unit vectors, float32 [n, dimension]."""
        path = self.folder / f"vectors-{dimension}.npy"
        if not path.exists():
            self.task(prepare_vectors, path, self.args.vectors, dimension, self.args.seed)
        return path

    def run(self, script: str, *arguments: object) -> None:
        """Run a script of the project, untimed.

        Raises:
            DataError: it fails.
        """
        self._run([sys.executable, str(ROOT / script), *map(str, arguments)], script)

    def task(self, task: Callable[..., dict[str, Any]], *options: Any) -> dict[str, Any]:
        """Call a function in a process of its own, untimed, and return its answer.

        A process starts with the peak memory of the one that started it. So this one stays small,
        or its own peak would be shown for theirs.

        Raises:
            DataError: it fails.
        """
        return self._run(task_command(task, *options), task.__name__).answer()

    def _run(self, command: list[str], name: str) -> Run:
        try:
            return run_command(command, variables=self.variables)
        except RunFailedError as error:
            raise DataError(
                "the measurements cannot be prepared",
                details=f"{name}: {error}",
                suggestion="look at what is named above; --parts leaves parts out",
            ) from error


def read_faces(cache: Path) -> FaceList:
    """Return the faces of a cache that `Material` made."""
    from helpers.cards.face_list import list_path, read_list

    faces = read_list(list_path(cache, KIND, VERSION))
    if faces is None:
        raise DataError(f"there is no list of faces in {cache}")
    return faces


# --- in a process of its own -----------------------------------------------------------------


def prepare_pictures(folder: str, count: int, cache: str | None, seed: int) -> dict[str, Any]:
    """Write cards, and a list of the files that are their pictures; return `pictures`."""
    cards = deck(count, seed)
    pictures = _found(cache, count, seed) if cache else _draw(Path(folder), count, seed)
    with (Path(folder) / _IMAGES_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "scryfall_id", "face"))
        for (card, face), picture in zip(
            image_faces(cards), itertools.cycle(pictures), strict=False
        ):
            writer.writerow((picture, card["id"], face))
    lines = (json.dumps(card, ensure_ascii=False) + "\n" for card in cards)
    (Path(folder) / _CARDS_FILE).write_text("".join(lines), encoding="utf-8")
    return {"pictures": len(pictures)}


def _found(cache: str, count: int, seed: int) -> list[Path]:
    from helpers.images.cache import ImageCache

    found = [path.absolute() for path in ImageCache(cache).images()]
    if not found:
        raise SystemExit(f"there are no pictures in {cache}")
    return random.Random(seed).sample(found, min(count, len(found)))


def _draw(folder: Path, count: int, seed: int) -> list[Path]:
    """Return `count` JPEGs: a few drawn cards, and variations of them, no two alike."""
    from devtools.drawn_cards.drawing import draw

    faces = itertools.islice(image_faces(deck(min(count, _DRAWN), seed)), _DRAWN)
    drawn = [draw(card, face, VERSION).convert("RGB") for card, face in faces]
    paths = []
    for number in range(count):
        paths.append(folder / f"drawn-{number}.jpg")
        varied = _varied(drawn[number % len(drawn)], seed + number)
        varied.save(paths[-1], "JPEG", quality=_QUALITY)
    return paths


def _varied(picture: Image.Image, seed: int) -> Image.Image:
    """Return the picture with the grain of a scan."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(picture, dtype=np.float32)
    grain = np.random.default_rng(seed).standard_normal(pixels.shape[:2], dtype=np.float32)
    grained = np.clip(pixels + _NOISE * grain[:, :, None], 0, 255)
    return Image.fromarray(grained.astype(np.uint8))


def prepare_bulk(path: str, count: int, seed: int) -> dict[str, Any]:
    """Write a gzipped JSONL of so many cards; return `cards`."""
    rng = random.Random(seed)
    cards = deck(count, seed)[:count]
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
        file.writelines(json.dumps(_lengthened(card, rng)) + "\n" for card in cards)
    return {"cards": len(cards)}


def _lengthened(card: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a card with as many values, and as long a line, as one of Scryfall's."""
    legal = ("legal", "not_legal")
    longer = {
        **card,
        "legalities": {f"format_{number}": rng.choice(legal) for number in range(21)},
        "prices": {f"price_{number}": f"{rng.uniform(0, 9):.2f}" for number in range(6)},
        **{f"flag_{number}": rng.random() < 1 / 2 for number in range(12)},
    }
    room = max(0, _CARD_BYTES - len(json.dumps(longer)))
    links = (f"https://shop.invalid/cards?id={rng.getrandbits(400):0100x}" for _ in range(room))
    return {**longer, "links": list(itertools.islice(links, room // 134))}


def prepare_vectors(path: str, count: int, dimension: int, seed: int) -> dict[str, Any]:
    """Write unit vectors with few degrees of freedom, as pictures of cards have; return `rows`."""
    import numpy as np

    from helpers.model.unit_vectors import normalize

    rng = np.random.default_rng(seed)
    freedom = min(_FREEDOM, dimension)
    basis = rng.standard_normal((freedom, dimension), dtype=np.float32)
    points = rng.standard_normal((count, freedom), dtype=np.float32)
    np.save(path, normalize(points @ basis))
    return {"rows": count}
