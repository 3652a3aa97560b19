"""Problems on grids, and others whose losses are not stored: the answers of their tables, without the tables."""

import tracemalloc

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.kernels import GridKernel
from rdcsolve.letters import FiniteLetters
from rdcsolve.problems import BlockLoss, SeparableLoss
from rdcsolve.results import Channel
from rdcsolve.solvers.finite import recovery
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.feasibility import constant_output, feasible_channel, margin


def mixture(n, dim=2, seed=0):
    """The masses and axes of a mixture of five normal densities on [-4, 4]^dim."""
    rng, axis = np.random.default_rng(seed), np.linspace(-4, 4, n)
    total = np.zeros((n,) * dim)
    for _ in range(5):
        mean, deviation, part = rng.uniform(-2, 2, dim), rng.uniform(0.3, 0.9, dim), rng.uniform(0.5, 1)
        for m, s in zip(mean, deviation, strict=True):
            part = np.multiply.outer(part, np.exp(-(((axis - m) / s) ** 2) / 2))
        total += part
    return total / total.sum(), [axis] * dim


def on_grid(n, **options):
    return rdc.Problem(rdc.sources.grid(*mixture(n)), **options)


def stored(problem):
    """The same problem with its losses as tables."""
    source = rdc.Source(problem.source.points, problem.p_x)
    limits = [rdc.LossLimit(b, loss.matrix, loss.name) for loss, b in zip(problem.losses, problem.bounds, strict=True)]
    return rdc.Problem(
        source, distortion=problem.losses[0].matrix, limits=[rdc.DistortionLimit(problem.bounds[0]), *limits[1:]]
    )


SOLVERS = [
    (rdc.ColumnGeneration(), 1e-7, None),
    (rdc.InteriorPoint(), 1e-7, None),
    (rdc.BlahutArimoto(), 1e-9, 3),
]


@pytest.mark.parametrize("limits", [{"distortion": 1.0}, {"D": 0.9}])
@pytest.mark.parametrize(("solver", "tolerance", "steps"), SOLVERS)
def test_the_answer_is_that_of_the_table(solver, tolerance, steps, limits):
    problem = on_grid(16)
    problem = problem.at_multipliers(**limits) if "distortion" in limits else problem.with_limits(**limits)
    table = stored(problem)
    table = table.at_multipliers(**limits) if "distortion" in limits else table.with_limits(**limits)
    mine, theirs = (rdc.solve(one, solver, tolerance=tolerance, max_steps=steps) for one in (problem, table))
    assert mine.status is theirs.status
    slack = 2 * tolerance if steps is None else 1e-10
    assert mine.objective_upper == pytest.approx(theirs.objective_upper, abs=slack)
    assert mine.objective_lower == pytest.approx(theirs.objective_lower, abs=slack)
    assert mine.certificate.verify(problem).valid
    assert mine.certificate.verify(table).valid


def test_thin_factors_of_a_grid():
    problem = on_grid(24).at_multipliers(distortion=0.02)
    exact, thin = (rdc.solve(problem, rdc.BlahutArimoto(kernel=kind), max_steps=2) for kind in ("dense", "low_rank"))
    assert thin.objective_upper == pytest.approx(exact.objective_upper, abs=1e-10)
    assert thin.objective_lower == pytest.approx(exact.objective_lower, abs=1e-10)


def test_symbols_of_mass_zero_leave_the_grid():
    masses, axes = mixture(14)
    masses[masses < 1e-4] = 0.0
    problem = rdc.Problem(rdc.sources.grid(masses, axes)).at_multipliers(distortion=1.5)
    kernel = FiniteLetters(problem, [0]).kernel(np.array([1.5]))
    assert isinstance(kernel, GridKernel)
    assert kernel.shape == (np.count_nonzero(masses), 196)
    mine = rdc.solve(problem, rdc.ColumnGeneration())
    theirs = rdc.solve(stored(problem).at_multipliers(distortion=1.5), rdc.ColumnGeneration())
    assert mine.objective_upper == pytest.approx(theirs.objective_upper, abs=2e-9)
    assert mine.certificate.verify(problem).valid


def test_two_losses_on_one_grid():
    masses, axes = mixture(14)
    source = rdc.sources.grid(masses, axes)
    problem = rdc.Problem(source, limits=[rdc.DistortionLimit(0.9), rdc.LossLimit(0.8, "absolute", "other")])
    mine, theirs = rdc.solve(problem, rdc.ColumnGeneration()), rdc.solve(stored(problem), rdc.ColumnGeneration())
    assert mine.gap <= 1e-9
    assert mine.rate_upper == pytest.approx(theirs.rate_upper, abs=2e-9)
    assert mine.losses["other"] <= 0.8


