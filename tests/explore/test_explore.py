"""Sweeps, trade-offs and pictures: right numbers, nothing lost when interrupted, bands that hold."""

import math
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray

import rdcsolve as rdc
from rdcsolve.explore import plot
from rdcsolve.explore import sweep as sweep_function
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.grid import make_grid
from rdcsolve.explore.record import read_dataset

sweep_module = sys.modules["rdcsolve.explore.sweep"]
ROOT = Path(__file__).parents[2]

COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
FAIR = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])
BOUNDS = [0.05, 0.1, 0.2, 0.25]


def entropy_gap(p, D):
    h = rdc.information.binary_entropy
    return float(h(p) - h(D))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def solved(monkeypatch):
    """Count the solutions; `limit` interrupts before the next one."""
    calls = []
    real = sweep_module.solve

    def counting(problem, *arguments, **options):
        if counting.limit is not None and len(calls) >= counting.limit:
            raise KeyboardInterrupt
        calls.append(problem)
        return real(problem, *arguments, **options)

    counting.limit, counting.calls = None, calls
    monkeypatch.setattr(sweep_module, "solve", counting)
    return counting


# ---------------------------------------------------------------------------------------------- numbers


def test_curve_of_a_coin():
    curve = rdc.sweep(COIN, D=BOUNDS)
    assert curve["status"].dims == ("D",)
    assert (curve["proof"] == "CERTIFIED").all()
    assert (curve["gap"] <= 1e-9).all()
    expected = [entropy_gap(0.3, D) for D in BOUNDS]
    np.testing.assert_allclose(curve["rate_upper"], expected, atol=2e-9)
    np.testing.assert_allclose(curve["losses"].sel(loss="distortion"), BOUNDS, rtol=1e-8)
    slopes = [math.log((1 - D) / D) for D in BOUNDS]
    np.testing.assert_allclose(curve["multipliers"].sel(loss="distortion"), slopes, rtol=1e-4)
    assert curve.attrs["fingerprint"] == COIN.fingerprint()
    assert "objective_lower" not in curve
    assert curve["rate_upper"].attrs["units"] == "nat"


def test_surface_agrees_with_single_solutions_in_the_order_given():
    surface = rdc.sweep(COIN, miss=[0.2, 0.02], D=[0.1, 0.2, 0.05])
    assert dict(surface["rate_upper"].sizes) == {"miss": 2, "D": 3}
    for miss in (0.2, 0.02):
        for D in (0.1, 0.2, 0.05):
            one = rdc.solve(COIN.with_limits(D=D, miss=miss))
            here = surface.sel(miss=miss, D=D)
            assert here["rate_lower"] <= one.rate_upper
            assert one.rate_lower <= here["rate_upper"]


def test_limits_that_cannot_be_met_are_recorded_with_the_minimum():
    biased = rdc.Problem.from_arrays([0.5, 0.5], [[0.1, 1], [1, 0.1]])
    curve = rdc.sweep(biased, D=[0.05, 0.2])
    assert curve["status"].values.tolist() == ["INFEASIBLE", "OPTIMAL"]
    assert math.isclose(float(curve["minimum"].sel(limit="distortion", D=0.05)), 0.1)
    assert math.isnan(float(curve["minimum"].sel(limit="distortion", D=0.2)))


def test_fixed_multipliers_make_the_axes_multipliers():
    curve = rdc.sweep(COIN.at_multipliers(distortion=1.0, miss=0.1), D=[1.5, 3.0])
    assert curve.attrs["axes"] == "multipliers"
    assert (curve["multipliers"].sel(loss="miss") == 0.1).all()
    for multiplier in (1.5, 3.0):
        one = rdc.solve(COIN.at_multipliers(distortion=multiplier, miss=0.1))
        assert abs(float(curve["objective_upper"].sel(D=multiplier)) - one.objective_upper) < 2e-9


