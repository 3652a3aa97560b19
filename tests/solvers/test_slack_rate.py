"""The least loss where the limit on the rate is none: H(S | X) of a label, zero of free letters; no multiplier."""

import numpy as np
import pytest
from certified import check

import rdcsolve as rdc
from rdcsolve.results import Proof, Status

INF = np.inf


@pytest.mark.parametrize("rate", [2e-9, 2e-4, 0.1])
def test_an_entropy_of_next_to_nothing_is_brought_to_zero(rate):
    """H(S) is 1.3e-9 nat, so that a channel that tells all of it needs less than any of these rates."""
    p = np.array([0.99996337, 5.357649e-11, 3.662935e-05, 5.505279e-192, 1.400061e-13])
    label = np.eye(3)[[0, 1, 0, 2, 0]]
    problem = rdc.Problem.from_arrays(p / p.sum(), np.zeros((5, 3)), label, D=0.0, C=INF)
    problem = problem.minimising("label_entropy", rate=rate)
    result = rdc.solve(problem)
    assert (result.status, result.proof) == (Status.OPTIMAL, Proof.CERTIFIED)
    assert result.objective_upper == 0.0
    check(result, problem)


@pytest.mark.parametrize("letters", ["split", "fixed"])
def test_a_gap_that_is_the_rounding_of_an_entropy_is_what_was_asked_for(letters):
    """One symbol leaves 6.5e-11 nat unknown whatever is shown of it; bounds on that are 2e-15 apart."""
    label = np.array([[1.1383e-12, 1.0 - 2.2766e-12, 1.1383e-12]])
    problem = rdc.Problem.from_arrays([1.0], np.arange(5.0)[None], label, C=INF, letters=letters)
    result = rdc.solve(problem.minimising("label_entropy", rate=4e-4))
    assert (result.status, result.proof) == (Status.OPTIMAL, Proof.CERTIFIED)
    assert 0 <= result.gap <= 1e-14


@pytest.mark.parametrize("rare", [1e-8, 1e-10, 1e-12])
def test_a_least_distance_of_next_to_nothing_is_brought_to_zero(rare):
    """What is not at zero has hardly any mass, and telling it takes 1e-5 of the rate, beside a limited entropy."""
    p = np.array([rare, 8e-25, 1e-18, 1.0 - rare])
    source = rdc.Source([[2.0], [2.0], [1.0], [0.0]], p, labels=[np.eye(3)[[2, 2, 2, 0]]])
    problem = rdc.Problem(source, "free", "squared_error", [rdc.LabelEntropyLimit(rare)])
    needed = rdc.information.entropy([rare, 1e-18, 1.0 - rare])
    problem = problem.minimising("distortion", rate=1e5 * needed)
    result = rdc.solve(problem)
    assert (result.status, result.proof) == (Status.OPTIMAL, Proof.CERTIFIED)
    assert 0.0 <= result.objective_upper <= 1e-12
    check(result, problem)
