"""Steps and callbacks of sweeps and trade-offs: what stops them, what is known then, and that the next run goes on."""

import importlib
import math
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import deadline
from rdcsolve.explore.record import read_dataset

BOUNDS = [0.05, 0.1, 0.2, 0.25]
COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
SWEEP = importlib.import_module("rdcsolve.explore.sweep")
TRADEOFF = importlib.import_module("rdcsolve.explore.tradeoff")


def binary_entropy(x):
    return -x * math.log(x) - (1 - x) * math.log(1 - x)


RIGHT = [binary_entropy(0.3) - binary_entropy(D) for D in BOUNDS]


def holds(data, right):
    """Whether every bound that is known is on its side of the right value."""
    lower, upper = data["rate_lower"].values, data["rate_upper"].values
    return bool(((lower <= right) | np.isnan(lower)).all() and ((upper >= right) | np.isnan(upper)).all())


class Stop:
    """A callback that says stop at its n-th call, and counts them."""

    def __init__(self, n):
        self.n, self.calls = n, 0

    def __call__(self, record):
        self.calls += 1
        return self.calls >= self.n


@pytest.fixture(autouse=True)
def _interrupts_are_heard():
    """Interrupts are raised even where these tests run in the background, whose jobs a shell lets ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stop_at_once(record):
    return True


def test_steps_are_counted_at_each_point_and_other_numbers_solve_again(tmp_path):
    path = tmp_path / "curve.nc"
    short = rdc.sweep(COIN, D=BOUNDS, max_steps=2, save=path)
    assert set(short["status"].values) == {"STEP_LIMIT"}
    assert (short["steps"] <= 2).all()
    assert holds(short, RIGHT)
    assert read_dataset(path).attrs["max_steps"] == 2
    np.testing.assert_array_equal(rdc.sweep(COIN, D=BOUNDS, max_steps=2, save=path)["seconds"], short["seconds"])
    whole = rdc.sweep(COIN, D=BOUNDS, save=path)
    assert (whole["status"] == "OPTIMAL").all()
    assert "max_steps" not in whole.attrs
    np.testing.assert_allclose(whole["rate_upper"], RIGHT, atol=1e-8)


@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor])
def test_a_callback_ends_the_sweep_at_the_point_in_hand(tmp_path, pool):
    path = tmp_path / "curve.nc"
    each = "interior-point"  # many steps a point: a path takes one or two from its second point on
    steps = rdc.sweep(COIN, D=BOUNDS, solver=each)["steps"].values
    executor = pool and pool(1)
    stop = Stop(steps[0] + 2)
    cut = rdc.sweep(COIN, D=BOUNDS, solver=each, callback=stop, save=path, executor=executor)
    assert cut["status"].values.tolist() == ["OPTIMAL", "STOPPED_BY_CALLBACK", "", ""]
    assert stop.calls == stop.n
    assert holds(cut, RIGHT)
    assert np.isnan(cut["rate_upper"].values[2:]).all()
    assert (rdc.sweep(COIN, D=BOUNDS, save=path)["status"] == "OPTIMAL").all()


def test_a_callback_that_stops_at_a_solved_point_stops(monkeypatch):
    """The point counts as solved, whoever ended the run: the sweep ends all the same."""
    real = SWEEP.solve

    def solved_all_the_same(problem, *args, callback, **options):
        callback(None)
        return real(problem, *args, **options)

    monkeypatch.setattr(SWEEP, "solve", solved_all_the_same)
    cut = rdc.sweep(COIN, D=BOUNDS, callback=stop_at_once)
    assert cut["status"].values.tolist() == ["OPTIMAL", "", "", ""]


def test_an_interrupt_that_came_too_late_for_its_point_ends_the_sweep(monkeypatch, tmp_path):
    """The point counts as solved: who pressed the key means the sweep."""
    real = SWEEP.solve

    def interrupted_at_the_end(*args, **options):
        result = real(*args, **options)
        deadline.hurry()
        return result

    monkeypatch.setattr(SWEEP, "solve", interrupted_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        rdc.sweep(COIN, D=BOUNDS, save=tmp_path / "curve.nc")
    assert read_dataset(tmp_path / "curve.nc")["status"].values.tolist() == ["OPTIMAL", "", "", ""]


def test_callbacks_that_other_processes_cannot_have_are_refused_before_any_work():
    with ProcessPoolExecutor(1) as pool, pytest.raises(rdc.InvalidInput, match="other processes cannot be sent"):
        rdc.sweep(COIN, D=BOUNDS, executor=pool, callback=lambda record: False)
    with ProcessPoolExecutor(1) as pool:
        cut = rdc.sweep(COIN, D=BOUNDS, executor=pool, callback=stop_at_once)
    assert cut["status"].values.tolist() == ["STOPPED_BY_CALLBACK", "", "", ""]


@pytest.mark.parametrize("trace", [rdc.sweep, rdc.tradeoff])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_steps": 2.5}, "max_steps is 2.5"),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"callback": "stop"}, "callback is 'stop'"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"time_limit": "1 h"}, "time_limit is '1 h'"),
    ],
)
def test_bad_options_are_told(trace, option, message):
    with pytest.raises(rdc.InvalidInput, match=message):
        trace(COIN, **option, **({"D": BOUNDS} if trace is rdc.sweep else {"rate": 0.2}))


def test_points_cut_short_keep_the_closer_bounds_of_an_earlier_run(tmp_path):
    path = tmp_path / "curve.nc"
    loose = rdc.sweep(COIN, D=BOUNDS, tolerance=1e-3, save=path)
    cut = rdc.sweep(COIN, D=BOUNDS, tolerance=1e-9, callback=stop_at_once, save=path)
    assert (cut["gap"] <= loose["gap"]).all()
    assert set(cut["status"].values) == {"INTERRUPTED"}
    whole = rdc.sweep(COIN, D=BOUNDS, tolerance=1e-9, save=path)
    assert (whole["status"] == "OPTIMAL").all()
    assert (whole["gap"] <= 1e-9).all()


@pytest.mark.parametrize(
    ("n", "solver"), [*((n, "interior-point") for n in range(1, 11, 3)), *((n, None) for n in range(1, 7))]
)
def test_an_interrupt_ends_the_sweep_wherever_it_comes(tmp_path, n, solver):
    """A signal in the middle of a solution: its bounds are saved, and those before too; solved points hide nothing."""
    path = tmp_path / "curve.nc"
    stop = Stop(n)

    def press(record):
        if stop(record):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as interrupt:
        rdc.sweep(COIN, D=BOUNDS, solver=solver, save=path, callback=press)
    assert stop.calls == n
    assert "points are saved in" in interrupt.value.__notes__[0]
    held = read_dataset(path)
    status = held["status"].values.astype(str)
    begun = status != ""
    assert set(status[begun][:-1]) <= {"OPTIMAL"}
    assert status[begun][-1] in ("OPTIMAL", "INTERRUPTED")
    assert holds(held, RIGHT)
    whole = rdc.sweep(COIN, D=BOUNDS, save=path)
    done = status == "OPTIMAL"
    np.testing.assert_array_equal(whole["seconds"].values[done], held["seconds"].values[done])
    assert (whole["status"] == "OPTIMAL").all()


# ---------------------------------------------------------------------------------------------- trade-offs


def test_a_tradeoff_shares_its_time_between_its_ends_and_its_points(monkeypatch, tmp_path):
    now, given = [1000.0], []

    def slow(real):
        def solved(problem, *args, **options):
            given.append(options["time_limit"])
            now[0] += 10.0
            return real(problem, *args, **options)

        return solved

    for module in (SWEEP, TRADEOFF):
        monkeypatch.setattr(module, "solve", slow(module.solve))
    monkeypatch.setattr(time, "time", lambda: now[0])
    path = tmp_path / "boundary.nc"
    cut = rdc.tradeoff(COIN, 0.2, n_points=4, time_limit=35.0, save=path)
    assert given == [35.0, 25.0, 15.0, 5.0]
    assert cut["status"].values.tolist() == ["OPTIMAL", "OPTIMAL", "", ""]
    whole = rdc.tradeoff(COIN, 0.2, n_points=4, save=path)
    assert len(given) == 6
    assert (whole["status"] == "OPTIMAL").all()


def test_ends_that_are_cut_short_are_not_kept(tmp_path):
    """The range was not known to its ends, so no point is begun on it, and the next run takes the right one."""
    path = tmp_path / "boundary.nc"
    right = rdc.tradeoff(COIN, 0.2, n_points=4)
    stop = Stop(3)
    cut = rdc.tradeoff(COIN, 0.2, n_points=4, callback=stop, save=path)
    assert set(cut["status"].values) == {""}
    assert stop.calls <= 4  # each of the two ends is asked for a channel at least
    whole = rdc.tradeoff(COIN, 0.2, n_points=4, save=path)
    np.testing.assert_array_equal(whole["miss"], right["miss"])
    assert (whole["status"] == "OPTIMAL").all()


def test_steps_of_a_tradeoff():
    short = rdc.tradeoff(COIN, 0.2, n_points=3, max_steps=1)
    assert (short["gap"] > 1e-9).any()
    whole = rdc.sweep(COIN.minimising("distortion", rate=0.2), miss=short["miss"].values)
    assert (short["objective_lower"] <= whole["objective_upper"]).all()
    assert (short["objective_upper"] >= whole["objective_lower"]).all()
