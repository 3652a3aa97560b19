"""Answers are what the check of their certificate confirms, and no channel is shown that it refuses."""

from dataclasses import replace

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.results.confirmation import confirmed

BINARY = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], D=0.1)
LABEL = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8]], D=0.3, C=0.55)


@pytest.mark.parametrize("problem", [BINARY, LABEL], ids=["linear", "label"])
def test_a_channel_that_misses_a_limit_is_not_shown(problem, tmp_path):
    result = rdc.solve(problem)
    spoiled = np.full(result.channel.shape, 1 / result.letters.size)
    certificate = replace(result.certificate, channel=spoiled)
    found = confirmed(replace(result, channel=spoiled, certificate=certificate), problem, 1e-9)
    assert found.status is rdc.Status.STALLED
    assert found.proof is rdc.Proof.NONE
    assert "the check refuses the channel: the channel exceeds the limit" in found.message
    assert found.channel.shape == (2, 0)
    assert not found.letters.size
    assert not found.q.size
    assert not found.decisions
    assert np.isnan([*found.losses.values(), found.rate_upper, found.objective_upper]).all()
    assert found.rate_lower == found.certificate.lower == result.rate_lower  # what u and the multipliers prove stays
    assert found.verify(problem).valid
    found.save(tmp_path / "result.npz")
    assert rdc.load(tmp_path / "result.npz").channel.shape == (2, 0)


def test_a_refutation_that_proves_nothing_claims_nothing():
    strict = rdc.Problem.from_arrays([0.6, 0.4], [[0.2, 1], [1, 0.2]], D=0.1)
    loose = strict.with_limits(distortion=0.3)
    refuted = rdc.solve(strict)
    assert refuted.status is rdc.Status.INFEASIBLE
    found = confirmed(refuted, loose, 1e-9)
    assert found.status is rdc.Status.STALLED
    assert found.certificate.lower == found.certificate.verify(loose).lower < refuted.certificate.lower


@pytest.mark.parametrize("level", [1.5, -7.3, -1e6])
def test_gaps_that_are_the_rounding_of_a_losss_level_are_optimal(level):
    """Entries that differ by far less than their level, whose least mean the check rounds outwards on both sides."""
    rng = np.random.default_rng(7)
    for _ in range(15):
        n, m = rng.integers(2, 8), rng.integers(2, 6)
        loss = level + abs(level) * 10.0 ** -rng.uniform(3, 8) * rng.random((n, m))
        problem = rdc.Problem.from_arrays(rng.dirichlet(np.ones(n)), loss)
        result = rdc.solve(problem.minimising("distortion", rate=float(rng.choice([1e-3, 0.1, 0.3]))))
        assert result.status is rdc.Status.OPTIMAL, (level, result.gap)
        assert result.gap <= 1e-9 * max(1.0, abs(level)) + 8 * np.finfo(float).eps * abs(level)


def test_a_gap_beyond_rounding_stays_almost_optimal():
    problem = rdc.Problem.from_arrays([0.6, 0.4], [[-1e6, 1 - 1e6], [1 - 1e6, -1e6]]).minimising("distortion", rate=0.1)
    result = rdc.solve(problem)
    spoiled = result.certificate.u.copy()
    spoiled[0] -= 4e-9 * result.multipliers["distortion"] / 0.6
    found = confirmed(replace(result, certificate=replace(result.certificate, u=spoiled)), problem, 1e-9)
    assert result.status is rdc.Status.OPTIMAL
    assert 4e-9 < found.gap < 8e-9
    assert found.status is rdc.Status.ALMOST_OPTIMAL
