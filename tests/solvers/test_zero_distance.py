"""Free letters at distance zero: every symbol keeps its own point, and the rate is the entropy of the points."""

import math

import numpy as np
import pytest
from certified import check

import rdcsolve as rdc
from rdcsolve.information import entropy
from rdcsolve.letters.points import PointSpace
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.exchange.at_points import at_points

RARE = np.array([1.989e-4, 9.002e-27, 6.825e-3, 3.923e-21, 0.9929758, 1.961e-16])


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
@pytest.mark.parametrize("seed", range(3))
def test_symbols_of_next_to_no_mass_do_not_send_the_multiplier_beyond_proof(seed, scale):
    rng = np.random.default_rng(seed)
    p = RARE / RARE.sum()
    problem = rdc.Problem(rdc.Source(scale * rng.normal(size=6), p), "free", limits=[rdc.DistortionLimit(0.0)])
    result = rdc.solve(problem)
    assert (result.status, result.proof) == (Status.OPTIMAL, Proof.CERTIFIED)
    assert result.rate_upper == pytest.approx(entropy(p), abs=1e-9)
    check(result, problem)


def test_beside_a_limit_on_a_label_the_bound_needs_no_search():
    rng = np.random.default_rng(4)
    source = rdc.Source(rng.normal(size=5), rng.dirichlet(np.ones(5)), labels=[rng.dirichlet(np.ones(6), 5)])
    problem = rdc.Problem(source, "free", limits=[rdc.DistortionLimit(0.0), rdc.LabelEntropyLimit(1.6)])
    result = rdc.solve(problem)
    assert (result.status, result.proof) == (Status.OPTIMAL, Proof.CERTIFIED)
    assert result.rate_upper == pytest.approx(entropy(source.p_x), abs=1e-9)


def test_equal_points_are_one():
    source = rdc.Source([0.0, 1.0, 1.0, 3.0], [0.4, 0.1, 0.2, 0.3])
    problem = rdc.Problem(source, "free", limits=[rdc.DistortionLimit(0.0)])
    u, multipliers = at_points(PointSpace(problem))
    assert u == pytest.approx(-np.log([0.4, 0.3, 0.3, 0.3]))
    assert multipliers.tolist() == [60.0]
    assert rdc.solve(problem).rate_upper == pytest.approx(entropy([0.4, 0.3, 0.3]), abs=1e-9)


def test_other_limits_and_objectives_have_no_such_point():
    source = rdc.Source([0.0, 1.0, 3.0], [0.4, 0.3, 0.3])
    problem = rdc.Problem(source, "free", limits=[rdc.DistortionLimit(0.1)])
    others = [problem, problem.at_multipliers(distortion=1.0), problem.minimising("distortion", rate=0.5)]
    assert [at_points(PointSpace(one)) for one in others] == [None] * 3
    alone = rdc.Problem(rdc.Source([2.0, 2.0], [0.5, 0.5]), "free", limits=[rdc.DistortionLimit(0.0)])
    assert at_points(PointSpace(alone)) is None
    assert math.isclose(rdc.solve(alone).rate_upper, 0.0)
