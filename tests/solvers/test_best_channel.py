"""The best channel for given output masses, and limits at the least value of their loss."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.results import Status
from rdcsolve.solvers.finite import recovery
from rdcsolve.solvers.finite.best_channel import best_channel
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.reduction import fixed_task
from rdcsolve.solvers.loop import Iterate

INF = np.inf


def random_task(seed, n_losses=1, share=0.4, forbid=False, units=None):
    """Limits a share of the way from the least value to that of the uniform output distribution."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(6))
    losses = rng.random((n_losses, 6, 5)) * 4 * (np.ones(n_losses) if units is None else units)[:, None, None]
    if forbid:
        losses[0][rng.random((6, 5)) < 0.25] = INF
        losses[0][:, 0] = 2.0
    forbidden = np.isinf(losses).any(axis=0)
    named = {f"loss_{m}": loss for m, loss in enumerate(losses[1:], start=1)}
    problem = rdc.Problem.from_arrays(p, losses[0], losses=named)
    q = rng.dirichlet(np.ones(5))
    names = problem.loss_names
    task = limited_task(problem, np.full(n_losses, 1e6) * (1 if units is None else units))
    kernel = np.where(forbidden, 0.0, 1.0) * q
    kernel /= kernel.sum(axis=1, keepdims=True)
    free = [task.p @ (kernel * loss).sum(axis=1) for loss in task.letters.losses]
    offsets = task.letters.shifts @ task.p
    bounds = offsets + np.array(free) * (0.7 if n_losses > 1 else share)
    problem = problem.with_limits(**dict(zip(names, map(float, bounds), strict=True)))
    return limited_task(problem, problem.bounds), q


def value(task, q, multipliers):
    """G_q at the multipliers by its definition, and the channel."""
    exponent = -sum(m * loss for m, loss in zip(multipliers, task.letters.losses, strict=True))
    kernel = np.exp(exponent)
    if task.letters.forbidden is not None:
        kernel = np.where(task.letters.forbidden, 0.0, kernel)
    t = kernel @ q
    return -task.p @ np.log(t) - multipliers @ task.bounds, kernel * q / t[:, None]


def means(task, channel):
    return np.array([task.p @ (channel * loss).sum(axis=1) for loss in task.letters.losses])


# ------------------------------------------------------------------------------------- tilting


@pytest.mark.parametrize("forbid", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_one_limit_against_all_multipliers_of_a_grid(seed, share, forbid):
    task, q = random_task(seed, share=share, forbid=forbid)
    tilted = best_channel(task, np.arange(5), q, task.first_multipliers())
    if not tilted.met:  # then the letters' own least mean is above the bound
        pytest.skip("this bound needs other output masses")
    best, channel = value(task, q, tilted.multipliers)
    grid = np.r_[0.0, np.geomspace(1e-3, 1e3, 4001)]
    assert best >= max(value(task, q, np.array([m]))[0] for m in grid) - 1e-13
    assert np.allclose(tilted.channel, channel, rtol=1e-10, atol=1e-15)
    assert np.allclose(tilted.means, means(task, tilted.channel), rtol=1e-13, atol=0)
    assert tilted.means[0] == pytest.approx(task.bounds[0], rel=1e-12)
    assert task.p @ tilted.log_v - tilted.multipliers @ task.bounds == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_two_limits_against_a_general_optimiser(seed):
    from scipy.optimize import minimize

    task, q = random_task(seed, n_losses=2)
    tilted = best_channel(task, np.arange(5), q, task.first_multipliers())
    assert tilted.met
    assert (tilted.means <= task.bounds * (1 + 1e-12)).all()
    slack = task.bounds - tilted.means
    assert np.abs(tilted.multipliers * slack).max() <= 1e-10
    best, _ = value(task, q, tilted.multipliers)
    found = minimize(lambda m: -value(task, q, m)[0], np.ones(2), bounds=[(0, None)] * 2, method="L-BFGS-B")
    assert best >= -found.fun - 1e-12
    assert best == pytest.approx(-found.fun, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(-10, 10), st.integers(-10, 10)))
def test_two_losses_may_be_in_any_units(seed, exponents):
    # beside a loss of 1e8 the variance of one of order one is below a rounding of the largest singular value
    units = 10.0 ** np.array(exponents)
    (task, q), (other, _) = random_task(seed, n_losses=2), random_task(seed, n_losses=2, units=units)
    plain, scaled = (best_channel(one, np.arange(5), q, one.first_multipliers()) for one in (task, other))
    assert plain.met == scaled.met
    if plain.met:
        assert value(other, q, scaled.multipliers)[0] == pytest.approx(value(task, q, plain.multipliers)[0], abs=1e-9)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
