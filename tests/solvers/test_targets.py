"""Targets: the channel meets the limit, the bounds meet each other, and the ends of the curve are exact."""

import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.results import Proof, Status

KNOWN = testing.known_problems()


def unlimited(name):
    """A benchmark problem that minimises the rate, without limits."""
    return KNOWN[name].problem.with_limits()


def largest_useful(problem):
    """The least distortion of one letter for all: from there on the rate is zero."""
    return float((problem.p_x @ problem.losses[0].matrix).min())


def random_targets(problem, count):
    """Half of them spread evenly, half over three decades."""
    rng = np.random.default_rng(2024)
    shares = np.where(np.arange(count) % 2, rng.uniform(0, 1, count), 10 ** rng.uniform(-3, 0, count))
    return largest_useful(problem) * shares


def check_target(problem, result):
    assert result.status is Status.OPTIMAL, str(result)
    assert result.proof is Proof.CERTIFIED
    assert result.gap <= 1e-8
    testing.check_bounds(result)
    testing.check_feasibility(result, problem, tolerance=1e-9)
    testing.check_certificate(result, problem)
    testing.check_kkt(result, problem)


# P3 has 1000 letters in use and takes a while: benchmarks/targets.py tries all thirty on it.
@pytest.mark.parametrize(("name", "count"), [("P1a_100", 30), ("P2", 30), ("P3", 6)])
def test_random_targets(name, count):
    problem = unlimited(name)
    targets = random_targets(problem, count)
    results = []
    for target in targets:
        at = problem.with_limits(D=target)
        result = rdc.solve(at)
        check_target(at, result)
        assert result.distortion == pytest.approx(target, rel=1e-6)
        results.append(result)
    lower, upper = [r.rate_lower for r in results], [r.rate_upper for r in results]
    testing.check_monotone(targets, lower, upper)
    testing.check_convex(targets, lower, upper)


def test_coin_at_targets_is_the_closed_form():
    for target in random_targets(unlimited("P2"), 30):
        rate = rdc.theory.binary.rate_distortion(target, 0.3)
        result = testing.check_against(unlimited("P2").with_limits(D=target), rate, tolerance=1e-12)
        assert result.multipliers["distortion"] == pytest.approx(math.log((1 - target) / target), rel=1e-3)


@pytest.mark.parametrize("solver", [rdc.InteriorPoint(), rdc.ColumnGeneration()])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.97])
def test_solvers_meet_targets(solver, share):
    problem = unlimited("P1a_100")
    problem = problem.with_limits(D=share * largest_useful(problem))
    check_target(problem, rdc.solve(problem, solver))


# ------------------------------------------------------------------------------------- the ends


def coarse():
    """A bell curve rebuilt on few points: even the nearest one costs something."""
    x = np.linspace(-3, 3, 61)
    source = rdc.Source(x, np.exp(-(x**2) / 2), normalise=True)
    problem = rdc.Problem(source, reproduction=np.linspace(-3.03, 2.9, 7))
    least = float(source.p_x @ problem.losses[0].matrix.min(axis=1))
    return problem, least


@pytest.mark.parametrize("share", [0.0, 0.5, 1 - 1e-6])
def test_below_the_minimum_is_infeasible(share):
    problem, least = coarse()
    problem = problem.with_limits(D=share * least)
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.proof is Proof.CERTIFIED
    assert result.minimum["distortion"] == pytest.approx(least, rel=1e-13)
    assert result.channel.size == 0
    assert f"{least:.10g}" in str(result)
    testing.check_infeasible(result, problem)


def test_at_the_minimum_the_nearest_letter_is_sent():
    problem, least = coarse()
    nearest = problem.losses[0].matrix.argmin(axis=1)
    masses = np.bincount(nearest, weights=problem.p_x)
    problem = problem.with_limits(D=least)
    result = rdc.solve(problem)
    testing.check_bounds(result)
    testing.check_feasibility(result, problem)
    testing.check_certificate(result, problem, arithmetic="ball")
    testing.check_agreement([result, (rdc.information.entropy(masses),) * 2], tolerance=1e-9)


