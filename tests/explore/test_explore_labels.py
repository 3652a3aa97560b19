"""Sweeps, trade-offs and pictures of label entropies: warm starts, limits that cannot be met, honest marks."""

import math
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray

import rdcsolve as rdc
from rdcsolve.explore import plot
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.marks import IMPOSSIBLE, OPEN, STATIONARY
from rdcsolve.explore.record import read_dataset
from rdcsolve.explore.tradeoff import tradeoff_bounds

sweep_module = sys.modules["rdcsolve.explore.sweep"]
ROOT = Path(__file__).parents[2]


def mixture(letters="split", **names):
    source = rdc.sources.mixture([-1, 1], 0.7, n_x=25, low=-3, high=3)
    return rdc.Problem(
        source, np.linspace(-2, 2, 7), limits=[rdc.LabelEntropyLimit(math.inf, **names)], letters=letters
    )


def least_entropy(problem):
    rows = problem.source.labels[0]
    return float(problem.p_x @ [rdc.information.entropy(row) for row in rows])


MIXTURE = mixture()
BOUNDS = [0.25, 0.3, 0.4]
# One letter takes x = 1 in any case, so with fixed letters R(C) is known, and it is concave.
BENT = rdc.Problem.from_arrays([0.7, 0.3], [[0, 0], [1, 0]], [[0.7, 0.3], [1.0, 0.0]], D=0.0, C=0.5, letters="fixed")
NOISY = np.random.default_rng(0)
SIX_CLASSES = rdc.Problem.from_arrays(
    NOISY.dirichlet(np.ones(12)), np.zeros((12, 1)), NOISY.dirichlet(np.full(6, 0.3), 12), C=math.inf
)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def solved(monkeypatch):
    calls = []
    real = sweep_module.solve

    def counting(problem, *arguments, **options):
        calls.append(options["start"])
        return real(problem, *arguments, **options)

    monkeypatch.setattr(sweep_module, "solve", counting)
    return calls


def legend(ax):
    return ax.get_legend_handles_labels()[1]


# ---------------------------------------------------------------------------------------------- numbers


def test_surface_agrees_with_single_solutions():
    surface = rdc.sweep(MIXTURE, D=[0.3, 0.6], C=[0.3, 0.4], tolerance=1e-7)
    assert surface["status"].dims == ("D", "C")
    assert (surface["proof"] == "CERTIFIED").all()
    assert surface["C"].attrs["units"] == "nat"
    assert "units" not in surface["D"].attrs
    for D in (0.3, 0.6):
        for C in (0.3, 0.4):
            here, one = surface.sel(D=D, C=C), rdc.solve(MIXTURE.with_limits(D=D, C=C), tolerance=1e-7)
            assert here["rate_lower"] <= one.rate_upper
            assert one.rate_lower <= here["rate_upper"]
            assert here["losses"].sel(loss="label_entropy") <= C


def test_points_of_a_surface_take_over_what_the_row_before_has_proved():
    D, C = [0.5, 0.9, 1.0], [0.3, 0.4, 0.6]
    surface = rdc.sweep(MIXTURE, D=D, C=C, tolerance=1e-7)
    curve = rdc.sweep(MIXTURE.with_limits(C=0.3), D=D, tolerance=1e-7)
    assert surface["steps"].sel(D=1.0, C=0.3) == 0, "the limit on D does not bind, and the last point is another"
    assert surface["steps"].sel(D=0.5, C=0.6) > 0 or surface["steps"].sel(D=0.5, C=0.4) > 0
    for d in D:
        for c in C:
            here, alone = surface.sel(D=d, C=c), rdc.solve(MIXTURE.with_limits(D=d, C=c), tolerance=1e-7)
            assert here["status"] == alone.status.name
            assert here["gap"] <= 1e-7
            assert here["rate_lower"] <= alone.rate_upper
            assert alone.rate_lower <= here["rate_upper"]
    assert (np.abs(curve["rate_upper"] - surface["rate_upper"].sel(C=0.3)) <= 1e-7).all()


