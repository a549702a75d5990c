"""An opened index and its encoder: from pictures to vectors, from vectors to the nearest cards."""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers.errors import DataError
from helpers.images.preprocess import prepare
from helpers.index.card_index import CardIndex, Hit
from helpers.index.manifest import rebuild_command
from helpers.index.view_answers import Thresholds
from helpers.model.embedder import Embedder
from helpers.model.fingerprint import require_same_model
from helpers.model.options import ModelOptions
from helpers.model.own_encoder import ONNX_DIR
from helpers.model.torch_embedder import OpenClipEmbedder
from helpers.model.weights import fetch_weights
from helpers.packages import is_here
from helpers.query.answer import MATCH, NO_CARD, UNSURE, Answer, Corners, Evidence, Found
from helpers.query.grouping import group_hits, group_key
from helpers.query.options import QueryOptions
from helpers.report import Reporter
from helpers.stopwatch import Stopwatch

_ROWS_PER_GROUP = 4  # rows looked at per group asked for, at first


class Searcher:
    """An index and its encoder, ready to search.

    Attributes:
        times: where the time goes.
        listen: is told the vectors of every candidate that is searched for.

    Raises:
        DataError: the index or the model cannot be used, or do not fit each other.
    """

    def __init__(self, options: QueryOptions, report: Reporter) -> None:
        self.options, self.report = options, report
        self.times = Stopwatch()
        self.listen: Callable[[NDArray[np.float32]], None] = lambda _: None
        self.index = CardIndex(
            options.index,
            exact=options.exact,
            with_encoder=is_here("onnxruntime"),
            with_vectors=options.sentences or not options.whitened,
        )
        self.thresholds = Thresholds.of(self.index.manifest) if options.whitened else None
        self.ef_search = self.index.effective_ef_search(options.k, options.ef_search)
        self._describe()

    @functools.cached_property
    def _embedder(self) -> Embedder:
        """The encoder that came with the index, or else the model that it was built with."""
        return self.index.encoder or self._torch_embedder

    @functools.cached_property
    def _torch_embedder(self) -> OpenClipEmbedder:
        return _load_model(self.index.manifest, self.options.index, self.report)

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return float32 [n, D], rows of unit length, in one pass of the model."""
        with self.times.stage("embed"):
            how = self._embedder.preprocessing
            return self._embedder.embed(np.stack([prepare(picture, how) for picture in pictures]))

    def rows(self, vectors: NDArray[np.float32], least: int = 1) -> list[Hit]:
        """Return the rows of the nearest `k` cards, best first; `least` rows if there are so many.

        The vectors, float32 [n, D], are views of one picture; each row counts with its best one.
        """
        options = self.options
        wanted = max(least, options.k * (1 if options.group == "none" else _ROWS_PER_GROUP))
        with self.times.stage("search"):
            self.listen(vectors)
            rows = self._nearest(vectors, wanted)
            while wanted < self.index.vectors and len(self.grouped(rows)) < options.k:
                wanted *= _ROWS_PER_GROUP  # one card filled the list with its printings
                rows = self._nearest(vectors, wanted)
            return rows

    def _nearest(self, vectors: NDArray[np.float32], rows: int) -> list[Hit]:
        if self.options.whitened:
            found = self.index.search(vectors, rows, self.options.ef_search)
        else:
            found = self.index.search_unwhitened(vectors, rows)
        if len(found) == 1:
            return found[0][:rows]
        best: dict[int, Hit] = {}
        for hit in sorted(itertools.chain(*found), key=lambda hit: (-hit.score, hit.row)):
            best.setdefault(hit.row, hit)
        return list(best.values())[:rows]

    def grouped(self, found: Iterable[Hit]) -> list[dict[str, Any]]:
        """Return the records of rows, best first, one for each card (or art, or row)."""
        records = [
            {"rank": 0, "score": round(hit.score, 6), "row": hit.row, **self.index.card(hit.row)}
            for hit in found
        ]
        return group_hits(records, self.options.group, self.options.k)

    def is_same_card(self, row: int, other: int) -> bool:
        """Tell whether two rows are printings of one card."""
        first, second = self.index.card(row), self.index.card(other)
        return group_key(first, "card") == group_key(second, "card")

    def ask_text(self, text: str) -> Answer:
        """Answer a sentence with the pictures that it describes, by plain cosine.

        Raises:
            DataError: the model has no trained text tower.
        """
        vector = self._torch_embedder.embed_text([text])
        rows = _ROWS_PER_GROUP * self.options.k
        hits = self.grouped(self.index.search_unwhitened(vector, rows)[0])
        return Answer(text, cards=(Found(UNSURE, self.worth_showing(hits), evidence_of(hits)),))

    def worth_showing(self, hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the hits that reach `--min-score`."""
        least = self.options.min_score
        return [hit for hit in hits if least is None or hit["score"] >= least]

    def judged(self, rows: list[Hit], corners: Corners | None = None, *, alone: bool) -> Found:
        """Return what scores say of a place; a match only where nothing else could (`alone`)."""
        hits = self.grouped(rows)
        evidence, limits, shown = evidence_of(hits), self.thresholds, self.worth_showing(hits)
        if limits is None:
            return Found(UNSURE, shown, evidence, corners)
        if alone and limits.are_met(evidence.score, evidence.margin):
            return Found(MATCH, shown, evidence, corners, "score", "tied")
        is_noise = (evidence.score or -1.0) < limits.noise
        return Found(NO_CARD if is_noise else UNSURE, shown, evidence, corners)

    def to_json(self) -> dict[str, Any]:
        """Return what the `--json` document says of the index."""
        about = self.index.manifest["index"]
        is_plain = self.index.whitening is None or not self.options.whitened
        return {
            "type": "exact" if self.options.exact else about["type"],
            "metric": about["metric"],
            "scores": "cosine" if is_plain else "whitened cosine",
            "vectors": self.index.vectors,
            "dimension": self.index.dimension,
            "ef_search": None if self.options.exact else self.ef_search,
            "build_id": self.index.manifest["build_id"],
            "trained": self.index.manifest["model"]["trained"],
        }

    def _describe(self) -> None:
        about, manifest = self.to_json(), self.index.manifest
        search = f"efSearch={about['ef_search']}" if about["ef_search"] else "exact search"
        self.report.info(
            f"Index: {about['type']}, {about['metric']} ({about['scores']}), {about['vectors']:,}"
            f" vectors of dimension {about['dimension']}, {search}, built {manifest['timestamp']}"
        )
        if not manifest["model"]["trained"]:
            self.report.warning("the index was built on random weights: its answers mean nothing")
        if "whitening" not in manifest:
            self.report.info(
                "This index is of an older version, without whitening, which recognises photos far"
                " better; to get it, with no card embedded again, type: "
                + rebuild_command(manifest, self.options.index)
            )


