"""Sums over large channels: ball arithmetic takes them in floats with proved logarithms, and says the same."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates import moments
from rdcsolve.certificates.floating import FloatNumbers

pytest.importorskip("flint")
from rdcsolve.certificates.ball import BallNumbers  # noqa: E402


def drawn(seed, n, k, with_zeros):
    """A problem with a multiplier, and a channel of any kind: rows sum to one within a few roundings only."""
    rng = np.random.default_rng(seed)
    masses = rng.dirichlet(np.ones(n))
    channel = rng.dirichlet(np.full(k, rng.choice([0.05, 1.0, 50.0])), n) + (0 if with_zeros else 1e-12)
    if with_zeros:
        channel[rng.random((n, k)) < 0.3] = 0.0
        channel[:, 0] += 1e-3
    channel /= channel.sum(axis=1, keepdims=True)
    loss = rng.exponential(size=(n, k)) * 10.0 ** rng.integers(-6, 7)
    loss[:, 0] *= rng.integers(2)  # from zero, a mean has no other allowance than that of its sum
    return rdc.Problem.from_arrays(masses, loss).at_multipliers(
        distortion=float(rng.exponential() / loss.mean())
    ), channel


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 90), st.booleans())
def test_sums_in_floats_are_above_the_balls_by_roundings_and_below_what_floats_claim(seed, n, k, with_zeros):
    problem, channel = drawn(seed, n, k, with_zeros)
    stated = (problem, np.zeros(n), np.zeros(n), problem.multipliers, np.arange(k), channel, None)
    with BallNumbers(*stated).context(), pytest.MonkeyPatch.context() as patched:
        exact = sums(BallNumbers(*stated))
        patched.setattr(moments, "_LARGE", 0)
        large, claimed = sums(BallNumbers(*stated)), sums(FloatNumbers(*stated))
    assert (exact <= large).all()
    assert (large[:3] <= claimed[:3]).all()
    assert (large <= exact + 4e-14 * (1 + math.log(k) + np.abs(exact))).all()


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 90), st.floats(-1e-3, 1e-3))
def test_what_masses_of_letters_err_by_does_not_make_a_rate_smaller(seed, n, k, error):
    problem, channel = drawn(seed, n, k, True)
    stated = (problem, np.zeros(n), np.zeros(n), problem.multipliers, np.arange(k), channel, None)
    with BallNumbers(*stated).context(), pytest.MonkeyPatch.context() as patched:
        exact = BallNumbers(*stated).rate
        patched.setattr(moments, "_LARGE", 0)
        for numbers in (BallNumbers(*stated), FloatNumbers(*stated)):
            numbers.survey = numbers.survey._replace(masses=numbers.survey.masses * (1 + error))
            assert exact <= numbers.rate <= exact + 1.001 * abs(error) + 1e-12


def sums(numbers):
    """What a channel's sums are bounded by; of the row sums floats say what they are rounded to."""
    return np.array([numbers.rate, numbers.mean(0), numbers.objective(None), numbers.row_error()])


@given(st.integers(0, 10**6), st.booleans())
def test_claims_of_large_channels_are_confirmed_in_balls(seed, on_line):
    """Floats take three times the allowances, so that balls never prove less than what floats have claimed."""
    rng = np.random.default_rng(seed)
    axis = np.sort(rng.normal(size=12))
    masses = rng.dirichlet(np.ones(12 if on_line else 144))
    source = rdc.Source(axis, masses) if on_line else rdc.sources.grid(masses.reshape(12, 12), [axis, axis])
    kind = "absolute" if on_line else "squared_error"
    problem = rdc.Problem(source, distortion=kind).at_multipliers(distortion=float(rng.uniform(0.1, 5)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(moments, "_LARGE", 0)
        result = rdc.solve(problem)
        found = result.verify(problem, arithmetic="ball")
    assert found.valid, found.messages
    assert found.upper - found.lower <= result.gap
