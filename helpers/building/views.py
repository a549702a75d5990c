"""Distorted views of the pictures of a build, embedded: what photos of these cards would become."""

import contextlib
from collections.abc import Callable
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers.building.inputs import Inputs
from helpers.cards.face_list import faces_of_rows
from helpers.images.distort import distort
from helpers.images.non_cards import non_card
from helpers.images.preprocess import load_image_rgb, prepare
from helpers.images.scan import Scan
from helpers.model.embedder import Embedder
from helpers.parallel import bounded_map, cpu_count
from helpers.report import Reporter
from helpers.validation import InvalidImageError

_SIDE = 240  # pixels of a longer side: distorting costs time, and models see little more
#: The most of each distortion in a view, and the share of views that have it.
DISTORTIONS = {
    "sleeve": (0.4, 0.2),
    "glare": (0.5, 0.4),
    "tilt": (0.3, 0.7),
    "perspective": (0.4, 0.7),
    "background": (0.3, 0.6),
    "low_light": (0.5, 1),
    "colour_cast": (1.0, 1),
    "contrast": (1.0, 1),
    "blur": (0.6, 0.7),
    "jpeg": (0.7, 1),
}


class ViewMaker:
    """Makes views and embeds them; the same pictures give the same vectors."""

    def __init__(self, inputs: Inputs, scan: Scan, embedder: Embedder, report: Reporter) -> None:
        self._inputs, self._scan = inputs, scan
        self._embedder, self._report = embedder, report

    def of_cards(
        self, rows: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return int64 [m], those of the ascending rows whose picture can be read, and their views.

        The views are float32 [m, count, D], each distorted by other amounts.
        """
        faces = faces_of_rows(self._inputs.faces, self._scan.faces[rows])
        paths = [self._inputs.cache.path(face.image_file) for face in faces]

        def distorted(place: int) -> list[Image.Image]:
            image = _shrunk(load_image_rgb(paths[place]))
            seed = int.from_bytes(self._scan.sha256[rows[place], :6].tobytes())
            return [distort(image, amounts(each), each) for each in range(seed, seed + count)]

        found = self._embedded(len(rows), distorted)
        kept = np.array(sorted(found), dtype=np.int64)
        views = np.array([found[place] for place in kept], dtype=np.float32)
        return rows[kept], views.reshape(len(kept), count, self._embedder.dim)

    def of_no_card(self, count: int) -> NDArray[np.float32]:
        """Return float32 [count, D] of drawn pictures that show no card."""
        found = self._embedded(count, lambda seed: [_shrunk(non_card(seed))])
        return np.concatenate([found[seed] for seed in range(count)])

    def _embedded(
        self, count: int, make: Callable[[int], list[Image.Image]]
    ) -> dict[int, NDArray[np.float32]]:
        """Return by number the views float32 [m, D] of each picture that can be made.

        All views of a picture go through in one pass, so that their number never varies.
        """
        embedder = self._embedder
        embedder.use_threads(1)
        found = {}

        def embed(number: int) -> None:
            with contextlib.suppress(InvalidImageError):
                pixels = [prepare(image, embedder.preprocessing) for image in make(number)]
                found[number] = embedder.embed(np.stack(pixels))

        results = bounded_map(embed, range(count), cpu_count())
        showing = self._report.progress(count, "Looking at distorted views", "pictures")
        with showing as progress, contextlib.closing(results):
            for _ in results:
                progress.advance()
        return found


def amounts(seed: int) -> dict[str, float]:
    """Return how much of each distortion goes into the view of that seed."""
    chance = Random(f"amounts/{seed}")
    return {
        kind: chance.uniform(0, most)
        for kind, (most, share) in DISTORTIONS.items()
        if chance.random() < share
    }


def _shrunk(image: Image.Image) -> Image.Image:
    image.thumbnail((_SIDE, _SIDE))
    return image