def evidence_of(hits: Sequence[dict[str, Any]], inliers: int | None = None) -> Evidence:
    """Return what grouped hits, best first, say for the first of them."""
    if not hits:
        return Evidence(inliers, None, None)
    rest = hits[1]["score"] if len(hits) > 1 else -1.0
    return Evidence(inliers, hits[0]["score"], round(hits[0]["score"] - rest, 6))


def _load_model(manifest: dict[str, Any], out: Path, report: Reporter) -> OpenClipEmbedder:
    """Load the model of the manifest in `out` through torch, and make sure that it is the same."""
    model, shape = manifest["model"], manifest["model"]["preprocessing"]
    if model["model"].startswith(ONNX_DIR):
        raise DataError(
            "the index was built with an exported image encoder",
            details="it knows no sentences, and runs only with onnxruntime",
            suggestion="ask with a picture; pip install -r requirements-query.txt",
        )
    options = ModelOptions(
        model=model["model"],
        pretrained=model["pretrained"],
        device="auto",
        precision="fp32",
        size=shape["size"],
        fit=shape["fit"],
        resizes=shape.get("resizes", 2),
    )
    again = rebuild_command(manifest, out)
    _require_weights_file(options, again)
    if model["precision"] != "fp32" and not is_here("onnxruntime"):
        report.warning(
            f"the index is {model['precision']}, and without onnxruntime queries are fp32:"
            " scores differ a little"
        )
    fetch_weights(options, report)
    embedder = OpenClipEmbedder(options)
    require_same_model(model, embedder.fingerprint, again)
    return embedder


def _require_weights_file(options: ModelOptions, again: str) -> None:
    path = Path(options.pretrained)
    if path.is_absolute() and not path.is_file():
        raise DataError(
            "the weights that the index was built with are gone",
            details=f"no such file: {path}",
            suggestion=f"put the file back, or build the index anew with other weights: {again}",
        )
