"""Pictures → the nearest cards of an index."""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.card_index import CardIndex, require_same_model
from helpers.errors import DataError, IncompleteError
from helpers.images import load_image_rgb, prepare
from helpers.model_options import ModelOptions
from helpers.report import DOCUMENT_VERSION
from helpers.validation import InvalidImageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from helpers.embedder import Embedder
    from helpers.report import Reporter

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
_BATCH = 16  # pictures per forward pass
_COLUMNS = ("rank", "score", "name", "set", "number", "lang", "link")


@dataclass(slots=True)
class Answer:
    """What came of one query: hits, or the reason why there are none."""

    query: str
    error: str | None = None
    hits: list[dict[str, Any]] = field(default_factory=list)


def query_stage(args: Namespace, report: Reporter) -> None:
    """Answer every query and print the hits.

    Raises:
        DataError: the index or the model cannot be used, or not one picture could be read.
        IncompleteError: some pictures could not be read; the others are answered.
    """
    index = CardIndex(Path(args.index), exact=args.exact)
    ef_search = index.effective_ef_search(args.k, args.ef_search)
    _describe(index, ef_search, report)
    embedder = _load_embedder(index, report)
    failed = total = 0
    answers: list[Answer] = []
    for batch in _batches(args.images):
        for answer in _answer(batch, index, embedder, args):
            total += 1
            failed += answer.error is not None
            _show(answer, report)
            if report.as_json:
                answers.append(answer)
    report.document(
        {
            "version": DOCUMENT_VERSION,
            "index": _index_document(index, ef_search),
            "queries": [asdict(answer) for answer in answers],
        }
    )
    report.flush()
    _check_failures(failed, total)


def _describe(index: CardIndex, ef_search: int, report: Reporter) -> None:
    about = index.manifest["index"]
    search = "exact search" if index.exact else f"efSearch={ef_search}"
    report.info(
        f"Index: {about['type']}, {about['metric']} (cosine), {index.vectors:,} vectors of"
        f" dimension {index.dimension}, {search}, built {index.manifest['timestamp']}"
    )


def _index_document(index: CardIndex, ef_search: int) -> dict[str, Any]:
    about = index.manifest["index"]
    return {
        "type": "exact" if index.exact else about["type"],
        "metric": about["metric"],
        "vectors": index.vectors,
        "dimension": index.dimension,
        "ef_search": None if index.exact else ef_search,
        "build_id": index.manifest["build_id"],
        "trained": index.manifest["model"]["trained"],
    }


def _load_embedder(index: CardIndex, report: Reporter) -> Embedder:
    from helpers.embedder import OpenClipEmbedder

    model = index.manifest["model"]
    if not model["trained"]:
        report.warning("the index was built on random weights: its answers mean nothing")
    shape = model["preprocessing"]
    options = ModelOptions(
        model=model["model"],
        pretrained=model["pretrained"],
        device="auto",
        precision=model["precision"],
        size=shape["size"],
        fit=shape["fit"],
    )
    options.check_files()
    embedder = OpenClipEmbedder(options)
    require_same_model(model, embedder.fingerprint)
    return embedder


def _batches(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the pictures that are asked for; a line of stdin is answered as soon as it comes."""
    for is_stdin, group in itertools.groupby(words, key=lambda word: word == "-"):
        if is_stdin:
            lines = (line.rstrip("\n") for line in sys.stdin)
            yield from ([line] for line in lines if line)
        else:
            pictures = itertools.chain.from_iterable(map(_pictures, group))
            while batch := list(itertools.islice(pictures, _BATCH)):
                yield batch


def _pictures(word: str) -> Iterator[str]:
    path = Path(word)
    if not path.is_dir():
        yield word
        return
    found = sorted(
        str(entry) for entry in path.iterdir() if entry.suffix.lower() in PICTURE_SUFFIXES
    )
    yield from found or [word]


def _answer(
    batch: list[str], index: CardIndex, embedder: Embedder, args: Namespace
) -> Iterator[Answer]:
    answers = [Answer(query) for query in batch]
    readable, inputs = [], []
    for answer in answers:
        try:
            image = load_image_rgb(answer.query)
        except InvalidImageError as error:
            answer.error = str(error)
        else:
            readable.append(answer)
            inputs.append(prepare(image, embedder.preprocessing))
    if inputs:
        vectors = embedder.embed(np.stack(inputs))
        results = index.search(vectors, args.k, args.ef_search)
        for answer, hits in zip(readable, results, strict=True):
            answer.hits = [
                {"rank": rank, "score": round(hit.score, 6), "row": hit.row, **index.card(hit.row)}
                for rank, hit in enumerate(hits, 1)
                if args.min_score is None or hit.score >= args.min_score
            ]
    yield from answers


def _show(answer: Answer, report: Reporter) -> None:
    if answer.error is not None:
        report.item_error(f"{answer.query}: {answer.error}")
        return
    rows = [
        (
            str(hit["rank"]),
            f"{hit['score']:.4f}",
            hit["name"],
            (hit["set"] or "").upper(),
            hit["collector_number"] or "",
            hit["lang"] or "",
            (hit["scryfall_uri"] or "").split("?", 1)[0],
        )
        for hit in answer.hits
    ]
    report.answers(answer.query, _COLUMNS, rows)


def _check_failures(failed: int, total: int) -> None:
    if failed and failed == total:
        raise DataError("no picture could be read", details=f"{failed} of {total} failed")
    if failed:
        raise IncompleteError(
            "some pictures could not be read", details=f"{failed} of {total} failed, named above"
        )
