"""Limits on labels' entropies are met exactly, not only to a rounding: balls confirm what solvers hand out."""

import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.rounding import UNIT
from rdcsolve.solvers.finite.entropy_limits import aimed_limits


def labelled(seed, share, letters="split"):
    """A problem whose limit on the label's entropy is that share of the way from the least to the largest one."""
    rng = np.random.default_rng(seed)
    n, n_classes = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    p, label = rng.dirichlet(np.ones(n)), rng.dirichlet(np.full(n_classes, 0.5), size=n)
    prior = p @ label
    least, most = float(-p @ (label * np.log(label)).sum(axis=1)), float(-prior @ np.log(prior))
    bound = least + share * (most - least)
    return rdc.Problem.from_arrays(p, rng.random((n, 3)), label, C=bound, letters=letters), least


@pytest.mark.parametrize(("letters", "share"), [("split", 1e-10), ("fixed", 1e-4), ("fixed", 1e-6), ("fixed", 1e-10)])
@pytest.mark.parametrize("seed", [1, 2, 9, 11])
def test_no_channel_is_beyond_its_limit_by_a_rounding(seed, share, letters):
    pytest.importorskip("flint")
    problem, _ = labelled(seed, share, letters)  # of these, half were beyond when solvers aimed at the limit itself
    result = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    if not result.letters.size:  # with fixed letters nothing may have been found
        return
    assert result.losses["label_entropy"] <= problem.bounds[-1]
    found = result.verify(problem, "ball")
    assert found.valid, str(found)
    assert found.excess["label_entropy"] == 0


@pytest.mark.parametrize("share", [0.9, 1e-3, 1e-7])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_given_up_is_next_to_nothing(seed, share):
    problem, least = labelled(seed, share)
    bound = float(problem.bounds[-1])
    given_up = bound - aimed_limits(problem)["label_entropy"]
    assert given_up >= min(2 * UNIT, 1e-4 * (bound - least))
    assert given_up <= min(1e-13, 2e-3 * (bound - least))


def test_limits_without_room_stay():
    problem, least = labelled(0, 0.5)
    assert aimed_limits(problem.with_limits(C=least)) == {}
    assert aimed_limits(problem.with_limits(C=math.inf)) == {}
