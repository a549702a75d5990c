"""The Python API: open an index, ask it pictures.

    from helpers import open_index

    index = open_index("index_out")
    answer = index.ask("photo.jpg")
    print(answer.cards[0].verdict, answer.cards[0].hits[0]["name"])

The scripts use the same object. It may be used by one thread at a time.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.packages import is_here
from helpers.query.answer import Answer, Found
from helpers.query.inputs import Picture
from helpers.query.options import QueryOptions
from helpers.query.photo_file import load_photo
from helpers.query.searcher import Searcher
from helpers.report import Reporter

Source = Path | str | bytes | Image.Image | np.ndarray


class OpenIndex:
    """An index, its encoder and the scans of its cards, ready to be asked.

    Raises:
        DataError: the index or its model cannot be used, or do not fit each other.
    """

    def __init__(self, options: QueryOptions, report: Reporter) -> None:
        self.searcher = Searcher(options, report)
        built_from = Path(self.searcher.index.manifest["parameters"]["cache"])
        self.cache = options.cache or built_from
        self._cards_in = self._whole_card
        if is_here("cv2"):
            from helpers.query.recognise import recogniser

            self._cards_in = recogniser(self.searcher, self.cache).cards_in
        else:
            report.info(
                "OpenCV is not installed: each picture is taken as one upright card, and nothing is"
                " verified; pip install opencv-python-headless"
            )

    def ask(self, source: Source) -> Answer:
        """Return the cards in a picture.

        Args:
            source: a path, the content of a picture file, a Pillow image, or uint8 [height, width,
                3] in RGB.

        Raises:
            InvalidImageError: it is no picture that can be read.
        """
        name = str(source) if isinstance(source, Path | str) else type(source).__name__
        if isinstance(source, np.ndarray):
            source = Image.fromarray(source)
        image = source.convert("RGB") if isinstance(source, Image.Image) else load_photo(source)
        return self.answer(Picture(name, image))

    def answer(self, picture: Picture) -> Answer:
        """Return the answer to a picture, readable or not."""
        image = picture.image
        if image is None:
            return Answer(picture.name, picture.error)
        return Answer(picture.name, None, image.width, image.height, self._cards_in(image))

    def _whole_card(self, picture: Image.Image) -> tuple[Found, ...]:
        rows = self.searcher.rows(self.searcher.embed([picture]))
        return (self.searcher.judged(rows, alone=True),)


def open_index(directory: Path | str, **options: Any) -> OpenIndex:
    """Open the index that a build left in `directory`.

    The options are further fields of `helpers.query.options.QueryOptions`, such as `k=10`.

    Raises:
        DataError: the index or its model cannot be used.
    """
    return OpenIndex(QueryOptions(index=Path(directory), **options), Reporter(quiet=True))
