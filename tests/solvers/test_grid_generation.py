"""Column generation on grids: the answers of the tables, from coarser grids, in memory that grows like the grid."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.problems import SeparableLoss
from rdcsolve.solvers.finite import grid_generation, grid_rounds
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.reduction import fixed_task

pytestmark = pytest.mark.usefixtures("small_grids")


def mixture(n, dim=2, seed=0, parts=5):
    """The masses and axes of a mixture of normal densities on [-4, 4]^dim."""
    rng, axis = np.random.default_rng(seed), np.linspace(-4, 4, n)
    total = np.zeros((n,) * dim)
    for _ in range(parts):
        mean, deviation, part = rng.uniform(-2, 2, dim), rng.uniform(0.3, 0.9, dim), rng.uniform(0.5, 1)
        for m, s in zip(mean, deviation, strict=True):
            part = np.multiply.outer(part, np.exp(-(((axis - m) / s) ** 2) / 2))
        total += part
    return total / total.sum(), [axis] * dim


@st.composite
def on_grids(draw):
    """A source on a grid of two or three axes, even or not, with a separable loss and a multiplier."""
    dim = draw(st.integers(2, 3))
    sides = [draw(st.integers(5, 12 if dim == 2 else 7)) for _ in range(dim)]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    axes = [np.linspace(-3, 3, n) if draw(st.booleans()) else np.sort(rng.uniform(-3, 3, n)) for n in sides]
    masses = np.ones(sides)
    if draw(st.booleans()):
        for d, axis in enumerate(axes):
            shape = [-1 if e == d else 1 for e in range(dim)]
            masses = masses * np.exp(-(axis**2) / 2).reshape(shape)
    else:
        masses = rng.dirichlet(np.ones(masses.size)).reshape(sides)
    if draw(st.booleans()):
        masses[rng.random(sides) < 0.3] = 0.0
        masses.ravel()[0] = 1e-3
    letter_axes = [np.linspace(-2.5, 2.5, draw(st.integers(4, 9))) for _ in sides] if draw(st.booleans()) else None
    loss = SeparableLoss.between(draw(st.sampled_from(["squared_error", "absolute"])), axes, letter_axes)
    return rdc.sources.grid(masses, axes), loss, draw(st.floats(0.05, 4.0))


@given(case=on_grids())
def test_the_answer_is_that_of_the_table(case):
    source, loss, multiplier = case
    problem = rdc.Problem(source, distortion=loss).at_multipliers(distortion=multiplier)
    assert grid_generation.suits(fixed_task(problem))
    table = rdc.Problem(rdc.Source(None, source.p_x), distortion=loss.block()).at_multipliers(distortion=multiplier)
    mine = rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-7)
    theirs = rdc.solve(table, rdc.InteriorPoint(), tolerance=1e-9)
    assert mine.status is rdc.Status.OPTIMAL
    assert mine.proof is rdc.Proof.CERTIFIED
    assert mine.gap <= 1e-7
    assert mine.objective_lower <= theirs.objective_upper
    assert theirs.objective_lower <= mine.objective_upper
    assert mine.certificate.verify(table).valid


def test_two_losses_with_multipliers():
    source = rdc.sources.grid(*mixture(12))
    problem = rdc.Problem(source, limits=[rdc.LossLimit(math.inf, "absolute", "other")])
    problem = problem.at_multipliers(distortion=1.0, other=0.3)
    matrices = [loss.structure.block() for loss in problem.losses]
    limits = [rdc.LossLimit(math.inf, matrices[1], "other")]
    table = rdc.Problem(rdc.Source(None, source.p_x), distortion=matrices[0], limits=limits)
    table = table.at_multipliers(distortion=1.0, other=0.3)
    mine, theirs = rdc.solve(problem, rdc.ColumnGeneration()), rdc.solve(table, rdc.InteriorPoint())
    assert mine.status is theirs.status is rdc.Status.OPTIMAL
    assert mine.objective_lower <= theirs.objective_upper
    assert theirs.objective_lower <= mine.objective_upper


def test_coarser_grids_keep_masses_and_their_mean():
    masses = np.random.default_rng(0).dirichlet(np.ones(77)).reshape(7, 11)
    for sides in [(7, 11), (6, 11), (7, 10), (6, 10)]:
        fine = masses[: sides[0], : sides[1]]
        coarse = grid_generation._halved(fine)
        assert coarse.shape == tuple(-(-side // 2) for side in sides)
        assert coarse.sum() == pytest.approx(fine.sum(), abs=1e-15)
        if sides[0] % 2:  # the last point of an even number of points lies beyond the coarse grid
            mean = np.arange(sides[0]) @ fine.sum(axis=1)
            assert 2 * np.arange(coarse.shape[0]) @ coarse.sum(axis=1) == pytest.approx(mean, abs=1e-14)


def test_axes_are_halved_while_they_resolve_the_kernel():
    line = np.linspace(0, 1, 65)
    loss = SeparableLoss.between("squared_error", [line, line])
    halvings = [grid_generation._halvings([loss], np.array([lam])) for lam in (0.149 * 64**2 / 4**k for k in range(8))]
    assert halvings == [0, 1, 2, 3, 4, 4, 4, 4]
    letters, q = grid_generation._first_letters([loss], np.array([0.15 * 64**2]), 1)
    assert len(letters) == 32**2  # every second
    assert q.sum() == pytest.approx(1.0)


def test_a_start_near_the_solution_takes_no_coarser_grid(monkeypatch):
    problem = rdc.Problem(rdc.sources.grid(*mixture(16))).at_multipliers(distortion=1.0)
    first = rdc.solve(problem, tolerance=1e-7, solver=rdc.ColumnGeneration())
    monkeypatch.setattr(grid_generation, "_from_coarser_grids", lambda *_: pytest.fail("it was given a start"))
    again = rdc.solve(problem.at_multipliers(distortion=1.05), rdc.ColumnGeneration(), tolerance=1e-7, start=first)
    assert again.status is rdc.Status.OPTIMAL


def test_coarse_grids_and_single_axes_go_another_way(monkeypatch):
    monkeypatch.setattr(grid_generation, "TOO_MANY", 10**6)
    problem = rdc.Problem(rdc.sources.grid(*mixture(9)))
    assert grid_generation.suits(fixed_task(problem.at_multipliers(distortion=0.14)))  # a step of one costs one each
    assert not grid_generation.suits(fixed_task(problem.at_multipliers(distortion=0.16)))
    line = rdc.Problem(rdc.sources.grid(*mixture(9, dim=1)))
    assert not grid_generation.suits(fixed_task(line.at_multipliers(distortion=0.14)))


def twins(problem):
    """A problem on a grid, and the same with its losses as tables."""
    matrices = [loss.structure.block() for loss in problem.losses]
    others = [
        rdc.LossLimit(bound, matrix, loss.name)
        for bound, matrix, loss in list(zip(problem.bounds, matrices, problem.losses, strict=True))[1:]
    ]
    source = rdc.Source(None, problem.p_x)
    table = rdc.Problem(source, distortion=matrices[0], limits=[rdc.DistortionLimit(problem.bounds[0]), *others])
    return problem, table


@given(case=on_grids(), share=st.floats(0.05, 0.95), other=st.floats(0.3, 1.2))
def test_limits_are_met_at_the_rate_of_the_table(case, share, other):
    """One limit, or two that may or may not both be active."""
    source, loss, multiplier = case
    least, most = (float(source.p_x @ ends) for ends in loss.extremes())
    limits = [rdc.DistortionLimit(least + share * (0.5 * most - least) * 0.5)]
    if multiplier > 1:
        second = SeparableLoss(
            [np.abs(np.arange(n)[:, None] - np.arange(k)) for n, k in zip(loss.grid, loss.letter_grid, strict=True)]
        )
        limits.append(rdc.LossLimit(other * 0.2 * float(source.p_x @ second.extremes().highest), second, "other"))
    problem, table = twins(rdc.Problem(source, distortion=loss, limits=limits))
    mine = rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-6)
    theirs = rdc.solve(table, tolerance=1e-8)
    assert (mine.status is rdc.Status.INFEASIBLE) == (theirs.status is rdc.Status.INFEASIBLE)
    if mine.status is rdc.Status.INFEASIBLE:
        return
    assert mine.status is rdc.Status.OPTIMAL
    assert mine.proof is rdc.Proof.CERTIFIED
    assert mine.rate_lower <= theirs.rate_upper
    assert theirs.rate_lower <= mine.rate_upper
    assert mine.certificate.verify(table).valid
    assert all(mine.losses[name] <= bound for name, bound in zip(problem.loss_names, problem.bounds, strict=True))


@pytest.mark.parametrize("limits", [{"distortion": 1e4}, {"D": 1e-5}])
def test_a_grid_that_does_not_resolve_the_kernel_is_refused_before_work(limits):
    problem = rdc.Problem(rdc.sources.grid(*mixture(160)))
    problem = problem.with_limits(**limits) if "D" in limits else problem.at_multipliers(**limits)
    message = "a step along an axis costs .* some 25600 letters would be needed at once, with a matrix of 5243 MB"
    with pytest.raises(rdc.InvalidInput, match=message):
        rdc.solve(problem)


def test_limits_take_this_way():
    problem = rdc.Problem(rdc.sources.grid(*mixture(12)))
    bounds = problem.with_limits(D=1.5)
    assert grid_generation.suits(limited_task(bounds, bounds.bounds))
    held = rdc.Problem(problem.source, limits=[rdc.LossLimit(1.5, "squared_error", "held", equal=True)])
    assert not grid_generation.suits(limited_task(held, held.bounds))


def test_multipliers_are_found_in_few_solutions(monkeypatch):
    """Each choice of multipliers is a solution of its own: what the map proposes, and then secants."""
    problem = rdc.Problem(rdc.sources.grid(*mixture(24))).with_limits(D=0.9)
    tried = []
    own = grid_rounds._Search.next
    monkeypatch.setattr(grid_rounds._Search, "next", lambda *given: tried.append(own(*given)) or tried[-1])
    result = rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-9)
    assert result.status is rdc.Status.OPTIMAL
    assert len(tried) <= 8 * 2  # on two grids
    assert tried[-1][0] == pytest.approx(result.multipliers["distortion"], rel=1e-3)


def test_secants_find_the_fixed_point_of_a_map_that_creeps():
    class Task:
        free, bounds = np.array([True, True, False]), np.array([1.0, 2.0, np.inf])

    fixed, search = np.array([3.0, 0.4]), grid_rounds._Search(Task())
    matrix = np.array([[0.8, 0.1], [-0.2, 0.7]])
    now, seen = np.array([1.0, 1.0, 5.0]), []
    for _ in range(14):
        proposed = np.r_[fixed * np.exp(matrix @ np.log(now[:2] / fixed)), 5.0]
        now = search.next(now, proposed, np.zeros(3))
        seen.append(float(np.abs(np.log(now[:2] / fixed)).max()))
        assert now[2] == 5.0
    assert seen[-1] < 1e-9
    given = now
    while now[1]:  # by steps, since it may come back as the other moves
        last, now = now, search.next(now, np.array([3.0, 0.0, 5.0]), np.zeros(3))
        assert now[1] >= 0.2 * last[1] or last[1] < 1e-6
    assert given[1] > 0.3
    back = search.next(now, np.array([3.0, 0.2, 5.0]), np.zeros(3))
    assert back[1] == 0.2


def test_a_single_multiplier_stays_between_what_is_too_little_and_too_much():
    class Task:
        free, bounds = np.array([True]), np.array([1.0])

    search = grid_rounds._Search(Task())
    assert search.next(np.array([1.0]), np.array([0.1]), np.array([2.0]))[0] > 1.0  # the mean is above the bound
    assert 1.0 < search.next(np.array([4.0]), np.array([0.1]), np.array([0.5]))[0] < 4.0
    assert 1.5 < search.next(np.array([1.5]), None, np.array([1.1]))[0] < 4.0


@pytest.mark.slow
def test_65536_points_in_linear_memory():
    """The optimum was enclosed in [2.781339734561, 2.781340675309] by ball arithmetic, with an independent program."""
    problem = rdc.Problem(rdc.sources.grid(*mixture(256))).at_multipliers(distortion=2.0)
    tracemalloc.start()
    result = rdc.solve(problem, tolerance=1e-6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.status is rdc.Status.OPTIMAL
    assert result.proof is rdc.Proof.CERTIFIED
    assert result.gap <= 1e-6
    assert result.objective_lower <= 2.781340675309
    assert result.objective_upper >= 2.781339734561
    assert peak < 200e6  # the table would take 34 GB
    assert result.channel.rows(slice(0, 2)).sum(axis=1) == pytest.approx(np.ones(2), abs=1e-12)
    assert result.verify(problem).valid


@given(case=on_grids())
def test_coarse_letters_tell_the_ranges_of_losses_as_letters_do(case):
    """Multipliers on coarser grids are moved within them: where they were asked for, the solution ended in an error."""
    source, loss, _ = case
    least, easy = float(source.p_x @ loss.extremes().lowest), float(loss.weighted_sum(source.p_x).min())
    problem = rdc.Problem(source, distortion=loss).with_limits(D=0.5 * (least + easy))
    task = limited_task(problem, problem.bounds)
    coarse = replace(task, letters=grid_rounds.CoarseLetters(task.p, task.letters.structures))
    np.testing.assert_array_equal(coarse.ranges, task.ranges)
