"""Newton's matrix of all letters of a line, without the matrix."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve.kernels import LineKernel
from rdcsolve.problems import LineLoss


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.integers(1, 30), st.sampled_from([1.0, 1e-6, 1e-12]))
def test_the_solution_is_that_of_the_matrix_however_close_points_are(seed, log_multiplier, n, closeness):
    rng = np.random.default_rng(seed)
    steps = rng.exponential(size=n) * np.where(rng.random(n) < 0.3, closeness, 1.0)
    x = np.unique(np.cumsum(steps))
    kernel = LineKernel([LineLoss("absolute", x)], np.array([10**log_multiplier]))
    weights, scaling = rng.exponential(size=x.size), 10 ** rng.uniform(-3, 2, x.size)
    right = rng.standard_normal(x.size)
    found = kernel.factorised(weights, scaling)(right)
    columns = kernel.columns()
    back = scaling * (columns.T @ (weights * (columns @ (scaling * found)))) + found
    size = np.abs(right).max() * (1 + (scaling**2).max() * (weights.sum()))
    assert np.abs(back - right).max() <= 1e-13 * size
    both = kernel.factorised(weights, scaling)(np.stack([right, 2 * right], axis=1))
    np.testing.assert_allclose(both[:, 0], found)


def test_squared_error_and_letters_of_their_own_have_no_such_matrix():
    x = np.arange(5.0)
    assert LineKernel([LineLoss("squared_error", x)], np.array([0.1])).factorised is None
    assert LineKernel([LineLoss("absolute", x, x[:3])], np.array([0.1])).factorised is None


def test_products_of_a_few_letters_are_right_where_they_are_tiny():
    x = np.linspace(0, 20, 2000)
    kernel = LineKernel([LineLoss("squared_error", x)], np.array([1.0]))
    q = np.zeros(2000)
    q[[3, 40, 90]] = 0.2, 0.5, 0.3
    exact = np.exp(-(np.subtract.outer(x, x[[3, 40, 90]]) ** 2)) @ q[[3, 40, 90]]
    assert exact.min() < 1e-150
    np.testing.assert_allclose(kernel.matvec(q), exact, rtol=1e-11)