@pytest.mark.parametrize("seed", range(4))
def test_losses_of_very_different_sizes_are_met_together(seed, scale):
    """What is a rounding beside the variance of the other loss is a loss as good as any: units change nothing."""
    rng = np.random.default_rng(seed)
    p, losses = rng.dirichlet(np.ones(5)), rng.random((2, 5, 4))
    some = np.eye(4)[losses.sum(axis=0).argmin(axis=1)] * 0.7 + 0.3 * rng.dirichlet(np.ones(4), 5)
    bounds = 1.01 * (p @ (some * losses).sum(axis=2).T)  # which this channel meets
    solved = []
    for unit in (1.0, scale):
        problem = rdc.Problem.from_arrays(p, losses[0], losses={"other": unit * losses[1]})
        problem = problem.with_limits(distortion=float(bounds[0]), other=unit * float(bounds[1]))
        solved += [rdc.solve(problem, method, tolerance=1e-6) for method in ("interior-point", "column-generation")]
    assert {one.status for one in solved} == {Status.OPTIMAL}
    assert [one.rate_upper for one in solved] == pytest.approx([solved[0].rate_upper] * 4, abs=1e-6)
    assert max(one.steps for one in solved[2:]) <= 2 + max(one.steps for one in solved[:2])


@pytest.mark.parametrize("first", [1e-6, 1.0, 1e4])
def test_the_answer_does_not_depend_on_the_start(first):
    task, q = random_task(0)
    tilted = best_channel(task, np.arange(5), q, np.array([first]))
    expected = best_channel(task, np.arange(5), q, task.first_multipliers())
    assert tilted.met
    assert tilted.multipliers == pytest.approx(expected.multipliers, rel=1e-9)


def test_a_limit_that_is_met_anyway_has_multiplier_zero():
    task, q = random_task(1, share=1.5)
    tilted = best_channel(task, np.arange(5), q, np.array([3.0]))
    assert tilted.multipliers.tolist() == [0.0]
    assert np.allclose(tilted.channel, q, rtol=1e-14)
    assert tilted.met


def test_limits_that_the_letters_cannot_meet_are_reported():
    """Both letters kept cost the second symbol its all; the bound is below that."""
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]], D=0.2)
    task = limited_task(problem, problem.bounds)
    tilted = best_channel(task, np.array([0, 1]), np.array([0.5, 0.5]), np.ones(1))
    assert not tilted.met
    assert tilted.means[0] == pytest.approx(0.5)


def test_fixed_multipliers_are_left_alone():
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]]).at_multipliers(distortion=2.0)
    task = fixed_task(problem)
    tilted = best_channel(task, np.arange(2), np.array([0.5, 0.5]), task.first_multipliers())
    assert tilted.multipliers.tolist() == [2.0]
    assert tilted.channel[0] == pytest.approx(np.array([1.0, math.exp(-2)]) / (1 + math.exp(-2)), rel=1e-15)


@pytest.mark.parametrize("seed", range(4))
def test_the_channel_handed_out_is_inside_its_limits_by_a_hair(seed):
    task, q = random_task(seed, n_losses=2)
    iterate = Iterate(np.arange(5), q, np.zeros(6), task.first_multipliers(), -math.inf, math.inf)
    made = recovery.primal(task, iterate)
    bounds = task.problem.bounds
    assert (made.means <= bounds).all()  # not nearly
    active = best_channel(task, np.arange(5), q, task.first_multipliers()).multipliers > 0
    assert active.any()
    assert (made.means[active] >= bounds[active] - 2e-12 * bounds[active] - 1e-13).all()


def test_letters_of_next_to_no_mass_are_left_out_unless_a_symbol_needs_them():
    d = np.array([[0.0, 1.0, INF], [1.0, 0.0, INF], [INF, INF, 0.0]])
    q = np.array([0.6, 0.4 - 1e-15, 1e-15])
    for p, expected in [([0.5, 0.5, 0.0], [0, 1]), ([0.5, 0.5 - 1e-3, 1e-3], [0, 1, 2])]:
        problem = rdc.Problem.from_arrays(p, d, D=0.2)
        task = limited_task(problem, problem.bounds)
        made = recovery.primal(task, Iterate(np.arange(3), q, np.zeros(3), np.ones(1), 0.0, 1.0))
        assert made.letters.tolist() == expected
        assert made.means[0] <= 0.2