def test_rate_as_an_axis():
    rates = [0.1, 0.3]
    curve = rdc.sweep(FAIR.minimising("distortion", rate=1.0), rate=rates)
    expected = [float(rdc.information.inverse_binary_entropy(math.log(2) - rate)) for rate in rates]
    np.testing.assert_allclose(curve["objective_upper"], expected, atol=1e-8)
    assert (curve["objective_lower"] <= curve["objective_upper"]).all()


def test_rows_go_there_and_back():
    grid = make_grid(COIN, {"D": [0.1, 0.2, 0.3], "miss": [0.1, 0.2], "rate": [1.0, 2.0]})
    order = [index for row in grid.rows() for index in row]
    assert len(set(order)) == 12
    assert all(np.abs(np.subtract(a, b)).sum() == 1 for a, b in zip(order, order[1:], strict=False))
    assert all(len(row) == 2 for row in grid.rows())


def test_side_by_side_agrees():
    with ThreadPoolExecutor(2) as pool:
        beside = rdc.sweep(COIN, D=BOUNDS, miss=[0.05, 0.2], executor=pool)
    alone = rdc.sweep(COIN, D=BOUNDS, miss=[0.05, 0.2])
    assert (beside["rate_lower"] <= alone["rate_upper"]).all()
    assert (alone["rate_lower"] <= beside["rate_upper"]).all()


def test_each_solution_starts_from_the_last(monkeypatch):
    starts = []
    real = sweep_module.solve

    def watching(problem, solver, *, start, **options):
        starts.append(start)
        return real(problem, solver, start=start, **options)

    monkeypatch.setattr(sweep_module, "solve", watching)
    rdc.sweep(COIN, D=BOUNDS)
    assert starts[0] is None
    assert all(start.fingerprint == COIN.fingerprint() for start in starts[1:])


def test_a_failed_solver_is_recorded(monkeypatch):
    def failing(problem, *arguments, **options):
        raise rdc.SolverFailed("no luck")

    monkeypatch.setattr(sweep_module, "solve", failing)
    curve = rdc.sweep(COIN, D=[0.1, 0.2])
    assert (curve["status"] == "NUMERICAL_ERROR").all()
    assert (curve["proof"] == "NONE").all()
    assert curve["rate_upper"].isnull().all()


BAD_AXES = {
    "none": (lambda: rdc.sweep(COIN), "no axis is given; name one, such as sweep.problem, distortion="),
    "unknown": (lambda: rdc.sweep(COIN, hit=[1]), r"unknown loss 'hit'; this problem has the losses"),
    "number": (lambda: rdc.sweep(COIN, D=0.1), r"the axis D is the single number 0\.1; give a list"),
    "empty": (lambda: rdc.sweep(COIN, D=[]), r"the axis D has shape \(0,\); give a list"),
    "twice": (lambda: rdc.sweep(COIN, D=[0.1, 0.1]), "2 values of which some are equal"),
    "matrix": (lambda: rdc.sweep(COIN, D=[[0.1]]), r"the axis D has shape \(1, 1\)"),
    "text": (lambda: rdc.sweep(COIN, D=["a"]), "the axis D holds <U1 entries"),
    "negative": (lambda: rdc.sweep(COIN, D=[0.1, -1]), "the bound on distortion is -1; a bound must be >= 0"),
    "nan": (lambda: rdc.sweep(COIN, D=[math.nan]), "the bound on distortion is nan"),
    "same axis": (lambda: rdc.sweep(COIN, D=[0.1], distortion=[0.1]), "D and distortion are the same axis"),
    "rate": (lambda: rdc.sweep(COIN.at_multipliers(distortion=1), rate=[1]), "fixed multipliers has no rate limit"),
    "multiplier": (lambda: rdc.sweep(COIN.at_multipliers(distortion=1), D=[math.inf]), "must be finite"),
    "minimised": (
        lambda: rdc.sweep(COIN.minimising("miss", rate=0.1), miss=[0.1]),
        r"miss is minimised and limited to 0\.1",
    ),
    "taken": (
        lambda: rdc.sweep(rdc.Problem.from_arrays([1.0], [[0.0]], losses={"gap": [[0.0]]}), gap=[1]),
        "the axis 'gap' has a name that the dataset uses itself; rename",
    ),
    "not a problem": (lambda: rdc.sweep([0.5], D=[0.1]), r"problem is \[0\.5\]; pass a Problem"),
}


