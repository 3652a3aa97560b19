"""What limits on the law of the reproduction cost: CPU seconds of `solve`, its check included, on Gaussian grids.

python benchmarks/perception_speed.py [--quick] [--reach] [--repetitions 3] [--save FILE.json]

Even grids of n points in [-4, 4] (f-divergences: [-5, 5]), squared error, one thread, a proven gap of 1e-8. The last
column is the time beside that of the same problem without the limit; of limits that do not bind it is all they cost.
With `--reach` once each: grids of 1000 and 2000 points to 1e-6, and handwritten digits (scikit-learn) to 1e-5, half of
them as the source and 256 k-means centres of it as letters, within W2 between the law of the letters and the digits.
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import resource  # noqa: E402

import numpy as np  # noqa: E402
from markdown_table import clock, table  # noqa: E402
from measure import median_of, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.data import kmeans_codebook  # noqa: E402

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


def within(source, letters, distortion, case, tolerance):
    """Return the figures of one large problem, solved once."""
    name, D, P = case
    limits = [rdc.DistortionLimit(D), rdc.PerceptionLimit(P, "w2")]
    problem = rdc.Problem(source, letters, distortion, limits)
    found = median_of(lambda: rdc.solve(problem, tolerance=tolerance), 1)
    result, memory = found.value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (name, str(D), str(P), result.status.name, f"{result.gap:.1e}", str(result.steps)) + (
        clock(found.cpu),
        f"{memory:.2f} GB",
    )


def reach(is_quick):
    """Print the table of large problems, smallest first: memory is the most that was in use until then."""
    from sklearn.datasets import load_digits

    pixels = load_digits().data[:: 40 if is_quick else 2] / 16
    words = kmeans_codebook(pixels, 8 if is_quick else 256)
    distances = np.square(pixels[:, None] - words).sum(axis=2)
    source = rdc.Source(pixels, np.ones(len(pixels)), normalise=True)
    least = float(distances.min(axis=1).mean())
    cases = [(f"digits, {len(pixels)} x {len(words)}", D, round(least * P, 2)) for D, P in ((1.0, 1.1), (3.0, 1.5))]
    if is_quick:
        cases = [(name, round(2 * least, 2), P) for name, _, P in cases]
    rows = [within(source, words, distances, case, 1e-5) for case in cases]
    for n in (60,) if is_quick else (1000, 2000):
        rows.append(within(grid(n, 4), None, "squared_error", (f"line, {n}", 0.3, 0.01), 1e-6))
    table(("source", "D", "P", "status", "gap", "steps", "CPU", "memory so far"), rows)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small grids only")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--save", help="a JSON file")
    parser.add_argument("--reach", action="store_true", help="large problems instead")
    options = parser.parse_args()
    if options.reach:
        reach(options.quick)
        return
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