def test_no_more_earlier_results_are_held_than_memory_has_room_for(monkeypatch):
    held = []
    real = sweep_module._nearest

    def watching(earlier, *rest):
        held.append(len(earlier))
        return real(earlier, *rest)

    monkeypatch.setattr(sweep_module, "_nearest", watching)
    rdc.sweep(MIXTURE, D=[0.5, 0.9], C=[0.3, 0.4], tolerance=1e-6)
    assert held == [0, 1, 2, 3]
    held.clear()
    monkeypatch.setattr(sweep_module, "_MOST_PAIRS", 1)
    rdc.sweep(MIXTURE, D=[0.5, 0.9], C=[0.3, 0.4], tolerance=1e-6)
    assert held == [0, 1, 1, 1]


def test_multipliers_as_axes():
    at = MIXTURE.at_multipliers(distortion=1.0)
    grid = rdc.sweep(at, distortion=[1.0, 2.0], C=[0.5, 2.0], tolerance=1e-7)
    assert grid["multipliers"].sel(loss="label_entropy", C=2.0).values.tolist() == [2.0, 2.0]
    one = rdc.solve(MIXTURE.at_multipliers(distortion=2.0, label_entropy=0.5), tolerance=1e-7)
    assert abs(float(grid["objective_upper"].sel(distortion=2.0, C=0.5)) - one.objective_upper) < 2e-7
    envelope = Envelope(grid)
    D, C = 0.5, 0.35
    truth = rdc.solve(MIXTURE.with_limits(D=D, C=C), tolerance=1e-7)
    assert envelope.lower_at([[D, C]])[0] <= truth.rate_upper


def test_several_labels_by_name():
    labels = [[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.9, 0.1]]]
    problem = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], labels, D=0.4, C=[math.inf, math.inf])
    grid = rdc.sweep(problem, label_entropy=[0.5, 0.6], label_entropy_1=[0.55, 0.6], tolerance=1e-7)
    assert (grid["status"] == "OPTIMAL").all()
    assert (grid["losses"].sel(loss="label_entropy_1") <= grid["label_entropy_1"]).all()
    with pytest.raises(rdc.InvalidInput, match="C is one axis but .* label_entropy, label_entropy_1; name one"):
        rdc.sweep(problem, C=[0.5])
    with pytest.raises(rdc.InvalidInput, match="name one of them instead of C"):
        rdc.tradeoff(problem, 0.1, "C")


def test_a_label_entropy_of_another_name_is_still_C():
    curve = rdc.sweep(mixture(name="bits_lost"), C=[0.3, 0.5], D=[0.8], tolerance=1e-7).isel(D=0)
    ax = plot.curve(curve)
    assert ax.get_xlabel() == "bits lost limit [nat]"
    with pytest.raises(rdc.InvalidInput, match="C and bits_lost are the same axis"):
        rdc.sweep(mixture(name="bits_lost"), C=[0.3], bits_lost=[0.3])


def test_limits_that_cannot_be_met_are_recorded_with_the_minimum():
    least = least_entropy(MIXTURE)
    grid = rdc.sweep(MIXTURE, D=[1e-4, 0.6], C=[0.9 * least, 0.4], tolerance=1e-7)
    assert grid["status"].values.tolist() == [["INFEASIBLE", "INFEASIBLE"], ["INFEASIBLE", "OPTIMAL"]]
    minimum = grid["minimum"]
    np.testing.assert_allclose(minimum.sel(limit="label_entropy").isel(C=0), least, rtol=1e-9)
    nearest = ((MIXTURE.source.points - MIXTURE.reproduction.T) ** 2).min(axis=1)
    assert float(minimum.sel(limit="distortion").isel(D=0, C=1)) == pytest.approx(MIXTURE.p_x @ nearest)