@pytest.mark.parametrize("case", BAD_AXES)
def test_bad_axes_are_refused_before_any_work(case, solved):
    call, message = BAD_AXES[case]
    with pytest.raises(rdc.InvalidInput, match=message):
        call()
    assert not solved.calls


# ---------------------------------------------------------------------------------------------- files


def test_an_interrupted_sweep_goes_on(tmp_path, solved):
    path = tmp_path / "curve.nc"
    solved.limit = 3
    with pytest.raises(KeyboardInterrupt) as interrupt:
        rdc.sweep(COIN, D=BOUNDS, save=path)
    assert "3 of 4 points are saved in" in interrupt.value.__notes__[0]
    assert (read_dataset(path)["status"] != "").sum() == 3

    solved.limit = None
    solved.calls.clear()
    curve = rdc.sweep(COIN, D=BOUNDS, save=path)
    assert len(solved.calls) == 1
    xarray.testing.assert_equal(read_dataset(path), curve)

    solved.calls.clear()
    again = rdc.sweep(COIN, D=BOUNDS, save=path)
    assert not solved.calls
    np.testing.assert_array_equal(again["rate_upper"], curve["rate_upper"])


def test_an_interrupted_solution_is_kept_but_not_finished(tmp_path, monkeypatch, solved):
    path = tmp_path / "curve.nc"

    real = sweep_module.solve

    def stopping(problem, *arguments, **options):
        result = real(problem, *arguments, **options)
        return replace(result, status=rdc.Status.INTERRUPTED) if problem.bounds[0] == 0.2 else result

    monkeypatch.setattr(sweep_module, "solve", stopping)
    with pytest.raises(KeyboardInterrupt):
        rdc.sweep(COIN, D=BOUNDS, save=path)
    assert read_dataset(path)["status"].values.tolist() == ["OPTIMAL", "OPTIMAL", "INTERRUPTED", ""]
    monkeypatch.setattr(sweep_module, "solve", real)
    solved.calls.clear()
    assert (rdc.sweep(COIN, D=BOUNDS, save=path)["status"] == "OPTIMAL").all()
    assert len(solved.calls) == 2


def test_a_killed_sweep_goes_on(tmp_path, solved):
    path = tmp_path / "curve.nc"
    script = f"""
import os, signal, sys
import rdcsolve as rdc
rdc.sweep
sys.modules["rdcsolve.explore.sweep"]._SECONDS_BETWEEN_SAVES = -1.0
coin = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses={{"miss": [[0, 0], [1, 0]]}})
def report(done, total, point, outcome):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
rdc.sweep(coin, D={BOUNDS}, save={str(path)!r}, progress=report)
"""
    finished = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60)
    assert finished.returncode == -signal.SIGKILL, finished.stderr.decode()
    assert (read_dataset(path)["status"] != "").sum() == 2
    curve = rdc.sweep(COIN, D=BOUNDS, save=path)
    assert len(solved.calls) == 2
    assert (curve["status"] == "OPTIMAL").all()


def test_a_stricter_tolerance_solves_again_and_a_looser_one_does_not(tmp_path, solved):
    path = tmp_path / "curve.nc"
    rdc.sweep(COIN, D=BOUNDS, save=path, tolerance=1e-5)
    solved.calls.clear()
    rdc.sweep(COIN, D=BOUNDS, save=path, tolerance=1e-4)
    assert not solved.calls
    rdc.sweep(COIN, D=BOUNDS, save=path, tolerance=1e-9)
    assert len(solved.calls) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: rdc.sweep(FAIR, D=BOUNDS, save=path), "holds a sweep of another problem"),
        (lambda path: rdc.sweep(COIN.with_limits(miss=0.1), D=BOUNDS, save=path), "holds a sweep of another problem"),
        (lambda path: rdc.sweep(COIN.at_multipliers(miss=0.1), D=BOUNDS, save=path), "a sweep of another problem"),
        (lambda path: rdc.sweep(COIN, D=[0.1, 0.2], save=path), r"over other points \(4 D\); save to another path"),
        (lambda path: rdc.sweep(COIN, distortion=BOUNDS, save=path), r"over other points \(4 D\)"),
    ],
)
def test_a_file_of_something_else_is_left_alone(tmp_path, change, message):
    path = tmp_path / "curve.nc"
    rdc.sweep(COIN, D=BOUNDS, save=path)
    before = path.read_bytes()
    with pytest.raises(rdc.InvalidInput, match=message):
        change(path)
    assert path.read_bytes() == before


