"""Textbook sources: densities sampled on a grid and normalised, and small tables.

A density on a grid of step h has the entropy of its discretisation, h(X) - log h, up to a tail error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdcsolve.data.arguments import count, positive, probability
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Source
from rdcsolve.problems.distortions import check_takes, function_name
from rdcsolve.problems.source import grid_axes, grid_points
from rdcsolve.problems.validation import float_array, freeze, mass_vector, real_number


def gaussian(n_x: int = 401, var_x: float = 1.0, half_width: float = 5.0) -> Source:
    """Return N(0, var_x) on an even grid.

    Parameters
    ----------
    n_x : int, optional
        Number of symbols, at least 2.
    var_x : float, optional
        Variance of the density.
    half_width : float, optional
        The grid covers this many standard deviations to either side.

    Returns
    -------
    Source
        Points of shape (n_x, 1), masses proportional to the density at the points.

    Examples
    --------
    >>> gaussian(n_x=100)
    Source('gaussian', n_x=100, dim=1)
    """
    points = _grid(n_x, half_width, math.sqrt(positive(var_x, "var_x")))
    return Source(points, np.exp(-(points**2) / (2 * var_x)), name="gaussian", normalise=True)


def laplace(n_x: int = 1000, scale: float = 1.0, half_width: float = 10.0) -> Source:
    """Return the Laplace density exp(-abs(x) / scale) / (2 scale) on an even grid.

    Parameters
    ----------
    n_x : int, optional
        Number of symbols, at least 2.
    scale : float, optional
        Mean absolute value of the density.
    half_width : float, optional
        The grid covers this many scales to either side.

    Returns
    -------
    Source
        Points of shape (n_x, 1), masses proportional to the density at the points.
    """
    points = _grid(n_x, half_width, positive(scale, "scale"))
    return Source(points, np.exp(-np.abs(points) / scale), name="laplace", normalise=True)


def uniform(n_x: int = 101, low: float = -1.0, high: float = 1.0) -> Source:
    """Return equal masses on an even grid from `low` to `high`, both included.

    Parameters
    ----------
    n_x : int, optional
        Number of symbols, at least 2.
    low, high : float, optional
        Ends of the grid, low < high.

    Returns
    -------
    Source
        Points of shape (n_x, 1).
    """
    low, high = real_number(low, "low"), real_number(high, "high")
    if not -math.inf < low < high < math.inf:
        raise InvalidInput(f"low is {low:.6g} and high is {high:.6g}; they must be finite, with low < high")
    n_x = count(n_x, "n_x", least=2)
    return Source(np.linspace(low, high, n_x), np.full(n_x, 1.0 / n_x), name="uniform")


def grid(masses: Any, axes: Sequence[Any], labels: Any = (), name: str = "grid") -> Source:
    """Return a source on a product grid, between whose points no named distortion is ever stored as one matrix.

    Parameters
    ----------
    masses : array_like or callable
        Non-negative, with a positive sum, shape (n_1, n_2, ...) or flattened in C order; rescaled to sum to one. A
        function is called with all points, shape (n_1 n_2 ..., dim), and returns their densities.
    axes : sequence of array_like
        Coordinates along each axis, shapes (n_1,), (n_2,), ...
    labels : sequence of array_like, optional
        As of `Source`.
    name : str, optional

    Returns
    -------
    Source
        Symbols are the points of the grid in C order, the last axis running fastest.

    Raises
    ------
    InvalidInput
        If there is not one mass per point, a mass is negative or none positive, or the function does not take points.

    Examples
    --------
    >>> line = np.linspace(-3, 3, 40)
    >>> source = grid(lambda points: np.exp(-(points**2).sum(axis=1) / 2), [line, line])
    >>> source
    Source('grid', n_x=1600, dim=2)

    Problems on it use Kronecker products in place of matrices of 1600 x 1600 entries:

    >>> from rdcsolve import Problem, solve
    >>> result = solve(Problem(source).at_multipliers(distortion=2.0))
    >>> result.status.name, result.gap <= 1e-9
    ('OPTIMAL', True)
    """
    columns = grid_axes(axes)
    shape = tuple(axis.size for axis in columns)
    if callable(masses):
        points = grid_points(columns)
        check_takes(masses, (points,), f"masses {function_name(masses)}", "all points of the grid, one row each")
        masses = masses(points)
    values = float_array(masses, "masses")
    if values.shape not in (shape, (math.prod(shape),)):
        raise InvalidInput(f"masses has shape {values.shape} for axes that span {shape}; give one mass per point")
    return Source(None, values.ravel(), labels=labels, name=name, normalise=True, axes=axes)


def bernoulli(p: float = 0.5) -> Source:
    """Return the source with P(X = 1) = p at the points 0 and 1.

    Parameters
    ----------
    p : float, optional
        In [0, 1].

    Returns
    -------
    Source
    """
    p = probability(p, "p")
    return Source([0.0, 1.0], [1.0 - p, p], name="bernoulli")


def binary_pair(b: float = 0.5, p1: float = 0.1) -> Source:
    """Return X ~ Bernoulli(b) with the label S = X xor N, N ~ Bernoulli(p1) independent of X.

    Parameters
    ----------
    b : float, optional
        P(X = 1).
    p1 : float, optional
        P(S differs from X).

    Returns
    -------
    Source
        Two symbols, one binary label.
    """
    b, p1 = probability(b, "b"), probability(p1, "p1")
    return Source([0.0, 1.0], [1.0 - b, b], labels=[[[1.0 - p1, p1], [p1, 1.0 - p1]]], name="binary pair")


def gaussian_pair(
    rho: float = 0.7,
    n_x: int = 401,
    n_s: int = 201,
    var_x: float = 1.0,
    var_s: float = 1.0,
    half_width: float = 5.0,
) -> Source:
    """Return jointly Gaussian (X, S), both on even grids; S is the label.

    Parameters
    ----------
    rho : float, optional
        Correlation, in (-1, 1).
    n_x, n_s : int, optional
        Number of symbols and of classes, at least 2.
    var_x, var_s : float, optional
        Variances.
    half_width : float, optional
        Both grids cover this many standard deviations to either side.

    Returns
    -------
    Source
        The label's row at x is proportional to the density of N(rho x sqrt(var_s / var_x), var_s (1 - rho^2))
        on the grid of S, so entropies of S are differential entropies less the logarithm of the grid step.
    """
    rho = real_number(rho, "rho")
    if not -1 < rho < 1:
        raise InvalidInput(f"rho is {rho:.6g}; a correlation must lie strictly between -1 and 1")
    sd_s = math.sqrt(positive(var_s, "var_s"))
    x = gaussian(n_x, var_x, half_width)
    s = _grid(n_s, half_width, sd_s)
    means = rho * sd_s / math.sqrt(var_x) * x.points  # (n_x, 1)
    log_density = -((s[None, :] - means) ** 2) / (2 * var_s * (1 - rho**2))
    return Source(x.points, x.p_x, labels=[_normalised_exp(log_density)], name="gaussian pair")


def mixture(
    means: Any,
    sigmas: Any = 1.0,
    weights: Any = None,
    *,
    n_x: Any = None,
    low: Any = None,
    high: Any = None,
    half_width: float = 5.0,
) -> Source:
    """Return a mixture of Gaussians with independent coordinates on an even grid; the label is the component.

    Parameters
    ----------
    means : array_like
        Shape (k,) on the line, or (k, dim).
    sigmas : array_like, optional
        Standard deviations: one number, one per component (k,), or (k, dim).
    weights : array_like, optional
        Shape (k,), non-negative, rescaled to sum to one; equal by default.
    n_x : int or sequence of int, optional
        Number of grid points along each axis; by default 401 on the line and 50 per axis otherwise.
    low, high : float or sequence of float, optional
        Ends of the grid along each axis; by default the grid covers `half_width` standard deviations about
        every mean.
    half_width : float, optional
        In standard deviations.

    Returns
    -------
    Source
        Points of shape (n, dim) in C order (the last coordinate runs fastest), masses proportional to the
        density, and one label whose row at x is the posterior of the component.

    Examples
    --------
    >>> mixture([[-1, 0], [1, 0]], 0.5, n_x=20, low=-4, high=4)
    Source('mixture', n_x=400, dim=2, labels=(2,))
    """
    centres, deviations, shares = _components(means, sigmas, weights)
    axes = _axes(centres, deviations, n_x, low, high, positive(half_width, "half_width"))
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    log_joint = np.full((points.shape[0], shares.size), -math.inf)  # log of weight times density, up to a constant
    for k in np.flatnonzero(shares > 0):
        z = (points - centres[k]) / deviations[k]
        log_joint[:, k] = math.log(shares[k]) - np.log(deviations[k]).sum() - 0.5 * (z**2).sum(axis=1)
    top = log_joint.max()
    p_x = np.exp(log_joint - top).sum(axis=1)
    return Source(points, p_x / p_x.sum(), labels=[_normalised_exp(log_joint)], name="mixture", normalise=True)


def empirical(samples: Any, labels: Any = None, weights: Any = None, name: str = "empirical") -> Source:
    """Return the empirical source of a sample: `Source.from_samples` under the name it has among sources.

    Parameters
    ----------
    samples : array_like
        Shape (n,) or (n, dim); equal samples become one symbol.
    labels : sequence, optional
        One hashable value per sample, or several columns of them.
    weights : array_like, optional
        Shape (n,), non-negative.
    name : str, optional
        Shown in summaries and plots.

    Returns
    -------
    Source
    """
    return Source.from_samples(samples, labels=labels, weights=weights, name=name)


def _grid(n: Any, half_width: Any, unit: float) -> np.ndarray:
    reach = positive(half_width, "half_width") * unit
    return np.linspace(-reach, reach, count(n, "the number of grid points", least=2))


def _normalised_exp(log_masses: np.ndarray) -> np.ndarray:
    """Return rows proportional to exp(log_masses); the largest entry of each row keeps it from vanishing."""
    rows = np.exp(log_masses - log_masses.max(axis=1, keepdims=True))
    return freeze(rows / rows.sum(axis=1, keepdims=True))


def _components(means: Any, sigmas: Any, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means (k, dim), standard deviations (k, dim) and weights (k,)."""
    centres = float_array(means, "means")
    centres = centres[:, None] if centres.ndim == 1 else centres
    if centres.ndim != 2 or centres.size == 0 or not np.isfinite(centres).all():
        raise InvalidInput(f"means is {means!r}; give finite numbers of shape (k,) or (k, dim)")
    deviations = float_array(sigmas, "sigmas")
    deviations = deviations[:, None] if deviations.ndim == 1 else deviations
    if not (np.isfinite(deviations) & (deviations > 0)).all():
        raise InvalidInput(f"sigmas is {sigmas!r}; standard deviations must be finite and > 0")
    try:
        deviations = np.broadcast_to(deviations, centres.shape)
    except ValueError as error:
        raise InvalidInput(
            f"sigmas has shape {deviations.shape} for means of shape {centres.shape}; make them agree"
        ) from error
    k = centres.shape[0]
    shares = mass_vector(np.full(k, 1.0 / k) if weights is None else weights, "weights", normalise=True)
    if shares.size != k:
        raise InvalidInput(f"weights has {shares.size} entries for {k} components; give one weight each")
    return centres, deviations, shares


def _axes(
    centres: np.ndarray, deviations: np.ndarray, n_x: Any, low: Any, high: Any, half_width: float
) -> list[np.ndarray]:
    """Return the grid points along each axis."""
    dim = centres.shape[1]
    default = 401 if dim == 1 else 50
    numbers = _per_axis(default if n_x is None else n_x, dim, "n_x")
    lows = _per_axis((centres - half_width * deviations).min(axis=0) if low is None else low, dim, "low")
    highs = _per_axis((centres + half_width * deviations).max(axis=0) if high is None else high, dim, "high")
    axes = []
    for n, bottom, top in zip(numbers, lows, highs, strict=True):
        start, stop = real_number(bottom, "low"), real_number(top, "high")
        if not -math.inf < start < stop < math.inf:
            raise InvalidInput(f"the grid runs from low={start:.6g} to high={stop:.6g}; make low < high, both finite")
        axes.append(np.linspace(start, stop, count(n, "n_x", least=2)))
    return axes


def _per_axis(value: Any, dim: int, name: str) -> list[Any]:
    if np.ndim(value) == 0:
        return [value] * dim
    if np.shape(value) != (dim,):
        raise InvalidInput(f"{name} is {value!r}; give one number, or one for each of the {dim} axes")
    return list(value)
