"""Sums of products that are rounded once, at the end: what is left of a limit above the least value of its loss."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.rounding import two_product

_LARGE = 2.0**900  # above this products cannot be split exactly
_SMALLER = 2.0**-200


def mean_excess(p: np.ndarray, values: np.ndarray, level: float = 0.0, remainders: np.ndarray | None = None) -> float:
    """Return sum_i p_i (values_i - level + remainders_i) / sum_i p_i, the sums exact: only the result is rounded.

    A limit b leaves the room -`mean_excess(p, minima, b)`. Computed as b - p.minima it would lose everything below the
    rounding of b, which beside a loss with a large constant part may be all that matters. Masses sum to one only to
    rounding; dividing by their sum makes a constant that is added to `values` and `level` drop out.

    Parameters
    ----------
    p, values : numpy.ndarray
        Shape (n,): masses, and finite numbers where a mass is positive.
    level : float, optional
        Finite.
    remainders : numpy.ndarray, optional
        Shape (n,): what is to be added to the values, and may be far smaller; its products with p are rounded.

    Examples
    --------
    >>> mean_excess(np.array([0.75, 0.25]), np.array([2.0**60, 2.0**60 + 256]), 2.0**60)
    64.0
    """
    if not values.any() and (remainders is None or not level):
        return 0.0 - level if remainders is None else math.fsum((p[p > 0] * remainders[p > 0]).tolist()) / math.fsum(p)
    used = p > 0
    small = np.empty(0) if remainders is None else p[used] * remainders[used]
    p, values = p[used], values[used]
    scale = _SMALLER if max(float(np.abs(values).max(initial=0.0)), abs(level)) > _LARGE else 1.0
    terms = _products(p, values * scale)
    if level:
        terms += _products(p, np.full(p.size, -level * scale))
    terms += (small * scale).tolist()
    total = math.fsum(p)
    mean = math.fsum(terms) / total
    if not level:  # the rounding of the sum, of the total and of the division, relative to a mean that may be large
        mean += math.fsum(terms + _products(p, np.full(p.size, -mean))) / total
    return mean / scale


def _products(left: np.ndarray, right: np.ndarray) -> list[float]:
    """Return floats whose exact sum is left.right, up to underflow: every product and its rounding error."""
    product, error = two_product(left, right)
    return [*product.tolist(), *error.tolist()]
