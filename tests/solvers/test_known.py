"""An earlier answer that is one under other limits, too, is handed out once it has been checked against these."""

import dataclasses
import importlib
import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.results import Proof, Status
from rdcsolve.solvers import known as known_module
from rdcsolve.solvers.known import answers

TOLERANCE = 1e-7


def labelled(letters="split", **limits):
    points = np.linspace(-2, 2, 21)
    p = np.exp(-(points**2) / 2)
    noisy = 1 / (1 + np.exp(-3 * points))
    return rdc.Problem.from_arrays(
        p / p.sum(), (points[:, None] - points) ** 2, np.c_[noisy, 1 - noisy], letters=letters, **limits
    )


@pytest.fixture(scope="module")
def alone():
    """The answer where the label's limit does not bind."""
    return rdc.solve(labelled(D=0.3, C=0.6), tolerance=TOLERANCE)


def test_limits_that_do_not_bind_change_nothing(alone, monkeypatch):
    def refused(*_, **__):
        raise AssertionError("nothing is left to be solved")

    problem = labelled(D=0.3, C=0.55)
    fresh = rdc.solve(problem, tolerance=TOLERANCE)
    monkeypatch.setattr(importlib.import_module("rdcsolve.solvers.solve")._Call, "_unchecked", refused)
    result = rdc.solve(problem, tolerance=TOLERANCE, start=alone)
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.CERTIFIED
    assert result.steps == 0
    assert result.gap <= TOLERANCE
    assert result.verify(problem).valid
    assert result.objective_lower <= fresh.objective_upper
    assert fresh.objective_lower <= result.objective_upper
    assert problem.p_x @ result.d_tilted == pytest.approx(result.objective_lower, abs=1e-9)


@pytest.mark.parametrize(
    "limits",
    [
        {"D": 0.31, "C": 0.6},
        {"D": 0.29, "C": 0.6},
        {"D": 0.3, "C": 0.4},
        {"D": 0.3, "C": 0.6, "rate": 2.0},
        {"D": 0.3, "C": 0.6, "letters": "fixed"},
    ],
)
def test_limits_that_bind_are_solved_for(alone, limits):
    problem = labelled(**limits)
    result = rdc.solve(problem, tolerance=TOLERANCE, start=alone)
    fresh = rdc.solve(problem, tolerance=TOLERANCE)
    assert result.steps > 0
    assert result.status is fresh.status
    assert result.objective_lower <= fresh.objective_upper
    assert fresh.objective_lower <= result.objective_upper


def test_a_smaller_tolerance_is_worked_for(alone):
    problem = labelled(D=0.3, C=0.6)
    assert answers(alone, problem, TOLERANCE)
    assert not answers(alone, problem, 1e-3 * alone.gap)
    assert rdc.solve(problem, tolerance=1e-3 * alone.gap, start=alone).gap <= 1e-3 * alone.gap


def test_claims_of_an_answer_are_not_believed(alone):
    problem = labelled(D=0.3, C=0.6)
    met = dataclasses.replace(alone, losses=alone.losses | {"label_entropy": 0.1})
    strict = labelled(D=0.3, C=0.4)
    assert answers(met, strict, TOLERANCE)
    assert known_module.known(met, strict, TOLERANCE, 0.0) is None, "its channel does not meet the limit"
    certificate = dataclasses.replace(alone.certificate, u=alone.certificate.u + 0.1)
    dearer = dataclasses.replace(alone, certificate=certificate)
    assert answers(dearer, problem, TOLERANCE)
    found = known_module.known(dearer, problem, TOLERANCE, 0.0)
    assert found is None or found.objective_lower <= alone.objective_upper, "the check scales its prices to one"


def test_bits_are_translated(alone):
    bits = labelled(D=0.3, C=0.6 / math.log(2), unit="bit")
    first = rdc.solve(bits, tolerance=TOLERANCE)
    other = bits.with_limits(C=0.58 / math.log(2))
    again = rdc.solve(other, tolerance=TOLERANCE, start=first)
    assert again.steps == 0
    assert again.unit == "bit"
    assert again.verify(other).valid
    assert again.rate_upper == pytest.approx(alone.rate_upper / math.log(2), abs=2 * TOLERANCE)
