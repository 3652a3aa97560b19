"""What an audit asks beside a codec's losses: limits for codecs whose reconstructions are, as a whole, as realistic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdcsolve.codes.samples import Samples
from rdcsolve.codes.subsamples import Law, median_distance
from rdcsolve.perception.measures import distance
from rdcsolve.problems import PerceptionLimit, Problem

MEASURES = {"w2": "W2^2", "w1": "W1", "mmd": "MMD^2"}
"""Distances of laws that an audit may keep, and what its lines call them."""

_ROOM = 1e-9  # of the distance: what its linear programme may be off by


class Realism(NamedTuple):
    """How far the law of x_hat is from that of x, and what codecs that are no further attain; bounds as pairs.

    Attributes
    ----------
    name : str
        Of the distance.
    value : float
        That of all samples, exact; ``w2`` per entry of a sample, as other squared errors are.
    rate : tuple of float
        Least rate at the codec's losses and this distance, nats.
    at_length : tuple of float
        Least distortion at the codec's length and this distance, its other losses kept.
    """

    name: str
    value: float
    rate: tuple[float, float]
    at_length: tuple[float, float]


def own_limit(samples: Samples, problem: Problem, measure: str) -> tuple[PerceptionLimit, float]:
    """Return the limit that the codec itself just keeps, and its distance as a line of the audit shows it."""
    width = median_distance(Law(samples.points, samples.p), np.random.default_rng(0)) if measure == "mmd" else None
    shown = samples.reconstructions
    masses = np.bincount(samples.shown, samples.weights)
    perception = PerceptionLimit(np.inf, measure, kernel=width).resolve(problem.source, shown, shown.shape[0])
    found = max(0.0, distance(perception, masses / masses.sum()))
    limit = PerceptionLimit(found * (1 + _ROOM) + _ROOM * _scale(perception.cost), measure, kernel=width)
    return limit, found / samples.points.shape[1] if measure == "w2" else found


def _scale(cost: np.ndarray | None) -> float:
    return 1.0 if cost is None else float(cost.max())
