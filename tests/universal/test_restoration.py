"""Decoders that see the source through a channel: known values, linear programmes, fixed encoders."""

import math

import numpy as np
import pytest
from certified import check
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import rdcsolve as rdc
from rdcsolve.results import Proof, Status

INF = math.inf
POINTS = np.arange(-4.0, 5.0)


def bell(mean, deviation):
    values = np.exp(-((POINTS - mean) ** 2) / (2 * deviation**2))
    return values / values.sum()


def mixture(measure="tv"):
    """A label in two classes, two bells, noise, and the error of a threshold on what is shown."""
    prior = np.array([0.6, 0.4])
    given_label = np.stack([bell(-1.2, 1.0), bell(1.5, 0.8)])
    p = prior @ given_label
    labels = (prior[:, None] * given_label / p).T
    errors = labels[:, 1 - (POINTS > 1.2).astype(int)]
    limits = [rdc.LossLimit(INF, errors, "error"), rdc.PerceptionLimit(INF, measure)]
    noise = np.stack([bell(v, 1.3) for v in POINTS])
    return rdc.Problem(rdc.Source(POINTS, p), limits=limits), noise


def restored(problem, observation, tolerance=1e-9):
    seen = rdc.restoration(problem, observation)
    result = rdc.solve(seen, tolerance=tolerance)
    assert result.status is Status.OPTIMAL, result
    assert result.proof is Proof.CERTIFIED
    check(result, seen, tolerance)
    return result


# Computed once by a conic solver, with a certificate that was evaluated apart from it.
KNOWN = [
    ("tv", 1e-4, 1.0, 1.2386615616, 0.0, 5.43221524),
    ("tv", 0.05, 0.25, 1.1518262332, 0.42558633, 0.63999641),
    ("tv", 0.2, 0.2, 1.3431194729, 8.58998981, 0.63999641),
    ("tv", INF, 0.2, 1.3140700070, 6.09050312, 0.0),
    ("w2", INF, 0.2, 1.3140700070, 6.09050312, 0.0),
    ("w2", 1e-4, 1.0, 1.2389407835, 0.0, 2.63999642),
    ("w2", 0.05, 1.0, 1.1774476261, 0.0, 0.83955000),
    ("w2", 0.05, 0.25, 1.1774476261, 0.0, 0.83955000),
    ("w2", 0.2, 0.2, 1.3659873677, 8.58998982, 0.63999642),
    ("w2", INF, INF, 1.0937140547, 0.0, 0.0),
]


@pytest.mark.parametrize(("measure", "P", "error", "distortion", "price_of_error", "price_of_law"), KNOWN)
def test_classification_distortion_perception(measure, P, error, distortion, price_of_error, price_of_law):
    problem, noise = mixture(measure)
    result = restored(problem.with_limits(P=P, error=error), noise)
    assert result.objective_lower - 1e-9 <= distortion <= result.objective_upper + 1e-9
    slopes = np.array([result.multipliers["error"], result.multipliers["perception"]])
    slopes = slopes / result.multipliers["distortion"] if slopes.any() else slopes
    assert slopes == pytest.approx([price_of_error, price_of_law], abs=2e-6)


@pytest.mark.parametrize("measure", ["tv", "w2"])
def test_limits_that_no_decoder_meets_are_refuted(measure):
    problem, noise = mixture(measure)
    seen = rdc.restoration(problem.with_limits(P=0.05, error=0.2), noise)
    result = rdc.solve(seen)
    assert result.status is Status.INFEASIBLE
    assert result.verify(seen).valid


@pytest.mark.parametrize("measure", ["exact", "w1", "chi2", "kl"])
def test_other_measures(measure):
    problem, noise = mixture(measure)
    bound = 0.0 if measure == "exact" else 0.02
    loose, tight = (restored(problem.with_limits(P=P), noise, 1e-7) for P in (INF, bound))
    assert tight.objective_lower > loose.objective_upper
    assert tight.perceptions["perception"] <= bound


