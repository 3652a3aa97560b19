"""Where the interior point begins with a transport limit, and what that saves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.solvers.perception.blocks import TransportBlock

SCALES = st.floats(-8.0, 4.0)


@given(st.integers(1, 6), st.integers(1, 6), SCALES, st.integers(0, 2**32 - 1))
def test_all_products_are_equal_and_rows_are_the_target(n, m, scale, seed):
    """Where some products are a millionth of others steps stay short for long."""
    rng = np.random.default_rng(seed)
    target = rng.dirichlet(np.full(n, 0.5)) + 1e-9
    target /= target.sum()
    block = TransportBlock(target, rng.random((n, m)) ** 3 * 10**scale, 10 ** (scale - 2))
    w = rng.normal(size=m)
    block.start(w, np.full(m, 1 / m))
    products = block.plan * block.slack
    assert products == pytest.approx(np.full((n, m), products[0, 0]), rel=1e-9)
    assert block.plan.sum(axis=1) == pytest.approx(target, rel=1e-2)
    assert block.slack == pytest.approx(block.f[:, None] + block.scalar.nu * block.cost - w, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("measure", "most"), [("w2", 38), ("tv", 32), ("w1", 32)])
def test_grids_take_few_steps(measure, most):
    """From a product plan, aiming at the centre as usual and going .99 of the way, these took 47, 43 and 44 steps."""
    edges = np.linspace(-5, 5, 101)
    x = 0.5 * (edges[1:] + edges[:-1])
    source = rdc.Source(x, np.exp(-x * x / 2), normalise=True)
    problem = rdc.Problem(source, limits=[rdc.DistortionLimit(0.3), rdc.PerceptionLimit(0.01, measure)])
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.status is rdc.Status.OPTIMAL
    assert result.steps <= most