def test_no_distortion_takes_the_entropy():
    problem = unlimited("P1a_100").with_limits(D=0.0)
    result = rdc.solve(problem)
    check_target(problem, result)
    assert result.distortion == 0
    testing.check_agreement([result, (rdc.information.entropy(problem.p_x),) * 2])


@pytest.mark.parametrize("factor", [1.0, 1.5, math.inf])
@pytest.mark.parametrize("name", ["P1a_100", "P2", "P3"])
def test_from_the_maximum_on_the_rate_is_zero(name, factor):
    problem = unlimited(name)
    problem = problem.with_limits(D=factor * largest_useful(problem))
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert 0 <= result.rate_lower <= result.rate_upper <= 1e-9
    testing.check_feasibility(result, problem)
    testing.check_certificate(result, problem, arithmetic="ball")
    testing.check_kkt(result, problem)
    if factor > 1:
        assert result.multipliers["distortion"] == 0


# ------------------------------------------------------------------------------------- several limits


def three_limits():
    x = np.linspace(-3, 3, 61)
    label = np.stack([x < 0, x >= 0], axis=1).astype(float)
    seen = 1 / (1 + np.exp(4 * x))
    source = rdc.Source(x, np.exp(-(x**2) / 2), labels=[label], normalise=True)
    limits = [
        rdc.DistortionLimit(0.25),
        rdc.DistortionLimit(math.inf, "absolute", name="absolute"),
        rdc.ClassifierLossLimit(0.1, np.stack([seen, 1 - seen], axis=1)),
    ]
    return rdc.Problem(source, limits=limits)


# bounds on distortion, absolute error and classifier loss -> which of them are active
LIMITS = {
    "all but one": ({"D": 0.25, "absolute": 9.0, "classifier_loss": 0.1}, [True, False, True]),
    "distortion alone": ({"D": 0.1, "absolute": 9.0, "classifier_loss": 5.0}, [True, False, False]),
    "classifier alone": ({"D": 50.0, "absolute": 9.0, "classifier_loss": 0.1}, [False, False, True]),
    "absolute error alone": ({"D": 50.0, "absolute": 0.2, "classifier_loss": 5.0}, [False, True, False]),
    "all": ({"D": 0.25, "absolute": 0.385, "classifier_loss": 0.1}, [True, True, True]),
    "none": ({"D": 50.0, "absolute": 9.0, "classifier_loss": 5.0}, [False, False, False]),
}


@pytest.mark.parametrize("case", LIMITS)
def test_several_limits(case):
    bounds, active = LIMITS[case]
    problem = three_limits().with_limits(**bounds)
    result = rdc.solve(problem)
    check_target(problem, result)
    for name, bound, is_active in zip(problem.loss_names, problem.bounds, active, strict=True):
        slack, multiplier = bound - result.losses[name], result.multipliers[name]
        assert multiplier * slack <= 1e-9 + 1e-9 * multiplier * bound
        if is_active:
            assert multiplier > 1e-3
            assert slack <= 1e-6 * bound
        else:
            assert multiplier == 0
            assert slack > 1e-3


def test_least_loss_at_the_least_rate_gives_back_the_limits():
    """R(D, C) = R; then D(R, C) = D."""
    problem = three_limits().with_limits(D=0.25)
    there = rdc.solve(problem)
    back = problem.minimising("distortion", rate=there.rate_upper)
    result = rdc.solve(back)
    testing.check_bounds(result)
    testing.check_feasibility(result, back)
    testing.check_certificate(result, back, arithmetic="ball")
    testing.check_kkt(result, back)
    assert result.objective_lower <= 0.25 + 1e-12
    assert result.objective_upper == pytest.approx(0.25, abs=1e-7)
