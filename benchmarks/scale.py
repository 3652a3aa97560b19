"""Every size that the library is measured by: grids, lines, targets, curves and surfaces; CPU seconds, memory, proof.

One thread, after everything is compiled and loaded, every case in a process of its own; the check is part of the time.
Times of curves and surfaces are also given in solves: over the mean time of single solves at some of the same points.

python benchmarks/scale.py [--quick] [--cases P6 "P3, 10000" ...] [--seconds 300] [--save FILE.json]
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from curves import problems as curve_problems  # noqa: E402
from grids import mixture  # noqa: E402
from label_entropy import label_axis, reproduction  # noqa: E402
from markdown_table import table  # noqa: E402
from measure import median_of, peak_megabytes, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.testing import known_problems  # noqa: E402

QUICK = ("P1a_500", "P3, 1000", "tiny, at D")


def on_grid(side, dim, multiplier, tolerance=1e-6):
    """Return the figures of squared error on a grid."""
    rdc.solve(grid_problem(32, 2, 1.0), tolerance=1e-3)  # compiles
    return solved(lambda: grid_problem(side, dim, multiplier), tolerance)


def grid_problem(side, dim, multiplier):
    """Return squared error between all points of a grid in [-4, 4]^dim, under a mixture of normal densities."""
    return rdc.Problem(rdc.sources.grid(*mixture(side, dim))).at_multipliers(distortion=multiplier)


def line_problem(n, distortion, multiplier):
    """Return a normal density on [-5, 5] under squared error, or exp(-|x|) on [-10, 10] under absolute error."""
    end, power = (5.0, lambda x: -(x**2) / 2) if distortion == "squared_error" else (10.0, lambda x: -np.abs(x))
    x = np.linspace(-end, end, n)
    return rdc.Problem(rdc.sources.grid(np.exp(power(x)), [x]), distortion=distortion).at_multipliers(
        distortion=multiplier
    )


def on_line(n, distortion, multiplier, tolerance):
    """Return the figures of a line of points."""
    rdc.solve(line_problem(300, distortion, multiplier), tolerance=1e-6)  # compiles
    if n > 8192:
        rdc.solve(line_problem(8193, distortion, multiplier), tolerance=1e-2)
    return solved(lambda: line_problem(n, distortion, multiplier), tolerance)


def solved(state, tolerance):
    """Return what it takes to state a problem and to solve it."""
    return figures(median_of(lambda: rdc.solve(state(), tolerance=tolerance, max_steps=500), 3))


def figures(timed):
    """Return the figures of one solution."""
    result = timed.value
    return {
        "CPU s": timed.cpu,
        "gap": result.gap,
        "status": result.status.name,
        "proof": result.proof.name,
        "letters": int(result.letters.size),
    }


def known(name):
    """Return the figures of a known problem at its multiplier."""
    problem = known_problems()[name].problem
    rdc.solve(problem)  # compiles
    return figures(median_of(lambda: rdc.solve(problem, tolerance=1e-8), 5))


def tiny():
    """Return the figures of a coin within a limit, in a process that has solved some hundred: by compiled loops."""
    problem = known_problems()["P2"].problem.with_limits(D=0.1)
    for _ in range(500):
        rdc.solve(problem)
    return figures(median_of(lambda: rdc.solve(problem), 100))


def together(count=300):
    """Return the figures of coins within limits, each of many that are solved together."""
    coin = known_problems()["P2"].problem
    coins = [coin.with_limits(D=float(D)) for D in np.linspace(0.01, 0.29, count)]
    rdc.solve_many(coins[:3])
    timed = median_of(lambda: rdc.solve_many(coins), 5)
    worst = max(timed.value, key=lambda result: result.gap)
    return figures(timed._replace(value=worst, cpu=timed.cpu / count))


def target(name):
    """Return how much longer a target takes than the multiplier that belongs to it."""
    problem = known_problems()[name].problem
    alone = rdc.solve(problem)
    limited = problem.with_limits(D=float(alone.losses["distortion"]))
    rdc.solve(limited)
    at_multiplier = median_of(lambda: rdc.solve(problem), 5)
    timed = median_of(lambda: rdc.solve(limited), 5)
    return {**figures(timed), "over the multiplier": timed.cpu / at_multiplier.cpu}


def enclosure(side):
    """Return what the proof in ball arithmetic takes, of a solution that is there."""
    problem = grid_problem(side, 2, 2.0)
    result = rdc.solve(problem, tolerance=1e-6, max_steps=500)
    result.certificate.verify(problem)
    timed = median_of(lambda: result.verify(problem, arithmetic="ball"), 1)
    answer = timed.value
    return {
        "CPU s": timed.cpu,
        "gap": answer.upper - answer.lower,
        "status": "valid" if answer.valid else "not valid",
        "proof": "balls",
    }


def curve(name, points=100, tolerance=1e-8):
    """Return what a curve costs in solves of single points, every eighth of them."""
    problem, *ends = curve_problems(False)[name]
    bounds = np.geomspace(*ends, points)
    rdc.sweep(problem, D=bounds[-3:], tolerance=tolerance)
    timed = median_of(lambda: rdc.sweep(problem, D=bounds, tolerance=tolerance), 1)
    some = [problem.with_limits(D=float(D)) for D in bounds[4::8]]
    return in_solves(timed, some, tolerance)


def surface(side=12, tolerance=1e-6):
    """Return what a surface (D, C) of a labelled mixture costs in solves of single points, every fifth of them."""
    source = rdc.sources.mixture([-1, 1], 0.7, n_x=401)
    problem = rdc.Problem(source, reproduction(source), limits=[rdc.LabelEntropyLimit(np.inf)])
    D, C = np.linspace(0.1, 1.4, side), label_axis(source, 0, side)
    rdc.sweep(problem, D=D[-2:], C=C[-2:], tolerance=tolerance)
    timed = median_of(lambda: rdc.sweep(problem, D=D, C=C, tolerance=tolerance), 1)
    every = [problem.with_limits(D=float(d), C=float(c)) for d in D for c in C]
    return in_solves(timed, every[2::5], tolerance)


def in_solves(timed, some, tolerance):
    """Return the figures of a sweep beside those of single solves."""
    single = median_of(lambda: [rdc.solve(one, tolerance=tolerance) for one in some], 1)
    data = timed.value
    names, counts = np.unique(data.status.values.astype(str), return_counts=True)
    return {
        "CPU s": timed.cpu,
        "gap": float(data.gap.max()),
        "status": ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True)),
        "proof": ", ".join(np.unique(data.proof.values.astype(str))),
        "in solves": timed.cpu / (single.cpu / len(some)),
    }


CASES = {
    "P6": (on_grid, 256, 2, 2.0),
    "512 x 512": (on_grid, 512, 2, 2.0),
    "48 x 48 x 48": (on_grid, 48, 3, 2.0),
    "128 x 128, lambda 8": (on_grid, 128, 2, 8.0),
    "P6, enclosure": (enclosure, 256),
    **{f"P1a, {n}": (on_line, n, "squared_error", 5.0, 1e-8) for n in (1000, 10_000, 100_000, 1_000_000)},
    **{f"P3, {n}": (on_line, n, "absolute", 10.0, 1e-9) for n in (1000, 10_000, 100_000)},
    **{name: (known, name) for name in ("P1a_500", "P1a_2000", "P5")},
    "tiny, at D": (tiny,),
    "tiny, together": (together,),
    **{f"{name}, at D": (target, name) for name in ("P1a_500", "P1a_2000", "P3")},
    **{f"curve, P1a_{n}": (curve, f"Gaussian, {n}") for n in (500, 2000)},
    "surface, 12 x 12": (surface,),
}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three small cases")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seconds", type=float, default=300.0, help="wall seconds after which a case is given up")
    parser.add_argument("--save", help="write the figures to this JSON file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run, *arguments = CASES[options.one]
        print(json.dumps({"case": options.one, **run(*arguments), "peak MB": peak_megabytes()}))
        return
    rows = []
    for name in QUICK if options.quick else options.cases:
        rows.append(in_a_process(name, options.seconds))
        print(rows[-1], file=sys.stderr, flush=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    shown = [[shortened(row.get(key, "")) for key in columns] for row in rows]
    table(columns, shown)
    save(rows, options.save)


def in_a_process(name, seconds):
    """Return the figures of one case, or what became of it."""
    command = [sys.executable, __file__, "--one", name]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"case": name, "status": f"given up after {time.perf_counter() - began:.0f} s"}
    if done.returncode:
        last = done.stderr.strip().splitlines()
        return {"case": name, "status": last[-1] if last else f"ended with {done.returncode}"}
    return json.loads(done.stdout)


def shortened(value):
    """Return a figure as the table shows it."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
