"""Limits computed at the least value of a loss with a large constant part: they are read as that, not refuted."""

import sys
from pathlib import Path

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.problems.storage import arrays_of
from rdcsolve.results import Proof, Status

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "reference"))


def stated(seed, level):
    """A loss at a level of so many spreads, its limit computed at the least value, and the limit without the level."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    p, loss = rng.dirichlet(np.ones(n)), rng.integers(0, 4, (n, 4)) * 10.0 ** rng.uniform(-3, 3)
    moved = loss + level * np.ptp(loss)
    return p, loss, moved, float(p @ moved.min(axis=1))


@pytest.mark.parametrize("level", [1e5, 1e7, 1e9])
def test_a_limit_below_by_a_rounding_of_the_level_is_met(level, tmp_path):
    check_certificate = pytest.importorskip("check_certificate")
    below = 0
    for seed in range(40):
        p, loss, moved, least = stated(seed, level)
        is_below = mean_excess(p, moved.min(axis=1), least) > 0
        below += mean_excess(p, moved.min(axis=1), least) > 1e-12 * np.ptp(moved)
        problem = rdc.Problem.from_arrays(p, moved, D=least)
        result = rdc.solve(problem)
        plain = rdc.solve(rdc.Problem.from_arrays(p, loss, D=float(p @ loss.min(axis=1))))
        assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)
        assert result.proof is Proof.CERTIFIED
        assert result.rate_upper <= plain.rate_upper + 1e-9  # a limit that is rounded up leaves a little room
        assert not is_below or result.rate_upper == pytest.approx(plain.rate_upper, abs=1e-9)
        assert all(result.verify(problem, arithmetic).valid for arithmetic in ("float", "ball"))
        if seed < 10:
            result.save(tmp_path / "result.npz")
            np.savez(tmp_path / "problem.npz", **arrays_of(problem))
            assert check_certificate.check(tmp_path / "result.npz", tmp_path / "problem.npz").valid
    assert below > 5  # so that the rule is needed


@pytest.mark.parametrize("level", [1e5, 1e9])
def test_what_is_further_below_is_refuted(level):
    p, _, moved, least = stated(3, level)
    problem = rdc.Problem.from_arrays(p, moved, D=least - 2e-6 * np.ptp(moved))
    result = rdc.solve(problem)
    assert (result.status, result.proof) == (Status.INFEASIBLE, Proof.CERTIFIED)
    assert result.verify(problem).valid
