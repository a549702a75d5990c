"""The FAISS index of a build: a graph with row numbers, and the whitening in front of it, if any.

`IndexIDMap(IndexHNSWFlat)`, and with whitening `IndexPreTransform(LinearTransform,
NormalizationTransform → IndexIDMap(IndexHNSWFlat))`: FAISS's own parts, so that whoever loads the
file with FAISS alone asks it with the unit vectors of the model and gets cosines of whitened ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from helpers.model.whitening import Whitening

if TYPE_CHECKING:
    import faiss

EF_SEARCH_AGAIN = 512  # the check looks harder than a query does
_SELF_SCORE = 0.99
_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Graph:
    """A FAISS index and its parts.

    Attributes:
        index: the whole, asked with the unit vectors of the model.
        hnsw: the graph itself, which knows neither row numbers nor whitening.
        rows: int64 [n], the row of each vector of the graph, ascending.
        vectors: float32 [n, D], the vectors of the graph, whitened if it is; a view, no copy.
        whitening: what stands in front of the graph, None if nothing does.
    """

    index: faiss.Index
    hnsw: faiss.IndexHNSWFlat
    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    whitening: Whitening | None

    @classmethod
    def of(cls, index: faiss.Index) -> Self:
        """Take an index apart."""
        import faiss

        id_map, whitening = index, None
        if isinstance(index, faiss.IndexPreTransform):
            id_map = faiss.downcast_index(index.index)
            linear = faiss.downcast_VectorTransform(index.chain.at(0))
            matrix = faiss.vector_to_array(linear.A).reshape(index.d, index.d)
            whitening = Whitening(matrix, faiss.vector_to_array(linear.b))
        hnsw = faiss.downcast_index(id_map.index)
        storage = faiss.downcast_index(hnsw.storage)
        vectors = faiss.rev_swig_ptr(storage.get_xb(), index.ntotal * index.d)
        rows = faiss.vector_to_array(id_map.id_map)
        return cls(index, hnsw, rows, vectors.reshape(index.ntotal, index.d), whitening)


def read_graph(file: BufferedReader, about: dict[str, Any]) -> Graph:
    """Return the index in `file`; `ValueError` if it is not what the manifest says `about` it."""
    import faiss

    file.seek(0)
    try:
        graph = Graph.of(faiss.read_index(faiss.PyCallbackIOReader(file.read)))
    except (RuntimeError, AttributeError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if graph.hnsw.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError("it does not use METRIC_INNER_PRODUCT")
    if graph.vectors.shape != (about["distinct"], about["dimension"]):
        raise ValueError(f"it holds vectors of the shape {graph.vectors.shape}")
    if (graph.whitening is not None) != bool(about.get("whitened")):
        raise ValueError(f"it {'lacks' if graph.whitening is None else 'has'} a whitening")
    return graph


def read_whitening(path: Path) -> Whitening | None:
    """Return the whitening in an index file."""
    import faiss

    return Graph.of(faiss.read_index(str(path))).whitening


def with_whitening(index: faiss.IndexIDMap, whitening: Whitening) -> faiss.IndexPreTransform:
    """Return an index that whitens what is added and asked before it reaches `index`."""
    import faiss

    linear = faiss.LinearTransform(index.d, index.d, True)  # noqa: FBT003 - with a bias
    faiss.copy_array_to_vector(whitening.matrix.ravel(), linear.A)
    faiss.copy_array_to_vector(whitening.bias, linear.b)
    linear.is_trained = True
    whole = faiss.IndexPreTransform(index)
    whole.prepend_transform(faiss.NormalizationTransform(index.d, 2.0))
    whole.prepend_transform(linear)
    return whole


def lost_rows(
    index: faiss.Index, vectors: NDArray[np.float32], rows: NDArray[np.int64], ef_search: int
) -> NDArray[np.int64]:
    """Return those of `rows` that are not among the 10 or `ef_search` best hits of their vectors.

    Near copies may come before the row itself by the last digit of the score, which must be 0.99.
    """
    import faiss

    parameters = faiss.SearchParametersHNSW(efSearch=ef_search)
    hits = min(_NEIGHBOURS, ef_search, index.ntotal)
    scores, ids = index.search(vectors[rows], hits, params=parameters)
    found: NDArray[np.bool_] = ((ids == rows[:, None]) & (scores >= _SELF_SCORE)).any(axis=1)
    return rows[~found]
