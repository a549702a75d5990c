"""The FAISS index of a build: a graph with row numbers, and the whitening in front of it, if any.

`IndexIDMap(IndexHNSWFlat)`, and with whitening `IndexPreTransform(LinearTransform,
NormalizationTransform → IndexIDMap(IndexHNSWFlat))`: FAISS's own parts, so that whoever loads the
file with FAISS alone asks it with the unit vectors of the model and gets cosines of whitened ones.
"""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from helpers.model.whitening import Whitening

if TYPE_CHECKING:
    import faiss

EF_SEARCH_AGAIN = 512  # the check looks harder than a query does
_SELF_SCORE = 0.99
_NEIGHBOURS = 10


def read_graph(file: BufferedReader, about: dict[str, Any]) -> faiss.Index:
    """Return the index in `file`, which must be what the manifest says `about` it.

    Raises:
        ValueError: it is something else.
    """
    import faiss

    file.seek(0)
    try:
        index = faiss.read_index(faiss.PyCallbackIOReader(file.read))
        graph, whitening = graph_of(index), whitening_of(index)
    except (RuntimeError, AttributeError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if graph.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError("it does not use METRIC_INNER_PRODUCT")
    if (index.d, index.ntotal) != (about["dimension"], about["distinct"]):
        raise ValueError(f"it holds {index.ntotal} vectors of dimension {index.d}")
    if (whitening is not None) != bool(about.get("whitened")):
        raise ValueError(f"it {'lacks' if whitening is None else 'has'} a whitening")
    return index


def read_whitening(path: Path) -> Whitening | None:
    """Return the whitening in an index file."""
    import faiss

    return whitening_of(faiss.read_index(str(path)))


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


def whitening_of(index: faiss.Index) -> Whitening | None:
    """Return the whitening in front of the graph, None if there is none."""
    import faiss

    if not isinstance(index, faiss.IndexPreTransform):
        return None
    linear = faiss.downcast_VectorTransform(index.chain.at(0))
    matrix = faiss.vector_to_array(linear.A).reshape(index.d, index.d)
    return Whitening(matrix, faiss.vector_to_array(linear.b))


def row_numbers(index: faiss.Index) -> NDArray[np.int64]:
    """Return int64 [n], the row of each vector of the graph, ascending."""
    import faiss

    return np.asarray(faiss.vector_to_array(_id_map(index).id_map))


def graph_of(index: faiss.Index) -> faiss.IndexHNSWFlat:
    """Return the graph itself, which knows neither row numbers nor whitening."""
    import faiss

    return faiss.downcast_index(_id_map(index).index)


def stored_vectors(index: faiss.Index) -> NDArray[np.float32]:
    """Return float32 [n, D], the vectors of the graph, whitened if it is; a view, no copy."""
    import faiss

    storage = faiss.downcast_index(graph_of(index).storage)
    flat = faiss.rev_swig_ptr(storage.get_xb(), index.ntotal * index.d)
    return np.asarray(flat.reshape(index.ntotal, index.d))


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


def _id_map(index: faiss.Index) -> faiss.IndexIDMap:
    import faiss

    whitens = isinstance(index, faiss.IndexPreTransform)
    return faiss.downcast_index(index.index) if whitens else index
