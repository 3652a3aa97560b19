"""Checks between several solutions: curves fall and bend the right way, methods agree within their bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.testing.evaluation import EPS, require

ROUNDING = 1e-12
"""Relative slack of comparisons between bounds that were rounded."""


def check_monotone(
    bounds: ArrayLike, lower: ArrayLike, upper: ArrayLike | None = None, *, tolerance: float = ROUNDING
) -> None:
    """Check that a least rate (or loss) does not rise when its limits are relaxed.

    With intervals the check is rigorous: it fails only if the lower bound at relaxed limits is above the
    upper bound at stricter ones.

    Parameters
    ----------
    bounds : array_like
        Limits, shape (n,), or (n, M) for M limits at once, in any order.
    lower, upper : array_like
        Bounds on the value at each, shape (n,), inf where the limits cannot be met; a value known exactly needs
        only `lower`.
    tolerance : float, optional
        Slack relative to 1 + the value.

    Raises
    ------
    AssertionError
        Naming the two limits and values.

    Examples
    --------
    >>> check_monotone([0.1, 0.2, 0.3], [0.9, 0.5, 0.4])
    """
    points, below, above = _intervals(bounds, lower, upper)
    stricter = (points[:, None, :] <= points[None, :, :]).all(axis=2)
    wrong = stricter & (below[None, :] > (above + tolerance * (1 + np.abs(above)))[:, None])
    i, j = divmod(int(wrong.argmax()), below.size)
    require(
        not wrong.any(),
        f"the value rises from at most {above[i]:.15g} at {points[i]} to at least {below[j]:.15g} at {points[j]}",
    )


def check_convex(
    bounds: ArrayLike, lower: ArrayLike, upper: ArrayLike | None = None, *, tolerance: float = ROUNDING
) -> None:
    """Check that a least rate (or loss) is convex along a line of limits.

    With intervals the check is rigorous: it fails only if the lower bound at one limit is above the chord
    between the upper bounds at two others. All triples are tried.

    Parameters
    ----------
    bounds : array_like
        Limits, shape (n,), in any order: positions along a line in the space of limits.
    lower, upper : array_like
        Bounds on the value at each, shape (n,), inf where the limits cannot be met; a value known exactly needs
        only `lower`.
    tolerance : float, optional
        Slack relative to 1 + the value.

    Raises
    ------
    AssertionError
        Naming the three limits and values.

    Examples
    --------
    >>> check_convex([0.1, 0.2, 0.3], [0.9, 0.5, 0.4])
    """
    points, below, above = _intervals(bounds, lower, upper)
    require(points.shape[1] == 1, f"bounds have {points.shape[1]} columns; give the positions along a line")
    order = np.argsort(points[:, 0])
    x, below, above = points[order, 0], below[order], above[order]
    for j in range(1, x.size - 1):
        left, right = np.flatnonzero(x < x[j]), np.flatnonzero(x > x[j])
        if not left.size or not right.size:
            continue
        weight = (x[right][None, :] - x[j]) / (x[right][None, :] - x[left][:, None])
        chords = weight * above[left][:, None] + (1 - weight) * above[right][None, :]
        i, k = divmod(int(chords.argmin()), right.size)
        require(
            below[j] <= chords[i, k] + tolerance * (1 + abs(chords[i, k])),
            f"the value at {x[j]:.9g} is at least {below[j]:.15g}, above the chord {chords[i, k]:.15g} "
            f"from {x[left[i]]:.9g} to {x[right[k]]:.9g}",
        )


def _intervals(
    bounds: ArrayLike, lower: ArrayLike, upper: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = np.asarray(bounds, dtype=float)
    points = points[:, None] if points.ndim == 1 else points
    below = np.asarray(lower, dtype=float)
    above = below if upper is None else np.asarray(upper, dtype=float)
    n = points.shape[0]
    shapes = f"{n} limits, lower {below.shape}, upper {above.shape}"
    require(below.shape == above.shape == (n,), f"the shapes do not fit: {shapes}; give one value per limit")
    require(not np.isnan(below).any() and not np.isnan(above).any(), "a bound is NaN, which says nothing")
    return points, below, above


def check_agreement(results: Iterable[Any], *, tolerance: float = 0.0) -> None:
    """Check that intervals for one optimum have a point in common: no upper bound below another's lower.

    Parameters
    ----------
    results : iterable
        Results of one problem by different methods, or of different problems with the same optimum; or pairs
        (lower, upper).
    tolerance : float, optional
        Slack beside rounding, for claims that come with an error of their own.

    Raises
    ------
    AssertionError
        Naming the two results and the distance between their intervals.

    Examples
    --------
    >>> check_agreement([(0.3250, 0.3251), (0.32508, 0.32509)])
    """
    named = [_interval(k, result) for k, result in enumerate(results)]
    require(len(named) > 1, f"{len(named)} results are given; agreement takes two")
    highest = max(named, key=lambda item: item[1])
    lowest = min(named, key=lambda item: item[2])
    distance = highest[1] - lowest[2]
    require(
        distance <= tolerance + 1e3 * EPS * (1 + abs(highest[1])),
        f"{highest[0]} has the lower bound {highest[1]:.15g}, {lowest[0]} the upper bound {lowest[2]:.15g}: "
        f"they are {distance:.3g} apart",
    )


def _interval(k: int, result: Any) -> tuple[str, float, float]:
    if isinstance(result, tuple):
        name, lower, upper = f"interval {k}", *map(float, result)
    else:
        name = f"result {k} ({result.method})"
        lower, upper = result.objective_lower, result.objective_upper
    require(not np.isnan([lower, upper]).any(), f"{name} is [{lower}, {upper}], which says nothing")
    return name, lower, upper
