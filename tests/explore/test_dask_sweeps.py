"""Sweeps in pools of other libraries: the numbers of one process, whoever is killed on the way."""

import os
import signal
from concurrent.futures import Future

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.errors import SolverFailed

PROBLEM = rdc.Problem(rdc.sources.gaussian(n_x=60))
BOUNDS = np.geomspace(0.05, 0.8, 20)


def test_a_worker_of_dask_that_is_killed_loses_nothing():
    distributed = pytest.importorskip("distributed")
    here, killed = rdc.sweep(PROBLEM, D=BOUNDS, tolerance=1e-8), []
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with cluster, distributed.Client(cluster) as client:
        pids = list(client.run(os.getpid).values())

        def kill_one(*told):
            if not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        away = rdc.sweep(PROBLEM, D=BOUNDS, tolerance=1e-8, executor=client, progress=kill_one)
    assert killed
    assert (away.status == "OPTIMAL").all()
    assert (away.proof == "CERTIFIED").all()
    assert (np.maximum(here.rate_lower, away.rate_lower) <= np.minimum(here.rate_upper, away.rate_upper)).all()


class Died(Exception):
    """What a pool of another library raises where its workers died."""

    __module__ = "distributed.scheduler"


class Losing:
    """A client whose executor loses its first task."""

    def __init__(self):
        self.tasks = 0

    def get_executor(self):
        return self

    def submit(self, function, *arguments):
        future, self.tasks = Future(), self.tasks + 1
        if self.tasks == 1:
            future.set_exception(Died("all workers died"))
        else:
            future.set_result(function(*arguments))
        return future


def test_points_that_kill_every_worker_are_named_and_the_others_are_there(tmp_path):
    path = tmp_path / "curve.nc"
    with pytest.raises(SolverFailed, match=r"and 4 points with it \(D=0.05; .*16 of 20 points are saved"):
        rdc.sweep(PROBLEM, D=BOUNDS, tolerance=1e-6, executor=Losing(), save=path)
    again = rdc.sweep(PROBLEM, D=BOUNDS, tolerance=1e-6, save=path)
    assert (again.status == "OPTIMAL").all()


def test_what_a_task_raises_itself_is_not_taken_for_a_lost_worker():
    class Wrong(Losing):
        def submit(self, function, *arguments):
            future = Future()
            future.set_exception(ZeroDivisionError("in the task"))
            return future

    with pytest.raises(Exception, match="in the task"):
        rdc.sweep(PROBLEM, D=BOUNDS, executor=Wrong())
