"""Published algorithms for limits on the law of the reproduction, on examples of their kind, beside a certified solve.

python benchmarks/published_perception.py [--quick] [--iterations 5000] [--save FILE.json]

They work at given multipliers, and so does the library here: the least of I + lambda E d + nu d(p, q). What is shown is
the CPU time, one thread, until the value of an iterate's channel is within so much of the certified one. By themselves
they prove nothing; the last column is the gap that their best iterate would prove with the bound of the library.

- entropic barycentre alternation (Chen et al. 2023, arXiv 2304.14611): one scaling of the channel and of a
  transport plan with an entropy of weight epsilon, in turn; squared error and squared Wasserstein distance;
- relaxed alternating minimisation (Serra, Stavrou and Kountouris 2023, arXiv 2305.04604): Blahut and Arimoto's step
  with the slope of the f-divergence at the law of the step before;
- Newton-based alternating minimisation (Serra, Stavrou and Kountouris 2024, arXiv 2408.15015): the same with the slope
  at the law that the step itself makes, an equation that Newton's method solves.
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from markdown_table import clock, table  # noqa: E402
from measure import median_of, save  # noqa: E402
from scipy.special import logsumexp  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.information import mutual_information  # noqa: E402
from rdcsolve.perception import DIVERGENCES, distance, support  # noqa: E402

AIMS = (1e-3, 1e-5, 1e-7)  # nats
_MOST_NEWTON = 30


def barycentre(p, d, slopes, epsilon):
    """Yield channels and (u, prices of places) of the entropic alternation; the cost of the plan is d too."""
    slope, nu = slopes
    r, w = np.full(p.size, 1 / p.size), np.zeros(p.size)
    plan = -nu * d / epsilon
    while True:
        kernel = np.exp(-slope * d)
        u = -np.log(kernel @ (r * np.exp(-w)))
        prices = (p * np.exp(u)) @ kernel
        f = epsilon * logsumexp(plan + w / epsilon, axis=1)
        other = logsumexp(plan + (np.log(p) - f / epsilon)[:, None], axis=0)
        w = epsilon / (1 + epsilon) * (np.log(r) + np.log(prices) - other)
        r = r * np.exp(-w) * prices
        r /= r.sum()
        channel = r * np.exp(-w) * kernel
        yield channel / channel.sum(axis=1, keepdims=True), u


def relaxed(p, d, slopes, measure):
    """Yield channels and u of the relaxed alternating minimisation under an f-divergence."""
    slope, nu = slopes
    q = np.full(p.size, 1 / p.size)
    while True:
        w = nu * DIVERGENCES[measure].slope(q / p)
        channel = q * np.exp(-w - slope * d)
        sums = channel.sum(axis=1, keepdims=True)
        channel = channel / sums
        q = p @ channel
        yield channel, -np.log(sums[:, 0])


def newton_based(p, d, slopes, measure):
    """Yield channels and u of the Newton-based alternating minimisation under an f-divergence."""
    slope, nu = slopes
    divergence = DIVERGENCES[measure]
    r = q = np.full(p.size, 1 / p.size)
    while True:
        for _ in range(_MOST_NEWTON):
            exponents = np.log(r) - nu * divergence.slope(q / p) - slope * d
            sums = logsumexp(exponents, axis=1)
            channel = np.exp(exponents - sums[:, None])
            law = p @ channel
            missed = law - q
            if np.abs(missed).max() <= 1e-12:
                break
            moved = (channel.T * p) @ channel - np.diag(law)
            step = np.linalg.solve(np.eye(p.size) - moved * (nu * divergence.bend(q / p) / p), missed)
            q = q + min(1.0, 0.9 / max(float((-step / q).max()), 1e-300)) * step
        r = q = law
        yield channel, -sums


def followed(points, value, lower, known, iterations):
    """Return CPU seconds until each aim is reached, nan if it is not, and the best proven gap."""
    spent, reached, best = 0.0, [np.nan] * len(AIMS), (np.inf, -np.inf)
    for _ in range(iterations):
        began = time.process_time()
        channel, u = next(points)
        spent += time.process_time() - began
        found = value(channel)
        best = min(best[0], found), max(best[1], lower(u))
        for k, aim in enumerate(AIMS):
            if np.isnan(reached[k]) and abs(found - known) <= aim:
                reached[k] = spent
        if not np.isnan(reached[-1]) or not np.isfinite(found):
            break
    return reached, best[0] - best[1]


def compared(name, problem, algorithms, iterations):
    """Return the rows of one example: the library's, and those of the algorithms."""
    bounds = rdc.solve(problem, tolerance=1e-9)
    slopes = bounds.multipliers["distortion"], bounds.multipliers["perception"]
    given = problem.at_multipliers(distortion=slopes[0], perception=slopes[1])
    ours = median_of(lambda: rdc.solve(given, tolerance=AIMS[-1]), 3)
    known = rdc.solve(given, tolerance=1e-10).objective_lower
    p, d, perception = problem.p_x, problem.linear_losses[0].block(), problem.perceptions[0]

    def value(channel):
        mean = float(p @ (channel * d).sum(axis=1))
        return mutual_information(p, channel) + slopes[0] * mean + slopes[1] * distance(perception, p @ channel)

    def lower(u):
        w = logsumexp(np.log(p)[:, None] + u[:, None] - slopes[0] * d, axis=0)
        level = slopes[1] * float(logsumexp(w / slopes[1], b=p)) if perception.measure == "kl" else 0.0
        return float(p @ u) - support(perception, w, slopes[1], level)

    rows = [{"example": name, "algorithm": "rdcsolve", "seconds": [ours.cpu] * len(AIMS), "gap": ours.value.gap}]
    for words, points in algorithms(p, d, slopes):
        reached, gap = followed(points, value, lower, known, iterations)
        rows.append({"example": name, "algorithm": words, "seconds": reached, "gap": gap})
    return rows


