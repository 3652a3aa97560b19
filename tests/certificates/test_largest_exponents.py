"""The largest exponent of a label's powers: a bound that stays sharp however large the multiplier is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import Proof, Status
from rdcsolve.certificates.elementary import FLOAT
from rdcsolve.certificates.reductions import _largest_exponent
from rdcsolve.solvers.finite.infeasibility import least_excess


@given(
    masses=st.lists(st.just(0.0) | st.floats(1e-12, 1.0) | st.floats(1e-300, 1e-200), min_size=1, max_size=12),
    multiplier=st.floats(-5, 15).map(lambda x: 10.0**x),
)
def test_largest_exponents_are_bounds_and_sharp(masses, multiplier):
    flint = pytest.importorskip("flint")
    powers = multiplier * np.array([[*masses, 1.0]])
    (found,) = _largest_exponent(powers, FLOAT)
    with flint.ctx.workprec(1500):
        balls = [flint.arb(value) for value in powers[0].tolist() if value > 0]
        whole = sum(balls)
        exact = sum(ball * (ball / whole).log() for ball in balls)
        assert not exact > found
        assert found - exact <= 2e-14 * (abs(exact) + whole)


@pytest.mark.parametrize("seed", range(8))
def test_limits_just_below_the_least_entropy_are_refuted(seed):
    """A limit that is below H(S | X) by more than some roundings is told to be infeasible, with a certificate."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 12)), int(rng.integers(2, 20))
    p, wrong = rng.dirichlet(np.ones(n)), 10.0 ** -rng.uniform(0, 12)
    label = np.eye(k)[rng.integers(0, k, n)] * (1 - wrong) + wrong / k
    label = label if seed % 2 else rng.dirichlet(np.ones(k), n)
    least = math.fsum((p[:, None] * -label * np.log(label)).ravel())
    bound = least - 10.0 ** rng.uniform(0.3, 2) * least_excess(n, k)
    problem = rdc.Problem.from_arrays(p, rng.random((n, 3)), label, C=max(bound, 0.0))
    result = rdc.solve(problem)
    assert result.status is (Status.INFEASIBLE if bound > 0 else result.status)
    assert result.status is not Status.STALLED
    assert result.proof is Proof.CERTIFIED
    if result.status is Status.INFEASIBLE:
        assert result.verify(problem).valid
        assert result.minimum["label_entropy"] == pytest.approx(least, rel=1e-12, abs=1e-14)
