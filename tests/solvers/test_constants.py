"""What is added to all losses of a symbol, and to the bound, changes neither status nor channel.

Losses, masses and constants are such that the sums are exact in floating point: the two problems are the same.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.recovery import mean_loss
from rdcsolve.solvers.finite.reduction import is_below_least, least_loss, negligible

CONSTANTS = [1e3, 2.0**20, 2.0**33, 2.0**42, 2.0**50]
H = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))


@st.composite
def exact_problems(draw):
    """Masses in sixteenths, losses in quarters, a bound in sixty-fourths: (p, d, D)."""
    n, k = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    cuts = sorted(draw(st.lists(st.integers(1, 15), min_size=n - 1, max_size=n - 1, unique=True)))
    p = np.diff([0, *cuts, 16]) / 16
    d = np.array(draw(st.lists(st.lists(st.integers(0, 8), min_size=k, max_size=k), min_size=n, max_size=n))) / 4
    least, most = float(p @ d.min(axis=1)), float((p @ d).min())
    share = draw(st.sampled_from([-1, 0, 1, 2, 3, 4, 6, 9]))
    return p, d, max(math.floor(4 * (least + share * (most - least) / 8)) / 4, 0.0)


@settings(max_examples=60, deadline=None)
@given(exact_problems(), st.sampled_from(CONSTANTS), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_a_constant_for_each_symbol_changes_nothing(problem, constant, steps):
    p, d, D = problem
    # in steps of 64, so that p.constants and D + p.constants are exact; the largest is what is said
    constants = np.maximum(np.floor(constant / 64) - np.array(steps[: p.size]), 0) * 64
    plain = rdc.solve(rdc.Problem.from_arrays(p, d, D=D))
    moved_problem = rdc.Problem.from_arrays(p, d + constants[:, None], D=D + float(p @ constants))
    assert (moved_problem.losses[0].matrix - constants[:, None] == d).all()
    moved = rdc.solve(moved_problem)
    assert (moved.status is rdc.Status.INFEASIBLE) == (plain.status is rdc.Status.INFEASIBLE)
    if plain.status is rdc.Status.INFEASIBLE:
        return
    assert moved.rate_upper == pytest.approx(plain.rate_upper, abs=3e-9)
    assert moved.rate_lower <= plain.rate_upper + 1e-12
    # u holds lambda times the constant: what that rounds by is lost, and no more
    slope = moved.multipliers["distortion"] * float(constants.max())
    assert moved.rate_lower >= plain.rate_lower - 1e-8 - 1e-13 * slope or moved.rate_lower == 0
    assert moved.losses["distortion"] <= D + float(p @ constants)


@pytest.mark.parametrize("offset", [0.0, *CONSTANTS])
def test_no_error_allowed_costs_the_entropy(offset):
    result = rdc.solve(rdc.Problem.from_arrays([0.75, 0.25], offset + np.array([[0.0, 1.0], [1.0, 0.0]]), D=offset))
    assert result.rate_upper == pytest.approx(H, abs=1e-9)
    assert result.rate_lower <= H + 1e-12
    assert result.losses["distortion"] == offset


@pytest.mark.parametrize("offset", [0.0, *CONSTANTS])
def test_a_bound_below_the_least_value_is_told_at_every_level(offset):
    loss = offset + np.array([[0.25, 1.0], [1.0, 0.25]])
    problem = rdc.Problem.from_arrays([0.75, 0.25], loss)
    assert is_below_least(problem, 0, offset)
    assert not is_below_least(problem, 0, offset + 0.25)
    assert rdc.solve(problem.with_limits(D=offset)).status is rdc.Status.INFEASIBLE
    assert least_loss(problem, 0) == offset + 0.25


def test_a_bound_computed_at_the_least_value_counts_as_it_whichever_way_it_was_rounded():
    rng = np.random.default_rng(0)
    p, d = rng.dirichlet(np.ones(50)), 1.0 + rng.random((50, 6))
    least = float(p @ d.min(axis=1))
    for bound in (np.nextafter(least, 0), least, np.nextafter(least, 9)):
        problem = rdc.Problem.from_arrays(p, d, D=bound)
        task = limited_task(problem, problem.bounds)
        assert task is not None
        assert not task.free.any()


def test_room_of_a_limit_is_exact():
    p = np.array([0.75, 0.25])
    problem = rdc.Problem.from_arrays(p, 2.0**50 + np.array([[0.0, 1.0], [1.0, 0.0]]), D=2.0**50 + 0.25)
    task = limited_task(problem, problem.bounds)
    assert task.bounds.tolist() == [0.25]
    assert negligible(problem, 0) <= 1e-12


def test_masses_that_sum_to_one_only_to_rounding_do_not_spoil_the_room():
    p = np.full(3, 0.3333333333333334)
    assert math.fsum(p) != 1.0
    assert mean_excess(p, np.full(3, 1e15), 1e15) == 0.0
    assert mean_excess(p, np.full(3, 1e15 + 4), 1e15) == 4.0


def test_mean_excess_of_enormous_values():
    assert mean_excess(np.array([0.5, 0.5]), np.array([1e308, 1e308]), 1e308) == 0.0
    assert mean_excess(np.array([0.5, 0.5, 0.0]), np.array([1e308, 0.0, np.inf])) == 5e307
    assert mean_excess(np.array([1.0]), np.array([2.0**50]), 2.0**50, np.array([1e-20])) == 1e-20


def test_spread_is_within_symbols_of_positive_mass_and_pairs_that_are_allowed():
    loss = [[100.0, 101.0, np.inf], [7.0, 7.5, 9.0], [0.0, 50.0, 0.0]]
    problem = rdc.Problem.from_arrays([0.5, 0.5, 0.0], loss)
    assert problem.spread(0) == 2.0
    assert problem.row_minima(0).tolist() == [100.0, 7.0, 0.0]


def test_mean_of_a_channel_inside_a_limit_is_never_rounded_beyond_it():
    rng = np.random.default_rng(1)
    p, d = rng.dirichlet(np.ones(7)), rng.random((7, 4))
    channel = rng.dirichlet(np.ones(4), size=7)
    for offset in CONSTANTS:
        losses = offset + d
        exact = sum(
            math.fsum(p[i] * channel[i, a] / channel[i].sum() * (losses[i, a] - offset) for a in range(4))
            for i in range(7)
        ) / math.fsum(p)
        assert mean_loss(p, channel, losses, losses.min(axis=1)) == pytest.approx(
            offset + exact, abs=np.spacing(offset)
        )


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e3, 1e6, 2.0**40])
def test_losses_shown_are_within_their_limits(offset):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(2, 9)), int(rng.integers(2, 6))
        p, d = rng.dirichlet(np.ones(n)), rng.random((n, k)) + offset
        problem = rdc.Problem.from_arrays(p, d)
        room = float((p @ (d - offset)).min()) - mean_excess(p, d.min(axis=1), offset)
        D = least_loss(problem, 0) + 0.1 * room
        if room < 0.01 or not D > least_loss(problem, 0):
            continue
        result = rdc.solve(problem.with_limits(D=D), tolerance=1e-6)
        assert result.losses["distortion"] <= D
