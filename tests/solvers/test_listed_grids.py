"""Problems whose points are listed and form a grid: the answers of their tables, by kernels of one matrix per axis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.kernels import DenseKernel, GridKernel
from rdcsolve.letters import FiniteLetters
from rdcsolve.problems import grid_points

SOLVERS = [rdc.InteriorPoint(), rdc.ColumnGeneration(), rdc.BlahutArimoto()]


@pytest.fixture(autouse=True)
def from_few_pairs_on(monkeypatch):
    monkeypatch.setattr(grid_points, "_FEWEST_PAIRS", 1)


def listed(sides, seed, distortion="squared_error", even=True, own=False, limits=None, labels=0, without=0):
    """A source on a shuffled grid, its letters on the same or on their own; and the same with its table."""
    rng = np.random.default_rng(seed)
    made = [np.linspace(-2, 2, side) if even else np.sort(rng.uniform(-2, 2, side)) for side in sides]
    points = np.stack(np.meshgrid(*made, indexing="ij"), axis=-1).reshape(-1, len(sides))
    p = rng.random(points.shape[0]) ** 2
    p[:without] = 0.0
    order = rng.permutation(points.shape[0])
    conditional = [rng.dirichlet(np.ones(2), points.shape[0])] * labels
    source = rdc.Source(points[order], p / p.sum(), labels=conditional)
    letters = None
    if own:
        between = np.stack(np.meshgrid(np.linspace(-1.5, 1.5, 4), np.linspace(-1, 1, 3)), axis=-1).reshape(-1, 2)
        letters = between[rng.permutation(12)]
    problem = rdc.Problem(source, letters, distortion, limits=limits or [])
    assert problem.losses[0].structure.grid == " x ".join(map(str, sides))
    return problem, rdc.Problem(source, letters, problem.losses[0].matrix, limits=limits or [])


def same_bounds(mine, theirs, problem, table, tolerance):
    assert mine.status is theirs.status
    assert mine.proof is theirs.proof
    assert mine.gap <= tolerance
    slack = mine.gap + theirs.gap + 1e-12  # both enclose one number
    assert abs(mine.objective_lower - theirs.objective_lower) <= slack
    assert abs(mine.objective_upper - theirs.objective_upper) <= slack
    assert mine.fingerprint == theirs.fingerprint
    for one in (problem, table):
        assert mine.verify(one).valid
        assert theirs.verify(one).valid


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["squared_error", "mean_squared_error", "absolute", "hamming"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 5]),
    st.sampled_from(["multiplier", "limit"]),
)
def test_a_shuffled_grid_has_the_bounds_of_its_table(seed, distortion, even, own, without, asked):
    problem, table = listed((5, 4), seed, distortion, even, own, without=without)
    kernel = FiniteLetters(problem, [0]).kernel(np.array([1.5]))
    assert isinstance(kernel, GridKernel)
    assert isinstance(FiniteLetters(table, [0]).kernel(np.array([1.5])), DenseKernel)
    least, most = float(table.p_x @ table.row_minima(0)), float((table.p_x @ table.losses[0].matrix).min())
    bound = 0.6 * least + 0.4 * most
    problem, table = (
        one.at_multipliers(distortion=1.5) if asked == "multiplier" else one.with_limits(D=bound)
        for one in (problem, table)
    )
    same_bounds(rdc.solve(problem), rdc.solve(table), problem, table, 1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_with_every_method(solver):
    problem, table = (one.at_multipliers(distortion=1.0) for one in listed((7, 6), 1))
    mine, theirs = (rdc.solve(one, solver, tolerance=1e-5) for one in (problem, table))
    same_bounds(mine, theirs, problem, table, 1e-5)
    assert mine.method.endswith(", points on a grid of 7 x 6")
    assert "grid" not in theirs.method


def test_newton_on_most_letters_but_not_all():
    """The Newton matrix of some letters is gathered from midpoints, at the letters' own places."""
    problem, table = (one.at_multipliers(distortion=6.0) for one in listed((24, 22), 2))
    mine, theirs = (rdc.solve(one, rdc.InteriorPoint(), tolerance=1e-8) for one in (problem, table))
    assert mine.steps == theirs.steps
    same_bounds(mine, theirs, problem, table, 1e-8)


def test_three_axes_and_several_limits():
    limits = [rdc.DistortionLimit(1.2), rdc.DistortionLimit(1.3, "absolute", name="other")]
    problem, table = listed((4, 3, 5), 3, limits=limits)
    mine, theirs = rdc.solve(problem), rdc.solve(table)
    same_bounds(mine, theirs, problem, table, 1e-9)
    assert mine.method.endswith("grid of 4 x 3 x 5")


def test_least_loss_at_a_rate():
    problem, table = (one.with_limits(rate=0.8).minimising("distortion") for one in listed((6, 5), 4))
    same_bounds(rdc.solve(problem), rdc.solve(table), problem, table, 1e-8)


@pytest.mark.parametrize("letters", ["split", "fixed"])
def test_beside_a_label(letters):
    limits = [rdc.DistortionLimit(1.4), rdc.LabelEntropyLimit(0.45)]
    rng = np.random.default_rng(5)
    points = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0)), axis=-1).reshape(-1, 2)[rng.permutation(12)]
    source = rdc.Source(points, np.full(12, 1 / 12), labels=[rng.dirichlet([0.4, 0.4], 12)])
    problem = rdc.Problem(source, limits=limits, letters=letters)
    table = rdc.Problem(source, distortion=problem.losses[0].matrix, limits=limits, letters=letters)
    mine, theirs = (rdc.solve(one, tolerance=1e-6) for one in (problem, table))
    assert mine.status is theirs.status
    assert mine.objective_upper == pytest.approx(theirs.objective_upper, abs=2e-6)
    assert mine.objective_lower == pytest.approx(theirs.objective_lower, abs=2e-6)


def test_beside_a_limit_on_the_law_and_forbidden_pairs():
    problem, table = listed((4, 3), 6)
    banned = np.where(np.eye(12, k=2) > 0, np.inf, 1.0)
    for limit in (rdc.PerceptionLimit(0.05), rdc.LossLimit(2.0, banned, "banned")):
        both = [rdc.DistortionLimit(1.0), limit]
        mine = rdc.Problem(problem.source, limits=both)
        theirs = rdc.Problem(table.source, distortion=table.losses[0].matrix, limits=both)
        first, second = rdc.solve(mine, tolerance=1e-6), rdc.solve(theirs, tolerance=1e-6)
        assert "grid" not in first.method
        assert first.objective_lower == pytest.approx(second.objective_lower, abs=2e-6)
        assert first.objective_upper == pytest.approx(second.objective_upper, abs=2e-6)


def test_along_a_curve():
    problem, table = listed((6, 5), 7)
    D = np.linspace(0.3, 1.2, 5)
    mine, theirs = rdc.sweep(problem, D=D), rdc.sweep(table, D=D)
    assert np.allclose(mine.rate_lower.values, theirs.rate_lower.values, atol=1e-8)
    assert (mine.gap.values <= 1e-8).all()
