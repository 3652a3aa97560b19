"""Kernels whose rows lie with the workers of a Dask cluster: the same operator, whoever is killed on the way."""

import os
import pickle
import signal
import sys

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.kernels import BlockKernel, DenseKernel, ShardedKernel, Workers, backends, make_kernel, sharded
from rdcsolve.problems import BlockLoss
from rdcsolve.problems.structures import Rows, Shifted, Table
from rdcsolve.solvers.room import bytes_needed
from rdcsolve.testing import check_kernel

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((40, 3))
BLOCKS = BlockLoss("absolute", POINTS, POINTS[:9])
TABLE = Table(RNG.random((40, 9)))
MASK = RNG.random((40, 9)) < 0.3
MASK[:, 3] = False
SOME = np.array([0, 3, 4, 7, 20, 39])
ONE, TWO = np.array([2.0]), np.array([2.0, 0.7])


class Promise:
    """A future of `Here`."""

    def __init__(self, work):
        self.work, self.status = work, "pending"

    def result(self, timeout=None):
        try:
            return self.work()
        except Exception:
            self.status = "error"
            raise


class Here:
    """A client of Dask whose only worker is this process; what it is sent goes through pickle, as to another one."""

    __module__ = "distributed.client"

    def __init__(self, threads=3):
        self.threads, self.status, self.sent = threads, "running", []

    def nthreads(self):
        return {"here": self.threads} if self.threads else {}

    def submit(self, function, *arguments, pure):
        assert not pure
        self.sent.append(function.__name__)
        arguments = pickle.loads(pickle.dumps(self._done(arguments)))
        found = function(*arguments)
        return Promise(lambda: found)

    def _done(self, value):
        if isinstance(value, Promise):
            return value.work()
        return type(value)(map(self._done, value)) if isinstance(value, (list, tuple)) else value


CASES = {
    "one": ([BLOCKS], ONE, None),
    "two, one stored": ([BLOCKS, TABLE], TWO, None),
    "one counts": ([BLOCKS, TABLE], np.array([0.0, 3.0]), None),
    "masked": ([BLOCKS], ONE, MASK),
    "shifted and masked": ([Shifted(BLOCKS, BLOCKS.row_minima(None, MASK), MASK)], ONE, MASK),
    "some rows, large": (
        [Shifted(Rows(BLOCKS, SOME), BLOCKS.row_minima()[SOME]), Rows(TABLE, SOME)],
        np.array([300.0, 3.0]),
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sharded_kernel_is_a_kernel(name):
    kernel = ShardedKernel(*CASES[name], Workers(Here()))
    assert len(kernel._parts) == 3 if name != "some rows, large" else 1 < len(kernel._parts)
    check_kernel(kernel)
    assert np.array_equal(kernel.log_scale, BlockKernel(*CASES[name]).log_scale)


def test_the_maker_sends_what_is_not_stored_and_all_of_it_once():
    here = Here()
    with backends.using(backends.find(here)):
        assert type(make_kernel([TABLE], ONE)) is DenseKernel
        assert not here.sent
        for multiplier in (1.0, 2.0, 3.0):
            lowered = Shifted(
                Rows(BLOCKS, SOME), BLOCKS.row_minima()[SOME]
            )  # made anew, as every stage of a solve does
            assert type(make_kernel([lowered], np.array([multiplier]))) is ShardedKernel
    assert here.sent.count("_stored") == 3  # shards of the loss as it was stated, whatever is taken off its rows


def test_a_shard_is_sent_its_own_points_only():
    far = BlockLoss("absolute", np.ones((1000, 50)), np.ones((2, 50)))
    assert len(pickle.dumps(sharded._portion(far, slice(0, 10)))) < 10_000
    assert np.array_equal(sharded._stored(sharded._portion(far, np.array([3, 5]))), far.block(np.array([3, 5])))


class Distance:
    """A loss of the user's own, with nothing to it."""

    shape = (5000, 2)

    def block(self, rows, letters):
        rows = np.arange(5000) if rows is None else np.arange(5000)[rows]
        letters = np.arange(2) if letters is None else letters
        return np.abs(np.subtract.outer(1e-3 * rows, letters))


def test_what_is_known_of_all_rows_is_not_sent_with_each_shard():
    own = rdc.problems.Loss("distance", Distance()).structure
    own.row_minima()
    portion = sharded._portion(own, slice(4990, 5000))
    assert len(pickle.dumps(portion)) < 5000
    assert np.array_equal(sharded._stored(portion), own.block(slice(4990, 5000)))


def problem_of(n_x=90, n_letters=24):
    points = np.random.default_rng(1).standard_normal((n_x, 4))
    source, loss = rdc.Source(points, np.full(n_x, 1 / n_x)), BlockLoss("squared_error", points, points[:n_letters])
    return rdc.Problem(source, points[:n_letters], distortion=loss)


def agree(one, other):
    assert one.status is other.status is rdc.Status.OPTIMAL
    assert one.proof is other.proof is rdc.Proof.CERTIFIED
    assert str(one).rpartition(",")[0] == str(other).rpartition(",")[0]  # all that is printed before the seconds
    assert one.rate_lower == pytest.approx(other.rate_lower, rel=1e-12)
    assert one.rate_upper == pytest.approx(other.rate_upper, rel=1e-12)


@pytest.mark.parametrize("solver", [None, rdc.ColumnGeneration(first_letters=8), rdc.BlahutArimoto(check_every=10)])
@pytest.mark.parametrize("is_limited", [True, False])
def test_bounds_are_those_of_one_process(is_limited, solver):
    problem = problem_of().with_limits(D=2.5) if is_limited else problem_of().at_multipliers(distortion=0.5)
    tolerance = 1e-2 if isinstance(solver, rdc.BlahutArimoto) else 1e-8
    here = Here()
    away = rdc.solve(problem, solver, backend=here, tolerance=tolerance)
    assert {"_stored", "_part", "_joined"} == set(here.sent)
    agree(rdc.solve(problem, solver, tolerance=tolerance), away)


def test_workers_make_the_tables_of_the_interior_point(monkeypatch):
    problem = problem_of().with_limits(D=2.5)
    monkeypatch.setattr(sys.modules["rdcsolve.solvers.solve"], "choose", lambda problem: rdc.ColumnGeneration())
    assert rdc.solve(problem, tolerance=1e-6).method == "column generation"
    assert rdc.solve(problem, tolerance=1e-6, backend=Here()).method == "interior point"
    assert bytes_needed(problem, rdc.InteriorPoint(), sharded=True) == (8 * 24**2, "Newton's matrix")
    assert bytes_needed(problem, rdc.InteriorPoint())[0] > 8 * 90 * 24


def test_small_problems_side_by_side_stay_here():
    problem, here = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1), Here()
    agree(rdc.solve_many([problem], backend=here)[0], rdc.solve_many([problem])[0])
    assert not here.sent


def test_points_of_a_sweep_are_solved_with_workers_one_after_another():
    problem, here = problem_of(), Here()
    away = rdc.sweep(problem, D=[2.3, 2.5], tolerance=1e-7, backend=here)
    assert here.sent
    assert away.rate_lower.values == pytest.approx(
        rdc.sweep(problem, D=[2.3, 2.5], tolerance=1e-7).rate_lower.values, abs=2e-7
    )


# ------------------------------------------------------------------------------------- what is wrong is told


def test_workers_hold_rows_or_solve_points_not_both():
    with pytest.raises(rdc.InvalidInput, match="pass backend=client .* or executor=client .*, not both"):
        rdc.sweep(problem_of(), D=[2.3, 2.5], backend=Here(), executor=Here())


def raised(name):
    class Raised(Exception):
        __module__ = "distributed.scheduler"

    Raised.__name__ = name
    return Raised("what Dask says")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (raised("KilledWorker"), "the same task killed one worker after another, mostly for want of memory"),
        (raised("FutureCancelledError"), "its client is closed, or has lost its scheduler"),
    ],
)
def test_what_dask_raises_is_told(error, message, monkeypatch):
    def fails(self, timeout):
        raise error

    monkeypatch.setattr(Promise, "result", fails)
    with pytest.raises(rdc.BackendUnavailable, match=f"backend='dask' cannot be used: {message}"):
        rdc.solve(problem_of().with_limits(D=2.5), backend=Here())


