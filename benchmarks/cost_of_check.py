"""What the check of an answer costs, beside the solution that it checks: CPU time of both in the same runs.

python benchmarks/cost_of_check.py [--quick] [--repetitions 7] [--save FILE.json]

The problems: `known_problems()` at their multipliers and at a limit on the distortion, tiny ones, and some of each
family of `compare_problems.py` with label entropies and free letters. A solution counts with the check inside it: the
share is that of the check in `solve` as users call it. Marked are checks that take more than 10 % of the solution and
more than 0.3 ms.
"""

import os
import sys

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from compare_problems import DRAW, state  # noqa: E402
from markdown_table import clock, table  # noqa: E402
from measure import save  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.solvers import solve as _  # noqa: E402, F401 - loads the module
from rdcsolve.testing import known_problems  # noqa: E402

DOORS = [sys.modules[f"rdcsolve.solvers.{name}"] for name in ("solve", "small")]
MOST_SHARE, MOST_SECONDS = 0.1, 0.3e-3


class Clock:
    """Wraps `confirmed`, through which every answer leaves a solver, and adds up the CPU seconds inside it."""

    def __init__(self):
        self.checked, self.seconds, self.depth = DOORS[0].confirmed, 0.0, 0

    def __call__(self, *arguments):
        """Check, by the clock."""
        self.depth += 1
        began = time.process_time()
        try:
            return self.checked(*arguments)
        finally:
            self.depth -= 1
            if not self.depth:
                self.seconds += time.process_time() - began


def problems(quick):
    """Yield names, problems and options."""
    for name, known in known_problems().items():
        if quick and name not in ("P1a_100", "P2"):
            continue
        yield f"{name}, multiplier", known.problem, {}
        means = known.problem.p_x @ known.problem.losses[0].matrix
        yield f"{name}, limit", known.problem.with_limits(D=0.2 * float(means.min())), {}
    coin = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], D=0.1)
    yield "coin, limit", coin, {}
    yield "coin, least loss", coin.with_limits(D=None).minimising("distortion", rate=0.3), {}
    rng = np.random.default_rng(0)
    labels = rng.dirichlet([1, 1], 4)
    yield "4 x 4, label", rdc.Problem.from_arrays([0.25] * 4, 1 - np.eye(4), labels, D=0.3, C=0.6), {}
    for family, numbers in (("label", (0, 1, 3, 9, 20, 70)), ("free", (1, 2, 4, 5))):
        for number in numbers[:1] if quick else numbers:
            drawn = DRAW[family](number)
            yield f"{family} {number}", state(drawn), {"tolerance": drawn.tolerance}


def measure(name, problem, options, repetitions):
    """Return the medians over some solutions, after one that compiles."""
    clock = Clock()
    for door in DOORS:
        door.confirmed = clock
    try:
        result = rdc.solve(problem, **options)
        whole, checks = [], []
        for _ in range(repetitions):
            clock.seconds, began = 0.0, time.process_time()
            rdc.solve(problem, **options)
            whole.append(time.process_time() - began)
            checks.append(clock.seconds)
            if sum(whole) > 3:
                break
    finally:
        for door in DOORS:
            door.confirmed = clock.checked
    solution, check = float(np.median(whole)), float(np.median(checks))
    share = float(np.median(np.array(checks) / np.array(whole)))
    dear = share > MOST_SHARE and check > MOST_SECONDS
    size = f"{problem.n_x} x {problem.n_letters if problem.free is None else 'free'}"
    return {
        "problem": name,
        "size": size,
        "status": result.status.name,
        "solution": solution,
        "check": check,
        "share": share,
        "dear": dear,
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few problems")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--save", help="write the figures to this JSON file")
    options = parser.parse_args()
    rows = [measure(*one, options.repetitions) for one in problems(options.quick)]
    table(
        ["problem", "size", "status", "solution, CPU", "check, CPU", "share"],
        [
            [
                row["problem"],
                row["size"],
                row["status"],
                clock(row["solution"]),
                f"{1e3 * row['check']:.2f} ms",
                f"{100 * row['share']:.1f} %" + (" (!)" if row["dear"] else ""),
            ]
            for row in rows
        ],
    )
    save(rows, options.save)


if __name__ == "__main__":
    main()
