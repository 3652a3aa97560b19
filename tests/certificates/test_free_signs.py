"""Multipliers of either sign in the check: where they prove a bound, and where they prove nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates.check import examine
from rdcsolve.certificates.tolerances import EQUALITY_TOLERANCE

ARITHMETICS = [
    "float",
    pytest.param("ball", marks=pytest.mark.skipif("not __import__('importlib.util').util.find_spec('flint')")),
]


def drawn(seed):
    """A problem with a loss held where its multiplier is of some sign, and its result."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 6, 2).tolist()
    p, d, held = rng.dirichlet(np.ones(n)), rng.random((n, k)), rng.random((n, k)) * 10.0 ** rng.uniform(-3, 3)
    value = float(p @ (rng.dirichlet(np.full(k, 0.3), size=n) * held).sum(axis=1))
    problem = rdc.Problem.from_arrays(p, d, losses={"held": held}, limits={"held": value}, equal=["held"])
    return problem, rdc.solve(problem)


def plain_bound(problem, u, multipliers):
    """The bound from its definition."""
    exponents = u[:, None] - sum(w * loss.matrix for w, loss in zip(multipliers, problem.linear_losses, strict=True))
    largest = (problem.p_x @ np.exp(exponents)).max()
    charged = [w * b for w, b in zip(multipliers, problem.bounds, strict=True) if w]
    return float(problem.p_x @ u) - sum(charged) - np.log(largest)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@given(st.integers(0, 10**6), st.floats(-3, 3))
def test_any_numbers_prove_what_the_definition_says(arithmetic, seed, scale):
    problem, result = drawn(seed)
    rng = np.random.default_rng(seed)
    size = float(problem.losses[1].matrix.max())
    certificate = replace(
        result.certificate,
        u=rng.normal(size=problem.n_x),
        u_rest=np.zeros(problem.n_x),
        multipliers=np.array([0.0, scale / size]),
    )
    known = plain_bound(problem, certificate.u, certificate.multipliers)
    found = examine(certificate, problem, arithmetic)
    assert found.lower <= max(known, 0.0) + 1e-12
    assert found.lower >= max(known, 0.0) - 1e-9


@given(st.integers(0, 10**6))
def test_a_negative_multiplier_proves_nothing_of_a_limit_from_above(seed):
    problem, result = drawn(seed)
    p, loss = problem.p_x, problem.losses[1].matrix
    limited = rdc.Problem.from_arrays(p, problem.losses[0].matrix, losses={"held": loss})
    limited = limited.with_limits(held=float(problem.bounds[1]))
    assert limited.fingerprint() == problem.fingerprint()
    found = result.certificate.verify(limited)
    if result.certificate.multipliers[1] < 0:
        assert found.lower == 0
        assert not found.valid
        assert "a multiplier is negative" in str(found)
    else:
        assert found.lower == pytest.approx(result.rate_lower, abs=1e-9)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_mean_on_either_side_of_its_value_is_told(arithmetic, sign):
    problem, result = drawn(3)
    spread = float(np.ptp(problem.losses[1].matrix))
    off = 1e-12 if arithmetic == "float" else EQUALITY_TOLERANCE
    for share, is_met in ((0.3, True), (2.0, False)):
        moved = problem.with_limits(held=float(problem.bounds[1]) + sign * share * off * spread)
        found = examine(result.certificate, moved, arithmetic)
        assert found.valid is is_met, str(found)
        assert np.isfinite(found.upper) == is_met
        assert found.excess["held"] == pytest.approx(share * off * spread, rel=0.5)


def test_results_in_ball_arithmetic_hold_their_losses():
    pytest.importorskip("flint")
    for seed in range(12):
        problem, result = drawn(seed)
        verification = result.verify(problem, "ball")
        assert verification.valid, str(verification)