def test_what_a_loss_raises_on_a_worker_is_raised(monkeypatch):
    def fails(self, timeout):
        self.status = "error"
        raise TimeoutError("of the disk")  # not of the wait

    kernel = ShardedKernel([BLOCKS], ONE, None, Workers(Here()))
    monkeypatch.setattr(Promise, "result", fails)
    with pytest.raises(TimeoutError, match="of the disk"):
        kernel.matvec(np.ones(9))


def test_a_closed_client_and_a_cluster_without_workers_are_told(monkeypatch):
    monkeypatch.setattr(sharded, "PATIENCE", 0.2)
    problem, here = problem_of().with_limits(D=2.5), Here(threads=0)
    with pytest.raises(rdc.BackendUnavailable, match=r"its client has had no worker for 0\.2 s; start one"):
        rdc.solve(problem, backend=here)
    here.status = "closed"
    with pytest.raises(rdc.BackendUnavailable, match="its client is closed"):
        rdc.solve(problem, backend=here)


def test_workers_that_leave_for_good_are_not_waited_for(monkeypatch):
    def waits(self, timeout):
        here.threads = 0
        raise TimeoutError

    here = Here()
    kernel = ShardedKernel([BLOCKS], ONE, None, Workers(here))
    monkeypatch.setattr(sharded, "PATIENCE", 0.2)
    monkeypatch.setattr(Promise, "result", waits)
    with pytest.raises(rdc.BackendUnavailable, match="no worker for"):
        kernel.matvec(np.ones(9))


def test_dask_by_name_needs_the_extra_and_a_client(monkeypatch):
    problem = problem_of().with_limits(D=2.5)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "distributed", None)
        with pytest.raises(rdc.MissingExtra, match=r"backend='dask' needs the extra distributed: pip install"):
            rdc.solve(problem, backend="dask")
    pytest.importorskip("distributed")
    with pytest.raises(rdc.BackendUnavailable, match="there is no client; make one, distributed.Client"):
        rdc.solve(problem, backend="dask")


def test_a_worker_that_is_killed_loses_nothing():
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    problem, killed = problem_of(3000, 64).with_limits(D=2.0), []
    here = rdc.solve(problem, tolerance=1e-7)
    keeps = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**30}
    with dask.config.set(keeps):
        cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with cluster, distributed.Client(cluster) as client:
        pids = list(client.run(os.getpid).values())

        def kill_one(record):
            if record.step == 3 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        away = rdc.solve(problem, tolerance=1e-7, backend=client, callback=kill_one)
        assert killed
        again = rdc.solve(problem, tolerance=1e-7, backend="dask", max_steps=1)
    agree(here, away)
    assert again.rate_lower <= here.rate_upper
    with pytest.raises(rdc.BackendUnavailable, match="its client is closed"):
        rdc.solve(problem, backend=client)
