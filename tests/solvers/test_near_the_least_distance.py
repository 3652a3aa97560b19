"""Limits just above the least distance of any law: transport at little more than what every plan costs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.perception.refutation import least_distance


def drawn(seed, measure):
    """Return a problem whose limit on losses is loose enough for every symbol's nearest letter, and some more."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 6)), int(rng.integers(2, 5))
    x, y = np.sort(rng.normal(size=n)), np.sort(rng.normal(size=k))
    y = np.append(y, x[0]) if measure == "tv" else y  # one symbol has its reproduction, the others have none
    p = rng.dirichlet(np.full(n, 2.0))
    d = (x[:, None] - y) ** 2
    lowest, loosest = float(p @ d.min(axis=1)), float((p @ d).min())
    D = lowest + (loosest - lowest) * rng.uniform(0.5, 1.2)
    limits = [rdc.DistortionLimit(D), rdc.PerceptionLimit(math.inf, measure)]
    return rdc.Problem(rdc.Source(x, p), reproduction=y, limits=limits)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["w2", "w1", "tv"]), st.floats(-9, -2))
def test_limits_just_above_the_least_distance(seed, measure, exponent):
    problem = drawn(seed, measure)
    least = least_distance(problem.perceptions[0])
    if least < 1e-3:
        return
    near = problem.with_limits(P=least * (1 + 10**exponent))
    result = rdc.solve(near, tolerance=1e-7)
    assert result.proof is Proof.CERTIFIED
    assert result.verify(near).valid
    assert result.status in (Status.OPTIMAL, Status.INFEASIBLE)
    if pytest.importorskip("flint"):
        assert result.verify(near, "ball").valid


@pytest.mark.parametrize("seed", range(6))
def test_at_the_least_distance_a_bound_is_left(seed):
    """No channel of floats is proved to be there, but what one little above needs, this needs, too."""
    problem = drawn(seed, "w2")
    least = least_distance(problem.perceptions[0])
    result = rdc.solve(problem.with_limits(P=least))
    above = rdc.solve(problem.with_limits(P=least * (1 + 1e-9)))
    assert result.certificate is not None
    assert result.verify(problem.with_limits(P=least)).valid
    assert result.rate_lower >= above.rate_lower - 1e-7
