"""Limits on f-divergences where their conjugates are steep, and where multipliers are large."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.certificates.laws import FloatLaw
from rdcsolve.perception import DIVERGENCES
from rdcsolve.problems import Perception
from rdcsolve.results import Status
from rdcsolve.solvers.perception.programme import Law

WITH_AN_END = [name for name, divergence in DIVERGENCES.items() if math.isfinite(divergence.steepest)]
SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.sampled_from(WITH_AN_END), st.floats(-4, 4), st.floats(-1e-15, 1e-15))
def test_levels_at_the_end_of_the_domain_prove_what_is_claimed(seed, measure, size, beyond):
    """The check finds a bound, and no more than a rounding above ours, after prices were shifted to zero."""
    rng = np.random.default_rng(seed)
    target, w, nu = rng.dirichlet(np.ones(5)), rng.uniform(-3, 3, 5), float(10**size)
    places = np.arange(5)
    perception = Perception("perception", measure, target, places, None)
    law = Law(0, perception, 0.1, None, np.empty(0, dtype=np.intp), places, places, None, 5)
    at_the_end = float(w.max()) - nu * DIVERGENCES[measure].steepest * (1 + beyond)
    claimed, _, level = law.support(w, nu, at_the_end)
    least = float(w.min())
    proved = FloatLaw(perception, LawProof(w - least, nu, level - least), 0.1, None).support()
    assert math.isfinite(claimed)
    assert math.isfinite(proved)
    assert proved + least <= claimed + 1e-14 * (10 + nu)


def solved(problem):
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)
    assert result.verify(problem).valid
    return result


def lonely(seed, measure, exponent):
    """Return a problem whose symbols lie on scales far from each other, so that some are nearly alone."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    p = rng.dirichlet(np.full(n, float(rng.choice([0.3, 1.0, 5.0])))) + 1e-6
    x = np.cumsum(10.0 ** rng.uniform(-3, 1.5, n))
    d = np.subtract.outer(x, x) ** 2
    bound = float(np.median(d[d > 0])) * 10.0 ** rng.uniform(-4, 0)
    limits = [rdc.DistortionLimit(bound), rdc.PerceptionLimit(10.0**exponent, measure)]
    return rdc.Problem(rdc.Source(x, p / p.sum()), limits=limits)


@given(SEEDS, st.sampled_from([*DIVERGENCES]), st.floats(-7, 0))
def test_symbols_that_are_nearly_alone(seed, measure, exponent):
    solved(lonely(seed, measure, exponent))


def test_multipliers_that_have_far_to_go():
    """The barrier first sends the multiplier to 1e5, for many steps without a better bound."""
    x = np.array([0.36, 2.06, 2.12])
    limits = [rdc.DistortionLimit(5e-4), rdc.PerceptionLimit(1.2e-6, "kl")]
    assert solved(rdc.Problem(rdc.Source(x, [0.39, 0.05, 0.56]), limits=limits)).gap <= 1e-8


LOOSE = np.array(
    [
        [0.0, 1.45, 0.13, 0.27, 0.72, 0.18, 7.8],
        [1.43, 0.0, 0.54, 0.023, 0.22, 0.0023, 10.1],
        [2.1, 0.33, 0.0, 0.012, 0.046, 0.045, 11.8],
        [4.7, 0.02, 2.9, 0.0, 0.25, 0.85, 17.2],
        [0.99, 1.07, 0.28, 0.13, 0.0, 0.064, 8.8],
        [0.61, 1.55, 0.1, 0.32, 0.79, 0.0, 7.6],
        [1.34, 0.76, 0.49, 0.035, 0.26, 0.0074, 0.0],
    ]
)


@pytest.mark.parametrize("measure", ["reverse_chi2", "reverse_kl", "hellinger", "js"])
@pytest.mark.parametrize("D", [0.09, 0.2535])
def test_a_symbol_of_small_mass_that_many_would_like_to_be(measure, D):
    """The law has a hundred times the target's mass there: f* is used where it is steep."""
    p = np.array([0.236, 0.162, 0.11, 0.058, 0.35, 0.007, 0.077])
    bound = {"reverse_chi2": 0.86, "reverse_kl": 0.6, "hellinger": 0.12, "js": 0.12}[measure]
    problem = rdc.Problem.from_arrays(p / p.sum(), LOOSE, D=D, P=bound, perception=measure)
    result = solved(problem)
    assert result.steps < 60
    least = solved(problem.with_limits(distortion=math.inf).minimising("distortion", rate=result.rate_upper))
    assert least.objective_lower <= D * (1 + 1e-9)
    assert D <= least.objective_upper * (1 + 1e-6)


@pytest.mark.parametrize("measure", DIVERGENCES)
def test_the_barrier_falls_by_ever_more(measure):
    """Falling by ten at a time, from one tenth for each product, this took twice to three times as many steps."""
    x = np.linspace(-4.9, 4.9, 50)
    source = rdc.Source(x, np.exp(-(x**2) / 2), normalise=True)
    limits = [rdc.DistortionLimit(0.3), rdc.PerceptionLimit(0.004, measure)]
    result = rdc.solve(rdc.Problem(source, limits=limits), tolerance=1e-8)
    assert result.status is Status.OPTIMAL
    assert result.steps <= 20
