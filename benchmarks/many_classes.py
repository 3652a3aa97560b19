"""Labels of five and more noisy classes at multipliers above one: what is proved, and at what price.

python benchmarks/many_classes.py [--quick] [--budget 10] [--only WORD] [--save FILE.json]

Random sources of 64 symbols whose conditionals are drawn from Dirichlet(0.3), at multipliers of the label; ten classes
at a multiplier where no rate pays; "meanings", whose conditionals are bells on a line; the pair of Gaussians on a grid
at limits that need a given rate, where all decisions along a curve are optimal in the continuum, and under a limit on
the distortion beside that. Figures: status and proof, the gap that is proved, what the relaxations alone prove, CPU
seconds of the search alone and of the whole, the share of the check, and the size of the file.
"""

import os
import sys

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import math  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from markdown_table import clock, table  # noqa: E402
from measure import save  # noqa: E402

import rdcsolve as rdc  # noqa: E402

TOLERANCE = 1e-6


def at_multiplier(p, label, multiplier):
    """Return the problem of a label alone, at a multiplier."""
    problem = rdc.Problem.from_arrays(p, np.zeros((p.size, 1)), label, C=math.inf)
    return problem.at_multipliers(label_entropy=multiplier)


def random_classes(n, n_classes, multiplier, seed=1):
    """Conditionals drawn from Dirichlet(0.3)."""
    rng = np.random.default_rng(seed)
    return at_multiplier(rng.dirichlet(np.ones(n)), rng.dirichlet(np.full(n_classes, 0.3), n), multiplier)


def meanings(n_classes, multiplier):
    """Conditionals that are bells of different widths on a line."""
    rng, places = np.random.default_rng(0), np.linspace(0, 1, n_classes)
    centres, widths = rng.uniform(0, 1, 3 * n_classes), rng.uniform(0.04, 0.12, 3 * n_classes)
    label = np.exp(-0.5 * ((places - centres[:, None]) / widths[:, None]) ** 2)
    return at_multiplier(
        rng.dirichlet(np.full(3 * n_classes, 3.0)), label / label.sum(axis=1, keepdims=True), multiplier
    )


def gaussian(rho, rate, n_x, n_s):
    """A Gaussian label under a limit that needs a rate, on a grid."""
    source = rdc.sources.gaussian_pair(rho, n_x=n_x, n_s=n_s)
    step = float(np.ptp(source.points)) / (n_s - 1)
    limit = float(rdc.theory.gaussian.critical_label_entropy(rate, rho)) - math.log(step)
    return rdc.Problem.from_arrays(source.p_x, np.zeros((n_x, 1)), source.labels[0], C=limit)


def gaussian_within(D, C):
    """A Gaussian label under two limits that both bind, with 100 reproduction symbols."""
    source = rdc.sources.gaussian_pair(0.7, n_x=61, n_s=21)
    loss = (source.points - np.linspace(-3, 3, 100)) ** 2
    return rdc.Problem.from_arrays(source.p_x, loss, source.labels[0], D=D, C=C)


def random_table(n, n_classes, multiplier):
    """A table of many rows, as counts of words in documents make one."""
    rng = np.random.default_rng(0)
    return at_multiplier(rng.dirichlet(np.ones(n)), rng.dirichlet(np.full(n_classes, 0.3), n), multiplier)


def digits(multiplier):
    """What a logistic regression says of the 1797 digits that scikit-learn brings, or None without it."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return None
    images, classes = load_digits(return_X_y=True)
    label = LogisticRegression(C=0.01, max_iter=200).fit(images / 16, classes).predict_proba(images / 16)
    return at_multiplier(np.full(len(images), 1 / len(images)), label, multiplier)


def problems(quick):
    """Yield names and problems."""
    random = [(5, 3), (6, 3), (7, 3), (8, 3), (10, 3)]
    for n_classes, multiplier in random[:1] if quick else random:
        yield f"{n_classes} random classes", random_classes(64, n_classes, multiplier)
    if quick:
        return
    yield "7 random classes", random_classes(64, 7, 5)
    yield "10 random classes, 256 symbols", random_classes(256, 10, 1.5, seed=0)
    yield "20 meanings", meanings(20, 1.5)
    yield "50 meanings", meanings(50, 1.5)
    for rate in (0.2, 0.3, 0.5, 1.0):
        yield f"Gaussian pair 61 x 21, rate {rate}", gaussian(0.7, rate, 61, 21)
    yield "Gaussian pair 61 x 21, D and C", gaussian_within(0.5, 1.9)
    for rho, rate in ((0.7, 0.3), (0.95, 1.0)):
        yield f"Gaussian pair 401 x 201, rho {rho}, rate {rate}", gaussian(rho, rate, 401, 201)
    for multiplier in (1.5, 3, 5):
        problem = digits(multiplier)
        if problem is not None:
            yield "ten soft classes of digits", problem
    for n, n_classes in ((1500, 20), (330, 330)):
        yield f"random table, {n} x {n_classes}", random_table(n, n_classes, 3)


def measure(name, problem, budget):
    """Return the figures of one problem."""
    began = time.process_time()
    without = rdc.solve(problem, tolerance=TOLERANCE, proof_budget=0)
    search = time.process_time() - began
    began = time.process_time()
    result = rdc.solve(problem, tolerance=TOLERANCE, proof_budget=budget)
    whole = time.process_time() - began
    began = time.process_time()
    found = result.verify(problem)
    check = time.process_time() - began
    assert found.valid, found
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder) / "result.npz")
        size = (Path(folder) / "result.npz").stat().st_size / 1e6
    return {
        "name": name,
        "multiplier": result.multipliers["label_entropy"],
        "status": result.status.name,
        "proof": result.proof.name,
        "gap": result.objective_upper - result.proved_lower,
        "without": without.objective_upper - without.proved_lower,
        "search": search,
        "whole": whole,
        "check": check,
        "megabytes": size,
    }


def show(rows):
    """Print the table."""
    header = ["problem", "multiplier", "answer", "gap proved", "without cells", "search", "in all", "check", "file"]
    table(
        header,
        [
            [
                row["name"],
                f"{row['multiplier']:.3g}",
                f"{row['status']}, {row['proof']}",
                f"{row['gap']:.1e}",
                f"{row['without']:.1e}",
                clock(row["search"]),
                clock(row["whole"]),
                clock(row["check"]),
                f"{row['megabytes']:.1f} MB",
            ]
            for row in rows
        ],
    )


def main():
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one problem")
    parser.add_argument("--only", default="", help="problems whose names have this in them")
    parser.add_argument("--budget", type=float, default=10.0, help="CPU seconds for each proof")
    parser.add_argument("--save", help="JSON file for the figures")
    options = parser.parse_args()
    measure("once to compile", random_classes(16, 5, 3.0), 1.0)
    rows = []
    for name, problem in problems(options.quick):
        if options.only not in name:
            continue
        rows.append(measure(name, problem, options.budget))
        sys.stderr.write(f"{rows[-1]}\n")
    show(rows)
    save(rows, options.save)


if __name__ == "__main__":
    main()
