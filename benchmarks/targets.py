"""Random targets D: does the channel meet them, how small is the proven gap, how long does it take?

python benchmarks/targets.py [--count 30] [--seed 0] [--problems P1a_100 P3] [--save FILE.json]
"""

import os
import sys

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import math  # noqa: E402

import numpy as np  # noqa: E402
from measure import median_of, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.testing import known_problems  # noqa: E402

PROBLEMS = ["P1a_100", "P1a_500", "P2", "P3", "P3b"]


def measure(name, count, seed):
    """Return the worst gap and violation over targets drawn log-uniformly between D_max / 1000 and D_max."""
    problem = known_problems()[name].problem
    largest = float((problem.p_x @ problem.losses[0].matrix).min())
    least = float(problem.p_x @ problem.losses[0].matrix.min(axis=1))
    shares = np.exp(np.random.default_rng(seed).uniform(math.log(1e-3), 0, count))
    rdc.solve(problem.with_limits(D=0.5 * largest))  # compiles
    gaps, violations, seconds, statuses, invalid = [], [], [], {}, 0
    for D in least + shares * (largest - least):
        limited = problem.with_limits(D=float(D))
        timed = median_of(lambda limited=limited: rdc.solve(limited), 1)
        result = timed.value
        verification = result.certificate.verify(limited)
        invalid += not verification.valid
        gaps.append(result.gap)
        violations.append(verification.excess["distortion"] / D)
        seconds.append(timed.cpu)
        statuses[result.status.name] = statuses.get(result.status.name, 0) + 1
    return {
        "problem": name,
        "count": count,
        "largest_gap": max(gaps),
        "largest_relative_violation": max(violations),
        "invalid": invalid,
        "median_cpu": float(np.median(seconds)),
        "largest_cpu": max(seconds),
        "statuses": statuses,
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--problems", nargs="+", default=PROBLEMS, choices=list(known_problems()))
    parser.add_argument("--quick", action="store_true", help="five targets each")
    parser.add_argument("--save", help="write the figures to this JSON file")
    options = parser.parse_args()
    count = min(options.count, 5) if options.quick else options.count
    print(f"{count} random targets D each, one thread, tolerance 1e-9\n")
    print(
        f"{'problem':10} {'largest gap':>12} {'violation':>10} {'invalid':>8} "
        f"{'median CPU':>11} {'largest CPU':>12}  statuses"
    )
    rows = []
    for name in options.problems:
        row = measure(name, count, options.seed)
        rows.append(row)
        statuses = ", ".join(f"{key} {value}" for key, value in row["statuses"].items())
        print(
            f"{name:10} {row['largest_gap']:12.1e} {row['largest_relative_violation']:10.1e} "
            f"{row['invalid']:8d} {row['median_cpu']:9.4f} s {row['largest_cpu']:10.4f} s  {statuses}"
        )
        sys.stdout.flush()
    save(rows, options.save)


if __name__ == "__main__":
    main()
