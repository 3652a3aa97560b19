"""Limits a little below a least value are read as that or refuted, as the check does it: nothing between."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc

EPS = 2.0**-52


def is_answered(problem):
    """Solve, see that balls confirm everything said, and return whether there is a channel."""
    pytest.importorskip("flint")
    result = rdc.solve(problem)
    assert result.proof is rdc.Proof.CERTIFIED
    assert result.status in (rdc.Status.OPTIMAL, rdc.Status.INFEASIBLE)
    for arithmetic in ("float", "ball"):
        found = result.verify(problem, arithmetic)
        assert found.valid, str(found)
    return result.status is rdc.Status.OPTIMAL


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([0.0, 0.0, 3.0, 1e3]), st.integers(0, 120))
def test_limits_below_the_least_value_are_read_as_that_or_refuted(seed, n, level, off):
    rng = np.random.default_rng(seed)
    p, loss = rng.dirichlet(np.ones(n)), rng.random((n, 3)) * 10.0 ** rng.integers(-6, 6)
    loss += level * np.ptp(loss)
    bound = float(p @ loss.min(axis=1))
    problem = rdc.Problem.from_arrays(p, loss, D=bound * (1 - off * EPS))
    answered = is_answered(problem)
    assert answered or off > 1  # what somebody computes at the least value is not refuted
    assert not answered or off < n + 8


@pytest.mark.parametrize("letters", ["split", "fixed"])
def test_with_a_label_too(letters):
    """One symbol, for which every number is exact: a limit ten roundings below the loss of its best letter."""
    stated = rdc.Problem.from_arrays([1.0], [[0.25, 0.5]], [[0.3, 0.7]], C=0.7, letters=letters)
    assert is_answered(stated.with_limits(distortion=0.25))
    assert not is_answered(stated.with_limits(distortion=0.25 * (1 - 10 * EPS)))


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 17),
    st.sampled_from(["distortion", "rate", "other label"]),
    st.sampled_from([0.2, 0.9, 0.999]),
    st.sampled_from(["split", "fixed"]),
)
def test_limits_on_labels_that_need_more_rate_than_allowed_are_refuted_at_once(seed, n_s, objective, share, letters):
    """I(X; A) >= H(S) - C, for any number of classes, however noisy: no search, and no hang."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    p, table = rng.dirichlet(np.ones(n)), rng.random((n, 4))
    labels = [rng.dirichlet(np.full(n_s, rng.choice([0.05, 1.0])), n) + 1e-9, np.eye(2)[rng.integers(0, 2, n)]]
    labels = [label / label.sum(axis=1, keepdims=True) for label in labels]
    prior = p @ labels[0]
    most = -float(prior @ np.log(prior))
    least = -float((p[:, None] * labels[0] * np.log(labels[0])).sum())
    bound = least + rng.uniform(0.05, 0.9) * (most - least)
    limits = [rdc.LabelEntropyLimit(bound), rdc.LabelEntropyLimit(np.inf, 1), rdc.RateLimit(share * (most - bound))]
    minimise = "label_entropy_1" if objective == "other label" else objective
    source = rdc.Source(np.arange(n), p, labels=labels)
    problem = rdc.Problem(source, np.arange(4), table, limits=limits, minimise=minimise, letters=letters)
    assert not is_answered(problem)


@pytest.mark.parametrize("seed", range(3))
def test_a_rate_that_only_cells_of_shares_can_prove_too_small_is_refuted(seed):
    """Six noisy classes at a multiplier above one: the search alone proves nothing of the least rate."""
    rng = np.random.default_rng(seed)
    p, table, label = rng.dirichlet(np.ones(6)), rng.random((6, 4)), rng.dirichlet(np.ones(6), 6)
    prior = p @ label
    most, least = -float(prior @ np.log(prior)), -float((p[:, None] * label * np.log(label)).sum())
    least_mean = float(p @ table.min(axis=1))
    bounds = {"C": least + 0.2 * (most - least), "D": least_mean + 0.95 * (float((p @ table).min()) - least_mean)}
    needed = rdc.solve(rdc.Problem.from_arrays(p, table, label, **bounds)).rate_lower
    assert needed > 2 * (most - bounds["C"])
    problem = rdc.Problem.from_arrays(
        p, table, label, losses={"other": rng.random((6, 4))}, rate=0.97 * needed, minimise="other", **bounds
    )
    assert not is_answered(problem)


@pytest.mark.parametrize("is_labelled", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tiny_rates_below_what_other_limits_need_are_refuted(seed, is_labelled):
    """Symbols of mass 1e-10 whose letter a limit leaves to nobody else: the rate is theirs, far below any tolerance."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    p = np.r_[10.0 ** rng.uniform(-11, -9, n - 1), 0.0]
    p[-1] = 1 - p.sum()
    loss = rng.uniform(1, 2, (n, n))
    np.fill_diagonal(loss, 0.0)
    least = rdc.solve(rdc.Problem.from_arrays(p, loss, D=0.5 * float(p[:-1].sum())), tolerance=1e-13)
    source = rdc.Source(None, p, labels=[np.ones((n, 1))] if is_labelled else None)
    limits = [rdc.LossLimit(0.5 * float(p[:-1].sum()), loss, "other")]
    problem = rdc.Problem(source, distortion=rng.random((n, n)), limits=limits)
    result = rdc.solve(problem.minimising("distortion", rate=0.5 * least.rate_lower))
    assert result.status is rdc.Status.INFEASIBLE
    assert result.proof is rdc.Proof.CERTIFIED
