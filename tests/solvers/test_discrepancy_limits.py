"""Limits on a discrepancy: known values, a conic solver, support functions against brute force, and what must hold."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.certificates.laws import FloatLaw
from rdcsolve.perception import distance, nearest_mean, support
from rdcsolve.problems import Perception
from rdcsolve.results import Proof, Status

SEEDS = st.integers(0, 2**32 - 1)
FIVE = rdc.Source(np.arange(-2.0, 3.0), [0.15, 0.25, 0.3, 0.2, 0.1])


def energy(a, b):
    return -np.sqrt(((a[:, None] - b) ** 2).sum(axis=2))


def random_problem(seed, target=None):
    """Return a problem whose discrepancy is limited to a share of the largest, and that share."""
    rng = np.random.default_rng(seed)
    n, dim = int(rng.integers(2, 7)), int(rng.integers(1, 3))
    source = rdc.Source(rng.normal(size=(n, dim)), rng.dirichlet(np.full(n, 2.0)))
    kernel = energy if rng.random() < 0.3 else float(10 ** rng.uniform(-0.7, 0.7))
    d = ((source.points[:, None] - source.points) ** 2).sum(axis=2)
    loss = rdc.DistortionLimit(float((source.p_x @ d).min()) * rng.uniform(0.05, 0.9))
    problem = rdc.Problem(source, limits=[loss, rdc.PerceptionLimit(1.0, "mmd", kernel=kernel, target=target)])
    return problem.with_limits(P=problem.perceptions[0].scale * float(10 ** rng.uniform(-5, -1)))


@pytest.mark.parametrize(("root", "rate"), [(0.05, 0.5242329286), (0.02, 0.5384366166)])
def test_five_points(root, rate):
    """Computed once by a conic solver."""
    limits = [rdc.DistortionLimit(0.5), rdc.PerceptionLimit(root**2, "mmd", kernel=1.0)]
    result = rdc.solve(rdc.Problem(FIVE, limits=limits), tolerance=1e-10)
    assert result.status is Status.OPTIMAL
    assert result.rate_upper == pytest.approx(rate, abs=2e-10)


@given(SEEDS)
def test_answers_are_certified_in_both_arithmetics(seed):
    problem = random_problem(seed)
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    assert result.perceptions["perception"] <= problem.perception_bounds[0]
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid


@given(SEEDS)
def test_the_least_rate_falls_and_is_convex(seed):
    problem = random_problem(seed)
    D, P = float(problem.bounds[0]), float(problem.perception_bounds[0])
    ends = [rdc.solve(problem.with_limits(D=D * a, P=P * b), tolerance=1e-8) for a, b in ((0.5, 0.25), (1.0, 1.0))]
    middle = rdc.solve(problem.with_limits(D=0.75 * D, P=0.625 * P), tolerance=1e-8)
    assert ends[1].rate_lower <= ends[0].rate_upper
    assert middle.rate_lower <= 0.5 * sum(end.rate_upper for end in ends) + 1e-12


@given(SEEDS)
def test_a_small_limit_is_nearly_an_exact_law(seed):
    """A Gaussian kernel has one law at no discrepancy."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.5, 1.5, int(rng.integers(2, 6))))
    source = rdc.Source(x, rng.dirichlet(np.full(x.size, 3.0)))
    loss = rdc.DistortionLimit(float(source.p_x @ (x - source.p_x @ x) ** 2) * rng.uniform(0.1, 0.8))
    near = rdc.solve(rdc.Problem(source, limits=[loss, rdc.PerceptionLimit(1e-10, "mmd", kernel=0.7)]), tolerance=1e-7)
    exact = rdc.solve(rdc.Problem(source, limits=[loss, rdc.PerceptionLimit(0.0, "exact")]))
    assert near.rate_lower <= exact.rate_upper
    assert near.rate_upper == pytest.approx(exact.rate_upper, abs=1e-3)


