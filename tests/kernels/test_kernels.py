"""Kernels against their slow, obvious twin: row scaling, forbidden pairs, the fused step, thin factors."""

import numpy as np
import pytest

from rdcsolve.errors import InvalidInput
from rdcsolve.kernels import DenseKernel, LowRankKernel, reference


def random_losses(seed, n=7, k=5, count=2):
    """Losses with ties and zeros, and a mask that leaves every symbol a letter."""
    rng = np.random.default_rng(seed)
    losses = rng.choice([0.0, 0.5, 0.5 + 1e-9, 1.0, 3.7], size=(count, n, k))
    forbidden = rng.random((n, k)) < 0.3
    forbidden[np.arange(n), rng.integers(k, size=n)] = False
    return losses, forbidden


def smooth_kernel(n=400, multiplier=5.0):
    x = np.linspace(-5, 5, n)
    return DenseKernel([(x[:, None] - x) ** 2], np.array([multiplier]))


# ------------------------------------------------------------------------------------- dense


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_dense_kernel_is_the_definition(seed, masked):
    losses, forbidden = random_losses(seed, count=1 + seed % 3)
    forbidden = forbidden if masked else None
    multipliers = np.array([2.0, 0.0, 0.7])[: len(losses)]
    kernel = DenseKernel(list(losses), multipliers, forbidden)
    expected = reference.kernel_matrix(losses, multipliers, forbidden)
    assert kernel.shape == expected.shape
    assert np.allclose(kernel.matrix * np.exp(kernel.log_scale)[:, None], expected, rtol=1e-14, atol=0)
    q, weights = np.linspace(0.1, 1, kernel.shape[1]), np.linspace(-1, 1, kernel.shape[0])
    assert np.allclose(np.exp(kernel.log_scale) * kernel.matvec(q), expected @ q, rtol=1e-14, atol=0)
    assert np.allclose(kernel.rmatvec(weights), weights @ kernel.matrix, rtol=1e-14, atol=1e-15)
    letters = np.array([3, 0, 3])
    assert np.array_equal(kernel.columns(letters), kernel.matrix[:, letters])


@pytest.mark.parametrize("multiplier", [1e3, 1e6, 1e12])
def test_rows_are_scaled_so_that_huge_multipliers_leave_something(multiplier):
    losses, forbidden = random_losses(5, count=2)
    losses += 1.0  # no row has a letter without loss: unscaled, every entry would underflow
    multipliers = np.array([multiplier, 0.5 * multiplier])
    assert not reference.kernel_matrix(losses, multipliers, forbidden).any()
    kernel = DenseKernel(list(losses), multipliers, forbidden)
    assert np.array_equal(kernel.matrix.max(axis=1), np.ones(len(kernel.matrix)))
    assert not kernel.matrix[forbidden].any()
    exponent = np.where(forbidden, -np.inf, -np.einsum("m,mia->ia", multipliers, losses))
    assert np.allclose(kernel.log_scale, exponent.max(axis=1), rtol=1e-14, atol=0)
    seen = kernel.matrix > 0
    told = np.log(kernel.matrix[seen]) + np.broadcast_to(kernel.log_scale[:, None], seen.shape)[seen]
    assert np.allclose(told, exponent[seen], rtol=1e-12, atol=0)
    left_out = (exponent - exponent.max(axis=1, keepdims=True))[~seen]
    assert (left_out < -740).all()


def test_forbidden_pairs_stay_forbidden_at_multiplier_zero():
    losses, forbidden = random_losses(1, count=1)
    kernel = DenseKernel(list(losses), np.zeros(1), forbidden)
    assert np.array_equal(kernel.matrix, (~forbidden).astype(float))


def test_a_row_without_any_letter_is_zero_not_nan():
    forbidden = np.array([[True, True], [False, True]])
    kernel = DenseKernel([np.ones((2, 2))], np.array([3.0]), forbidden)
    assert kernel.matrix.tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert kernel.log_scale.tolist() == [0.0, -3.0]


def test_losses_and_mask_are_left_as_they_were():
    losses, forbidden = random_losses(2)
    before = losses.copy(), forbidden.copy()
    DenseKernel(list(losses), np.array([1.0, 2.0]), forbidden)
    assert np.array_equal(losses, before[0])
    assert np.array_equal(forbidden, before[1])


