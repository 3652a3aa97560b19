"""The problem of the demo: held-out handwritten digits, a codebook and a classifier from the training half."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rdcsolve.problems import ClassifierLossLimit, Problem, Source

CROSS_ENTROPY = "cross_entropy"


@dataclass(frozen=True)
class Sizes:
    """How much the demo computes.

    Parameters
    ----------
    n_letters : int
        Size of the codebook.
    n_images : int or None
        Held-out images to keep; all by default.
    distortion_limits, cross_entropy_limits : tuple of float
        The grid of the surface: mean squared error per pixel, nats.
    rates : tuple of float
        Of the trade-offs, nats.
    n_tradeoff : int
        Points along each trade-off.
    n_stretches : int
        Pieces of each trade-off that may be computed side by side.
    saved : tuple of float
        The limits of the result that is saved.
    tolerance : float
        Gap to reach, nats.
    """

    n_letters: int = 256
    n_images: int | None = None
    distortion_limits: tuple[float, ...] = (0.026, 0.032, 0.04, 0.05, 0.062, 0.076, 0.092)
    cross_entropy_limits: tuple[float, ...] = (0.05, 0.1, 0.2, 0.45, 1.0, 2.0, 4.0)
    rates: tuple[float, ...] = (1.0, 2.0, 3.0)
    n_tradeoff: int = 8
    n_stretches: int = 2
    saved: tuple[float, float] = (0.04, 0.2)
    tolerance: float = 1e-7


@dataclass(frozen=True, eq=False)
class Digits:
    """The stated problem and what the picture and the report tell about it.

    Parameters
    ----------
    problem : Problem
        Without limits; losses ``distortion`` (mean squared error per pixel, pixels in [0, 1]) and
        ``cross_entropy`` (nats, of the classifier on the letter).
    decisions : numpy.ndarray
        The classifier's probabilities at the letters, shape (n_letters, 10).
    accuracy : float
        Of the classifier on the held-out images themselves.
    """

    problem: Problem
    decisions: np.ndarray
    accuracy: float

    @property
    def images(self) -> np.ndarray:
        """Held-out images, shape (n_x, 64)."""
        return self.problem.source.points

    @property
    def classes(self) -> np.ndarray:
        """Their digits, shape (n_x,)."""
        return self.problem.source.labels[0].argmax(axis=1)


def state(sizes: Sizes) -> Digits:
    """Return the demo's problem.

    The training half gives the codebook, by k-means, and the classifier, a logistic regression on pixels. The other
    half is the source, so neither has seen it.
    """
    from sklearn.linear_model import LogisticRegression

    from rdcsolve.data import digits, kmeans_codebook

    training, held_out = digits("train"), digits("test")
    if sizes.n_images is not None:
        kept = slice(sizes.n_images)
        held_out = Source(
            held_out.points[kept], held_out.p_x[kept], [held_out.labels[0][kept]], held_out.name, normalise=True
        )
    letters = kmeans_codebook(training, sizes.n_letters)
    classifier = LogisticRegression(max_iter=1000).fit(training.points, training.labels[0].argmax(axis=1))
    decisions = classifier.predict_proba(letters)
    problem = Problem(
        held_out,
        letters,
        "mean_squared_error",
        [ClassifierLossLimit(math.inf, decisions, name=CROSS_ENTROPY)],
    )
    accuracy = float(classifier.score(held_out.points, held_out.labels[0].argmax(axis=1)))
    return Digits(problem, decisions, accuracy)
