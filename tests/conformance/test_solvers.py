"""Methods x known problems: each method's bounds hold the known optimum between them, as close as it promises.

A new method is a row of METHODS. A cell is left out where the method does not take the problem, with the reason.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.results import Proof, Status

KNOWN = testing.known_problems()
LARGE = {"P1a_2000", "P1b_2000", "P5"}  # seconds each with the exact methods


@dataclass(frozen=True)
class Method:
    """A row: the solver, the gap that it is asked for, what it does not take, and gaps of cells that are harder."""

    solver: Any
    tolerance: float
    without: frozenset[str] = frozenset()
    harder: tuple[tuple[str, float], ...] = ()


HARD_TO_FACTOR = frozenset({"P1a_100", "P1b_100", "P2", "P3", "P3b"})  # kernels of too large a rank for their size
METHODS = {
    "chosen by rdcsolve": Method(None, 1e-9),
    "InteriorPoint": Method(rdc.InteriorPoint(), 1e-9),
    "ColumnGeneration": Method(rdc.ColumnGeneration(), 1e-9, without=frozenset({"P5"}), harder=(("P3b", 1e-6),)),
    "BlahutArimoto, dense": Method(rdc.BlahutArimoto(), 1e-4, without=frozenset(LARGE)),
    "BlahutArimoto, low rank": Method(rdc.BlahutArimoto(kernel="low_rank"), 1e-4, without=HARD_TO_FACTOR | LARGE),
    "Conic": Method(rdc.Conic(), 1e-6, without=frozenset({"P3", "P3b"} | LARGE)),  # a cone per symbol
}
CELLS = [
    pytest.param(method, name, marks=[pytest.mark.slow] if name in LARGE else [], id=f"{method}-{name}")
    for method, row in METHODS.items()
    for name in KNOWN
    if name not in row.without
]
QUICK = [name for name in KNOWN if name not in LARGE]


@functools.cache
def solved(method, name):
    row = METHODS[method]
    if method == "Conic":
        pytest.importorskip("cvxpy")
    return rdc.solve(KNOWN[name].problem, row.solver, tolerance=dict(row.harder).get(name, row.tolerance))


@pytest.mark.parametrize(("method", "name"), CELLS)
def test_optimum_lies_between_proved_bounds(method, name):
    known, row, result = KNOWN[name], METHODS[method], solved(method, name)
    tolerance = dict(row.harder).get(name, row.tolerance)
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.CERTIFIED
    assert result.gap <= tolerance
    verification = result.certificate.verify(known.problem)
    assert verification.valid
    assert verification.gap <= tolerance
    testing.check_bounds(result, tolerance)
    testing.check_feasibility(result, known.problem)
    testing.check_certificate(result, known.problem)
    testing.check_agreement([result, (known.lower, known.upper)])
    width = known.upper - known.lower
    assert result.objective_upper - known.lower <= tolerance + width
    assert known.upper - result.objective_lower <= tolerance + width


@pytest.mark.parametrize("name", QUICK)
def test_rate_and_distortion_of_the_optimum(name):
    known, result = KNOWN[name], solved("chosen by rdcsolve", name)
    testing.check_kkt(result, known.problem)
    # A gap g leaves the rate and the distortion free by about the square root of g.
    accuracy = 10.0**-known.digits + 2e-5
    assert result.rate_upper == pytest.approx(known.rate, abs=accuracy * known.multiplier)
    assert result.distortion == pytest.approx(known.distortion, abs=accuracy)


@pytest.mark.parametrize("name", ["P1a_100", "P2"])
def test_gap_is_proved_in_ball_arithmetic(name):
    pytest.importorskip("flint")
    testing.check_certificate(solved("chosen by rdcsolve", name), KNOWN[name].problem, arithmetic="ball")


def test_kernels_that_cannot_be_factored_say_so():
    for name in HARD_TO_FACTOR:
        with pytest.raises(rdc.InvalidInput, match="has no rank below .*use the dense kernel"):
            rdc.solve(KNOWN[name].problem, rdc.BlahutArimoto(kernel="low_rank"), tolerance=1e-4)


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
