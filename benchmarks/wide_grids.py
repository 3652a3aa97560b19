"""Smooth densities on wide grids, where masses reach down to 1e-60 and below: which answers stay above a gap of 1e-8?

Seven densities, three half-widths, three sizes, four multipliers: 252 problems, each solved by the method named.

python benchmarks/wide_grids.py [--solver default|ColumnGeneration|InteriorPoint] [--quick] [--save FILE.json]
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import itertools  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from measure import save  # noqa: E402

import rdcsolve as rdc  # noqa: E402

DENSITIES = {
    "Gaussian": lambda x: np.exp(-(x**2) / 2),
    "Laplacian": lambda x: np.exp(-np.abs(x) * np.sqrt(2)),
    "Student": lambda x: (1 + x**2 / 3) ** -2,
    "logistic": lambda x: 1 / np.cosh(x) ** 2,
    "exponential": lambda x: np.exp(x.min() - x),
    "mixture": lambda x: np.exp(-((x + 2) ** 2) / 2) + 0.3 * np.exp(-2 * (x - 3) ** 2),
    "uniform with tails": lambda x: np.exp(-3 * np.maximum(np.abs(x) - 1.7, 0)),
}
HALF_WIDTHS, SIZES, MULTIPLIERS = (8, 12, 16), (301, 501, 1001), (1.0, 2.0, 4.0, 8.0)
GAP = 1e-8
GRID = tuple(itertools.product(DENSITIES, HALF_WIDTHS, SIZES, MULTIPLIERS))


def wide(density, half_width, size, multiplier):
    """Return the problem: the multiplier is in nats per variance of the source."""
    x = np.linspace(-half_width, half_width, size)
    source = rdc.Source(x, DENSITIES[density](x), normalise=True)
    variance = float(source.p_x @ (x - source.p_x @ x) ** 2)
    return rdc.Problem(source).at_multipliers(distortion=multiplier / variance)


def measured(case, solver):
    """Return what became of one problem."""
    problem = wide(*case)
    began = time.process_time()
    result = rdc.solve(problem, solver, time_limit=60)
    return {
        "case": list(case),
        "least mass": float(problem.p_x.min()),
        "method": result.method,
        "status": result.status.name,
        "gap": result.gap,
        "seconds": time.process_time() - began,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", default="default", choices=["default", "ColumnGeneration", "InteriorPoint"])
    parser.add_argument("--quick", action="store_true", help="a first look: every 23rd problem")
    parser.add_argument("--save")
    options = parser.parse_args()
    solver = None if options.solver == "default" else getattr(rdc, options.solver)()
    rows = []
    for case in GRID[:: 23 if options.quick else 1]:
        rows.append(measured(case, solver))
        if not rows[-1]["gap"] <= GAP:
            print(*case, rows[-1]["status"], f"gap {rows[-1]['gap']:.1e}", flush=True)
    met = sum(row["gap"] <= GAP for row in rows)
    seconds = sum(row["seconds"] for row in rows)
    largest = max(row["gap"] for row in rows)
    print(f"{met} of {len(rows)} within {GAP:g}, largest gap {largest:.1e}, CPU {seconds:.1f} s")
    save(rows, options.save)


if __name__ == "__main__":
    main()
