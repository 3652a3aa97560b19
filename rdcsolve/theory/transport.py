"""Squared Wasserstein distance between finite distributions, by POT (extra `transport`)."""

import os
from typing import Any

from numpy.typing import ArrayLike

from rdcsolve import options
from rdcsolve.errors import InvalidInput, MissingExtra
from rdcsolve.problems.validation import mass_vector, point_array

from .arguments import Array


def squared_wasserstein(points: ArrayLike, masses: ArrayLike, others: ArrayLike, other_masses: ArrayLike) -> float:
    """W_2^2 = min E (U - V)^2 over the joint laws of U and V with the given marginals.

    Parameters
    ----------
    points, others : array_like
        Shapes (n, dim) and (m, dim), or (n,) and (m,) on the line.
    masses, other_masses : array_like
        Shapes (n,) and (m,), each summing to one; zeros are welcome.

    Returns
    -------
    float
        Exact to rounding: by sorting on the line, by the network simplex method in more dimensions.

    Raises
    ------
    InvalidInput
        If shapes or dimensions disagree, or masses are not a distribution.
    MissingExtra
        If POT is not installed.

    Notes
    -----
    G. Peyre and M. Cuturi, Computational Optimal Transport, 2019, section 2. The distance of Theorem 4 of
    arXiv:2504.09025.

    Examples
    --------
    >>> round(squared_wasserstein([0.0, 1.0], [0.5, 0.5], [0.0, 3.0], [0.5, 0.5]), 12)
    2.0
    """
    x, p = _law(points, masses, "points", "masses")
    y, q = _law(others, other_masses, "others", "other_masses")
    if x.shape[1] != y.shape[1]:
        raise InvalidInput(f"points have dimension {x.shape[1]} and others {y.shape[1]}; make them agree")
    ot = _pot()
    if x.shape[1] == 1:
        return max(0.0, float(ot.emd2_1d(x[:, 0], y[:, 0], p, q, metric="sqeuclidean")))
    costs = ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)
    return max(0.0, float(ot.emd2(p, q, costs, numItermax=10_000_000)))


def sliced_squared_wasserstein(points: ArrayLike, others: ArrayLike, *, n_projections: int = 50, rng: Any = 0) -> float:
    """Mean of W_2^2 between projections of two samples on random directions: a distance for many dimensions.

    Parameters
    ----------
    points, others : array_like
        Samples of equal masses, shapes (n, dim) and (m, dim).
    n_projections : int, optional
        Unit directions, drawn uniformly.
    rng : int or numpy.random.Generator, optional
        Of the directions; one integer gives the same ones again.

    Returns
    -------
    float
        At most W_2^2 between the samples, and zero only if all their projections agree.

    Raises
    ------
    InvalidInput
        If shapes or dimensions disagree.
    MissingExtra
        If POT is not installed.

    Notes
    -----
    N. Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, 2015.

    Examples
    --------
    >>> round(sliced_squared_wasserstein([[0.0], [1.0]], [[3.0], [4.0]]), 12)
    9.0
    """
    x, y = point_array(points, "points"), point_array(others, "others")
    if x.shape[1] != y.shape[1]:
        raise InvalidInput(f"points have dimension {x.shape[1]} and others {y.shape[1]}; make them agree")
    n_projections = options.whole(n_projections, "n_projections")
    seed = int(options.generator(rng).integers(2**31))
    distance = _pot().sliced_wasserstein_distance(x, y, n_projections=n_projections, seed=seed, p=2)
    return float(distance) ** 2


def _law(points: ArrayLike, masses: ArrayLike, name: str, name_of_masses: str) -> tuple[Array, Array]:
    """Return the points of positive mass (n, dim) and their masses (n,)."""
    x, p = point_array(points, name), mass_vector(masses, name_of_masses)
    if x.shape[0] != p.size:
        raise InvalidInput(f"{name} has {x.shape[0]} rows but {name_of_masses} has {p.size}; give one mass per point")
    used = p > 0
    return x[used], p[used] / p[used].sum()


def _pot() -> Any:
    """Return the module ot, without the array libraries that it would load only to look for them."""
    for library in ("PYTORCH", "JAX", "TENSORFLOW", "CUPY"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{library}", "1")
    try:
        import ot
    except ImportError as missing:
        raise MissingExtra.of("transport", "the Wasserstein distance") from missing
    return ot