@pytest.mark.parametrize("minimise", ["distortion", "C"])
def test_a_rate_limit_that_the_other_limit_excludes(minimise):
    axis, values, least = {
        "distortion": ("C", [0.9 * least_entropy(MIXTURE), 0.25, 0.5], "label_entropy"),
        "C": ("D", [1e-4, 0.2, 0.9], "distortion"),
    }[minimise]
    curve = rdc.sweep(MIXTURE.minimising(minimise, rate=0.4), tolerance=1e-7, **{axis: values})
    assert curve["status"].values.tolist() == ["INFEASIBLE", "INFEASIBLE", "OPTIMAL"]
    assert curve["minimum"].isel({axis: 0}).sel(limit=least) > values[0]
    needed = rdc.solve(MIXTURE.with_limits(**{axis: values[1]}), tolerance=1e-7).rate_upper
    assert 0.4 < float(curve["minimum"].isel({axis: 1}).sel(limit="rate")) <= needed


# ---------------------------------------------------------------------------------------------- starts, files


def test_each_point_starts_from_the_letters_of_the_last(solved):
    near = [0.3, 0.3 + 1e-9]
    curve = rdc.sweep(MIXTURE.with_limits(D=0.4), C=near, tolerance=1e-8)
    assert solved[0] is None
    assert solved[1].decisions
    cold = rdc.solve(MIXTURE.with_limits(D=0.4, C=near[1]), tolerance=1e-8)
    assert int(curve["steps"][1]) < cold.steps, "the letters of the neighbour save no step"


def test_side_by_side_and_progress():
    seen = []
    with ThreadPoolExecutor(2) as pool:
        beside = rdc.sweep(
            MIXTURE, D=[0.4, 0.8], C=BOUNDS, executor=pool, tolerance=1e-6, progress=lambda *told: seen.append(told)
        )
    alone = rdc.sweep(MIXTURE, D=[0.4, 0.8], C=BOUNDS, tolerance=1e-6)
    assert [done for done, *_ in seen] == [1, 2, 3, 4, 5, 6]
    assert (beside["rate_lower"] <= alone["rate_upper"]).all()
    assert (alone["rate_lower"] <= beside["rate_upper"]).all()
    again = pickle.loads(pickle.dumps(MIXTURE))  # as an executor of processes does
    assert again.fingerprint() == MIXTURE.fingerprint()
    assert again.label_entropies[0].name == "label_entropy"


def test_a_killed_sweep_goes_on(tmp_path, solved):
    path = tmp_path / "curve.nc"
    script = f"""
import os, signal, sys
import rdcsolve as rdc
rdc.sweep
sys.modules["rdcsolve.explore.sweep"]._SECONDS_BETWEEN_SAVES = -1.0
flip, label = [[0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8]]
coin = rdc.Problem.from_arrays([0.6, 0.4], flip, label, D=0.3, C=float("inf"))
def report(done, total, point, outcome):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
rdc.sweep(coin, C=[0.3, 0.45, 0.5, 0.55], save={str(path)!r}, tolerance=1e-7, progress=report)
"""
    finished = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60)
    assert finished.returncode == -signal.SIGKILL, finished.stderr.decode()
    assert read_dataset(path)["status"].values.tolist() == ["INFEASIBLE", "OPTIMAL", "", ""]
    coin = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8]], D=0.3, C=math.inf)
    curve = rdc.sweep(coin, C=[0.3, 0.45, 0.5, 0.55], save=path, tolerance=1e-7)
    assert len(solved) == 2
    assert curve["status"].values.tolist() == ["INFEASIBLE", "OPTIMAL", "OPTIMAL", "OPTIMAL"]
    assert curve["minimum"].sel(limit="label_entropy")[0] > 0.3


def test_a_file_of_split_letters_is_not_one_of_fixed_letters(tmp_path):
    path = tmp_path / "curve.nc"
    rdc.sweep(mixture("split").with_limits(D=0.8), C=[0.5], save=path, tolerance=1e-6)
    with pytest.raises(rdc.InvalidInput, match="holds a sweep of another problem"):
        rdc.sweep(mixture("fixed").with_limits(D=0.8), C=[0.5], save=path, tolerance=1e-6)


