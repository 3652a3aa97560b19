"""Fixed letters: how often does the default run find what the best of 200 random starts finds, and is it ever below the
bound of split letters? Where label multipliers are at most one, do the two agree?

python benchmarks/fixed_letters.py [--count 200] [--seed 0] [--starts 200] [--quick] [--save FILE.json]
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from measure import save  # noqa: E402

from rdcsolve.information import conditional_entropy, mutual_information  # noqa: E402
from rdcsolve.problems import Problem  # noqa: E402
from rdcsolve.solvers import solve  # noqa: E402
from rdcsolve.solvers.stationary.alternation import Alternation, solve_fixed  # noqa: E402

CLOSE = 1e-5  # of 1 + |value|


def draw(rng, letters):
    """Return a random problem: half at targets that some channel meets, the rest at multipliers or a least loss."""
    n_x, n_y, n_s = rng.integers(3, 7), rng.integers(2, 6), rng.integers(2, 4)
    p, d = rng.dirichlet(np.ones(n_x)), rng.random((n_x, n_y))
    w = rng.dirichlet(np.full(n_s, rng.choice([0.2, 0.5, 1.0])), size=n_x)
    base = Problem.from_arrays(p, d, w, C=math.inf, letters=letters)
    kind = rng.choice(["rate", "rate", "multipliers", "least"])
    if kind == "multipliers":
        return base.at_multipliers(distortion=10 ** rng.uniform(-0.5, 1.5), label_entropy=10 ** rng.uniform(0, 1.3))
    channel = rng.dirichlet(np.full(n_y, 0.3), size=n_x)
    D, C = float(p @ (channel * d).sum(axis=1)), conditional_entropy(p, w, channel)
    if kind == "rate":
        return base.with_limits(D=D, C=C)
    rate = mutual_information(p, channel)
    if rng.random() < 0.5:
        return base.with_limits(D=D, rate=rate).minimising("label_entropy")
    return base.with_limits(C=C, rate=rate).minimising("distortion")


def compare(seed, starts):
    """Return what the default run and the best of `starts` random ones attain on one problem, and their seconds."""
    problem = draw(np.random.default_rng(seed), "fixed")
    row = {"seed": seed, "problem": repr(problem)}
    searches = {
        "default": Alternation(),
        "random": Alternation(starts=starts, rng=seed + 1, anneal=False, informed=False),
    }
    for name, settings in searches.items():
        began = time.perf_counter()
        result = solve_fixed(problem, settings)
        value = result.objective_upper if math.isfinite(result.objective_upper) else math.inf
        row |= {name: value, f"{name}_seconds": time.perf_counter() - began, f"{name}_status": result.status.name}
    split = solve(draw(np.random.default_rng(seed), "split"))
    row |= {"split_lower": split.objective_lower, "split_proof": split.proof.name, "split_gap": split.gap}
    both = row["default"], row["random"]
    row["contradicted"] = bool(split.objective_lower > min(both) + 1e-12 * (1 + abs(min(both))))
    row["excess"] = 0.0 if math.isinf(both[0]) and math.isinf(both[1]) else both[0] - both[1]
    row["close"] = bool(row["excess"] <= CLOSE * (1 + abs(both[1])))
    return row


def agree(seed):
    """Return by how much fixed letters exceed split ones where the label multiplier is at most one."""
    rng = np.random.default_rng(seed)
    n_x, n_y, n_s = rng.integers(3, 7), rng.integers(2, 6), rng.integers(2, 4)
    p, d = rng.dirichlet(np.ones(n_x)), rng.random((n_x, n_y))
    w = rng.dirichlet(np.full(n_s, rng.choice([0.2, 0.5, 1.0])), size=n_x)
    at = {"distortion": 10 ** rng.uniform(-0.5, 1.5), "label_entropy": rng.uniform(0.05, 1.0)}
    fixed, split = (
        solve(Problem.from_arrays(p, d, w, C=math.inf, letters=letters).at_multipliers(**at))
        for letters in ("fixed", "split")
    )
    return fixed.objective_upper - split.objective_lower


def main():
    """Print the share of problems on which the default run is as good, and the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="20 problems, 50 starts")
    parser.add_argument("--save", help="write the figures to this JSON file")
    options = parser.parse_args()
    count, starts = (20, 50) if options.quick else (options.count, options.starts)
    rows = [compare(1000 * options.seed + trial, starts) for trial in range(count)]
    close = sum(row["close"] for row in rows)
    better = sum(row["excess"] < -CLOSE * (1 + abs(row["random"])) for row in rows)
    print(f"{count} problems, n_x 3-6, n_y 2-5, n_s 2-3; default run against the best of {starts} random starts\n")
    proofs = sorted({row["split_proof"] for row in rows})
    contradicted = sum(row["contradicted"] for row in rows)
    print(f"split letters: {', '.join(proofs)}; lower bound above a value of fixed letters: {contradicted}")
    apart = max(agree(1000 * options.seed + trial) for trial in range(count // 4))
    print(f"label multipliers at most one, {count // 4} problems: fixed at most {apart:.1e} above the bound of split")
    print(f"within {CLOSE:g} or better: {close} of {count} ({100 * close / count:.1f} %), better: {better}")
    print(
        "median seconds: "
        + ", ".join(f"{n} {np.median([r[f'{n}_seconds'] for r in rows]):.3f}" for n in ("default", "random"))
    )
    for status in sorted({row["default_status"] for row in rows}):
        print(f"status {status}: {sum(row['default_status'] == status for row in rows)}")
    print(f"\n{'seed':>6} {'default':>13} {'random':>13} {'excess':>9}  problem")
    for row in sorted(rows, key=lambda row: -row["excess"])[:10]:
        print(f"{row['seed']:6d} {row['default']:13.9f} {row['random']:13.9f} {row['excess']:9.1e}  {row['problem']}")
    save(rows, options.save)


if __name__ == "__main__":
    main()