@given(SEEDS)
def test_a_limit_beyond_the_largest_is_none(seed):
    problem = random_problem(seed)
    far = problem.with_limits(P=problem.perceptions[0].scale * 1.01)
    result, plain = rdc.solve(far), rdc.solve(problem.without_perceptions(), solver="interior-point")
    assert result.multipliers["perception"] == 0
    assert (result.rate_lower, result.rate_upper) == (plain.rate_lower, plain.rate_upper)
    assert result.verify(far).valid


@given(SEEDS)
def test_other_faces_agree(seed):
    problem = random_problem(seed)
    rate = rdc.solve(problem, tolerance=1e-9)
    if rate.rate_upper < 1e-3 or rate.multipliers["perception"] == 0:
        return
    for name, limit in (("distortion", problem.bounds[0]), ("perception", problem.perception_bounds[0])):
        other = problem.minimising(name, rate=rate.rate_upper)
        result = rdc.solve(other, tolerance=1e-8)
        assert result.verify(other).valid
        assert result.objective_lower <= limit
        assert result.objective_upper == pytest.approx(limit, abs=2e-8 * (1 + 1 / rate.multipliers[name]))
    stated = problem.at_multipliers(**rate.multipliers)
    result = rdc.solve(stated, tolerance=1e-8)
    assert result.status is Status.OPTIMAL
    assert result.verify(stated).valid


@given(SEEDS, st.sampled_from([0.0, 1e-3, 0.1, 1.0]))
def test_no_numbers_prove_more_than_there_is(seed, noise):
    """Any u, multipliers, prices and witness: near the best ones, and far from them."""
    problem = random_problem(seed % 50)
    result = rdc.solve(problem, tolerance=1e-8)
    rng = np.random.default_rng(seed)
    certificate, law = result.certificate, result.certificate.laws[0]
    size = law.witness.size
    changed = replace(
        law,
        prices=np.maximum(law.prices + noise * rng.normal(size=law.prices.size), 0.0),
        multiplier=law.multiplier * math.exp(noise * rng.normal()),
        witness=law.witness * math.exp(noise * rng.normal()) + 0.01 * noise * rng.normal(size=size),
    )
    other = replace(
        certificate,
        u=certificate.u + noise * rng.normal(size=problem.n_x),
        multipliers=certificate.multipliers * math.exp(noise * rng.normal()),
        laws=(changed,),
        lower=math.nan,
    )
    for arithmetic in ("float", "ball"):
        if arithmetic == "ball":
            pytest.importorskip("flint")
        assert other.verify(problem, arithmetic).lower <= result.rate_upper


LAWS = np.array([q for q in itertools.product(np.linspace(0, 1, 41), repeat=3) if abs(sum(q) - 1) < 1e-9])


@given(SEEDS, st.floats(-2, 2))
def test_no_law_beats_the_support_function(seed, size):
    rng = np.random.default_rng(seed)
    features, w, nu = rng.normal(size=(3, int(rng.integers(1, 4)))), rng.uniform(0, 2, 3), float(10**size)
    one = Perception("perception", "mmd", np.full(3, 1 / 3), np.arange(3), features=features)
    distances = np.array([distance(one, q) for q in LAWS])
    values = LAWS @ w - nu * distances
    best = LAWS[values.argmax()] @ features
    bounds = [support(one, w, nu, 0.0, z) for z in (best, best + rng.normal(size=best.size), np.zeros(best.size))]
    assert values.max() <= min(bounds) + 1e-12 * (1 + nu)
    plain = FloatLaw(one, LawProof(w, nu, witness=best), 1.0, None).support()
    assert bounds[0] <= plain <= bounds[0] + 1e-12 * (1 + nu * one.scale)


@given(SEEDS)
def test_the_nearest_mean_is_nearest(seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(3, int(rng.integers(1, 4)))) + rng.normal()
    mean = nearest_mean(features)
    assert mean @ mean <= ((LAWS @ features) ** 2).sum(axis=1).min() + 1e-12
    assert mean @ mean == pytest.approx(max(0.0, (2 * features @ mean).min() - mean @ mean), abs=1e-10)