def test_letters_on_a_grid_of_their_own_and_losses_above_zero():
    masses, axes = mixture(14)
    between = [np.linspace(-3, 3, 9), np.linspace(-3.5, 3.5, 11)]
    loss = SeparableLoss.between("squared_error", axes, between)
    assert loss.row_minima().any()
    problem = rdc.Problem(rdc.sources.grid(masses, axes), distortion=loss).with_limits(D=0.9)
    mine, theirs = rdc.solve(problem, rdc.ColumnGeneration()), rdc.solve(stored(problem), rdc.ColumnGeneration())
    assert mine.gap <= 1e-9
    assert mine.rate_upper == pytest.approx(theirs.rate_upper, abs=2e-9)
    assert mine.certificate.verify(problem).valid


@pytest.mark.parametrize("solver", [rdc.ColumnGeneration(), rdc.InteriorPoint(), rdc.BlahutArimoto()])
@pytest.mark.parametrize("limits", [{"distortion": 2.0}, {"D": 0.4}])
def test_a_loss_by_blocks(solver, limits):
    points = np.random.default_rng(0).standard_normal((150, 2))
    source = rdc.Source(points, np.full(150, 1 / 150))
    problem = rdc.Problem(source, distortion=BlockLoss("absolute", points, points[:130]))
    table = rdc.Problem(source, points[:130], "absolute")
    assert problem.fingerprint() == table.fingerprint()
    problem, table = (
        one.at_multipliers(**limits) if "distortion" in limits else one.with_limits(**limits)
        for one in (problem, table)
    )
    steps = 2 if isinstance(solver, rdc.BlahutArimoto) else None
    mine, theirs = (rdc.solve(one, solver, max_steps=steps) for one in (problem, table))
    assert mine.objective_upper == pytest.approx(theirs.objective_upper, abs=2e-9)
    assert mine.objective_lower == pytest.approx(theirs.objective_lower, abs=2e-9)
    assert mine.certificate.verify(table).valid


def test_what_feasibility_knows_is_that_of_the_table():
    problem = rdc.Problem(
        rdc.sources.grid(*mixture(8)),
        distortion=SeparableLoss.between("absolute", [np.linspace(-4, 4, 8)] * 2, [np.linspace(-3, 3, 4)] * 2),
        limits=[rdc.DistortionLimit(2.1), rdc.LossLimit(1.6, SeparableLoss([np.ones((8, 4)), np.eye(8)[:, :4]]), "o")],
    )
    tasks = [limited_task(one, one.bounds) for one in (problem, stored(problem))]
    for letters in (None, np.array([0, 3, 9, 15])):
        mine, theirs = (margin(task, letters) for task in tasks)
        assert mine.attained == pytest.approx(theirs.attained, abs=1e-12)
        assert np.array_equal(mine.choices, theirs.choices)
    found = [constant_output(task) for task in tasks]
    assert [None if one is None else one[0].tolist() for one in found][0] == (
        None if found[1] is None else found[1][0].tolist()
    )
    letters, channel = feasible_channel(tasks[0])
    for m in range(2):
        mean = tasks[0].p @ (channel * tasks[0].letters.losses[m][:, letters]).sum(axis=1)
        assert mean <= tasks[0].bounds[m] * (1 + 1e-12)


def test_first_letters_and_peaks_follow_the_grid():
    letters = FiniteLetters(on_grid(16), [0])
    places = np.stack(np.unravel_index(letters.spread_evenly(25), (16, 16)), axis=1)
    assert len(places) == 25
    assert places.min() == 0
    assert places.max() == 15
    assert len(np.unique(places[:, 0])) == len(np.unique(places[:, 1])) == 5
    assert letters.spread_evenly(10**6).tolist() == list(range(256))
    prices = np.zeros((16, 16))
    prices[3, 3], prices[3, 4], prices[9, 15] = 2.0, 1.0, 1.0
    on_slope = np.arange(16.0)[:, None] + np.arange(16.0)
    assert set(np.argwhere(letters.peaks(prices.ravel()).reshape(16, 16) & (prices > 0)).ravel().tolist()) == {3, 9, 15}
    assert np.argwhere(letters.peaks(on_slope.ravel()).reshape(16, 16)).tolist() == [[15, 15]]


# ------------------------------------------------------------------------------------- memory


def peak_of(run):
    tracemalloc.start()
    try:
        return run(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_grid_of_1600_points_is_solved_without_its_table():
    problem = on_grid(40).at_multipliers(distortion=1.0)
    result, peak = peak_of(lambda: rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-6))
    assert result.gap <= 1e-6
    assert peak < 8 * 1600**2  # not even one such array
    assert isinstance(result.channel, np.ndarray)


@pytest.mark.slow
def test_a_grid_of_9216_points_is_solved_without_its_table_of_680_megabytes():
    problem = on_grid(96).at_multipliers(distortion=2.0)
    result, peak = peak_of(lambda: rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-6))
    assert result.gap <= 1e-6
    assert result.objective_lower <= 2.78191062 <= result.objective_upper + 1e-7
    assert peak < 200e6


