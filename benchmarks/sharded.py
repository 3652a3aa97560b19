"""A source whose kernel no process holds: rows with workers of Dask under a memory limit, against one process.

    python benchmarks/sharded.py                                   # 60,000 x 512, two workers of 400 MB
    python benchmarks/sharded.py --symbols 6000 --letters 128 --alone --kill

Points are in a file, from which each worker reads the rows of its shards; the loss is the mean squared error, and the
problem has a limit on it. The kernel and its losses take 16 bytes a pair, 492 MB at the size by default. With --alone
the same problem is solved in one process too, and its bounds must be the same; with --kill a worker is killed at the
third step. CPU seconds, of the client and of the workers that are left; peak memory of each process.
"""

from __future__ import annotations

import argparse
import os

import measure

os.environ.update(measure.ONE_THREAD)

import resource  # noqa: E402
import signal  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import rdcsolve as rdc  # noqa: E402


class Images:
    """The mean squared error between points in a file and letters: a process reads the rows that it is asked for."""

    forbids = False

    def __init__(self, path: str, letters: np.ndarray) -> None:
        self.path, self.letters = path, letters
        self.squares = (letters**2).sum(axis=1)
        self.shape = (np.load(path, mmap_mode="r").shape[0], letters.shape[0])

    def block(self, rows: Any, letters: Any) -> np.ndarray:
        """Return the losses of some rows and letters."""
        points = np.load(self.path, mmap_mode="r")[slice(None) if rows is None else rows].astype(float)
        which = slice(None) if letters is None else letters
        products = points @ self.letters[which].T
        losses = (points**2).sum(axis=1)[:, None] + self.squares[which] - 2 * products
        return np.maximum(losses, 0.0) / points.shape[1]


def write_points(path: Path, n: int, dim: int) -> None:
    """Write clustered points, float32, a block at a time."""
    rng = np.random.default_rng(0)
    centres = rng.random((40, dim))
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, dim))
    for start in range(0, n, 4096):
        rows = file[start : start + 4096]
        rows[:] = centres[rng.integers(0, 40, rows.shape[0])] + 0.2 * rng.standard_normal(rows.shape)
    file.flush()


def used() -> tuple[int, float, float]:
    """Return this process's id, CPU seconds, and peak memory in MB."""
    return os.getpid(), time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name: str, result: rdc.Result, began: float) -> None:
    """Print what a run gave, and what this process used since."""
    _, seconds, peak = used()
    print(f"{name}: {result}\n    CPU {seconds - began:.1f} s, peak {peak:.0f} MB, here", flush=True)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=60_000)
    parser.add_argument("--letters", type=int, default=512)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--distortion", type=float, default=0.06)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="400MB", help="limit of each worker")
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--alone", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.npy"
        write_points(path, asked.symbols, asked.dim)
        some = np.sort(np.random.default_rng(1).choice(asked.symbols, asked.letters, replace=False))
        letters = np.load(path, mmap_mode="r")[some].astype(float)
        masses = np.full(asked.symbols, 1 / asked.symbols)
        source = rdc.Source(np.arange(asked.symbols), masses)
        loss = Images(str(path), letters)
        problem = rdc.Problem(source, np.arange(asked.letters), distortion=loss).with_limits(D=asked.distortion)
        away = solve_away(problem, asked)
        if asked.alone:
            began = time.process_time()
            here = rdc.solve(problem, rdc.InteriorPoint(), tolerance=asked.tolerance, backend="numpy")
            report("one process", here, began)
            assert f"{here.rate_lower:.12g} {here.rate_upper:.12g}" == f"{away.rate_lower:.12g} {away.rate_upper:.12g}"


def solve_away(problem: rdc.Problem, asked: argparse.Namespace) -> rdc.Result:
    """Solve with workers, one of which is killed if that is asked for."""
    import dask
    from distributed import Client, LocalCluster

    # the nanny has workers give back freed memory at once, and fault it in anew for every block
    keep = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**30}
    with dask.config.set(keep):
        cluster = LocalCluster(
            n_workers=asked.workers, threads_per_worker=1, memory_limit=asked.memory, dashboard_address=":0"
        )
    with cluster, Client(cluster) as client:
        before = {pid: seconds for pid, seconds, _ in client.run(used).values()}

        def watch(record: rdc.StepRecord) -> None:
            if asked.kill and record.step == 3:
                os.kill(next(iter(before)), signal.SIGKILL)

        began = time.process_time()
        result = rdc.solve(problem, tolerance=asked.tolerance, backend=client, callback=watch)
        report(f"{asked.workers} workers of {asked.memory}", result, began)
        for pid, seconds, peak in client.run(used).values():
            print(f"    CPU {seconds - before.get(pid, 0.0):.1f} s, peak {peak:.0f} MB, on worker {pid}", flush=True)
    return result


if __name__ == "__main__":
    main()