def test_foreign_files_are_refused(tmp_path):
    text, other = tmp_path / "text.nc", tmp_path / "other.nc"
    text.write_text("not netCDF")
    with pytest.raises(rdc.UnreadableFile, match="cannot be read as netCDF"):
        rdc.sweep(COIN, D=BOUNDS, save=text)
    assert text.read_text() == "not netCDF"
    xarray.Dataset({"a": 1}).to_netcdf(other)
    with pytest.raises(rdc.InvalidInput, match="exists and is not a sweep"):
        rdc.sweep(COIN, D=BOUNDS, save=other)


@pytest.mark.parametrize("name", ["points.csv", "points.NPZ", "points.png"])
def test_points_are_not_kept_under_the_name_of_something_else(tmp_path, name):
    with pytest.raises(rdc.InvalidInput, match=r"points are kept as netCDF; end it in \.nc"):
        rdc.sweep(COIN, D=BOUNDS, save=tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_told_before_any_work(tmp_path, solved):
    with pytest.raises(rdc.SaveFailed, match="was not written"):
        rdc.sweep(COIN, D=BOUNDS, save=tmp_path / "nowhere" / "curve.nc")
    assert not solved.calls


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch, solved):
    path = tmp_path / "curve.nc"
    solved.limit = 2
    with pytest.raises(KeyboardInterrupt):
        rdc.sweep(COIN, D=BOUNDS, save=path)
    before = path.read_bytes()

    def full(data, beside, engine):
        Path(beside).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xarray.Dataset, "to_netcdf", full)
    with pytest.raises(rdc.SaveFailed, match="No space left"):
        rdc.sweep(COIN, D=BOUNDS, save=path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["curve.nc"]


def test_progress_is_a_bar_or_a_call(capsys):
    rdc.sweep(COIN, D=BOUNDS, progress=True)
    assert "4/4" in capsys.readouterr().err
    seen = []
    rdc.sweep(COIN, D=BOUNDS, progress=lambda *told: seen.append(told))
    assert [(done, total) for done, total, *_ in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert seen[0][2] == {"D": 0.05}
    assert seen[0][3]["status"] == "OPTIMAL"
    rdc.sweep(COIN, D=BOUNDS)
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------------------------------------- trade-offs


def test_tradeoff_is_the_boundary():
    boundary = rdc.tradeoff(COIN, rate=0.2, n_points=5)
    assert boundary["status"].dims == ("miss",)
    assert boundary.attrs["rate"] == 0.2
    assert (boundary["status"] == "OPTIMAL").all()
    assert (boundary["rate_upper"] <= 0.2).all()
    upper = boundary["objective_upper"].values
    assert (np.diff(upper) <= 1e-8).all()
    best = rdc.solve(COIN.minimising("distortion", rate=0.2))
    assert abs(upper[-1] - best.distortion) < 1e-7
    for miss, D in zip(boundary["miss"].values, upper, strict=True):
        assert abs(rdc.solve(COIN.with_limits(D=D, miss=miss)).rate_upper - 0.2) < 1e-6


def test_tradeoff_of_given_bounds_and_losses():
    boundary = rdc.tradeoff(COIN, 0.2, "D", [0.2, 0.25], minimise="miss")
    assert boundary["distortion"].values.tolist() == [0.2, 0.25]
    assert boundary.attrs["objective"] == "miss"


def test_tradeoff_goes_on_with_its_own_bounds(tmp_path, solved):
    path = tmp_path / "boundary.nc"
    solved.limit = 2
    with pytest.raises(KeyboardInterrupt):
        rdc.tradeoff(COIN, 0.2, n_points=4, save=path)
    solved.limit = None
    solved.calls.clear()
    assert (rdc.tradeoff(COIN, 0.2, n_points=4, save=path)["status"] == "OPTIMAL").all()
    assert len(solved.calls) == 2


THREE = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], losses={"a": np.eye(2), "b": np.eye(2)})
BAD_TRADEOFFS = {
    "one loss": (lambda: rdc.tradeoff(FAIR, 0.1), "no loss besides 'distortion'; a trade-off needs a second one"),
    "which": (lambda: rdc.tradeoff(THREE, 0.1), "the losses a, b besides 'distortion'; pass loss="),
    "unknown": (lambda: rdc.tradeoff(THREE, 0.1, "c"), "unknown loss to limit 'c'; choose one of 'a', 'b'"),
    "itself": (lambda: rdc.tradeoff(COIN, 0.1, "D"), "unknown loss to limit 'distortion'"),
    "minimise": (lambda: rdc.tradeoff(COIN, 0.1, minimise="x"), "unknown loss to minimise 'x'"),
    "rate": (lambda: rdc.tradeoff(COIN, -1.0), "the rate bound is -1"),
    "points": (lambda: rdc.tradeoff(COIN, 0.1, n_points=1), "n_points is 1; it must be an integer >= 2"),
    "impossible": (lambda: rdc.tradeoff(THREE.with_limits(b=0.0), 0.1, "a"), "no channel meets the limits at rate 0.1"),
}


