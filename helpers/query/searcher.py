"""An opened index that answers pictures and sentences."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.errors import DataError
from helpers.images.preprocess import prepare
from helpers.index.card_index import CardIndex, Hit
from helpers.model.fingerprint import require_same_model
from helpers.model.options import ModelOptions
from helpers.packages import is_here
from helpers.query.grouping import group_hits
from helpers.query.thresholds import Thresholds, load_thresholds

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from PIL import Image

    from helpers.model.embedder import Embedder
    from helpers.model.torch_embedder import OpenClipEmbedder
    from helpers.query import inputs
    from helpers.report import Reporter

    #: Returns hits for each turn of a query, as many as are wanted.
    Search = Callable[[int], list[list[Hit]]]

_TURNS = (0, 90, 180, 270)  # degrees, counter-clockwise
_CANDIDATES = 4  # rows looked at per group asked for, at first


@dataclass(slots=True)
class Answer:
    """What came of one query: hits, or the reason why there are none.

    `verdict` is None where no thresholds were measured for the index.
    """

    query: str
    error: str | None = None
    verdict: str | None = None
    hits: list[dict[str, Any]] = field(default_factory=list)
    image: Image.Image | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the `--json` document."""
        return {
            "query": self.query,
            "error": self.error,
            "verdict": self.verdict,
            "hits": self.hits,
        }


