"""Repair of dual points: what comes out is valid, never worse than scaling, and far better where the tail was wrong."""

import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.kernels import reference
from rdcsolve.letters import FiniteLetters
from rdcsolve.solvers.finite import repair as module
from rdcsolve.solvers.finite.repair import repair


def reference_prices(space, log_v, multipliers):
    matrix = reference.kernel_matrix(np.array(space.losses), multipliers, space.forbidden)
    return (space.p * np.exp(log_v)) @ matrix


def scaled_bound(space, log_v, multipliers):
    """The bound that dividing exp(u) by the largest price gives."""
    return float(space.p @ log_v) - math.log(reference_prices(space, log_v, multipliers).max())


def random_space(seed, n=12, k=15, forbid=True):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n))
    d = rng.random((n, k)) * 3
    if forbid:
        d[rng.random((n, k)) < 0.2] = np.inf
        d[:, 0] = 3.0
    other = rng.random((n, k))
    return FiniteLetters(rdc.Problem.from_arrays(p, d, losses={"other": other}, normalise=True), [0, 1])


def after_blahut_arimoto(space, multipliers, steps):
    """log_v and the value of the output masses after some steps from the uniform distribution."""
    kernel = space.kernel(multipliers)
    q = np.full(space.n_letters, 1 / space.n_letters)
    for _ in range(steps):
        q = q * kernel.rmatvec(space.p / kernel.matvec(q))
    log_v = -np.log(kernel.matvec(q)) - kernel.log_scale
    return log_v, float(space.p @ log_v)


@pytest.mark.parametrize("steps", [0, 1, 10, 100])
@pytest.mark.parametrize("seed", range(6))
def test_a_repaired_point_is_valid_and_no_worse_than_scaling(seed, steps):
    space = random_space(seed, forbid=seed % 2 == 0)
    multipliers = np.array([[4.0, 0.0], [2.0, 8.0], [0.5, 0.5]][seed % 3])
    log_v, value = after_blahut_arimoto(space, multipliers, steps)
    mended = repair(space, log_v, multipliers)
    prices = reference_prices(space, mended.log_v, multipliers)
    normalised = mended.log_v - math.log(prices.max())
    assert reference_prices(space, normalised, multipliers).max() <= 1 + 1e-12
    assert mended.bound == pytest.approx(float(space.p @ normalised), abs=1e-12)
    assert mended.bound >= scaled_bound(space, log_v, multipliers) - 1e-12
    assert mended.bound <= value + 1e-12
    one_pass = repair(space, log_v, multipliers, passes=1)
    assert one_pass.bound == pytest.approx(scaled_bound(space, log_v, multipliers), abs=1e-12)
    assert np.allclose(one_pass.log_v, log_v, rtol=0, atol=1e-12)


def test_repair_closes_the_gap_of_ten_steps_on_the_normal_density():
    """Dear letters far in the tail: the page on certificates says 9e-3 becomes 7e-7."""
    problem = testing.known_problems()["P1a_100"].problem
    space, multipliers = FiniteLetters(problem, [0]), problem.multipliers
    log_v, value = after_blahut_arimoto(space, multipliers, 10)
    before = value - scaled_bound(space, log_v, multipliers)
    mended = repair(space, log_v, multipliers)
    assert 5e-3 < before < 2e-2
    assert 0 <= value - mended.bound < 1e-5
    assert value - scaled_bound(space, mended.log_v, multipliers) < 1e-5  # as recomputed, too


def test_letters_given_mass_are_those_that_were_too_dear():
    problem = testing.known_problems()["P1a_100"].problem
    space, multipliers = FiniteLetters(problem, [0]), problem.multipliers
    log_v, _ = after_blahut_arimoto(space, multipliers, 10)
    mended = repair(space, log_v, multipliers)
    prices = reference_prices(space, log_v, multipliers)
    assert mended.letters.size
    assert mended.letters.size == np.unique(mended.letters).size == mended.masses.size
    assert (prices[mended.letters] > 1).all()
    assert (mended.masses > 0).all()
    assert int(prices.argmax()) in mended.letters


