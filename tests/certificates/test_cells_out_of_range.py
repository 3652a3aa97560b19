"""Bounds of cells that leave the range of floats: what is not a number bounds nothing."""

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.certificates.cells import CellBounds

P = np.array([0.2, 0.3, 0.5])
LABEL = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])


def not_a_number(self, seen, which, columns):
    """The bounds of pairs whose arithmetic broke down."""
    return np.full(columns.size, np.nan)


@pytest.mark.parametrize("arithmetic", ["float", "ball"])
@pytest.mark.parametrize("method", ["_first", "_second"])
def test_what_is_not_a_number_proves_nothing(monkeypatch, method, arithmetic):
    problem = rdc.Problem.from_arrays(P, np.zeros((3, 1)), LABEL, D=np.inf, C=np.inf)
    problem = problem.at_multipliers(label_entropy=3.0)
    result = rdc.solve(problem)
    assert result.certificate.proof.parts[0].ends.size  # it is by cells
    known = result.certificate.verify(problem, arithmetic)
    with monkeypatch.context() as patched:
        patched.setattr(CellBounds, method, not_a_number)
        found = result.certificate.verify(problem, arithmetic)
    assert found.log_max_price >= known.log_max_price
    assert found.lower <= known.lower
