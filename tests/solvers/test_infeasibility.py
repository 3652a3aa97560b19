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