def test_fixed_letters_resume_with_what_proves_their_bound(tmp_path, solved):
    path = tmp_path / "bent.nc"
    first = rdc.sweep(BENT, C=[0.45, 0.48], save=path, tolerance=1e-7)
    solved.clear()
    xarray.testing.assert_identical(rdc.sweep(BENT, C=[0.45, 0.48], save=path, tolerance=1e-7), first)
    assert not solved


# ---------------------------------------------------------------------------------------------- trade-offs


@pytest.mark.parametrize("minimise", ["D", "C"])
def test_tradeoff_is_the_boundary_from_both_sides(minimise):
    boundary = rdc.tradeoff(MIXTURE, 0.5, n_points=4, minimise=minimise, tolerance=1e-7)
    limited = "label_entropy" if minimise == "D" else "distortion"
    assert boundary["status"].dims == (limited,)
    assert (boundary["proof"] == "CERTIFIED").all()
    assert (boundary["rate_upper"] <= 0.5 * (1 + 1e-9)).all()
    assert boundary["objective_upper"].attrs["units"] == ("unit of distortion" if minimise == "D" else "nat")
    upper = boundary["objective_upper"].values
    assert (np.diff(upper) < 0).all(), "the default bounds leave the bent part"
    assert upper[0] - upper[1] > upper[-2] - upper[-1]
    D, C = (upper[1], boundary[limited].values[1])[:: 1 if minimise == "D" else -1]
    assert rdc.solve(MIXTURE.with_limits(D=D, C=C), tolerance=1e-7).rate_upper == pytest.approx(0.5, abs=1e-5)


def test_tradeoff_takes_short_names_and_goes_on(tmp_path, solved):
    path = tmp_path / "boundary.nc"
    first = rdc.tradeoff(MIXTURE, 0.5, "C", n_points=3, minimise="D", tolerance=1e-6, save=path)
    solved.clear()
    again = rdc.tradeoff(MIXTURE, 0.5, "label_entropy", n_points=3, tolerance=1e-6, save=path)
    assert not solved
    np.testing.assert_array_equal(first["objective_upper"], again["objective_upper"])
    assert read_dataset(path).attrs["rate"] == 0.5


def test_symbols_left_to_chance_do_not_stretch_the_default_bounds():
    """Where a label's entropy is least the distortion that was found is arbitrary."""
    bounds = tradeoff_bounds(MIXTURE, 0.5, n_points=3, minimise="C", tolerance=1e-7)
    best = rdc.solve(MIXTURE.minimising("label_entropy", rate=0.5), tolerance=1e-7).objective_upper
    last = rdc.solve(MIXTURE.with_limits(D=bounds[-1]).minimising("label_entropy", rate=0.5), tolerance=1e-7)
    assert last.objective_upper == pytest.approx(best, abs=1e-6)
    assert (
        bounds[-1]
        < 1.05 * rdc.solve(MIXTURE.minimising("distortion", rate=0.5), tolerance=1e-7).losses["distortion"] + 0.2
    )


def test_tradeoff_with_fixed_letters_says_what_is_proved():
    fixed = rdc.Problem.from_arrays(
        [0.7, 0.3], [[0, 0.3], [1, 0.1]], [[0.7, 0.3], [1.0, 0.0]], C=math.inf, letters="fixed"
    )
    boundary = rdc.tradeoff(fixed, 0.2, n_points=3, tolerance=1e-7)
    assert boundary.attrs["letters"] == "fixed"
    split = rdc.Problem.from_arrays([0.7, 0.3], [[0, 0.3], [1, 0.1]], [[0.7, 0.3], [1.0, 0.0]], C=math.inf)
    for C, point in zip(boundary["label_entropy"].values, boundary.transpose("label_entropy", ...).gap, strict=True):
        bound = rdc.solve(split.with_limits(C=C).minimising("distortion", rate=0.2), tolerance=1e-7)
        here = boundary.sel(label_entropy=C)
        assert here["objective_lower"] <= bound.objective_upper
        assert (point <= 1e-7) == (here["status"] == "OPTIMAL")
        assert str(here["status"].item()) in ("OPTIMAL", "STATIONARY", "STEP_LIMIT")


# ---------------------------------------------------------------------------------------------- between the points


