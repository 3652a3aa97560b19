"""Limits on the law of the reproduction that nothing meets are refuted with a certificate; what meets them is found."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.perception import DIVERGENCES, distance
from rdcsolve.results import Proof, Status

P_X = [0.5, 0.3, 0.2]
LINE = rdc.Source([0.0, 1.0, 2.0], P_X)
BETWEEN = [0.3, 1.4]  # no reproduction is a symbol: the least squared distance is 0.165


def between(bound, D=0.8):
    return rdc.Problem(LINE, BETWEEN, limits=[rdc.DistortionLimit(D), rdc.PerceptionLimit(bound, "w2")])


def refuted(problem):
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid
    return result


@pytest.mark.parametrize("bound", [0.0, 0.1, 0.165 * (1 - 1e-9)])
def test_laws_that_letters_cannot_reach_are_refuted(bound):
    result = refuted(between(bound))
    assert result.minimum["perception"] == pytest.approx(0.165)
    assert "least distance" in result.message


def test_just_above_the_least_distance_there_are_channels():
    problem = between(0.165 * (1 + 1e-6))
    result = rdc.solve(problem)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)
    assert result.verify(problem).valid


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_the_least_distance_at_a_rate_where_no_reproduction_is_a_symbol(rate):
    problem = between(math.inf).minimising("perception", rate=rate)
    result = rdc.solve(problem)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)
    assert result.verify(problem).valid
    assert result.objective_lower >= 0.165 * (1 - 1e-12)
    if rate >= 0.3:
        assert result.objective_upper == pytest.approx(0.165, rel=1e-8)


@pytest.mark.parametrize("measure", ["tv", "kl", "hellinger", "js"])
def test_mass_without_a_reproduction_cannot_be_exact(measure):
    limits = [rdc.DistortionLimit(2.0), rdc.PerceptionLimit(0.0, measure)]
    refuted(rdc.Problem(LINE, [0.0, 1.0], limits=limits))


def test_letters_that_nobody_may_use_bring_no_law_nearer():
    d = np.array([[0.0, 1.0, math.inf], [1.0, 0.0, math.inf], [2.0, 1.0, math.inf]])
    cost = np.abs(np.subtract.outer([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]))
    for limit in (rdc.PerceptionLimit(0.1, "transport", cost=cost), rdc.PerceptionLimit(0.1, "tv")):
        refuted(rdc.Problem(rdc.Source(None, P_X), distortion=d, limits=[rdc.DistortionLimit(2.0), limit]))


def test_a_loss_at_its_least_beside_an_exact_law_that_it_excludes():
    """The least loss uses the second letter alone, so that the law is not the source's: no refusal, a refutation."""
    d = np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    limits = [rdc.DistortionLimit(0.0), rdc.PerceptionLimit(0.0, "exact")]
    refuted(rdc.Problem(rdc.Source(None, P_X), distortion=d, limits=limits))


