"""What a curve costs, in solves of single points: `sweep` beside `solve` at some of the same limits.

python benchmarks/curves.py [--quick] [--points 100] [--tolerance 1e-8] [--save FILE.json]

Discretised Gaussians (500 and 2000 symbols and letters), D from 0.02 to 0.8; a binary source. One thread, CPU seconds,
after compilation. The single solves are every eighth point, so that both sides of the ratio are means over one curve.
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402

import numpy as np  # noqa: E402
from markdown_table import table  # noqa: E402
from measure import median_of, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402

EVERY = 8


def problems(quick):
    """Return problems by name, with the ends of their curves."""
    found = {"binary": (rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]]), 0.005, 0.28)}
    for n in (200,) if quick else (500, 2000):
        found[f"Gaussian, {n}"] = rdc.Problem(rdc.sources.gaussian(n_x=n)), 0.02, 0.8
    return found


def measure(name, problem, ends, count, tolerance):
    """Return the figures of one curve."""
    bounds = np.geomspace(*ends, count)
    rdc.sweep(problem, D=bounds[-3:], tolerance=tolerance)  # compiles
    curve = median_of(lambda: rdc.sweep(problem, D=bounds, tolerance=tolerance), 1)
    alone = [problem.with_limits(D=float(D)) for D in bounds[EVERY // 2 :: EVERY]]
    single = median_of(lambda: [rdc.solve(one, tolerance=tolerance) for one in alone], 1)
    a_solve = single.cpu / len(alone)
    return {
        "problem": name,
        "points": count,
        "ms a point": 1e3 * curve.cpu / count,
        "ms a solve": 1e3 * a_solve,
        "curve in solves": curve.cpu / a_solve,
        "optimal": int((curve.value.status == "OPTIMAL").sum()),
        "worst gap": float(curve.value.gap.max()),
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--tolerance", type=float, default=1e-8)
    parser.add_argument("--save", help="write the figures to this JSON file")
    options = parser.parse_args()
    rows = [
        measure(name, problem, ends, options.points, options.tolerance)
        for name, (problem, *ends) in problems(options.quick).items()
    ]
    shown = [[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    table(list(rows[0]), shown)
    save(rows, options.save)


if __name__ == "__main__":
    main()
