"""Cells of the line where tangents bound prices over decisions: when halving them ends, and what is proved then."""

import numpy as np
import pytest

from rdcsolve.letters.pricing import bound, line
from rdcsolve.letters.pricing.line import largest_free_price
from rdcsolve.letters.pricing.points import FreePrice


def nearly_certain_price(seed):
    """A price that is flat: points close together beside the kernel, and classes that all pay nearly the same."""
    rng = np.random.default_rng(seed)
    label = np.eye(6)[rng.integers(6, size=16)] + 1e-10
    label /= label.sum(axis=1, keepdims=True)
    mass = rng.dirichlet(np.full(16, 0.3))
    weights = np.log(mass) - np.log(label @ (mass @ label)) + 1e-4 * rng.normal(size=16)
    return FreePrice(weights, 1e-4 * np.sort(rng.normal(size=16))[:, None], 1.0, [label], np.ones(1))


@pytest.mark.parametrize("seed", [0, 3])
def test_cells_are_not_halved_below_what_tangents_can_do(monkeypatch, seed):
    """Where even the best letter's own place is not bounded as asked for, no cell around it will be."""
    monkeypatch.setattr(bound, "_SHIFTS", 1)
    monkeypatch.setattr(line, "_MOST_CELLS", 3000)
    found = largest_free_price(nearly_certain_price(seed))
    assert found.proved
    assert found.n_cells <= 20
    assert found.log_best <= found.log_upper <= found.log_best + 1e-8


def test_the_last_bound_of_a_cell_looks_at_decisions_too(monkeypatch):
    """What ends unfinished is bounded as closely as a tangent can: the sum of weights is far above that."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.normal(size=30))
    label = np.exp(1.5 * rng.normal(size=6) * x[:, None])
    label /= label.sum(axis=1, keepdims=True)
    price = FreePrice(rng.normal(size=30), x[:, None], 0.1, [label], np.array([0.8]))
    full = largest_free_price(price)
    monkeypatch.setattr(line, "_MOST_HALVINGS", 0)
    short = largest_free_price(price, rtol=1e-12)
    assert short.proved
    assert full.log_best <= short.log_upper <= full.log_upper + 0.01