def gaussian(n):
    """Return the Gaussian law on n points of [-4, 4]."""
    x = np.linspace(-4, 4, n)
    return rdc.Source(x, np.exp(-x * x / 2), normalise=True)


def stated(source, D, P, measure):
    """Return squared error, or Hamming distance, within D and a measure within P."""
    return rdc.Problem(source, limits=[rdc.DistortionLimit(D), rdc.PerceptionLimit(P, measure)])


def alternations(p, d, slopes):
    """Return the entropic alternation with several weights of the plan's entropy."""
    return [(f"barycentre, epsilon {one:g}", barycentre(p, d, slopes, one)) for one in (0.1, 0.03, 0.01)]


def relaxations(p, d, slopes):
    """Return the relaxed and the Newton-based alternating minimisation for KL(q | p)."""
    return [
        ("relaxed alternation", relaxed(p, d, slopes, "kl")),
        ("Newton-based alternation", newton_based(p, d, slopes, "kl")),
    ]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small grids only")
    parser.add_argument("--iterations", type=int, default=5000)
    parser.add_argument("--save", help="a JSON file")
    options = parser.parse_args()
    n = 20 if options.quick else 100
    coin = rdc.Problem.from_arrays([0.9, 0.1], [[0, 1], [1, 0]], D=0.05, P=0.01, perception="kl")
    rows = [
        *compared(f"Gaussian, {n} points, w2", stated(gaussian(n), 0.3, 0.01, "w2"), alternations, options.iterations),
        *compared(f"Gaussian, {n} points, kl", stated(gaussian(n), 0.3, 0.01, "kl"), relaxations, options.iterations),
        *compared("coin 0.1, kl", coin, relaxations, options.iterations),
    ]
    table(
        ("example", "algorithm", *(f"to {aim:g}" for aim in AIMS), "proven gap"),
        [(row["example"], row["algorithm"], *map(_shown, row["seconds"]), f"{row['gap']:.1e}") for row in rows],
    )
    save(rows, options.save)


def _shown(seconds):
    return "-" if np.isnan(seconds) else clock(seconds)


if __name__ == "__main__":
    main()
