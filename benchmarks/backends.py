"""Kernels on a device against NumPy on one thread: products, Newton's systems, whole solves, and what the device could.

    python benchmarks/backends.py --backend numpy --backend torch --backend cupy

Each figure is the median wall time of some runs after one that is not counted. The share of the device's memory
bandwidth is what a Blahut-Arimoto step reads, the matrix twice, over what a copy of a large array moves in the same
time; the share of its FP64 throughput is the operations that making and factorising Newton's matrix needs, 8/3 n^3 with
the inverse of the factor, over those of a square product of the same size in the same time. The
answers of all backends must agree within their certificates. Many small problems are solved together, with steps in
double and in single precision; beside the whole, certificates and their check in NumPy included, the steps alone are
measured, which are all that a device can speed up.

What has not begun after --seconds is left out, so that a run on a GPU that is lent by the minute comes to an end.
"""

from __future__ import annotations

import argparse
import os

import measure

os.environ.update(measure.ONE_THREAD)

import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from markdown_table import clock, table  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.kernels import Backend, DenseKernel, DeviceKernel, backends  # noqa: E402
from rdcsolve.solvers.finite.batched import Stack, solved  # noqa: E402
from rdcsolve.solvers.finite.newton_system import factorised  # noqa: E402


def wall(run: Callable[[], Any], repetitions: int) -> float:
    """Return the median wall seconds of a function, after a first run that is not counted if there are several."""
    if repetitions > 1:
        run()
    taken = []
    for _ in range(repetitions):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def peak(backend: Backend, size: int) -> tuple[float, float]:
    """Return the bytes a second that a copy moves, read and written, and the operations a second of a product."""
    length, xp = 4 * size * size, backend.xp
    source = xp.ones((length,), dtype=xp.float64, device=backend.device)
    square = xp.ones((size, size), dtype=xp.float64, device=backend.device)

    def copied() -> Any:
        return float((source + 0.0)[-1])  # reading one entry waits for the device

    def multiplied() -> Any:
        return float((square @ square)[-1, -1])

    return 2 * 8.0 * length / wall(copied, 5), 2.0 * size**3 / wall(multiplied, 3)


def gaussian(n: int) -> rdc.Problem:
    """Return a Gaussian vector in two dimensions, n samples on n letters: its kernel has no structure and full rank."""
    rng = np.random.default_rng(n)
    points = rng.standard_normal((n, 2))
    loss = ((points[:, None] - points) ** 2).sum(axis=2)
    return rdc.Problem.from_arrays(np.full(n, 1 / n), loss, D=0.05)


def kernels(name: str, backend: Backend | None, n: int) -> dict[str, Any]:
    """Return seconds of a kernel's operations, and shares of what the device could do at most."""
    rng = np.random.default_rng(0)
    loss = rng.random((n, n))
    multipliers, p, q = np.array([5.0]), np.full(n, 1 / n), np.full(n, 1 / n)
    t, c = np.empty(n), np.empty(n)
    most = 8000 if backend is not None else 2000

    def make() -> Any:
        if backend is None:
            return DenseKernel([loss], multipliers)
        return DeviceKernel([loss], multipliers, None, backend)

    made = make()
    step = wall(lambda: made.step(p, q, t, c), 9)
    row = {"backend": name, "n": n, "make": wall(lambda: make().matvec(q), 3), "step": step}
    if n <= most:
        row["system"] = wall(lambda: factorised(made, p, np.sqrt(q)), 3)
    if backend is not None and n <= most:
        bandwidth, throughput = peak(backend, n)
        row["bandwidth"] = 2 * 8.0 * n * n / step / bandwidth
        row["throughput"] = (2 + 1 / 3 + 1 / 3) * n**3 / row["system"] / throughput
    return row


def solves(name: str, backend: Any, n: int, solver: Any, repetitions: int) -> dict[str, Any]:
    """Return wall seconds of a solve with its answer."""
    problem, found = gaussian(n), []
    seconds = wall(
        lambda: found.append(rdc.solve(problem, solver, tolerance=1e-6, backend=backend or "numpy")), repetitions
    )
    result = found[-1]
    return {
        "backend": name,
        "solver": solver.name,
        "n": n,
        "wall": seconds,
        "lower": result.rate_lower,
        "upper": result.rate_upper,
        "status": f"{result.status.name} {result.proof.name}",
    }