def test_envelope_of_split_letters_holds_between_the_points():
    envelope = Envelope(rdc.sweep(MIXTURE, D=[0.3, 0.9], C=[0.25, 0.5], tolerance=1e-7))
    where = np.array([[0.4, 0.3], [0.7, 0.45]])
    for place, low, high in zip(where, envelope.lower_at(where), envelope.upper_at(where), strict=True):
        truth = rdc.solve(MIXTURE.with_limits(D=place[0], C=place[1]), tolerance=1e-7)
        assert low <= truth.rate_upper
        assert truth.rate_lower <= high


def test_fixed_letters_are_not_interpolated():
    """R(C) of this problem is concave, so a chord between its points is below the truth."""
    ends, middle = [0.445, 0.505], 0.475
    data = rdc.sweep(BENT, C=ends, tolerance=1e-7)
    assert (data["status"] == "STATIONARY").all()
    truth = rdc.solve(BENT.with_limits(C=middle), tolerance=1e-7).rate_upper
    assert data["rate_upper"].mean() < truth - 0.01, "not concave: this test tests nothing"
    envelope = Envelope(data)
    assert not envelope.is_convex
    assert not envelope.is_least.any()
    assert envelope.upper_at([[middle]])[0] == data["rate_upper"].values[0]
    split = rdc.solve(rdc.Problem.from_arrays(*bent_arrays(), D=0.0, C=middle), tolerance=1e-7)
    assert envelope.lower_at([[middle]])[0] <= split.rate_upper
    assert envelope.lower_at([[ends[0]]])[0] == pytest.approx(float(data["rate_lower"][0]))


def bent_arrays():
    return [0.7, 0.3], [[0, 0], [1, 0]], [[0.7, 0.3], [1.0, 0.0]]


def test_lower_bounds_of_fixed_letters_fall_with_the_multipliers_that_prove_them():
    data = rdc.sweep(BENT, C=[0.46], tolerance=1e-7)
    own, proving = (data[name].values[0, 1] for name in ("multipliers", "certificate_multipliers"))
    assert abs(own - proving) > 0.1 * proving, "the stationary point has the same multiplier: this tests nothing"
    envelope = Envelope(data)
    fall = envelope.lower_at([[0.46]])[0] - envelope.lower_at([[0.47]])[0]
    assert fall == pytest.approx(0.01 * proving, rel=1e-6)


def test_fixed_letters_at_multipliers_have_a_bound_on_the_rate():
    data = rdc.sweep(BENT.at_multipliers(distortion=50.0), C=[4.0, 8.0], tolerance=1e-7)
    envelope = Envelope(data)
    assert envelope.lower.size == 2
    assert (envelope.lower <= envelope.upper).all()
    assert envelope.priced == ("distortion",)
    split = rdc.Problem.from_arrays(*bent_arrays(), D=0.001, C=0.46)
    one = rdc.solve(split, tolerance=1e-7)
    assert envelope.lower_at([[0.46]])[0] <= one.rate_upper + 50.0 * 0.001


def test_points_in_a_row_do_not_break_the_surface():
    data = rdc.sweep(MIXTURE, D=[0.4, 0.8], C=[0.1, 0.4], tolerance=1e-6)
    assert (data["status"].isel(C=0) == "INFEASIBLE").all()
    envelope = Envelope(data)
    assert envelope.upper_at([[0.5, 0.5]])[0] == data["rate_upper"].values[0, 1]
    assert np.isnan(envelope.upper_at([[0.5, 0.3]])[0])
    ax = plot.surface(data)
    crosses = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "x"]
    assert crosses == [[[0.4, 0.1], [0.8, 0.1]]]


# ---------------------------------------------------------------------------------------------- pictures


def test_pictures_know_the_unit_of_a_label_entropy():
    surface = rdc.sweep(MIXTURE, D=[0.4, 0.8], C=[0.3, 0.5], tolerance=1e-6)
    ax = plot.surface(surface, bits=True)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("distortion limit", "label entropy limit [bit]")
    assert ax.figure.axes[-1].get_ylabel() == "rate [bit]"
    boundary = rdc.tradeoff(MIXTURE, 0.5, bounds=[0.5, 0.8], minimise="C", tolerance=1e-6)
    assert plot.tradeoff(boundary).get_ylabel() == "label entropy [nat]"
    assert (
        plot.tradeoff(boundary, units={"label_entropy": "natural unit"}).get_ylabel() == "label entropy [natural unit]"
    )