# ------------------------------------------------------------------------------------- limits at their least value


def ring(n, offsets=None):
    """Letter a costs the symbols a and a + 1 nothing, all others one: n symbols around a ring."""
    d = np.ones((n, n))
    d[np.arange(n), np.arange(n)] = 0
    d[(np.arange(n) + 1) % n, np.arange(n)] = 0
    return d if offsets is None else d + np.asarray(offsets, dtype=float)[:, None]


@pytest.mark.parametrize("n", [4, 5, 9])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_least_distortion_with_ties_takes_the_entropy_of_the_ring(n, scale):
    """A letter tells its two symbols from the others and no more: log n - log 2."""
    p = np.full(n, 1 / n)
    d = ring(n, scale * np.arange(n))
    problem = rdc.Problem.from_arrays(p, d, D=float(p @ d.min(axis=1)))
    task = limited_task(problem, problem.bounds)
    assert not task.free.any()
    assert np.array_equal(task.letters.forbidden, ring(n) > 0)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.rate_lower <= math.log(n / 2) + 1e-12
    assert result.rate_upper == pytest.approx(math.log(n / 2), abs=1.1e-9)
    assert result.losses["distortion"] == pytest.approx(problem.bounds[0], rel=1e-13)
    assert result.certificate.verify(problem).valid


def test_a_limit_at_its_least_value_is_the_masked_problem():
    rng = np.random.default_rng(4)
    p, d = rng.dirichlet(np.ones(5)), rng.integers(0, 3, (5, 6)).astype(float)
    other = rng.random((5, 6))
    least = float(p @ d.min(axis=1))
    masked = np.where(d > d.min(axis=1, keepdims=True), INF, 0.0)
    floor = p @ (masked + other).min(axis=1)
    ceiling = float(p @ other.max(axis=1))
    bound = floor + 0.2 * (ceiling - floor)
    both = rdc.Problem.from_arrays(p, d, losses={"other": other}).with_limits(D=least, other=bound)
    alone = rdc.Problem.from_arrays(p, masked, losses={"other": other}).with_limits(other=bound)
    results = [rdc.solve(both), rdc.solve(alone)]
    assert [result.status for result in results] == [Status.OPTIMAL] * 2
    assert results[1].rate_upper > 0.01
    assert results[0].rate_upper == pytest.approx(results[1].rate_upper, abs=2e-9)
    assert results[0].losses["distortion"] <= least * (1 + 1e-13)


def test_a_mask_that_raises_the_least_value_of_another_limit_above_its_bound():
    d = [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    other = [[0.6, 0.0, 0.1], [0.0, 0.6, 0.1]]
    problem = rdc.Problem.from_arrays([0.5, 0.5], d, losses={"other": other})
    assert limited_task(problem, np.array([0.0, 0.5])) is None
    result = rdc.solve(problem.with_limits(D=0.0, other=0.5))
    assert result.status is Status.INFEASIBLE
    assert "leaves no channel that meets the others" in result.message
    assert result.minimum == {"distortion": 0.0, "other": 0.0}
    alone = rdc.solve(problem.with_limits(D=0.0, other=0.61))
    assert alone.rate_upper == pytest.approx(math.log(2), abs=1e-9)


def test_a_mask_that_raises_the_least_value_of_another_limit_to_its_bound_masks_again():
    """D = 0 leaves letters 0 and 1 to symbol 0 and 2 to symbol 1; then `other` can be 0.5 at best, with letter 1."""
    d = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    other = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 0.5]])
    problem = rdc.Problem.from_arrays([0.5, 0.5], d, losses={"other": other})
    task = limited_task(problem, np.array([0.0, 0.5]))
    assert task.letters.forbidden.tolist() == [[True, False, True], [True, True, False]]
    assert not task.free.any()
    result = rdc.solve(problem.with_limits(D=0.0, other=0.5))
    assert result.letters.tolist() == [1, 2]
    assert result.rate_upper == pytest.approx(math.log(2), abs=1e-9)


def test_symbols_of_mass_zero_have_no_say_in_a_mask():
    d = [[0.0, 1.0], [1.0, 0.0], [5.0, 7.0]]
    result = rdc.solve(rdc.Problem.from_arrays([0.3, 0.7, 0.0], d, D=0.0))
    expected = rdc.information.entropy(np.array([0.3, 0.7]))
    assert result.status is Status.OPTIMAL
    assert result.rate_upper == pytest.approx(expected, abs=1e-9)
    assert np.allclose(result.channel.sum(axis=1), 1.0)
