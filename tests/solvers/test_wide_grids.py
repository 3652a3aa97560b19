"""Smooth densities on wide grids, where the mass of symbols spans dozens of decades, and column generation on them."""

import math

import numpy as np
import pytest
from certified import solved
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.solvers.finite.column_generation import _covering
from rdcsolve.solvers.finite.least_loss import rate_at_least
from rdcsolve.solvers.finite.reduction import fixed_task

INF = np.inf
DENSITIES = {
    "Gaussian": lambda x: np.exp(-(x**2) / 2),
    "Laplacian": lambda x: np.exp(-np.abs(x) * math.sqrt(2)),
    "Student": lambda x: (1 + x**2 / 3) ** -2,
    "logistic": lambda x: 1 / np.cosh(x) ** 2,
    "exponential": lambda x: np.exp(x.min() - x),
    "mixture": lambda x: np.exp(-((x + 2) ** 2) / 2) + 0.3 * np.exp(-2 * (x - 3) ** 2),
    "uniform with tails": lambda x: np.exp(-3 * np.maximum(np.abs(x) - 1.7, 0)),
    "two far bumps": lambda x: np.exp(-((x - 6) ** 2)) + 1e-12 * np.exp(-((x + 6) ** 2)),
}


def wide(density, half_width, size, irregular=None):
    x = np.linspace(-half_width, half_width, size)
    if irregular is not None:
        x = np.sort(np.random.default_rng(irregular).uniform(-half_width, half_width, size))
    source = rdc.Source(x, DENSITIES[density](x), normalise=True)
    return rdc.Problem(source), float(source.p_x @ (x - source.p_x @ x) ** 2)


@st.composite
def problems(draw):
    """A density on a wide grid, even or not, at a multiplier, under a limit, or with a loss that is minimised."""
    density = draw(st.sampled_from(sorted(DENSITIES)))
    problem, variance = wide(
        density,
        draw(st.floats(4, 40)),
        draw(st.integers(140, 320)),
        draw(st.one_of(st.none(), st.integers(0, 10**6))),
    )
    steepness = 10.0 ** draw(st.floats(-0.5, 1.5))
    kind = draw(st.sampled_from(["multiplier", "limit", "least loss"]))
    if kind == "multiplier":
        return problem.at_multipliers(distortion=steepness / variance)
    if kind == "limit":
        return problem.with_limits(D=variance / (1 + 2 * steepness))
    return problem.minimising("distortion", rate=0.5 * math.log(1 + 2 * steepness))


@given(problems())
def test_column_generation_proves_what_the_interior_point_finds(problem):
    mine = solved(problem, solver=rdc.ColumnGeneration(), gap=1e-9)
    theirs = rdc.solve(problem, rdc.InteriorPoint(), tolerance=1e-8)
    assert mine.objective_lower <= theirs.objective_upper
    assert theirs.objective_lower <= mine.objective_upper


@pytest.mark.parametrize(
    ("density", "half_width", "size", "multiplier"),
    [("Gaussian", 16, 301, 2.0), ("exponential", 12, 1001, 2.0), ("uniform with tails", 16, 301, 1.0)],
)
def test_letters_that_hold_up_the_tail_stay(density, half_width, size, multiplier):
    """Of mass 1e-13 or so, they were dropped after the first round, and came back and left by turns until the end."""
    problem, variance = wide(density, half_width, size)
    result = solved(problem.at_multipliers(distortion=multiplier / variance), solver=rdc.ColumnGeneration())
    assert result.steps <= 12
    lowest = min(record.lower for record in result.history)
    assert lowest > result.objective_lower - 0.1  # without them prices in the tail rise to 1e80, and the bound to -200


def test_a_normal_density_cut_far_outside_meets_the_closed_form():
    problem, variance = wide("Gaussian", 14, 501)
    for multiplier in (1.0, 2.0, 6.0):
        result = solved(problem.at_multipliers(distortion=multiplier / variance), solver=rdc.ColumnGeneration())
        D = 1 / (2 * multiplier)
        assert result.objective_upper == pytest.approx(0.5 * math.log(1 / D) + multiplier * D, abs=1e-8)


def test_a_grid_of_points_in_the_plane():
    axis = np.linspace(-3, 3, 16)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    source = rdc.Source(points, np.exp(-(points**2).sum(axis=1) / 2), normalise=True)
    problem = rdc.Problem(source).at_multipliers(distortion=8.0)
    mine = solved(problem, solver=rdc.ColumnGeneration())
    theirs = rdc.solve(problem, rdc.InteriorPoint())
    assert mine.objective_upper == pytest.approx(theirs.objective_upper, abs=2e-9)


def test_least_distortion_of_a_laplacian_at_one_bit():
    problem, _ = wide("Laplacian", 14, 2001)
    result = rdc.solve(problem.minimising("distortion", rate=math.log(2)), tolerance=1e-7)
    assert result.gap <= 1e-7
    coarse, _ = wide("Laplacian", 14, 501)
    other = rdc.solve(coarse.minimising("distortion", rate=math.log(2)), rdc.InteriorPoint(), tolerance=1e-7)
    # a step h of the grid adds h^2 / 12 to the variance: the values differ by about 2e-4
    assert 0 < result.objective_upper - other.objective_upper < 2e-4
    assert result.steps <= 25  # and none of them with all 2001 letters at the least value, whose rate is 3.7 nats


# ------------------------------------------------------------------------------------- what a round is made of


@given(st.integers(0, 10**6))
def test_covering_leaves_nobody_stranded_and_takes_the_most_helpful_first(seed):
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 12, size=2)
    d = np.where(rng.random((n, k)) < rng.uniform(0.2, 0.95), INF, 1.0)
    d[np.arange(n), rng.integers(0, k, n)] = 0.0
    task = fixed_task(rdc.Problem.from_arrays(np.full(n, 1 / n), d).at_multipliers(distortion=1.0))
    first = np.flatnonzero(rng.random(k) < 0.2) if np.isinf(d).any() else np.arange(k)
    chosen = _covering(task, first)
    forbidden = np.isinf(d)
    assert not forbidden[:, chosen].all(axis=1).any()
    stranded, expected = forbidden[:, first].all(axis=1), list(first)
    while stranded.any():
        expected.append(int((~forbidden[stranded]).sum(axis=0).argmax()))
        stranded &= forbidden[:, expected[-1]]
    assert chosen.tolist() == sorted(set(expected))


@given(st.integers(0, 10**6))
def test_the_rate_at_the_least_value_is_at_least_what_is_said(seed):
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 7, size=2)
    p = rng.dirichlet(np.ones(n))
    d = rng.integers(0, rng.integers(2, 6), (n, k)).astype(float)  # ties, or hardly any
    problem = rdc.Problem.from_arrays(p, d)
    least = mean_excess(p, d.min(axis=1))
    result = rdc.solve(problem.with_limits(D=least))
    bound = rate_at_least(problem, 0)
    assert bound <= result.rate_upper + 1e-12
    if ((d == d.min(axis=1)[:, None]).sum(axis=1) == 1).all():
        assert bound == pytest.approx(result.rate_upper, abs=1e-8)
