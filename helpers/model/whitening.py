"""Whitening of unit vectors, learned from distorted views of cards.

Views of one card differ in directions that a plain cosine weighs as much as the card itself. With
S the covariance of unit vectors around the mean of their own card, and m the mean of all views,

    y = normalise((S + λ I)^(-1/2) (x - m)),   λ = shrinkage · mean of S's diagonal,

so that what varies within a card counts little and what tells cards apart counts much. Shrinkage
is needed because a few hundred views cannot span the whole space.

Mikolajczyk & Matas, "Improving Descriptors for Fast Tree Matching by Optimal Linear Projection",
ICCV 2007; Hatch, Kajarekar & Stolcke, "Within-Class Covariance Normalization for SVM-based Speaker
Recognition", Interspeech 2006; Radenović, Tolias & Chum, "Fine-tuning CNN Image Retrieval with No
Human Annotation", TPAMI 2019 (learned whitening).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.model.unit_vectors import normalize


@dataclass(frozen=True, slots=True)
class Whitening:
    """The map x → normalise(matrix x + bias), of float32 [d, d] and [d]."""

    matrix: NDArray[np.float32]
    bias: NDArray[np.float32]

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, d], rows of unit length, for float32 [n, d], or raise `DataError`."""
        return normalize(vectors @ self.matrix.T + self.bias)


def learn(views: NDArray[np.float32], shrinkage: float) -> Whitening:
    """Learn a whitening from views float32 [cards, views > 1, d], rows of unit length.

    `shrinkage`, above 0, is how much of the mean within-card variance is added in every direction.
    The same views give the same whitening.
    """
    samples = views.astype(np.float64)
    cards, per_card, dim = samples.shape
    within = (samples - samples.mean(axis=1, keepdims=True)).reshape(-1, dim)
    covariance = within.T @ within / (cards * (per_card - 1))
    variance = np.trace(covariance) / dim
    if variance <= 0:
        raise ValueError("the views of a card do not differ")
    values, directions = np.linalg.eigh(covariance + shrinkage * variance * np.eye(dim))
    matrix = (directions / np.sqrt(values)) @ directions.T
    bias = -(matrix @ samples.mean(axis=(0, 1)))
    return Whitening(matrix.astype(np.float32), bias.astype(np.float32))