def test_a_limit_below_the_least_discrepancy_is_refuted():
    limits = [rdc.DistortionLimit(9.0), rdc.PerceptionLimit(1e-3, "mmd", kernel=1.0)]
    problem = rdc.Problem(FIVE, reproduction=[-0.5, 0.5], limits=limits)
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.verify(problem).valid
    least = rdc.solve(problem.with_limits(P=None).minimising("perception", rate=0.6))
    assert least.objective_lower > 1e-3
    assert least.gap < 1e-7


def test_limits_that_cannot_be_met_together_are_refuted():
    limits = [rdc.DistortionLimit(0.05), rdc.PerceptionLimit(0.01, "mmd", kernel=1.0, target=[0.5, 0.1, 0.1, 0.2, 0.1])]
    problem = rdc.Problem(FIVE, limits=limits)
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.verify(problem).valid


@pytest.mark.parametrize("seed", range(3))
def test_a_conic_solver_agrees(seed):
    cvxpy = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(seed)
    x = np.sort(rng.normal(size=6))
    source, target = rdc.Source(x, rng.dirichlet(np.full(6, 3.0))), rng.dirichlet(np.full(6, 5.0))
    problem = rdc.Problem(
        source, limits=[rdc.DistortionLimit(0.3), rdc.PerceptionLimit(1e-3, "mmd", kernel=0.6, target=target)]
    )
    result = rdc.solve(problem)
    joint = cvxpy.Variable((6, 6), nonneg=True)
    q = cvxpy.sum(joint, axis=0)
    gram = np.exp(-0.5 * np.subtract.outer(x, x) ** 2 / 0.36)
    root = np.linalg.cholesky(gram + 1e-13 * np.eye(6))
    rate = cvxpy.sum(cvxpy.rel_entr(joint, np.outer(source.p_x, np.ones(6)) @ cvxpy.diag(q)))
    limits = [cvxpy.sum(joint, axis=1) == source.p_x, cvxpy.sum_squares(root.T @ (q - target)) <= 1e-3]
    limits.append(cvxpy.sum(cvxpy.multiply(joint, np.subtract.outer(x, x) ** 2)) <= 0.3)
    asked = cvxpy.Problem(cvxpy.Minimize(rate), limits)
    asked.solve(solver="CLARABEL")
    assert result.status is Status.OPTIMAL
    assert result.multipliers["perception"] > 1e-2
    assert asked.value == pytest.approx(result.rate_upper, abs=3e-6)


def test_beside_a_label_and_other_limits():
    one = np.array([0.1, 0.3, 0.6, 0.2, 0.9])
    source = rdc.Source(FIVE.points, FIVE.p_x, labels=[np.column_stack([1 - one, one])])
    limits = [rdc.DistortionLimit(0.5), rdc.LabelEntropyLimit(0.6), rdc.PerceptionLimit(1e-3, "mmd", kernel=1.0)]
    alone = rdc.solve(rdc.Problem(source, limits=limits), tolerance=1e-7)
    limits.append(rdc.PerceptionLimit(0.001, "kl", name="other"))
    problem = rdc.Problem(source, limits=limits)
    result = rdc.solve(problem, tolerance=1e-7)
    assert (alone.status, result.status) == (Status.OPTIMAL, Status.OPTIMAL)
    assert alone.rate_lower <= result.rate_upper
    assert result.verify(problem).valid


def test_a_grid():
    """The Gaussian kernel's table is nearly singular, and the square has few digits."""
    x = np.linspace(-4, 4, 80)
    source = rdc.Source(x, np.exp(-x * x / 2), normalise=True)
    problem = rdc.Problem(source, limits=[rdc.DistortionLimit(0.3), rdc.PerceptionLimit(1e-4, "mmd", kernel=0.5)])
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.status is Status.OPTIMAL
    assert result.verify(problem).valid
