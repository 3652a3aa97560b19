"""Distances of laws from a target, and the support functions of all laws within a limit."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.perception.divergence import DIVERGENCES
from rdcsolve.perception.transport import plan_between
from rdcsolve.problems import Perception

_SUM = 10.0  # of the longest feature: the weight of the equation that masses sum to one


def distance(perception: Perception, law: np.ndarray) -> float:
    """Return how far a law on the places, shape (m,), is from the target, in the measure's own unit.

    For ``"exact"`` it is the total variation.
    """
    if perception.features is not None:
        mean = law @ perception.features
        return float(mean @ mean)
    if perception.cost is not None:
        return plan_between(perception.target, law, perception.cost).cost
    if perception.measure in DIVERGENCES:
        return DIVERGENCES[perception.measure].between(perception.target, law, perception.outside)
    return 0.5 * (float(np.abs(perception.target - law).sum()) + perception.outside)


def support(
    perception: Perception,
    prices: np.ndarray,
    multiplier: float,
    level: float = 0.0,
    witness: np.ndarray | None = None,
) -> float:
    """Return h(w; nu, tau), with which E w <= h + nu d(target, law) for every law; inf if tau is out of its domain.

    The least of h + nu P over the scalars is the largest mean price of a law within the limit P.

    Parameters
    ----------
    perception : Perception
    prices : numpy.ndarray
        w, shape (m,).
    multiplier : float
        nu >= 0; inf for laws at distance zero.
    level : float, optional
        tau, of an f-divergence.
    witness : numpy.ndarray, optional
        Shape (r,), of a discrepancy: mean features of some law, or any other numbers; by default zeros.
    """
    target, outside, top = perception.target, perception.outside, float(prices.max())
    if multiplier == 0:
        return top
    if perception.features is not None:
        if witness is None or math.isinf(multiplier):
            return top if math.isfinite(multiplier) else math.inf
        charged = prices - 2 * multiplier * (perception.features @ witness)
        return float(charged.max()) + multiplier * float(witness @ witness)
    if perception.cost is not None:
        if math.isinf(multiplier):
            return float(target @ np.where(perception.cost > 0, -math.inf, prices).max(axis=1))
        return float(target @ (prices - multiplier * perception.cost).max(axis=1))
    if math.isinf(multiplier):
        return float(target @ prices)
    if perception.measure not in DIVERGENCES:
        return float(target @ np.maximum(prices, top - multiplier)) + outside * (top - multiplier)
    divergence = DIVERGENCES[perception.measure]
    s = (prices - level) / multiplier
    used = target > 0
    counts = used if math.isinf(divergence.steepest) else np.ones(s.size, dtype=bool)
    if float(s[counts].max()) >= divergence.steepest:
        return math.inf
    lost = outside * divergence.at_zero if outside else 0.0
    return level + multiplier * (float(target[used] @ divergence.conjugate(s[used]).value) - lost)


def nearest_mean(features: np.ndarray) -> np.ndarray:
    """Return the mean of features (m, r) that is nearest to zero among those of all laws on the places, shape (r,).

    By non-negative least squares with one more equation, that masses sum to one: with any weight of it, the solution is
    a multiple of the law wanted.
    """
    from scipy.optimize import nnls

    weight = _SUM * float(np.sqrt((features**2).sum(axis=1).max())) or 1.0
    rows = np.vstack([features.T, np.full(features.shape[0], weight)])
    law, _ = nnls(rows, np.append(np.zeros(features.shape[1]), weight))
    return np.asarray(law @ features / law.sum())
