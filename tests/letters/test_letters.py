"""Letters of a finite alphabet: shifts move constants and nothing else, prices are those of the definition."""

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.kernels import reference
from rdcsolve.letters import FiniteLetters

INF = np.inf
P = np.array([0.2, 0.0, 0.5, 0.3])
D = np.array([[1.0, 2.0, 5.0], [INF, INF, INF], [4.0, 3.5, INF], [0.0, 7.0, 2.0]])
OTHER = np.array([[2.0, INF, 1.5], [0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [3.0, 1.0, 2.0]])


def problem():
    return rdc.Problem.from_arrays(P, D, losses={"other": OTHER})


def test_symbols_of_mass_zero_are_left_out():
    letters = FiniteLetters(problem(), [0, 1])
    assert letters.symbols.tolist() == [0, 2, 3]
    assert letters.p.tolist() == [0.2, 0.5, 0.3]
    assert [loss.shape for loss in letters.losses] == [(3, 3)] * 2
    assert letters.shifts.shape == (2, 3)


def test_every_row_has_a_zero_and_the_shift_brings_the_loss_back():
    letters = FiniteLetters(problem(), [0, 1])
    allowed = np.isfinite(D[letters.symbols]) & np.isfinite(OTHER[letters.symbols])
    assert np.array_equal(letters.forbidden, ~allowed)
    for loss, shift, matrix in zip(letters.losses, letters.shifts, [D, OTHER], strict=True):
        assert not loss[~allowed].any()
        assert np.where(allowed, loss, INF).min(axis=1).tolist() == [0.0] * 3
        restored = loss + shift[:, None]
        assert np.array_equal(restored[allowed], matrix[letters.symbols][allowed])


def test_a_pair_forbidden_by_one_loss_is_no_least_value_of_another():
    """Symbol 0 may not use letter 1, so OTHER's least value there is 1.5 whichever losses are kept."""
    assert FiniteLetters(problem(), [1]).shifts[0].tolist() == [1.5, 0.5, 1.0]
    assert FiniteLetters(problem(), [0]).forbidden[0].tolist() == [False, True, False]


def test_a_further_mask_raises_the_shifts():
    mask = np.zeros((4, 3), dtype=bool)
    mask[3, 0] = True
    letters = FiniteLetters(problem(), [0], mask)
    assert letters.shifts[0].tolist() == [1.0, 3.5, 2.0]
    assert letters.forbidden[2].tolist() == [True, False, False]


def test_without_forbidden_pairs_there_is_no_mask():
    letters = FiniteLetters(rdc.Problem.from_arrays([0.5, 0.5], [[0.0, 1.0], [3.0, 2.0]]), [0])
    assert letters.forbidden is None
    assert letters.forbidden_of(np.array([0])) is None
    assert letters.losses[0].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_losses_and_mask_of_some_letters():
    letters = FiniteLetters(problem(), [0, 1])
    some = np.array([2, 0])
    for part, whole in zip(letters.losses_of(some), letters.losses, strict=True):
        assert np.array_equal(part, whole[:, some])
    assert np.array_equal(letters.forbidden_of(some), letters.forbidden[:, some])


@pytest.mark.parametrize("multipliers", [[0.0, 0.0], [0.3, 0.0], [2.0, 5.0], [40.0, 1.0]])
def test_prices_are_those_of_the_definition(multipliers):
    multipliers = np.array(multipliers)
    letters = FiniteLetters(problem(), [0, 1])
    u = np.array([0.3, -0.2, 1.7])  # in the problem's own losses
    original = np.array([np.where(letters.forbidden, 0.0, matrix[letters.symbols]) for matrix in [D, OTHER]])
    kernel = reference.kernel_matrix(original, multipliers, letters.forbidden)
    expected = (letters.p * np.exp(u)) @ kernel
    pricing = letters.price(u - multipliers @ letters.shifts, multipliers)
    assert np.allclose(pricing.prices, expected, rtol=1e-13, atol=0)
    assert pricing.maximum == pricing.prices.max()
    assert pricing.proved


def test_prices_stay_in_range_at_huge_multipliers():
    letters = FiniteLetters(problem(), [0, 1])
    multipliers = np.array([1e6, 1e6])
    log_v = -letters.kernel(multipliers).log_scale  # as large as the kernel is small
    assert log_v.max() > 1e5
    prices = letters.price(log_v, multipliers).prices
    assert prices.max() <= 1 + 1e-12
    assert prices.sum() >= 1 - 1e-12


def test_the_last_kernel_is_kept_and_not_mistaken_for_another():
    letters = FiniteLetters(problem(), [0])
    first = letters.kernel(np.array([1.0]))
    assert letters.kernel(np.array([1.0])) is first
    second = letters.kernel(np.array([2.0]))
    assert second is not first
    assert np.array_equal(second.matrix, letters.kernel(np.array([2.0])).matrix)
    assert not np.array_equal(second.matrix, first.matrix)


@pytest.mark.parametrize("offsets", [[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [1e3, 1e3, 2e3]])
def test_adding_a_constant_to_a_row_moves_the_bound_and_nothing_else(offsets):
    rng = np.random.default_rng(3)
    p, d = np.array([0.2, 0.5, 0.3]), rng.random((3, 4))
    bound = d.min(axis=1) @ p + 0.05
    plain = rdc.solve(rdc.Problem.from_arrays(p, d, D=bound))
    offsets = np.array(offsets)
    problem = rdc.Problem.from_arrays(p, d + offsets[:, None], D=bound + p @ offsets)
    moved = rdc.solve(problem)
    assert plain.gap <= 1e-9
    assert moved.gap <= 1e-9
    assert plain.rate_upper > 0.05
    assert moved.rate_upper == pytest.approx(plain.rate_upper, abs=2e-9)
    assert moved.multipliers["distortion"] == pytest.approx(plain.multipliers["distortion"], rel=1e-4)
    assert moved.certificate.verify(problem).valid