def random_limits(seed, measure):
    """Return a problem whose limits may or may not exclude each other, without what would decide it by names alone."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    p, d = rng.dirichlet(np.full(n, 2.0)), rng.random((n, n))
    d[np.diag_indices(n)] = 0.0
    limits = {"target": rng.dirichlet(np.ones(n))} if measure != "transport" else {"cost": rng.random((n, n))}
    bound = 10 ** rng.uniform(-3, 0)
    perception = rdc.PerceptionLimit(bound, measure, **limits)
    return rdc.Problem(
        rdc.Source(None, p), distortion=d, limits=[rdc.DistortionLimit(10 ** rng.uniform(-2, -0.5)), perception]
    )


def nearest_law(problem):
    """Return the least distance of a channel within the distortion, by a conic solver."""
    cvxpy = pytest.importorskip("cvxpy")
    perception, d = problem.perceptions[0], problem.losses[0].matrix
    joint = cvxpy.Variable(d.shape, nonneg=True)
    q, t = cvxpy.sum(joint, axis=0), perception.target
    limits = [
        cvxpy.sum(joint, axis=1) == problem.p_x,
        cvxpy.sum(cvxpy.multiply(joint, d)) <= problem.bounds[0],
    ]
    if perception.cost is not None:
        plan = cvxpy.Variable(perception.cost.shape, nonneg=True)
        limits += [cvxpy.sum(plan, axis=1) == t, cvxpy.sum(plan, axis=0) == q]
        least = cvxpy.sum(cvxpy.multiply(plan, perception.cost))
    else:
        least = {
            "tv": lambda: 0.5 * cvxpy.norm1(q - t),
            "kl": lambda: cvxpy.sum(cvxpy.rel_entr(q, t)),
            "reverse_kl": lambda: cvxpy.sum(cvxpy.rel_entr(t, q)),
            "chi2": lambda: cvxpy.sum(cvxpy.multiply(1 / t, cvxpy.square(q - t))),
            "reverse_chi2": lambda: cvxpy.sum(cvxpy.multiply(t**2, cvxpy.inv_pos(q))) - 1,
            "hellinger": lambda: 1 - cvxpy.sum(cvxpy.multiply(np.sqrt(t), cvxpy.sqrt(q))),
            "js": lambda: 0.5 * cvxpy.sum(cvxpy.rel_entr(q, (q + t) / 2) + cvxpy.rel_entr(t, (q + t) / 2)),
        }[perception.measure]()
    return cvxpy.Problem(cvxpy.Minimize(least), limits).solve(solver="CLARABEL")


@given(st.integers(0, 2**32 - 1), st.sampled_from(["transport", "tv", *DIVERGENCES]))
def test_limits_are_met_or_refuted(seed, measure):
    problem = random_limits(seed, measure)
    result = rdc.solve(problem)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL, Status.INFEASIBLE)
    assert result.verify(problem).valid
    least, bound = nearest_law(problem), float(problem.perception_bounds[0])
    if abs(least - bound) > 1e-5 * (1 + bound):
        assert (result.status is Status.INFEASIBLE) == (least > bound)
    if result.status is not Status.INFEASIBLE:
        assert distance(problem.perceptions[0], result.output_law) <= bound * (1 + 1e-9) + 1e-12


@given(st.integers(0, 2**32 - 1), st.sampled_from([*DIVERGENCES]))
def test_very_small_limits_are_near_the_exact_law(seed, measure):
    rng = np.random.default_rng(seed)
    p, d = rng.dirichlet(np.full(3, 3.0)), rng.random((3, 3))
    d[np.diag_indices(3)] = 0.0
    bound = 10 ** rng.uniform(-9, -7)
    D = float(0.3 * (p @ d).min())
    near = rdc.solve(rdc.Problem.from_arrays(p, d, D=D, P=bound, perception=measure))
    exact = rdc.solve(rdc.Problem.from_arrays(p, d, D=D, P=0.0, perception="exact"))
    assert near.gap < 1e-6
    assert near.rate_lower <= exact.rate_upper
    assert near.rate_upper > exact.rate_lower - 30 * math.sqrt(bound)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["reverse_kl", "reverse_chi2", "kl", "tv"]))
def test_limits_that_a_constant_law_meets_need_no_rate(seed, measure):
    """Also where divergences are infinite unless every letter is used, as a single best letter is not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    p, d, q = rng.dirichlet(np.ones(n)), rng.random((n, n)), rng.dirichlet(np.full(n, 0.5)) + 1e-3
    q /= q.sum()
    d[np.diag_indices(n)] = 0.0
    problem = rdc.Problem.from_arrays(p, d, D=1.1 * float(p @ d @ q), P=1.0, perception=measure)
    problem = problem.with_limits(P=1.1 * distance(problem.perceptions[0], q))
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.rate_upper <= 1e-9
    assert result.verify(problem).valid


def test_a_least_loss_where_a_divergence_is_infinite_is_no_crash():
    """The least distortion leaves out a letter, at which KL(p || q) is infinite: it is looked at on the way."""
    d = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.5], [2.0, 0.5, 0.5]])
    problem = rdc.Problem.from_arrays(P_X, d, P=0.05, perception="reverse_kl").minimising("distortion", rate=0.4)
    result = rdc.solve(problem)
    assert result.verify(problem).valid
    assert result.gap < 1e-6


def test_fixed_letters_with_a_label_beside_perception_are_refused():
    source = rdc.Source(None, P_X, labels=[[[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]])
    limits = [rdc.DistortionLimit(0.2), rdc.LabelEntropyLimit(0.6), rdc.PerceptionLimit(0.05, "tv")]
    with pytest.raises(rdc.InvalidInput, match="label entropies"):
        rdc.solve(rdc.Problem(source, distortion=1 - np.eye(3), letters="fixed", limits=limits))
