"""A limit on the time of a whole sweep: what is known is returned and saved, and the next run goes on."""

import importlib
import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rdcsolve as rdc

BOUNDS = np.linspace(0.02, 0.4, 12)


def binary():
    return rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])


@pytest.mark.parametrize("executor", [False, True])
def test_points_that_were_not_begun_are_empty_and_the_next_run_goes_on(monkeypatch, tmp_path, executor):
    """The clock of the sweep runs fast: it is over after some points."""
    module = importlib.import_module("rdcsolve.explore.sweep")
    solved, real = [], module.solve

    def slow(problem, *args, **options):
        solved.append(options["time_limit"])
        now[0] += 10.0
        return real(problem, *args, **options)

    now = [0.0]
    monkeypatch.setattr(module, "solve", slow)
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    path = tmp_path / "curve.nc"
    with ThreadPoolExecutor(1) as pool:
        options = {"executor": pool} if executor else {}
        first = rdc.sweep(binary(), D=BOUNDS, time_limit=45.0, save=path, **options)
        assert solved == [45.0, 35.0, 25.0, 15.0, 5.0]
        known = first.status.values == "OPTIMAL"
        assert known.sum() == 5
        assert set(first.status.values[~known]) == {""}
        assert np.isnan(first.rate_upper.values[~known]).all()
        whole = rdc.sweep(binary(), D=BOUNDS, save=path, **options)
    assert len(solved) == 12
    assert (whole.status.values == "OPTIMAL").all()
    right = math.log(2) + BOUNDS * np.log(BOUNDS) + (1 - BOUNDS) * np.log1p(-BOUNDS)
    assert whole.rate_upper.values == pytest.approx(right, abs=1e-8)


def test_a_point_that_was_cut_short_is_solved_again(monkeypatch, tmp_path):
    path = tmp_path / "curve.nc"
    cut = rdc.sweep(binary(), D=BOUNDS[:2], time_limit=1e-9, save=path)
    assert set(cut.status.values) <= {"", "TIME_LIMIT", "OPTIMAL"}
    assert (rdc.sweep(binary(), D=BOUNDS[:2], save=path).status.values == "OPTIMAL").all()
    from rdcsolve.explore.record import UNFINISHED

    assert "TIME_LIMIT" in UNFINISHED


def test_a_limit_that_is_none_is_refused():
    began = time.perf_counter()
    with pytest.raises(rdc.InvalidInput, match="time_limit is 0"):
        rdc.sweep(binary(), D=BOUNDS, time_limit=0)
    assert time.perf_counter() - began < 1.0