def test_a_valid_point_is_left_alone():
    space, multipliers = random_space(1), np.array([2.0, 1.0])
    log_v, _ = after_blahut_arimoto(space, multipliers, 5)
    log_v = log_v - math.log(reference_prices(space, log_v, multipliers).max()) - 1e-9
    mended = repair(space, log_v, multipliers)
    assert not mended.letters.size
    assert not mended.masses.size
    assert np.allclose(mended.log_v, log_v, rtol=0, atol=1e-13)
    # scaling up to the largest price is free
    assert mended.bound == pytest.approx(scaled_bound(space, log_v, multipliers), abs=1e-12)


@pytest.mark.parametrize("smooth", [True, False])
def test_many_dear_letters(smooth):
    """Beyond a limit only the dearest letters and the local maxima are looked at; the result is as valid."""
    if smooth:
        x = np.linspace(-5, 5, 1500)
        p = np.exp(-(x**2) / 2)
        d = (x[:, None] - x) ** 2
    else:
        rng = np.random.default_rng(0)
        p, d = rng.random(20), rng.random((20, 1500))
    space = FiniteLetters(rdc.Problem.from_arrays(p, d, normalise=True), [0])
    multipliers = np.array([5.0])
    log_v, value = after_blahut_arimoto(space, multipliers, 10 if smooth else 0)
    kernel = space.kernel(multipliers)
    prices = kernel.rmatvec(space.p * np.exp(log_v))
    assert (prices > 1).sum() > module._MANY_CANDIDATES
    mended = repair(space, log_v, multipliers)
    assert mended.letters.size <= module._MOST_CANDIDATES
    again = kernel.rmatvec(space.p * np.exp(mended.log_v))
    assert mended.bound == pytest.approx(space.p @ mended.log_v - math.log(again.max()), abs=1e-12)
    scaled = space.p @ log_v - math.log(prices.max())
    assert mended.bound >= scaled - 1e-13
    if smooth:
        assert value - mended.bound < 1e-3 * (value - scaled)


@pytest.mark.parametrize("height", [250.0, 400.0, 700.0, 1e5])
def test_a_point_beyond_the_range_of_its_squares_is_lowered_into_it(height):
    space, multipliers = random_space(2), np.array([3.0, 1.0])
    log_v, _ = after_blahut_arimoto(space, multipliers, 3)
    log_v[4] = height
    mended = repair(space, log_v, multipliers)  # an overflow would warn, and warnings are errors
    assert np.isfinite(mended.log_v).all()
    assert math.isfinite(mended.bound)
    kept = np.minimum(log_v, module._LARGEST_LOG_V - space.kernel(multipliers).log_scale)
    assert mended.bound >= scaled_bound(space, kept, multipliers) - 1e-10
    assert mended.bound == pytest.approx(scaled_bound(space, mended.log_v, multipliers), abs=1e-10)


def test_large_multipliers_with_losses_at_odds():
    """No letter is best for both losses: the kernel's row scale is far from zero, and goes into log_v."""
    p, d = [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]]
    space = FiniteLetters(rdc.Problem.from_arrays(p, d, losses={"other": [[1.0, 0.0], [0.0, 1.0]]}), [0, 1])
    multipliers = np.array([1e6, 1e6])
    log_v, value = after_blahut_arimoto(space, multipliers, 1)
    mended = repair(space, log_v, multipliers)
    assert value == pytest.approx(1e6)  # either letter costs 1e6, and the rate is zero
    assert mended.bound == pytest.approx(1e6)


def test_repair_among_some_letters_is_that_of_a_shorter_list():
    rng = np.random.default_rng(3)
    d = rng.random((12, 15)) * 3
    problem = rdc.Problem.from_arrays(rng.dirichlet(np.ones(12)), d)
    some = np.array([1, 4, 5, 9, 13])
    short = rdc.Problem.from_arrays(problem.p_x, d[:, some])
    whole, part = FiniteLetters(problem, [0]), FiniteLetters(short, [0])
    multipliers = np.array([2.0])
    t = np.exp(-2.0 * d) @ np.full(15, 1 / 15)
    # both lists count losses from their own least values: the shorter one's are larger
    more = part.shifts[0] - whole.shifts[0]
    found = repair(whole, -np.log(t), multipliers, among=some)
    alone = repair(part, -np.log(t) - 2.0 * more, multipliers)
    assert found.bound == pytest.approx(alone.bound + 2.0 * float(problem.p_x @ more), abs=1e-9)
    assert np.isin(found.letters, some).all()
    assert repair(whole, -np.log(t), multipliers).bound <= found.bound + 1e-12, "more letters, lower bound"
