"""A process of an executor that is killed is told by its points, and what the others solved is kept."""

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor

import pytest

import rdcsolve as rdc
from rdcsolve.explore.record import read_dataset

BOUNDS = [0.05, 0.1, 0.15, 0.2, 0.22, 0.24]
COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]])


def killed_at_the_fifth_point(record):
    """A callback that kills its process in the stretch of the fifth point, whose first bound is below 0.08."""
    if record.step == 1 and record.lower < 0.08:
        os.kill(os.getpid(), signal.SIGKILL)
    return False


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_a_killed_worker_is_told_by_its_points_and_the_next_run_goes_on(tmp_path):
    path = tmp_path / "curve.nc"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool, pytest.raises(rdc.SolverFailed) as lost:
        rdc.sweep(COIN, D=BOUNDS, executor=pool, save=path, solver="interior-point", callback=killed_at_the_fifth_point)
    assert isinstance(lost.value, rdc.RdcError)
    left = read_dataset(path)["status"].values.astype(str)
    missing = [bound for bound, status in zip(BOUNDS, left, strict=True) if status != "OPTIMAL"]
    assert f"{len(missing)} points with it" in str(lost.value)
    assert all(f"distortion={bound:.6g}" in str(lost.value) or f"D={bound:.6g}" in str(lost.value) for bound in missing)
    assert f"{len(BOUNDS) - len(missing)} of {len(BOUNDS)} points are saved in {path}" in str(lost.value)
    assert (rdc.sweep(COIN, D=BOUNDS, save=path)["status"] == "OPTIMAL").all()
