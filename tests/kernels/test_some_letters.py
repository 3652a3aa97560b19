"""Some letters of a kernel without their columns: the numbers of the dense kernel of these letters."""

import numpy as np
import pytest

from rdcsolve.kernels import DenseKernel, GridKernel, SomeLetters
from rdcsolve.problems import SeparableLoss

RNG = np.random.default_rng(0)
LINE = np.linspace(-1, 2, 6)
LOSSES = [SeparableLoss.between(name, [LINE, LINE[:5]]) for name in ("squared_error", "absolute")]
MULTIPLIERS = np.array([1.5, 0.4])
LETTERS = np.array([20, 3, 7, 11])
MINE = SomeLetters(GridKernel(LOSSES, MULTIPLIERS), LETTERS)
DENSE = DenseKernel([loss.block(None, LETTERS) for loss in LOSSES], MULTIPLIERS)
CHANGE = np.exp(DENSE.log_scale - MINE.log_scale)  # rows are scaled by the best of all letters, not of these
Q, W = RNG.random(4), RNG.random(30)


def test_products():
    assert MINE.shape == DENSE.shape
    np.testing.assert_allclose(MINE.matvec(Q), CHANGE * DENSE.matvec(Q), rtol=1e-12)
    np.testing.assert_allclose(MINE.rmatvec(W), DENSE.rmatvec(CHANGE * W), rtol=1e-12)
    np.testing.assert_allclose(MINE.prices, MINE.whole.rmatvec(W), rtol=1e-14)
    np.testing.assert_allclose(MINE.columns(), CHANGE[:, None] * DENSE.columns(), rtol=1e-12)
    np.testing.assert_allclose(MINE.columns(np.array([2])), CHANGE[:, None] * DENSE.columns()[:, [2]], rtol=1e-12)


@pytest.mark.parametrize("places", [None, np.array([3, 1])])
def test_gram(places):
    expected = DENSE.gram(W * CHANGE**2)
    expected = expected if places is None else expected[np.ix_(places, places)]
    np.testing.assert_allclose(MINE.gram(W, places), expected, rtol=1e-12)
    if places is not None:
        np.testing.assert_allclose(MINE.at(places).gram(W), expected, rtol=1e-12)


def test_losses_and_moments():
    for m in range(2):
        np.testing.assert_allclose(MINE.loss_matvec(m, Q), CHANGE * DENSE.loss_matvec(m, Q), rtol=1e-12)
        np.testing.assert_allclose(MINE.loss_rmatvec(m, W), DENSE.loss_rmatvec(m, CHANGE * W), rtol=1e-12)
        np.testing.assert_allclose(MINE.second(m, 0, Q), CHANGE * DENSE.second(m, 0, Q), rtol=1e-12)
    both = MINE.moments(Q, np.arange(2)), DENSE.moments(Q, np.arange(2)), (CHANGE, 1, 1)
    for mine, theirs, scale in zip(*both, strict=True):
        np.testing.assert_allclose(mine, theirs * scale, rtol=1e-10, atol=1e-13)
    t, c = np.empty(30), np.empty(4)
    MINE.step(W, Q, t, c)
    np.testing.assert_allclose(t, CHANGE * DENSE.matvec(Q), rtol=1e-12)
    np.testing.assert_allclose(c, DENSE.rmatvec(W / DENSE.matvec(Q)), rtol=1e-12)
