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


def at_the_least(seed, measure):
    """Return a problem whose limit is the least distance, in floats, of a law on letters that lack symbols; and it."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 8))
    x, p = np.sort(rng.normal(size=n)), rng.dirichlet(np.full(n, 2.0))
    y = x[rng.permutation(n)[: int(rng.integers(2, n))]]
    d = np.abs(x[:, None] - y)
    D = 0.5 * float((p @ d).min()) + 0.5 * math.fsum(p * d.min(axis=1))
    is_class = measure == "a class"
    labels = [rng.dirichlet(np.ones(2), n)] if is_class else None
    source = rdc.Source(x, p, labels=labels)
    limit = rdc.PerceptionLimit([math.inf] * 2, "w1", given=0) if is_class else rdc.PerceptionLimit(math.inf, measure)
    problem = rdc.Problem(source, reproduction=y, distortion=d, limits=[rdc.DistortionLimit(D), limit])
    perception = problem.perceptions[0]
    share = math.fsum(perception.target)
    least = {"kl": -math.log(share), "chi2": 1 / share - 1, "hellinger": 1 - math.sqrt(share)}
    if perception.cost is not None:
        least[perception.measure] = float(perception.target @ perception.cost.min(axis=1)) / share
    value = least.get(perception.measure, perception.outside)
    return (problem.with_limits(perception_0=value) if is_class else problem.with_limits(P=value)), value


@given(st.integers(0, 2**32 - 1), st.sampled_from(["w2", "w1", "tv", "a class"]), st.sampled_from([0.0, 1e-15, 1e-13]))
def test_at_the_least_distance_there_is_an_answer(seed, measure, above):
    problem, least = at_the_least(seed, measure)
    if least < 1e-3:
        return
    name = problem.perception_names[0]
    problem = problem.with_limits(**{name: least * (1 + above)})
    result = rdc.solve(problem, tolerance=1e-7)
    if measure == "a class" and result.status is Status.INFEASIBLE:
        return
    assert result.status is Status.OPTIMAL, result.message
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    assert abs(result.perceptions[name] - least) < 1e-12
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid
    wider = rdc.solve(problem.with_limits(**{name: least * (1 + 1e-6)}), tolerance=1e-7)
    assert wider.rate_lower <= result.rate_upper + 1e-9
    assert result.rate_lower <= wider.rate_upper + 1e-2  # and no jump: multipliers are finite


@given(st.integers(0, 2**32 - 1), st.sampled_from(["kl", "chi2", "hellinger"]))
def test_divergences_at_their_least_are_bounded_from_both_sides(seed, measure):
    """The least rate moves by the root of what a limit is rounded by, so that is what is left of the gap."""
    problem, least = at_the_least(seed, measure)
    if least < 1e-3:
        return
    result = rdc.solve(problem, tolerance=1e-8)
    if result.status is Status.INFEASIBLE:
        return
    assert result.gap < 3e-6
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    shares = problem.perceptions[0].target / problem.perceptions[0].target.sum()
    assert np.abs(result.output_law - shares).max() < 1e-12
