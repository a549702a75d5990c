"""Distorted views of the pictures of a build, embedded: what photos of these cards would become."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

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

Make = Callable[[Any], list[Image.Image]]


_SIDE = 240  # pixels of a longer side: distorting costs time, and models see little more
#: The most of each distortion in a view, and the share of views that have it, where not all have.
MOST = {
    "sleeve": 0.4,
    "glare": 0.5,
    "tilt": 0.3,
    "perspective": 0.4,
    "background": 0.3,
    "low_light": 0.5,
    "colour_cast": 1.0,
    "contrast": 1.0,
    "blur": 0.6,
    "jpeg": 0.7,
}
_SHARE = {
    "sleeve": 0.2,
    "glare": 0.4,
    "tilt": 0.7,
    "perspective": 0.7,
    "background": 0.6,
    "blur": 0.7,
}


class ViewMaker:
    """Makes views and embeds them; the same pictures give the same vectors."""

    def __init__(self, inputs: Inputs, scan: Scan, embedder: Embedder, report: Reporter) -> None:
        self._inputs, self._scan = inputs, scan
        self._embedder, self._report = embedder, report

    def of_cards(
        self, rows: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return those of the ascending rows int64 whose picture can be read, and their views.

        Returns:
            int64 [m] and float32 [m, count, D].
        """
        faces = faces_of_rows(self._inputs.faces, self._scan.faces[rows])
        paths = [self._inputs.cache.path(face.image_file) for face in faces]
        seeds = [int.from_bytes(self._scan.sha256[row, :6].tobytes()) for row in rows]
        pictures = list(zip(paths, seeds, strict=True))
        found = self._run(pictures, lambda picture: distorted(picture[0], picture[1], count))
        kept = np.array([vectors is not None for vectors in found], dtype=bool)
        views = [vectors for vectors in found if vectors is not None]
        shape = (len(views), count, self._embedder.dim)
        return rows[kept], np.concatenate(views or [np.zeros(0, np.float32)]).reshape(shape)

    def of_no_card(self, count: int) -> NDArray[np.float32]:
        """Return float32 [count, D] of drawn pictures that show no card."""
        found = self._run(list(range(count)), lambda seed: [_shrunk(non_card(seed))])
        return np.concatenate([vectors for vectors in found if vectors is not None])

    def _run(self, what: list[Any], make: Make) -> list[NDArray[np.float32] | None]:
        found: list[NDArray[np.float32] | None] = [None] * len(what)
        self._embedder.use_threads(1)
        results = bounded_map(
            lambda place: self._embed(what[place], make), range(len(what)), cpu_count()
        )
        showing = self._report.progress(len(what), "Looking at distorted views", "pictures")
        with showing as progress, closing(results):
            for place, vectors in results:
                found[place] = vectors
                progress.advance()
        return found

    def _embed(self, what: Any, make: Make) -> NDArray[np.float32] | None:
        """Embed all views of one picture in one pass, so that their number never varies."""
        try:
            images = make(what)
        except InvalidImageError:
            return None
        how = self._embedder.preprocessing
        return self._embedder.embed(np.stack([prepare(image, how) for image in images]))


def distorted(path: Path, seed: int, count: int) -> list[Image.Image]:
    """Return views of a picture, each distorted by other amounts.

    Raises:
        InvalidImageError: the picture cannot be read.
    """
    image = _shrunk(load_image_rgb(path))
    return [distort(image, amounts(seed + view), seed + view) for view in range(count)]


def amounts(seed: int) -> dict[str, float]:
    """Return how much of each distortion goes into the view of that seed."""
    chance = Random(f"amounts/{seed}")
    return {
        kind: chance.uniform(0, most)
        for kind, most in MOST.items()
        if chance.random() < _SHARE.get(kind, 1)
    }


def _shrunk(image: Image.Image) -> Image.Image:
    image.thumbnail((_SIDE, _SIDE))
    return image
