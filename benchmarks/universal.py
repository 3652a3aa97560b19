"""Universal rates: the corner law against tuples, zero penalties, and the size of tuple problems.

python benchmarks/universal.py [--count 50] [--thetas 100] [--seed 0] [--quick] [--save FILE.json]
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from measure import save  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.information import conditional_entropy  # noqa: E402


def corner_against_tuples(seed):
    """Return how far the two laws are apart on a random source with split letters and two crossed targets."""
    rng = np.random.default_rng(seed)
    n_x, n_y, n_s = (int(rng.integers(low, high)) for low, high in ((3, 7), (2, 6), (2, 4)))
    p, d, label = rng.dirichlet(np.ones(n_x)), rng.random((n_x, n_y)), rng.dirichlet(np.full(n_s, 0.5), n_x)
    channels = [rng.dirichlet(np.full(n_y, 0.3), n_x) for _ in range(2)]
    D = sorted(float(p @ (one * d).sum(axis=1)) for one in channels)
    C = sorted(conditional_entropy(p, label, one) for one in channels)
    targets = [(D[0], C[1]), (D[1], C[0])]
    problem = rdc.Problem.from_arrays(p, d, label, C=math.inf)
    laws = [rdc.universal_rate(problem, targets, tolerance=1e-8, method=law) for law in ("corner", "tuples")]
    apart = max(laws[0].rate_lower - laws[1].rate_upper, laws[1].rate_lower - laws[0].rate_upper)
    return {
        "seed": seed,
        "difference": abs(laws[0].rate_upper - laws[1].rate_upper),
        "contradiction": bool(apart > 0),
        "certified": all(one.proof is rdc.Proof.CERTIFIED for one in laws),
        "penalty": laws[0].penalty_lower,
    }


def gaussian():
    """Return a discretised Gaussian pair with free letters, and the ends of its label entropy."""
    source = rdc.sources.gaussian_pair(n_x=41, n_s=15, half_width=4.0)
    problem = rdc.Problem(source, reproduction="free", limits=[rdc.LabelEntropyLimit(math.inf)])
    ends = [conditional_entropy(source.p_x, source.labels[0], one) for one in (np.eye(41), np.ones((41, 1)))]
    return problem, 0.15, 1.0, ends[0] + 0.4 * (ends[1] - ends[0]), ends[1]


def binary():
    """Return a symmetric binary pair under Hamming loss, and the ends of its label entropy."""
    source = rdc.sources.binary_pair(0.5, 0.1)
    problem = rdc.Problem(source, distortion="hamming", limits=[rdc.LabelEntropyLimit(math.inf)])
    return problem, 0.01, 0.5, rdc.information.binary_entropy(0.1) * 1.01, math.log(2)


def penalty_of(make, seed, tolerance):
    """Return the penalty of a random Theta of two to five targets."""
    problem, *ends = make()
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    targets = list(zip(rng.uniform(ends[0], ends[1], size), rng.uniform(ends[2], ends[3], size), strict=True))
    found = rdc.universal_rate(problem, targets, tolerance=tolerance)
    implied = found.penalty_lower == found.penalty_upper == 0  # one target implies all others
    bounds = {"lower": found.penalty_lower, "upper": found.penalty_upper, "proof": found.penalty_proof.name}
    return {**bounds, "implied": implied, "certified_rate": found.proof.name == "CERTIFIED"}


def digits(n_letters, n_images, count):
    """Return time and bounds of one encoder for targets along the trade-off of digits with a fixed classifier."""
    from rdcsolve.cli.demo.digits import CROSS_ENTROPY, Sizes, state

    problem = state(Sizes(n_letters=n_letters, n_images=n_images)).problem
    boundary = rdc.tradeoff(problem, 1.0, n_points=count, tolerance=1e-5)
    points = zip(boundary.objective_upper.values, boundary[CROSS_ENTROPY].values, strict=True)
    targets = [(float(D), float(C)) for D, C in points]
    began = time.perf_counter()
    found = rdc.universal_rate(problem, targets, tolerance=1e-4)
    seconds = time.perf_counter() - began
    bounds = {"lower": found.penalty_lower, "upper": found.penalty_upper, "proof": found.penalty_proof.name}
    sizes = {"letters": n_letters, "images": n_images, "tuples": n_letters**count, "messages": found.q.size}
    return {**sizes, "seconds": seconds, "gap": found.gap, **bounds}


def main():
    """Print the figures of each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--thetas", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="at most 5 sources and 5 sets of targets, small digits")
    parser.add_argument("--save", help="write the figures to this JSON file")
    options = parser.parse_args()
    most = 5 if options.quick else math.inf
    count, thetas = min(options.count, most), min(options.thetas, most)
    rows = [corner_against_tuples(1000 * options.seed + k) for k in range(count)]
    print(
        f"{count} random sources, corner law against tuples: largest difference of the upper bounds "
        f"{max(row['difference'] for row in rows):.1e} nat, contradictions "
        f"{sum(row['contradiction'] for row in rows)}, certified {sum(row['certified'] for row in rows)}, "
        f"positive penalties {sum(row['penalty'] > 1e-7 for row in rows)}"
    )
    report = [{"part": "corner", **row} for row in rows]
    for name, make, tolerance in (("Gaussian", gaussian, 1e-5), ("binary", binary, 1e-7)):
        began = time.perf_counter()
        found = [penalty_of(make, 1000 * options.seed + k, tolerance) for k in range(thetas)]
        seconds = time.perf_counter() - began
        print(
            f"{thetas} random Theta, {name}: largest penalty_lower {max(f['lower'] for f in found):.1e}, largest "
            f"penalty_upper {max(f['upper'] for f in found):.1e} nat, certified "
            f"{sum(f['proof'] == 'CERTIFIED' for f in found)} (one target implies all others: "
            f"{sum(f['implied'] for f in found)}; rate certified: {sum(f['certified_rate'] for f in found)}), "
            f"{seconds:.0f} s"
        )
        report += [{"part": name, **row} for row in found]
    sizes = [(16, 60, 2)] if options.quick else [(48, 200, 3), (64, 300, 3), (256, 898, 2)]
    for row in (digits(*size) for size in sizes):
        report.append({"part": "digits", **row})
        print(
            f"digits, {row['letters']} letters, {row['images']} images, {row['tuples']} tuples: penalty "
            f"{row['lower']:.6f} to {row['upper']:.6f} nat, {row['proof']}, gap {row['gap']:.1e} nat, "
            f"{row['messages']} messages, {row['seconds']:.1f} s"
        )
    save(report, options.save)


if __name__ == "__main__":
    main()