def test_balls_confirm():
    pytest.importorskip("flint")
    problem, noise = mixture("w2")
    seen = rdc.restoration(problem.with_limits(P=0.2, error=0.2), noise)
    result = rdc.solve(seen)
    found = result.verify(seen, "ball")
    assert found.valid, found
    assert found.lower >= result.objective_lower - 1e-12


@st.composite
def questions(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(2, 5)), draw(st.integers(1, 5))
    source = rdc.Source(rng.normal(size=(n, draw(st.integers(1, 2)))), rng.dirichlet(np.ones(n)))
    problem = rdc.Problem(source, limits=[rdc.PerceptionLimit(draw(st.sampled_from([0.0, 0.01, 0.2])), "w2")])
    return problem, rng.dirichlet(np.full(k, 0.5), n)


@given(questions())
def test_a_linear_programme_says_the_same(question):
    problem, observation = question
    result = restored(problem, observation, 1e-7)
    n = problem.n_x
    cost = problem.perceptions[0].cost
    joint = problem.p_x[:, None] * observation
    joint = joint[:, joint.sum(axis=0) > 0]
    q, k = joint.sum(axis=0), joint.shape[1]
    rows = np.block([[np.kron(np.eye(k), np.ones(n)), np.zeros((k, n * n))]])
    plans = np.block([[np.zeros((n, k * n)), np.kron(np.eye(n), np.ones(n))]])
    laws = np.block([[np.kron(q, np.eye(n)), -np.kron(np.ones(n), np.eye(n))]])
    answer = linprog(
        np.concatenate([(joint.T @ cost).ravel(), np.zeros(n * n)]),
        A_ub=np.concatenate([np.zeros(k * n), cost.ravel()])[None],
        b_ub=[float(problem.perception_bounds[0])],
        A_eq=np.vstack([rows, plans, laws]),
        b_eq=np.concatenate([np.ones(k), problem.p_x, np.zeros(n)]),
        method="highs",
    )
    assert answer.status == 0
    scale = max(1.0, float(cost.max()))
    assert result.objective_lower - 2e-6 * scale <= answer.fun <= result.objective_upper + 2e-6 * scale
    everywhere = rdc.perception_region(observation, problem.source)  # reproductions anywhere can only do better
    assert everywhere.distortion(float(problem.perception_bounds[0])) <= result.objective_upper + 1e-9 * scale


def test_codes_of_what_is_observed():
    """The rate of a noisy source, and its ends: what is seen exactly, and what decides nothing."""
    problem, noise = mixture("w2")
    plain = rdc.solve(problem.with_limits(D=1.5, P=0.1))
    exact = rdc.solve(rdc.restoration(problem.with_limits(D=1.5, P=0.1), np.eye(9), minimise="rate"))
    assert exact.rate_upper == pytest.approx(plain.rate_upper, abs=2e-9)
    noisy = rdc.solve(rdc.restoration(problem.with_limits(D=1.5, P=0.1), noise, minimise="rate"))
    assert noisy.rate_lower > plain.rate_upper


def test_labels_and_bits():
    source = rdc.Source([0.0, 1.0, 2.0], [0.5, 0.3, 0.2], labels=[[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]])
    problem = rdc.Problem(source, limits=[rdc.LabelEntropyLimit(0.9)], unit="bit")
    observation = [[0.9, 0.1], [0.5, 0.5], [0.0, 1.0]]
    seen = rdc.restoration(problem, observation)
    assert seen.unit == "bit"
    assert seen.n_x == 2
    joint = source.p_x[:, None] * np.array(observation)
    posteriors = joint.T @ source.labels[0] / joint.sum(axis=0)[:, None]
    assert seen.source.labels[0] == pytest.approx(posteriors)


def test_bad_input():
    problem, noise = mixture()
    with pytest.raises(rdc.InvalidInput, match="unknown objective 'speed'"):
        rdc.restoration(problem, noise, minimise="speed")
    with pytest.raises(rdc.InvalidInput, match="observation has shape"):
        rdc.restoration(problem, np.eye(3))
    with pytest.raises(rdc.InvalidInput, match="the problem lists no letters"):
        rdc.restoration(rdc.Problem(rdc.Source([0.0, 1.0], [0.5, 0.5]), "free"), np.eye(2))
