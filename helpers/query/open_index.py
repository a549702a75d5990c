"""The Python API: open an index, ask it pictures.

    from helpers import open_index

    index = open_index("index_out")
    answer = index.ask("photo.jpg")
    print(answer.cards[0].verdict, answer.cards[0].hits[0]["name"])

The scripts use the same object. It may be used by one thread at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from helpers.packages import not_installed
from helpers.query.answer import Answer
from helpers.query.options import QueryOptions
from helpers.query.photo_file import load_photo
from helpers.query.recognise import Recogniser
from helpers.query.scans import Scans
from helpers.query.searcher import Searcher
from helpers.report import Reporter

if TYPE_CHECKING:
    from helpers.query.inputs import Picture
    from helpers.query.title_answers import TitleSearch

Source = Path | str | bytes | Image.Image | np.ndarray


class OpenIndex:
    """An index, its encoder and the scans of its cards, ready to be asked.

    Args:
        options: how to search.
        report: hears what the index is, and warnings.

    Raises:
        DataError: the index or its model cannot be used, or do not fit each other.
    """

    def __init__(self, options: QueryOptions, report: Reporter) -> None:
        self.searcher = Searcher(options, report)
        built_from = Path(self.searcher.index.manifest["parameters"]["cache"])
        self.cache = options.cache or built_from
        scans = Scans(self.searcher.index, self.cache, wanted=options.verify)
        self._recogniser = Recogniser(self.searcher, scans, report, self._titles(scans))

    def _titles(self, scans: Scans) -> TitleSearch | None:
        options = self.searcher.options
        if not options.titles or options.whole or not_installed("cv2", "onnxruntime", "rapidocr"):
            return None
        from helpers.query.title_answers import TitleSearch

        return TitleSearch(self.searcher, scans)

    def ask(self, source: Source) -> Answer:
        """Return the cards in a picture.

        Args:
            source: a path, the content of a picture file, a Pillow image, or uint8 [height, width,
                3] in RGB.

        Raises:
            InvalidImageError: it is no picture that can be read.
        """
        if isinstance(source, np.ndarray):
            picture = Image.fromarray(source).convert("RGB")
        elif isinstance(source, Image.Image):
            picture = source.convert("RGB")
        else:
            picture = load_photo(source if isinstance(source, bytes) else Path(source))
        name = str(source) if isinstance(source, Path | str) else type(source).__name__
        return self._answer(name, picture)

    def answer(self, picture: Picture, *, keep_image: bool = False) -> Answer:
        """Return the answer to a picture that was named on a command line, readable or not.

        Args:
            picture: what was read.
            keep_image: leave a small copy in the answer, for a sheet.
        """
        if picture.image is None:
            return Answer(picture.name, picture.error)
        answer = self._answer(picture.name, picture.image)
        answer.digest = picture.digest
        if keep_image:
            from helpers.query.output.sheet_photo import small_copy

            answer.image = small_copy(picture.image)
        return answer

    def ask_text(self, text: str) -> Answer:
        """Return the cards whose pictures a sentence describes.

        Raises:
            DataError: the model has no trained text tower.
        """
        return self.searcher.ask_text(text)

    def to_json(self) -> dict[str, Any]:
        """Return what a document says of the index."""
        return self.searcher.to_json()

    def _answer(self, name: str, picture: Image.Image) -> Answer:
        cards = self._recogniser.cards_in(picture)
        return Answer(name, None, picture.width, picture.height, cards)


def open_index(directory: Path | str, **options: Any) -> OpenIndex:
    """Open the index that a build left in `directory`.

    Args:
        directory: the output directory of a build.
        options: further fields of `helpers.query.options.QueryOptions`, such as `k=10`.

    Raises:
        DataError: the index or its model cannot be used.
    """
    return OpenIndex(QueryOptions(index=Path(directory), **options), Reporter(quiet=True))