def many(name: str, backend: Backend | None, count: int, n: int, precision: str) -> dict[str, Any]:
    """Return wall milliseconds a problem of many tables n x n within limits: of all, and of the steps alone."""
    rng = np.random.default_rng(n)
    p, losses = rng.dirichlet(np.ones(n), size=count), rng.random((count, n, n))
    least = (p * losses.min(axis=2)).sum(axis=1)
    last = np.matmul(p[:, None, :], losses)[:, 0].min(axis=1)
    D = least + rng.uniform(0.1, 0.9, count) * (last - least)
    tables = zip(p, losses, D, strict=True)
    problems = [rdc.Problem.from_arrays(masses, loss, D=float(bound)) for masses, loss, bound in tables]
    minima = losses.min(axis=2)
    stack = Stack(p, losses - minima[:, :, None], D - (p * minima).sum(axis=1))
    results = rdc.solve_many(problems, tolerance=1e-6, backend=backend or "numpy", precision=precision)
    worst = max(result.gap for result in results)
    if not worst <= 1e-6:
        raise SystemExit(f"{name}, {count} problems of {n} x {n}, {precision}: a gap of {worst:.1e}")
    whole = wall(lambda: rdc.solve_many(problems, tolerance=1e-6, backend=backend or "numpy", precision=precision), 1)
    steps = wall(lambda: solved(stack, 4e-7, backend, precision), 1)
    row = {"backend": name, "precision": precision, "problems": count, "n": n}
    return row | {"whole": 1e3 * whole / count, "steps": 1e3 * steps / count}


def agree(rows: list[dict[str, Any]]) -> None:
    """Stop unless the answers to every problem overlap and are certified."""
    for n in {row["n"] for row in rows}:
        same = [row for row in rows if row["n"] == n]
        if max(row["lower"] for row in same) > min(row["upper"] for row in same):
            raise SystemExit(f"the answers at n = {n} exclude one another")
        if any(row["status"] != "OPTIMAL CERTIFIED" for row in same):
            raise SystemExit(f"an answer at n = {n} is not certified")


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", action="append", choices=["numpy", "torch", "cupy"])
    parser.add_argument(
        "--largest", type=int, default=8000, help="samples of the largest problem; NumPy takes a quarter"
    )
    parser.add_argument("--seconds", type=float, default=80.0, help="after which no measurement begins")
    parser.add_argument("--save", help="a JSON file for the rows")
    options = parser.parse_args()
    began = time.perf_counter()
    tables: dict[str, list[dict[str, Any]]] = {"operations": [], "answers": [], "many": []}
    for kind, run in planned(options):
        if time.perf_counter() - began > options.seconds:
            print(f"{options.seconds:.0f} seconds are over; the rest is left out", flush=True)
            break
        tables[kind].append(run())
        print(tables[kind][-1], flush=True)
    show(**tables)
    agree(tables["answers"])
    measure.save([row for rows in tables.values() for row in rows], options.save)


def planned(options: argparse.Namespace) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return what is to be measured, by the table that it belongs to; the dear ones last."""
    found: list[tuple[int, str, Callable[[], dict[str, Any]]]] = []
    for name in options.backend or ["numpy", "torch"]:
        backend = backends.find(name)
        print(f"{name}: {'one thread' if backend is None else backend.device}", flush=True)
        most = options.largest if backend is not None else options.largest // 4
        for n in [size for size in (1000, 2000, 4000, 8000, 16000) if size <= 2 * most]:
            found.append((n // 4, "operations", partial(kernels, name, backend, n)))
        for n in [size for size in (500, 1000, 2000, 4000, 8000) if size <= most]:
            for solver in (rdc.InteriorPoint(), rdc.ColumnGeneration()):
                if n <= 4000 or not isinstance(solver, rdc.InteriorPoint):
                    found.append((n, "answers", partial(solves, name, backend, n, solver, 3 if n <= 1000 else 1)))
        for count, n in ((1000, 2), (1000, 8), (200, 32)):
            for precision in ("float64", "float32"):
                found.append((0, "many", partial(many, name, backend, count, n, precision)))
    return [(kind, run) for _, kind, run in sorted(found, key=lambda one: one[0])]


def show(operations: list[dict[str, Any]], answers: list[dict[str, Any]], many: list[dict[str, Any]]) -> None:
    """Print the tables."""
    times = ("make", "step", "system")
    table(
        ["backend", "n", *times, "share of bandwidth", "share of FP64"],
        [
            [row["backend"], str(row["n"])]
            + [clock(row[key]) if key in row else "" for key in times]
            + [f"{row[key]:.0%}" if key in row else "" for key in ("bandwidth", "throughput")]
            for row in operations
        ],
    )
    table(
        ["backend", "solver", "n", "wall", "rate", "gap"],
        [
            [row["backend"], row["solver"], str(row["n"]), clock(row["wall"]), f"{row['upper']:.6f}"]
            + [f"{row['upper'] - row['lower']:.1e}"]
            for row in answers
        ],
    )
    table(
        ["backend", "steps in", "problems", "n", "ms each", "of which steps"],
        [
            [row["backend"], row["precision"], str(row["problems"]), str(row["n"])]
            + [f"{row['whole']:.3f}", f"{row['steps']:.3f}"]
            for row in many
        ],
    )


if __name__ == "__main__":
    main()