class Searcher:
    """An index, its model and its thresholds, ready to answer.

    Args:
        args: the flags of a query, already validated.
        report: hears what the index is, and a warning where its weights are untrained.

    Raises:
        DataError: the index or the model cannot be used, or do not fit each other.
    """

    def __init__(self, args: Namespace, report: Reporter) -> None:
        self.args = args
        self.report = report
        self.index = CardIndex(
            Path(args.index),
            exact=args.exact,
            with_encoder=is_here("onnxruntime"),
            with_vectors=bool(args.text),
        )
        self.ef_search = self.index.effective_ef_search(args.k, args.ef_search)
        self._describe(report)
        model = self.index.manifest["model"]
        self.thresholds: Thresholds | None = load_thresholds(Path(args.index), model)
        if not model["trained"]:
            report.warning("the index was built on random weights: its answers mean nothing")

    @functools.cached_property
    def _embedder(self) -> Embedder:
        """The encoder that came with the index, or else the model that it was built with."""
        return self.index.encoder or self._torch_embedder

    @functools.cached_property
    def _torch_embedder(self) -> OpenClipEmbedder:
        return load_model(self.index.manifest, self.report)

    def ask_pictures(self, found: list[inputs.Picture]) -> Iterator[Answer]:
        """Answer a batch of pictures, in one pass of the model."""
        answers = [Answer(each.name, each.error, image=each.image) for each in found]
        readable = [answer for answer in answers if answer.image is not None]
        turns = _TURNS if self.args.rotations else (0,)
        if readable:
            how = self._embedder.preprocessing
            views = [
                prepare(answer.image.rotate(turn, expand=True) if turn else answer.image, how)
                for answer in readable
                if answer.image is not None
                for turn in turns
            ]
            vectors = self._embedder.embed(np.stack(views))
            for place, answer in enumerate(readable):
                mine = vectors[place * len(turns) : (place + 1) * len(turns)]
                self._fill(answer, turns, functools.partial(self._search, mine))
        yield from answers

    def ask_text(self, text: str) -> Answer:
        """Answer a sentence with the pictures that it describes.

        Raises:
            DataError: the model has no trained text tower.
        """
        answer = Answer(text)
        vectors = self._torch_embedder.embed_text([text])
        self._fill(answer, (0,), lambda wanted: self.index.search_unwhitened(vectors, wanted))
        answer.verdict = None  # the thresholds were measured on pictures
        return answer

    def to_json(self) -> dict[str, Any]:
        """Return what the `--json` document says of the index."""
        about = self.index.manifest["index"]
        return {
            "type": "exact" if self.args.exact else about["type"],
            "metric": about["metric"],
            "scores": about.get("scores", "cosine"),
            "vectors": self.index.vectors,
            "dimension": self.index.dimension,
            "ef_search": None if self.args.exact else self.ef_search,
            "build_id": self.index.manifest["build_id"],
            "trained": self.index.manifest["model"]["trained"],
            "calibrated": self.thresholds is not None,
        }

    def _search(self, vectors: NDArray[np.float32], wanted: int) -> list[list[Hit]]:
        return self.index.search(vectors, wanted, self.args.ef_search)

    def _fill(self, answer: Answer, turns: tuple[int, ...], search: Search) -> None:
        k, group = self.args.k, self.args.group
        wanted = k if group == "none" else _CANDIDATES * k
        hits = self._grouped(turns, search, wanted)
        while len(hits) < k and wanted < self.index.vectors:
            wanted *= _CANDIDATES  # one card filled the list with its printings
            hits = self._grouped(turns, search, wanted)
        if self.thresholds is not None:
            answer.verdict = self.thresholds.verdict(hits)
        least = self.args.min_score
        answer.hits = [hit for hit in hits if least is None or hit["score"] >= least]

    def _grouped(self, turns: tuple[int, ...], search: Search, wanted: int) -> list[dict[str, Any]]:
        best: dict[int, tuple[Hit, int]] = {}
        for turn, hits in zip(turns, search(wanted), strict=True):
            for hit in hits:
                if hit.row not in best or hit.score > best[hit.row][0].score:
                    best[hit.row] = (hit, turn)
        ordered = sorted(best.values(), key=lambda pair: (-pair[0].score, pair[0].row))[:wanted]
        records = [self._record(hit, turn) for hit, turn in ordered]
        return group_hits(records, self.args.group, self.args.k)

    def _record(self, hit: Hit, turn: int) -> dict[str, Any]:
        record = {"rank": 0, "score": round(hit.score, 6), "row": hit.row}
        if self.args.rotations:
            record["rotation"] = turn
        return {**record, **self.index.card(hit.row)}

    def _describe(self, report: Reporter) -> None:
        about = self.index.manifest["index"]
        search = "exact search" if self.args.exact else f"efSearch={self.ef_search}"
        report.info(
            f"Index: {about['type']}, {about['metric']} ({about.get('scores', 'cosine')}),"
            f" {self.index.vectors:,} vectors of dimension {self.index.dimension}, {search},"
            f" built {self.index.manifest['timestamp']}"
        )
        if "whitening" not in self.index.manifest:
            report.info(
                "This index is of an older version, without whitening, which recognises photos far"
                " better; to get it, with no card embedded again, type: python build_embeddings.py"
                f" --out {self.args.index}, with the flags that it was built with"
            )


def load_model(manifest: dict[str, Any], report: Reporter) -> OpenClipEmbedder:
    """Load the model of a manifest through torch, and make sure that it is the same one.

    Raises:
        DataError: it is gone, or another one now (names every difference); or there is no torch.
    """
    model, shape = manifest["model"], manifest["model"]["preprocessing"]
    from helpers.model.torch_embedder import OpenClipEmbedder

    options = ModelOptions(
        model=model["model"],
        pretrained=model["pretrained"],
        device="auto",
        precision="fp32",
        size=shape["size"],
        fit=shape["fit"],
    )
    _require_weights_file(options)
    options.check_files()
    if model["precision"] != "fp32" and not is_here("onnxruntime"):
        report.warning(
            f"the index is {model['precision']}, and without onnxruntime queries are fp32:"
            " scores differ a little"
        )
    embedder = OpenClipEmbedder(options)
    require_same_model(model, embedder.fingerprint)
    return embedder


def _require_weights_file(options: ModelOptions) -> None:
    path = Path(options.pretrained)
    if path.is_absolute() and not path.is_file():
        raise DataError(
            "the weights that the index was built with are gone",
            details=f"no such file: {path}",
            suggestion="put the file back, or build the index anew: python build_embeddings.py",
        )