@pytest.mark.parametrize("case", BAD_TRADEOFFS)
def test_bad_tradeoffs(case):
    call, message = BAD_TRADEOFFS[case]
    with pytest.raises(rdc.InvalidInput, match=message):
        call()


# ---------------------------------------------------------------------------------------------- between the points


def truth(problem):
    result = rdc.solve(problem, tolerance=1e-8)
    return result.objective_lower, result.objective_upper


@pytest.mark.parametrize("kind", ["limits", "multipliers", "rate", "tradeoff", "surface"])
def test_envelope_holds_between_the_points(kind):
    x = np.linspace(-3, 3, 25)
    source = rdc.Source(x, np.exp(-(x**2) / 2), normalise=True)
    problem = rdc.Problem(source, limits=[rdc.LossLimit(math.inf, "absolute", "absolute")])
    at_rate = problem.minimising("distortion", rate=0.5)
    cases = {
        "limits": (lambda: rdc.sweep(problem, D=[0.1, 0.3, 0.8]), lambda D: problem.with_limits(D=D), (0.1, 0.8)),
        "multipliers": (
            lambda: rdc.sweep(problem.at_multipliers(distortion=1), D=[0.7, 1.5, 4]),
            lambda D: problem.with_limits(D=D),
            (0.2, 0.6),
        ),
        "rate": (lambda: rdc.sweep(at_rate, rate=[0.2, 0.5, 1]), lambda R: at_rate.with_limits(rate=R), (0.2, 1)),
        "tradeoff": (
            lambda: rdc.tradeoff(problem, 0.5, bounds=[0.46, 0.48, 0.52]),
            lambda b: at_rate.with_limits(absolute=b),
            (0.46, 0.52),
        ),
        "surface": (
            lambda: rdc.sweep(problem, D=[0.1, 0.3, 0.8], absolute=[0.2, 0.4, 0.6]),
            lambda D, b: problem.with_limits(D=D, absolute=b),
            [(0.1, 0.8), (0.2, 0.6)],
        ),
    }
    make, stated, span = cases[kind]
    envelope = Envelope(make())
    rng = np.random.default_rng(0)
    where = rng.uniform(*np.transpose(np.atleast_2d(span)), size=(6, len(envelope.axes)))
    lower, upper = envelope.lower_at(where), envelope.upper_at(where)
    for place, below, above in zip(where, lower, upper, strict=True):
        least, most = truth(stated(*place))
        assert below <= most + 1e-12
        assert least <= above + 1e-12
    np.testing.assert_allclose(envelope.lower_at(envelope.points), envelope.upper, atol=1e-7)