# ------------------------------------------------------------------------------------- the fused step


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11])  # blocks of four rows, and what is left of them
@pytest.mark.parametrize("order", ["C", "F"])
def test_fused_step_is_the_two_products(n, order):
    rng = np.random.default_rng(n)
    losses, forbidden = random_losses(n, n=n, k=6, count=1)
    forbidden[:, 4] = True  # a letter nobody may use
    forbidden[:, 0] = False
    kernel = DenseKernel([np.asarray(losses[0], order=order)], np.array([3.0]), forbidden)
    p = rng.dirichlet(np.ones(n))
    p[0] = 0.0
    q = rng.dirichlet(np.ones(6))
    q[2] = 0.0
    t, c = np.full(n, np.nan), np.full(6, np.nan)  # what the outputs held before must not matter
    kernel.step(p, q, t, c)
    expected_t, expected_c = reference.blahut_arimoto_step(p, kernel.matrix, q)
    assert np.allclose(t, expected_t, rtol=1e-14, atol=0)
    assert np.allclose(c, expected_c, rtol=1e-14, atol=0)
    assert c[4] == 0.0


def test_fused_step_on_a_grid_is_two_matvecs_to_rounding_and_the_same_every_time():
    kernel = smooth_kernel(403)
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(403)), rng.dirichlet(np.full(403, 0.05))
    t, c = np.empty(403), np.empty(403)
    kernel.step(p, q, t, c)
    assert np.allclose(t, kernel.matvec(q), rtol=1e-13, atol=0)
    assert np.allclose(c, kernel.rmatvec(p / t), rtol=1e-13, atol=0)
    again_t, again_c = np.zeros(403), np.zeros(403)
    kernel.step(p, q, again_t, again_c)
    assert t.tobytes() == again_t.tobytes()
    assert c.tobytes() == again_c.tobytes()


def test_a_step_keeps_the_mass_and_never_raises_the_value():
    kernel = smooth_kernel(60)
    p = np.exp(-(np.linspace(-5, 5, 60) ** 2) / 2)
    p /= p.sum()
    q, t, c = np.full(60, 1 / 60), np.empty(60), np.empty(60)
    values = []
    for _ in range(30):
        kernel.step(p, q, t, c)
        values.append(-p @ np.log(t))
        q = q * c
        assert q.sum() == pytest.approx(1.0, abs=1e-13)
    assert (np.diff(values) < 0).all()


# ------------------------------------------------------------------------------------- thin factors


@pytest.mark.parametrize("multiplier", [0.2, 5.0])
def test_thin_factors_reproduce_a_smooth_kernel(multiplier):
    exact = smooth_kernel(400, multiplier)
    thin = LowRankKernel(exact)
    assert thin.rank <= 100
    assert thin.shape == exact.shape
    assert thin.log_scale is exact.log_scale
    assert np.abs(thin.left @ thin.right - exact.matrix).max() <= 1e-12
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(400)), rng.dirichlet(np.ones(400))
    assert np.allclose(thin.matvec(q), exact.matvec(q), rtol=0, atol=1e-13)
    assert np.allclose(thin.rmatvec(p), exact.rmatvec(p), rtol=0, atol=1e-13)
    assert np.allclose(thin.columns(np.array([7, 3])), exact.columns(np.array([7, 3])), rtol=0, atol=1e-12)
    results = [(np.empty(400), np.empty(400)) for _ in range(2)]
    for kernel, outputs in zip([exact, thin], results, strict=True):
        kernel.step(p, q, *outputs)
    assert np.allclose(results[0], results[1], rtol=1e-10, atol=0)


def test_a_looser_tolerance_takes_no_more_columns():
    exact = smooth_kernel(400)
    loose, strict = LowRankKernel(exact, tolerance=1e-3), LowRankKernel(exact)
    assert loose.rank < strict.rank
    q = np.random.default_rng(2).dirichlet(np.ones(400))
    assert np.abs(loose.matvec(q) - exact.matvec(q)).max() <= 1e-3


def test_thin_factors_are_the_same_every_time():
    exact = smooth_kernel(200, 1.0)
    assert LowRankKernel(exact).left.tobytes() == LowRankKernel(exact).left.tobytes()


@pytest.mark.parametrize("exact", [DenseKernel([1.0 - np.eye(80)], np.array([2.0])), smooth_kernel(300, 1e4)])
def test_kernels_without_low_rank_are_refused(exact):
    with pytest.raises(InvalidInput, match=r"no rank below \d+ .* use the dense kernel"):
        LowRankKernel(exact)


@pytest.mark.parametrize("shape", [(3, 3), (1, 50), (50, 3)])
def test_a_kernel_too_small_to_gain_is_refused(shape):
    with pytest.raises(InvalidInput, match="dense kernel"):
        LowRankKernel(DenseKernel([np.zeros(shape)], np.ones(1)))
