"""The benchmark problems: a verified gap of at most 1e-9, and the known optimum between the bounds."""

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.results import Proof, Status

KNOWN = testing.known_problems()
# P5 and the large P1 take seconds: benchmarks/run.py solves them.
QUICK = ["P1a_100", "P1b_100", "P1a_500", "P1b_500", "P2", "P3", "P3b"]


@pytest.fixture(scope="module")
def solved():
    return {name: rdc.solve(KNOWN[name].problem) for name in QUICK}


@pytest.mark.parametrize("name", QUICK)
def test_gap_is_proved(solved, name):
    problem, result = KNOWN[name].problem, solved[name]
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.CERTIFIED
    assert result.gap <= 1e-9
    verification = result.certificate.verify(problem)
    assert verification.valid
    assert verification.gap <= 1e-9
    testing.check_bounds(result)
    testing.check_feasibility(result, problem)
    testing.check_certificate(result, problem)
    testing.check_kkt(result, problem)


@pytest.mark.parametrize("name", QUICK)
def test_optimum_lies_between_the_bounds(solved, name):
    known, result = KNOWN[name], solved[name]
    testing.check_agreement([result, (known.lower, known.upper)])
    assert result.objective_upper - known.lower <= 1.1e-9
    assert known.upper - result.objective_lower <= 1.1e-9


@pytest.mark.parametrize("name", QUICK)
def test_rate_and_distortion_of_the_optimum(solved, name):
    known, result = KNOWN[name], solved[name]
    # A gap g leaves the rate and the distortion free by about the square root of g.
    accuracy = 10.0**-known.digits + 2e-5
    assert result.rate_upper == pytest.approx(known.rate, abs=accuracy * known.multiplier)
    assert result.distortion == pytest.approx(known.distortion, abs=accuracy)


@pytest.mark.parametrize("name", ["P1a_100", "P2"])
def test_gap_is_proved_in_ball_arithmetic(solved, name):
    testing.check_certificate(solved[name], KNOWN[name].problem, arithmetic="ball")


@pytest.mark.parametrize("solver", [rdc.InteriorPoint(), rdc.ColumnGeneration()])
@pytest.mark.parametrize("name", ["P1a_100", "P1b_100", "P2"])
def test_every_exact_solver_reaches_it(solved, name, solver):
    known = KNOWN[name]
    result = rdc.solve(known.problem, solver)
    assert result.status is Status.OPTIMAL
    assert result.gap <= 1e-9
    testing.check_agreement([result, solved[name], (known.lower, known.upper)])


def test_blahut_arimoto_brackets_it():
    known = KNOWN["P1a_100"]
    result = rdc.solve(known.problem, rdc.BlahutArimoto(), tolerance=1e-5)
    testing.check_bounds(result, tolerance=1e-5)
    testing.check_certificate(result, known.problem)
    testing.check_agreement([result, (known.lower, known.upper)])


def test_mixture_is_the_one_described():
    """P5's masses, computed again point by point."""
    problem = KNOWN["P5"].problem
    axis = np.linspace(-4, 4, 50)
    parts = [(0.3, -1.5, -1.0, 0.6), (0.25, 1.2, 1.5, 0.8), (0.25, 1.5, -1.5, 0.5), (0.2, -1.0, 1.8, 0.7)]
    density = [
        sum(w * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * s**2)) / s**2 for w, a, b, s in parts)
        for x in axis
        for y in axis
    ]
    assert problem.n_x == problem.n_letters == 2500
    assert np.allclose(problem.p_x, np.array(density) / np.sum(density), rtol=1e-12, atol=0)
    assert problem.source.points[1].tolist() == [axis[0], axis[1]]
    assert problem.losses[0].matrix[0, 51] == pytest.approx(2 * (axis[1] - axis[0]) ** 2)
