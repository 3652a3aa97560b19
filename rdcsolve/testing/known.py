"""Benchmark problems whose optimum is known, built when they are first used."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from rdcsolve.problems import Problem, Source


@dataclass(frozen=True)
class KnownProblem:
    """A problem at a fixed multiplier with its optimum.

    Parameters
    ----------
    name : str
    description : str
    multiplier : float
        On the distortion.
    lower, upper : float
        Certified bounds on the least I + multiplier * E d, nats.
    rate, distortion : float or None
        Of the optimal channel, as far as their digits go, see `digits`; None where they are not known.
    digits : int
        How many decimal places of `rate` and `distortion` are right.
    """

    name: str
    description: str
    multiplier: float
    lower: float
    upper: float
    rate: float | None
    distortion: float | None
    digits: int
    _build: Callable[[], tuple[Source, str]]

    @cached_property
    def problem(self) -> Problem:
        """The problem at its multiplier; use `Problem.with_limits` for one at a target."""
        source, distortion = self._build()
        return Problem(source, distortion=distortion).at_multipliers(distortion=self.multiplier)


def known_problems() -> dict[str, KnownProblem]:
    """Return the benchmark problems by name; nothing is built before `KnownProblem.problem` is asked for.

    The optima are this project's benchmark values. Those of P1 to P3b were certified to 1e-11 by two methods;
    the bounds on P5 are certified as they stand.

    Returns
    -------
    dict of str to KnownProblem
        ``P1a_n``, ``P1b_n`` for n = 100, 500, 2000: the normal density on n points of [-5, 5], squared error,
        multiplier 5 and 1. ``P2``: Bernoulli(0.3) under Hamming distortion at D = 0.1. ``P3``, ``P3b``: the
        Laplace density exp(-abs(x)) on 1000 points of [-10, 10], absolute error, multiplier 10 and 2. ``P5``:
        a mixture of four Gaussians on a 50 x 50 grid, squared error, multiplier 4.

    Examples
    --------
    >>> known = known_problems()["P2"]
    >>> known.problem
    Problem(n_x=2, n_letters=2, minimise='lagrangian', 2.19722 * distortion)
    >>> known.distortion
    0.1
    """
    table = [
        *(_normal(name, 5.0, n, optimum, 1.15128, 0.1) for name, n, optimum in _P1A),
        *(_normal(name, 1.0, n, optimum, 0.34657, 0.5) for name, n, optimum in _P1B),
        _certified("P2", "Bernoulli(0.3), Hamming", math.log(9), 0.505503786397, 0.2857813287, 0.1, 10, _coin),
        _certified("P3", _LAPLACE, 10.0, 3.298776993454, 2.3054283266, 0.0993348667, 10, _two_sided_exponential),
        _certified("P3b", _LAPLACE, 2.0, 1.692549188407, 0.6928337036, 0.4998577424, 10, _two_sided_exponential),
        KnownProblem("P5", _MIXTURE, 4.0, 3.43062258, 3.430622584, None, None, 0, _four_gaussians),
    ]
    return {known.name: known for known in table}


_P1A = [
    ("P1a_100", 100, 1.651286521392),
    ("P1a_500", 500, 1.651285146569),
    ("P1a_2000", 2000, 1.651284870419),
]
_P1B = [
    ("P1b_100", 100, 0.846567727747),
    ("P1b_500", 500, 0.846566392066),
    ("P1b_2000", 2000, 0.846566123996),
]
_LAPLACE = "exp(-abs(x)) on 1000 points of [-10, 10], absolute error"
_MIXTURE = "four Gaussians on a 50 x 50 grid over [-4, 4]^2, squared error"
_ACCURACY = 1e-11


def _certified(
    name: str,
    description: str,
    multiplier: float,
    optimum: float,
    rate: float,
    distortion: float,
    digits: int,
    build: Callable[[], tuple[Source, str]],
) -> KnownProblem:
    lower, upper = optimum - _ACCURACY, optimum + _ACCURACY
    return KnownProblem(name, description, multiplier, lower, upper, rate, distortion, digits, build)


def _normal(name: str, multiplier: float, n: int, optimum: float, rate: float, distortion: float) -> KnownProblem:
    description = f"N(0, 1) on {n} points of [-5, 5], squared error"
    return _certified(name, description, multiplier, optimum, rate, distortion, 4, partial(_bell, n))


def _bell(n: int) -> tuple[Source, str]:
    x = np.linspace(-5, 5, n)
    return Source(x, np.exp(-(x**2) / 2), name=f"normal {n}", normalise=True), "squared_error"


def _coin() -> tuple[Source, str]:
    return Source([0.0, 1.0], [0.7, 0.3], name="coin"), "hamming"


def _two_sided_exponential() -> tuple[Source, str]:
    x = np.linspace(-10, 10, 1000)
    return Source(x, np.exp(-np.abs(x)), name="laplace", normalise=True), "absolute"


# weight, mean, standard deviation
_COMPONENTS = [
    (0.30, (-1.5, -1.0), 0.6),
    (0.25, (1.2, 1.5), 0.8),
    (0.25, (1.5, -1.5), 0.5),
    (0.20, (-1.0, 1.8), 0.7),
]


def _four_gaussians() -> tuple[Source, str]:
    axis = np.linspace(-4, 4, 50)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.zeros(points.shape[0])
    for weight, mean, deviation in _COMPONENTS:
        square = ((points - np.array(mean)) ** 2).sum(axis=1)
        density += weight * np.exp(-square / (2 * deviation**2)) / deviation**2
    return Source(points, density, name="four Gaussians", normalise=True), "squared_error"
