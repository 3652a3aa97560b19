"""What limits on the law of the reproduction cost: CPU seconds of `solve`, its check included, on Gaussian grids.

python benchmarks/perception_speed.py [--quick] [--repetitions 3] [--save FILE.json]

Even grids of n points in [-4, 4] (f-divergences: [-5, 5]), squared error, one thread, a proven gap of 1e-8. The last
column is the time beside that of the same problem without the limit; of limits that do not bind it is all they cost.
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402

import numpy as np  # noqa: E402
from markdown_table import clock, table  # noqa: E402
from measure import median_of, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402

TOLERANCE = 1e-8
CASES = (  # measure, points, half width, limit on the distortion, limit on the law
    ("w2", 200, 4, 0.3, 0.01),
    ("w2", 200, 4, 0.5, 0.05),
    ("w2", 500, 4, 0.3, 0.01),
    ("w2", 500, 4, 0.5, 0.05),
    ("tv", 200, 4, 0.3, 0.05),
    ("kl", 400, 5, 0.3, 0.01),
    ("reverse_kl", 400, 5, 0.3, 0.01),
    ("chi2", 400, 5, 0.3, 0.02),
    ("hellinger", 400, 5, 0.3, 0.003),
    ("js", 400, 5, 0.3, 0.003),
    ("mmd", 200, 4, 0.3, 1e-3),
    ("exact", 200, 4, 0.3, 0.0),
    ("w2", 200, 4, 0.3, 10.0),
    ("kl", 200, 4, 0.3, 10.0),
)


def grid(n, half):
    """Return the Gaussian law on the centres of n equal cells."""
    edges = np.linspace(-half, half, n + 1)
    x = 0.5 * (edges[1:] + edges[:-1])
    return rdc.Source(x, np.exp(-x * x / 2), normalise=True)


def measured(case, repetitions):
    """Return the figures of one case."""
    measure, n, half, D, P = case
    source, loss = grid(n, half), rdc.DistortionLimit(D)
    kernel = 1.0 if measure == "mmd" else None
    bare = rdc.Problem(source, limits=[loss])
    problem = rdc.Problem(source, limits=[loss, rdc.PerceptionLimit(P, measure, kernel=kernel)])
    plain = median_of(lambda: rdc.solve(bare, tolerance=TOLERANCE), repetitions)
    limited = median_of(lambda: rdc.solve(problem, tolerance=TOLERANCE), repetitions)
    result = limited.value
    return {
        "measure": measure,
        "n": n,
        "D": D,
        "P": P,
        "status": result.status.name,
        "gap": result.gap,
        "steps": result.steps,
        "seconds": limited.cpu,
        "plain": plain.cpu,
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small grids only")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--save", help="a JSON file")
    options = parser.parse_args()
    cases = [(measure, 40, *rest) for measure, _, *rest in CASES] if options.quick else CASES
    rdc.solve(rdc.Problem(grid(20, 4), limits=[rdc.DistortionLimit(0.3), rdc.PerceptionLimit(0.01, "w2")]))  # loads
    rows = [measured(case, options.repetitions) for case in cases]
    header = ("measure", "n", "D", "P", "status", "gap", "steps", "CPU", "beside plain")
    shown = [
        (*(row[key] for key in ("measure", "n", "D", "P", "status")), f"{row['gap']:.1e}", row["steps"])
        + (clock(row["seconds"]), f"{row['seconds'] / row['plain']:.2f}")
        for row in rows
    ]
    table(header, [[str(value) for value in row] for row in shown])
    save(rows, options.save)


if __name__ == "__main__":
    main()