def test_losses_off_the_axes_are_priced():
    """Along a multiplier with another one fixed, what is convex is the rate plus the other loss at its price."""
    curve = rdc.sweep(COIN.at_multipliers(distortion=2.0), miss=[0.2, 1.0, 3.0])
    envelope = Envelope(curve)
    assert envelope.priced == ("distortion",)
    assert (envelope.lower_at(envelope.points) <= envelope.upper + 1e-9).all()
    for miss in (0.05, 0.1):
        best = min(rdc.solve(COIN.with_limits(D=D, miss=miss)).rate_upper + 2.0 * D for D in np.linspace(0.05, 0.3, 11))
        assert envelope.lower_at([[miss]])[0] <= best
    assert plot.curve(curve).get_ylabel() == "rate + priced distortion [nat]"


def test_envelope_ignores_what_is_not_certified():
    curve = rdc.sweep(COIN, D=BOUNDS)
    curve["proof"][1] = "NONE"
    envelope = Envelope(curve)
    assert envelope.points.ravel().tolist() == [0.05, 0.2, 0.25]
    assert np.isnan(envelope.upper_at([[0.01]])).all()
    with pytest.raises(rdc.InvalidInput, match="not the dataset of a sweep"):
        Envelope(xarray.Dataset())


# ---------------------------------------------------------------------------------------------- pictures


def test_curve_draws_a_band_with_units():
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    curve = rdc.sweep(COIN, D=BOUNDS)
    assert plot.curve(curve, ax, bits=True, units={"distortion": "errors per symbol"}, label="coin") is ax
    assert ax.get_xlabel() == "distortion limit [errors per symbol]"
    assert ax.get_ylabel() == "rate [bit]"
    assert ax.collections, "no band"
    points = ax.lines[-1].get_xydata()
    np.testing.assert_allclose(points[:, 1], curve["rate_upper"] / math.log(2))
    plot.curve(rdc.sweep(FAIR, D=BOUNDS), ax, label="fair")
    assert ax.lines[0].get_color() != ax.lines[2].get_color()


def test_surface_marks_slack_and_impossible_points():
    ax = plot.surface(rdc.sweep(COIN, D=[0.05, 0.1, 0.2], miss=[0.01, 0.05, 0.3]))
    marks = {line.get_marker(): line.get_xydata() for line in ax.lines}
    assert len(marks["o"]) == 9
    assert len(marks["|"]) >= 3, "the limit on miss is slack at 0.3"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("distortion limit", "miss limit")
    assert ax.figure.axes[-1].get_ylabel() == "rate [nat]"


def test_tradeoffs_share_axes():
    ax = plot.tradeoff(rdc.tradeoff(COIN, 0.1, n_points=3))
    plot.tradeoff(rdc.tradeoff(COIN, 0.2, n_points=3), ax, bits=True)
    assert ax.get_legend_handles_labels()[1] == ["$R = 0.1$ nat", "$R = 0.289$ bit"]
    assert ax.get_ylabel() == "distortion"


def test_convergence_takes_one_or_several():
    one = rdc.solve(COIN.with_limits(D=0.1), rdc.InteriorPoint())
    ax = plot.convergence(one)
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel().endswith("[nat]")
    both = {"a": one, "b": rdc.solve(COIN.at_multipliers(distortion=2), rdc.BlahutArimoto(), tolerance=1e-4)}
    assert [line.get_label() for line in plot.convergence(both, seconds=True).lines] == ["a", "b"]


def test_pictures_of_the_wrong_data():
    curve = rdc.sweep(COIN, D=BOUNDS)
    with pytest.raises(rdc.InvalidInput, match="the data have the axes D; this picture shows 2"):
        plot.surface(curve)
    curve["proof"][:] = "NONE"
    with pytest.raises(rdc.InvalidInput, match="no point of the data is certified"):
        plot.curve(curve)


def test_public_names():
    assert rdc.sweep is sweep_function
    assert rdc.plot is plot