def test_a_curve_marks_what_cannot_be_met():
    curve = rdc.sweep(MIXTURE.with_limits(D=0.8), C=[0.1, 0.3, 0.5], tolerance=1e-6)
    ax = plot.curve(curve, label="mixture")
    cross = next(line for line in ax.lines if line.get_marker() == "x")
    assert cross.get_xdata().tolist() == [0.1]
    assert legend(ax) == [IMPOSSIBLE, "mixture"]
    plot.curve(curve, ax)
    assert legend(ax) == [IMPOSSIBLE, "mixture"], "the legend says it twice"


def test_stationary_points_are_hollow_and_have_no_band():
    data = rdc.sweep(BENT, C=[0.45, 0.48, 0.52], tolerance=1e-7)
    assert data["status"].values.tolist() == ["STATIONARY", "STATIONARY", "OPTIMAL"]
    ax = plot.curve(data, label="fixed")
    assert not ax.collections, "there is a band"
    marks = {line.get_label(): line for line in ax.lines}
    assert marks[STATIONARY].get_markerfacecolor() == "white"
    np.testing.assert_allclose(marks[STATIONARY].get_ydata(), data["rate_upper"][:2])
    assert marks["fixed"].get_xdata().tolist() == [0.52]
    line = ax.lines[0].get_xydata()
    np.testing.assert_allclose(np.interp([0.45, 0.48], *line.T), data["rate_lower"][:2], atol=1e-9)


def test_unverified_points_are_left_out_of_the_band_and_shown():
    data = rdc.sweep(SIX_CLASSES, C=[0.9, 1.0, 1.2], tolerance=1e-6, proof_budget=0)
    proof = data["proof"].values.tolist()
    assert "UNVERIFIED" in proof
    envelope = Envelope(data)
    assert envelope.open_upper.size == proof.count("UNVERIFIED")
    ax = plot.curve(data)
    marks = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(marks[OPEN].get_ydata(), data["rate_upper"].values[data["proof"].values == "UNVERIFIED"])
    if not envelope.points.size:
        assert np.isnan(ax.lines[0].get_ydata()).all(), "a bound is drawn that nothing proves"


def test_a_surface_shows_what_is_not_proved():
    data = rdc.sweep(BENT, D=[0.0, 0.05], C=[0.46, 0.5], tolerance=1e-7)
    ax = plot.surface(data)
    marks = {line.get_label(): line.get_xydata() for line in ax.lines}
    n_stationary = int((data["status"] != "OPTIMAL").sum())
    assert n_stationary > 0
    assert len(marks[STATIONARY]) == n_stationary
    assert STATIONARY in [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_surface_shows_its_own_value_at_points_that_are_not_proved():
    """What is proved at other points says little about one that is not: 0.026 was painted where 0.362 was attained."""
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
    data = rdc.sweep(problem, D=[0.05, 0.2, 0.3], miss=[0.02, 0.2, 0.3])
    unproved = data.copy(deep=True)
    unproved["proof"][0, 0] = "UNVERIFIED"
    for one, is_open in ((data, False), (unproved, True)):
        places = np.stack(np.meshgrid(one["D"], one["miss"], indexing="ij"), axis=-1)
        values, hatched = Envelope(one).painted(places)
        assert (np.abs(values - one["rate_upper"].values) <= one["gap"].values + 1e-12).all()
        assert hatched[0, 0] == is_open
        assert hatched.sum() == is_open
    unproved["proof"][0, 0], unproved["rate_upper"][0, 0] = "NONE", np.nan
    values, hatched = Envelope(unproved).painted(places)
    assert np.isnan(values[0, 0])
    assert hatched[0, 0]
    plot.surface(unproved)
