"""Squared error between all points of large grids, at a multiplier or within a limit: CPU seconds, memory, proved gap.

A mixture of five normal densities on [-4, 4]^d. Every problem has a process of its own.

python benchmarks/grids.py [--quick] [--save FILE.json]
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
from measure import peak_megabytes, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402

CASES = (
    *((side, 2, {"distortion": 2.0}) for side in (32, 64, 128, 256, 512)),
    *((side, 3, {"distortion": 2.0}) for side in (24, 48)),
    *((side, 2, {"D": 0.45}) for side in (64, 128, 256)),
)
QUICK = CASES[:1]
TOLERANCE = 1e-6


def mixture(side, dim):
    """Return the masses, shape (side, ..., side), and the axes."""
    rng, axis = np.random.default_rng(0), np.linspace(-4, 4, side)
    total = np.zeros((side,) * dim)
    for _ in range(5):
        means, deviations, part = rng.uniform(-2, 2, dim), rng.uniform(0.3, 0.9, dim), rng.uniform(0.5, 1)
        for mean, deviation in zip(means, deviations, strict=True):
            part = np.multiply.outer(part, np.exp(-(((axis - mean) / deviation) ** 2) / 2))
        total += part
    return total / total.sum(), [axis] * dim


def measured(side, dim, stated):
    """Return what became of one problem, its check included, after everything is compiled and loaded."""
    warm = rdc.Problem(rdc.sources.grid(*mixture(32, 2))).at_multipliers(distortion=1.0)
    rdc.solve(warm, rdc.ColumnGeneration(), tolerance=1e-3)
    began = time.process_time()
    problem = rdc.Problem(rdc.sources.grid(*mixture(side, dim)))
    problem = problem.with_limits(**stated) if "D" in stated else problem.at_multipliers(**stated)
    result = rdc.solve(problem, rdc.ColumnGeneration(), tolerance=TOLERANCE, max_steps=500)
    solved = time.process_time()
    is_valid = result.verify(problem).valid
    return {
        "grid": "x".join([str(side)] * dim),
        "stated": stated,
        "status": result.status.name,
        "proof": result.proof.name,
        "gap": result.gap,
        "letters": int(result.letters.size),
        "CPU s": solved - began,
        "verify, CPU s": time.process_time() - solved,
        "valid": bool(is_valid),
        "peak MB": peak_megabytes(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest grid only")
    parser.add_argument("--save")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(*json.loads(options.one))))
        return
    rows = []
    for case in QUICK if options.quick else CASES:
        command = [sys.executable, __file__, "--one", json.dumps(case)]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(
            {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in rows[-1].items()}, flush=True
        )
    save(rows, options.save)


if __name__ == "__main__":
    main()
