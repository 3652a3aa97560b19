"""Label entropies beside limits on the law of the reproduction: known values, and channels at random."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.perception import DIVERGENCES, distance
from rdcsolve.results import Proof, Status

POINTS = np.arange(-2.0, 3.0)
ONE = np.array([0.1, 0.3, 0.6, 0.2, 0.9])
FIVE = rdc.Source(POINTS, [0.15, 0.25, 0.3, 0.2, 0.1], labels=[np.column_stack([1 - ONE, ONE])])


def five(D, C, P, measure="w2", **more):
    limits = [rdc.DistortionLimit(D), rdc.LabelEntropyLimit(C), rdc.PerceptionLimit(P, measure)]
    return rdc.Problem(FIVE, limits=limits, **more)


# Computed once by another method, to the digits given: its lower ends rest on a grid of decisions.
KNOWN = [
    (0.5, 0.6, math.inf, 0.57694029, (0.802, 2.565, 0.0)),
    (0.5, 0.6, 0.1, 0.59905095, (0.6126, 3.6378, 0.17002)),
    (0.5, 0.6, 0.01, 0.61794824, (0.5893, 3.7630, 0.24615)),
    (0.8, 0.58, 0.02, 0.62323603, (0.2563, 7.592, 0.22893)),
]


@pytest.mark.parametrize(("D", "C", "P", "rate", "slopes"), KNOWN)
def test_five_points_with_a_label(D, C, P, rate, slopes):
    problem = five(D, C, P)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.CERTIFIED
    assert result.rate_upper == pytest.approx(rate, abs=2e-8)
    assert tuple(result.multipliers.values()) == pytest.approx(slopes, rel=2e-3)
    assert result.verify(problem).valid
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid


def random_case(seed, measure):
    """Return a problem whose limits are what a channel at random into letters with decisions attains, and its rate."""
    rng = np.random.default_rng(seed)
    n, classes, copies = int(rng.integers(2, 5)), int(rng.integers(2, 4)), int(rng.integers(1, 3))
    p, label = rng.dirichlet(np.full(n, 2.0)), rng.dirichlet(np.full(classes, 0.7), n)
    d = rng.random((n, n))
    d[np.diag_indices(n)] = 0
    channel = 0.5 * np.tile(np.eye(n), copies) / copies + 0.5 * rng.dirichlet(np.full(n * copies, 0.5), n)
    shown = np.tile(np.arange(n), copies)
    more = {"cost": rng.random((n, n)) * (1 - np.eye(n))} if measure == "transport" else {}
    limit = rdc.PerceptionLimit(0.0, "exact") if measure == "exact" else rdc.PerceptionLimit(1.0, measure, **more)
    limits = [rdc.DistortionLimit(1.0), rdc.LabelEntropyLimit(3.0), limit]
    problem = rdc.Problem(rdc.Source(None, p, labels=[label]), distortion=d, limits=limits)
    if measure == "exact":  # posterior sampling has the law of the source
        z = rng.dirichlet(np.ones(3), n)
        back = (z * p[:, None] / (p @ z)).T
        channel, shown = (z[:, :, None] * back).reshape(n, -1), np.tile(np.arange(n), 3)
    law = problem.perceptions[0].law(shown, p @ channel)
    own = {"D": float(p @ (channel * d[:, shown]).sum(axis=1)), "C": conditional_entropy(p, label, channel)}
    if measure != "exact":
        own["P"] = distance(problem.perceptions[0], law)
    loose = {name: value * (1 + 1e-9) + 1e-12 for name, value in own.items()}
    return problem.with_limits(**loose), mutual_information(p, channel)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["transport", "tv", "exact", *DIVERGENCES]))
def test_no_channel_beats_the_bound(seed, measure):
    problem, rate = random_case(seed, measure)
    result = rdc.solve(problem, tolerance=1e-7)
    assert result.rate_lower <= rate + 1e-9
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL, Status.STALLED)
    assert result.proof is Proof.CERTIFIED
    assert result.rate_upper <= rate + 1e-3 + (math.inf if result.status is Status.STALLED else 0)
    assert result.verify(problem).valid


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["transport", "tv", *DIVERGENCES]))
def test_each_limit_alone_needs_no_more(seed, measure):
    problem, _ = random_case(seed, measure)
    whole = rdc.solve(problem, tolerance=1e-7)
    without_label = rdc.solve(problem.with_limits(C=None), tolerance=1e-7)
    without_law = rdc.solve(problem.with_limits(P=None), tolerance=1e-7)
    assert max(without_label.rate_lower, without_law.rate_lower) <= whole.rate_upper + 1e-9


def test_a_label_that_costs_nothing_changes_nothing():
    with_label, without = five(0.5, 0.69, 0.02), five(0.5, math.inf, 0.02)
    finite = rdc.Problem(
        rdc.Source(POINTS, FIVE.p_x), limits=[rdc.DistortionLimit(0.5), rdc.PerceptionLimit(0.02, "w2")]
    )
    rates = [rdc.solve(one).rate_upper for one in (with_label, without, finite)]
    assert rates == pytest.approx([0.54209704769] * 3, abs=2e-9)


def test_other_faces_of_the_surface():
    problem = five(0.5, 0.6, 0.1)
    for name, value in (("distortion", 0.5), ("label_entropy", 0.6), ("perception", 0.1)):
        other = problem.with_limits(**{name: None}).minimising(name, rate=0.59905095)
        result = rdc.solve(other, tolerance=1e-6)
        assert result.objective_lower - 1e-6 <= value <= result.objective_upper + 1e-6
        assert result.gap < 1e-5
        assert result.verify(other).valid


def test_what_no_channel_meets_is_refuted():
    problem = five(0.5, 0.6, 0.0, "w2", reproduction=[0.3, 1.4])
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.verify(problem).valid
    beyond = five(0.5, 0.6, 0.1).with_limits(rate=0.59)
    result = rdc.solve(beyond)
    assert result.status is Status.INFEASIBLE
    assert result.verify(beyond).valid


def test_answers_are_saved_and_read_again(tmp_path):
    problem = five(0.5, 0.6, 0.01, "tv")
    result = rdc.solve(problem)
    result.save(tmp_path / "r.npz")
    again = rdc.load(tmp_path / "r.npz")
    assert again.verify(problem).valid
    assert again.perceptions == result.perceptions


def test_what_is_not_offered_says_so():
    with pytest.raises(rdc.InvalidInput, match="fixed letters"):
        rdc.solve(five(0.5, 0.6, 0.1, letters="fixed"))
    with pytest.raises(rdc.InvalidInput, match="given multipliers"):
        rdc.solve(five(0.5, 0.6, 0.1).at_multipliers(distortion=1.0, label_entropy=1.0, perception=0.1))


def test_an_earlier_answer_is_where_the_exchange_begins():
    problem = five(0.5, 0.6, 0.1)
    earlier = rdc.solve(problem, tolerance=1e-6)
    tighter = problem.with_limits(P=0.09)
    cold, warm = rdc.solve(tighter, tolerance=1e-6), rdc.solve(tighter, tolerance=1e-6, start=earlier)
    assert warm.status is cold.status is Status.OPTIMAL
    assert warm.steps < cold.steps
    assert warm.rate_lower <= cold.rate_upper
    assert cold.rate_lower <= warm.rate_upper


def test_a_refuted_limit_names_every_distance_and_label():
    source = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    limits = [rdc.DistortionLimit(-0.1), rdc.LabelEntropyLimit(0.5), rdc.PerceptionLimit(0.3, "tv")]
    loss = np.array([[-0.5, 1.0], [1.0, 0.5]])  # with entries below zero; the least mean is zero
    problem = rdc.Problem(source, reproduction=[0.0, 1.0], distortion=loss, limits=limits)
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert list(result.perceptions) == ["perception"]
    assert list(result.multipliers) == ["distortion", "label_entropy", "perception"]
    assert result.verify(problem).valid