def test_blahut_arimoto_on_9216_points_gives_rows_on_demand():
    problem = on_grid(96).at_multipliers(distortion=2.0)
    solver = rdc.BlahutArimoto(check_every=20)
    result, peak = peak_of(lambda: rdc.solve(problem, solver, max_steps=2))
    assert isinstance(result.channel, Channel)
    assert peak < 200e6
    assert result.objective_lower < 2.7819106 < result.objective_upper
    assert result.q.sum() == pytest.approx(1.0, abs=1e-12)
    assert result.channel.rows(slice(0, 2)).sum(axis=1) == pytest.approx(np.ones(2), abs=1e-12)
    assert 0 <= result.rate_upper - result.channel.rate() < 1e-12
    with pytest.raises(InvalidInput, match=r"channel has .* and is not stored"):
        np.asarray(result.channel)


def test_a_limit_is_met_by_rows_on_demand(monkeypatch):
    problem = on_grid(16).with_limits(D=0.9)
    solver = rdc.BlahutArimoto(check_every=10)
    dense = rdc.solve(problem, solver, max_steps=2)
    monkeypatch.setattr("rdcsolve.solvers.finite.recovery.DENSE_CHANNEL_BYTES", 1000)
    lean = rdc.solve(problem, solver, max_steps=2)
    assert isinstance(lean.channel, Channel)
    assert lean.rate_upper == pytest.approx(dense.rate_upper, abs=1e-12)
    assert lean.losses["distortion"] <= 0.9
    np.testing.assert_allclose(np.asarray(lean.channel), dense.channel, rtol=1e-9, atol=1e-15)
    assert lean.certificate.verify(problem).valid


def test_too_many_letters_for_the_interior_point_are_refused():
    problem = on_grid(96).at_multipliers(distortion=2.0)
    with pytest.raises(InvalidInput, match=r"InteriorPoint takes all 9216 letters at once, .* 679 MB"):
        rdc.solve(problem, rdc.InteriorPoint())


def test_a_limit_at_the_least_value_makes_a_table_where_that_is_small(monkeypatch):
    problem = on_grid(8).with_limits(D=0.0)
    entropy = -float(problem.p_x @ np.log(problem.p_x))
    result = rdc.solve(problem)
    assert result.rate_upper == pytest.approx(entropy, abs=1e-9)
    monkeypatch.setattr("rdcsolve.problems.losses.TABLE_BYTES", 1000)
    with pytest.raises(InvalidInput, match=r"loss 'distortion' is not stored, and this needs it as one table"):
        rdc.solve(problem)


def test_least_loss_at_a_rate_without_a_table():
    problem = on_grid(32).with_limits(rate=1.2).minimising("distortion")
    result, peak = peak_of(lambda: rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-6))
    assert result.gap <= 1e-6
    assert result.rate_upper <= 1.2
    assert peak < 3 * 8 * 1024**2
    back = rdc.solve(problem.minimising("rate").with_limits(rate=None, D=result.distortion), rdc.ColumnGeneration())
    assert back.rate_upper == pytest.approx(1.2, abs=1e-5)


def test_other_parts_make_a_table():
    problem = on_grid(6)
    again = problem.listed(np.array([0, 3, 7]), [])
    assert np.array_equal(again.losses[0].matrix, problem.losses[0].matrix[:, [0, 3, 7]])
    assert rdc.choose(problem.at_multipliers(distortion=1.0)) == rdc.InteriorPoint()


@pytest.mark.parametrize("limits", [{"D": 0.9}, {"distortion": 1.0}])
def test_numbers_of_rows_on_demand_are_those_of_a_pass_over_them(monkeypatch, limits):
    masses, axes = mixture(12)
    masses[masses < 1e-5] = 0.0
    letters = [np.linspace(-3, 3, 9), np.linspace(-3.5, 3.5, 11)]
    loss = SeparableLoss.between("squared_error", axes, letters)
    other = rdc.LossLimit(np.inf, SeparableLoss.between("absolute", axes, letters), "other")
    problem = rdc.Problem(rdc.sources.grid(masses, axes), distortion=loss, limits=[other])
    problem = problem.with_limits(**limits) if "D" in limits else problem.at_multipliers(**limits)
    monkeypatch.setattr("rdcsolve.solvers.finite.recovery.DENSE_CHANNEL_BYTES", 100)
    made = []
    own = recovery.primal
    monkeypatch.setattr(recovery, "primal", lambda *given: made.append(own(*given)) or made[-1])
    result = rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-7)
    assert result.status is rdc.Status.OPTIMAL
    mine = made[-1]
    assert isinstance(mine.channel, Channel)
    rows = np.asarray(mine.channel)
    assert mine.q == pytest.approx(problem.p_x @ rows, rel=1e-12)
    assert mine.rate == pytest.approx(rdc.information.mutual_information(problem.p_x, rows), abs=1e-13)
    for m, one in enumerate(problem.losses):
        mean = problem.p_x @ (rows * one.structure.block(None, mine.letters)).sum(axis=1)
        assert mine.means[m] == pytest.approx(mean, abs=1e-13)
