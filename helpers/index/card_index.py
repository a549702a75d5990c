"""A published index, opened for reading: one consistent set of files, searched and looked up."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.index.exact_search import exact_top
from helpers.index.graph import read_graph
from helpers.index.manifest import no_index, open_whole, read_manifest
from helpers.index.publish import ENCODER, INDEX, METADATA, VECTORS
from helpers.index.rows import MetadataLines, map_vectors
from helpers.model.onnx_embedder import OnnxEmbedder
from helpers.parallel import cpu_count

_TRIES, _PAUSE = 20, 0.1  # seconds; a publication takes a few milliseconds


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of the index and its cosine to the query, whitened if the index is, -1 to 1."""

    row: int
    score: float


class CardIndex:
    """The index in a directory, as one build left it; `DataError` if it is not whole, or none.

    Args:
        out: the output directory of a build.
        exact: compare with every vector of the graph instead of walking it.
        with_encoder: also load the `encoder` that embeds queries as the index was, if one is there.
        with_vectors: also open the `unit_vectors`, which `search_unwhitened` needs.

    Attributes:
        graph: its FAISS index, and the whitening in front of it.
    """

    def __init__(
        self,
        out: Path,
        *,
        exact: bool = False,
        with_encoder: bool = False,
        with_vectors: bool = False,
    ) -> None:
        self.exact = exact
        names = [INDEX, METADATA]
        if with_vectors:
            names.append(VECTORS)
        if with_encoder:
            names.append(ENCODER)
        with _open_set(out, names) as (self.manifest, files):
            self.encoder = _encoder(files[ENCODER], self.manifest) if ENCODER in files else None
            about = self.manifest["index"]
            self.vectors, self.dimension = int(about["vectors"]), int(about["dimension"])
            try:
                self._lines = MetadataLines(files[METADATA], self.vectors)
                self.graph = read_graph(files[INDEX], about)
                self._vectors = map_vectors(files[VECTORS], about) if with_vectors else None
            except ValueError as error:
                problem = f"{', '.join(names)}: {error}"
                raise no_index(out, problem, self.manifest) from error
        self.whitening = self.graph.whitening

    @property
    def unit_vectors(self) -> NDArray[np.float32]:
        """The vectors of all rows as the model gave them, float32 [N, D], mapped."""
        if self._vectors is None:
            raise ValueError("the index was opened without its vectors")
        return self._vectors

    def effective_ef_search(self, k: int, ef_search: int) -> int:
        """Return the efSearch that is used: at least 2 k, since HNSW returns short lists below."""
        return max(ef_search, 2 * k)

    def search(self, queries: NDArray[np.float32], k: int, ef_search: int) -> list[list[Hit]]:
        """Return up to `k` hits per query, best first; equal pictures in the order of their rows.

        `queries` are float32 [n, D], rows of unit length, as the model gives them; `ef_search` is
        raised to 2 k.
        """
        if self.exact:
            return self.search_exactly(queries, k)
        import faiss

        parameters = faiss.SearchParametersHNSW(efSearch=self.effective_ef_search(k, ef_search))
        queries, most = self._checked(queries), min(k, len(self.graph.rows))
        scores, rows = self.graph.index.search(queries, most, params=parameters)
        return _listed(scores, rows, k, self._lines.copies)

    def search_exactly(self, queries: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """Return the same, compared with every vector: what the graph should find."""
        scores, places = exact_top(self.graph.vectors, self._whitened(queries), k)
        return _listed(scores, self.graph.rows[places], k, self._lines.copies)

    def search_unwhitened(self, queries: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """Return up to `k` hits per query by plain cosines, compared with every row.

        A whitening is learned from pictures; of a sentence's vector it would make nothing good.
        """
        scores, rows = exact_top(self.unit_vectors, self._checked(queries), k)
        return _listed(scores, rows, k, {})

    def scored(self, queries: NDArray[np.float32], rows: Sequence[int]) -> list[Hit]:
        """Return given rows with their cosine to the query that is nearest to each, best first."""
        first = {copy: row for row, copies in self._lines.copies.items() for copy in copies}
        places = np.searchsorted(self.graph.rows, [first.get(row, row) for row in rows])
        scores = (self.graph.vectors[places] @ self._whitened(queries).T).max(axis=1)
        hits = [Hit(row, float(score)) for row, score in zip(rows, scores, strict=True)]
        return sorted(hits, key=lambda hit: -hit.score)

    def _checked(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dimension:  # noqa: PLR2004
            raise ValueError(f"queries of shape {queries.shape}, expected (n, {self.dimension})")
        return queries

    def _whitened(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return queries as they are compared with the vectors of the graph."""
        queries = self._checked(queries)
        return queries if self.whitening is None else self.whitening.apply(queries)

    def card(self, row: int) -> dict[str, Any]:
        """Return the metadata of a row."""
        return self._lines.read(row)


def _listed(
    scores: NDArray[np.float32], rows: NDArray[np.int64], k: int, copies: Mapping[int, list[int]]
) -> list[list[Hit]]:
    """Return the hits of each query, each row followed by those with the very same vector."""
    lists = []
    for found in zip(rows.tolist(), scores.tolist(), strict=True):
        hits: list[Hit] = []
        for row, score in zip(*found, strict=True):
            if row >= 0:  # FAISS pads short lists with -1, and meta[-1] would be a real card
                hits += [Hit(copy, score) for copy in (row, *copies.get(row, ()))]
        lists.append(hits[:k])
    return lists


def _encoder(file: BufferedReader, manifest: dict[str, Any]) -> OnnxEmbedder:
    precision = manifest["encoder"]["precision"]
    fingerprint = {**manifest["model"], "precision": precision, "engine": "onnx"}
    # The very file that was checked: a new build may have replaced it by now.
    opened = Path(f"/proc/self/fd/{file.fileno()}")
    path = opened if opened.exists() else Path(file.name)  # only Linux has the former
    return OnnxEmbedder(path, fingerprint, cpu_count())


@contextlib.contextmanager
def _open_set(
    out: Path, names: Iterable[str]
) -> Iterator[tuple[dict[str, Any], dict[str, BufferedReader]]]:
    """Yield the manifest and, opened, the files of the very build that it describes.

    While a build is being published, a reader may come upon some old and some new files; so what
    counts is the content of what was opened, and a mismatch only counts if it stays. The encoder is
    opened if the build has one.
    """
    before = None
    for _ in range(_TRIES):
        manifest = read_manifest(out)
        wanted = [name for name in names if name != ENCODER or name in manifest["outputs"]]
        with contextlib.ExitStack() as opened:
            try:
                files = {
                    name: opened.enter_context(open_whole(out, name, manifest)) for name in wanted
                }
            except ValueError as error:
                problem = str(error)
            else:
                yield manifest, files
                return
        if before == (manifest["build_id"], problem):
            raise no_index(out, problem, manifest)
        before = (manifest["build_id"], problem)
        time.sleep(_PAUSE)
    raise no_index(out, "its files keep changing")
