"""Theorems 4 and 5 of the paper on random sources, and what one encoder costs a vector Gaussian source.

python benchmarks/theorems.py [--parts encoders free points elsewhere vector] [--quick] [--sources N] [--save FILE.json]
"""

import os
import sys

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import collections  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from markdown_table import clock, table  # noqa: E402
from measure import median_of, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.information import entropy  # noqa: E402
from rdcsolve.theory import general, theorem_4, theorem_5, vector_gaussian  # noqa: E402

TOLERANCE = 1e-5
SLACK = 1e-4  # what the tolerances of three solutions add up to; of the variance, where that is above one
FIXED = rdc.Alternation(starts=2, max_steps=500, polish=1)  # a search for violations needs speed, not the last digit
READINGS = {"decoded": "D1", "law_of_source": "law of X", "law_of_third": "law of Xhat3"}


def random_source(rng, most=6):
    """Return a source of two to `most` points on the line or in the plane, with a noisy binary label."""
    n_x, dim = int(rng.integers(2, most + 1)), int(rng.integers(1, 3))
    return rdc.Source(rng.normal(size=(n_x, dim)), rng.dirichlet(np.ones(n_x)), [rng.dirichlet([0.4, 0.4], n_x)])


# ------------------------------------------------------------------------------------- Theorem 4


def encoders(count):
    """Evaluate Theorem 4 for random encoders, a third of which have two letters with one conditional mean."""
    rng = np.random.default_rng(0)
    verdicts, slacks, errors = collections.Counter(), [], []
    for index in range(count):
        source = random_source(rng)
        encoder = rng.dirichlet(np.full(4, 0.3), source.n_x)
        if index % 3 == 0:  # a mirror image of everything, told apart by Z alone
            source, encoder = mirrored(source)
        if index % 3 == 1:  # Z tells the symbol
            encoder = np.eye(source.n_x)
        found = theorem_4(encoder, source)
        verdicts["a is extreme"] += found.a_is_extreme
        verdicts["b is in the region"] += found.b_is_in_region
        for name in ("any_coupling", "optimal_coupling"):
            reading = getattr(found, name)
            verdicts[f"{name} contains"] += reading.contains_region
            verdicts[f"{name} within"] += reading.within_region
        decoder, places = rng.dirichlet(np.full(3, 0.3), encoder.shape[1]), rng.normal(size=(3, source.dim))
        terms = general.distortion_terms(encoder, decoder, places, source)
        errors.append(abs(terms.distortion - terms.mmse - terms.displacement))
        slacks.append(terms.displacement - terms.transport)
    return [{"count": count, "verdicts": dict(verdicts), "least_slack": min(slacks), "largest_error": max(errors)}]


def mirrored(source):
    """Return the centred source and its mirror image with the classes exchanged, under an encoder of the half alone."""
    centred = source.points - source.p_x @ source.points  # so that both halves have the mean 0
    label = np.vstack([source.labels[0], source.labels[0][:, ::-1]])
    both = rdc.Source(np.vstack([centred, -centred]), np.r_[source.p_x, source.p_x] / 2, [label])
    return both, np.repeat(np.eye(2), source.n_x, axis=0)


def show_encoders(rows):
    """Print the table."""
    row = rows[0]
    table(["encoders", *row["verdicts"]], [[str(row["count"]), *map(str, row["verdicts"].values())]])
    print(f"E|X - Xhat|^2 = mmse + displacement to {row['largest_error']:.0e}; displacement - W2^2 >= ", end="")
    print(f"{row['least_slack']:.0e}\n")


# ------------------------------------------------------------------------------------- Theorem 5


def free(count):
    """Compare both sides of (12) and (13) with reproductions anywhere."""
    return [violations(count, lambda rng, source: "free", most=6, seed=1)]


def points(count):
    """The same with the source's own points for reproductions, one letter each."""
    return [violations(count, lambda rng, source: source.points, most=4, seed=2)]


def elsewhere(count):
    """The same with three random points for reproductions."""
    return [violations(count, lambda rng, source: rng.normal(size=(3, source.dim)), most=4, seed=3)]


def violations(count, reproduction, most, seed):
    """Return how often the inequalities fail, by the reading of D(b)."""
    rng, began = np.random.default_rng(seed), time.process_time()
    statuses, fails, kept = collections.Counter(), collections.Counter(), []
    slack = {"(12)": math.inf, "sharper": math.inf}
    for index in range(count):
        source = random_source(rng, most)
        rate = rng.uniform(0.1, 0.9) * entropy(source.p_x)
        found, names = evaluate(source, reproduction(rng, source), rate)
        statuses.update(names)
        if found is None:
            fails["no answer"] += 1
            continue
        if math.isnan(found.bound_12):
            fails["root of a negative number"] += 1
            continue
        relative = SLACK / min(1.0, found.variance)
        fails["premise"] += found.D1 > found.mmse_third + relative * found.variance
        fails["assumption holds"] += found.assumption_holds
        fails["printed root is real"] += not math.isnan(found.bound_12_as_printed)
        for reading in READINGS:
            fails[f"(12) {reading}"] += not found.holds_12(relative)[reading]
            fails[f"(13) {reading}"] += not found.holds_13(relative)[reading]
        excess = (found.gap["decoded"] - found.bound_12) / found.variance
        sharper = (found.gap["decoded"] - found.sharper_bound_12) / found.variance
        fails["sharper"] += sharper < -relative
        slack = {"(12)": min(slack["(12)"], excess), "sharper": min(slack["sharper"], sharper)}
        if excess < -relative:
            kept.append({"index": index, "rate": rate, "excess": excess})
        if index % 50 == 0:
            print(f"  {index}/{count} {dict(fails)}", flush=True, file=sys.stderr)
    return {
        "count": count,
        "statuses": dict(statuses),
        "fails": dict(fails),
        "slack": slack,
        "kept": kept,
        "cpu": time.process_time() - began,
    }


def evaluate(source, reproduction, rate):
    """Return Theorem 5 for the channels of least distortion and of least label entropy, and how they were found."""
    limits = [rdc.LabelEntropyLimit(math.inf)]
    letters = {} if isinstance(reproduction, str) else {"letters": "fixed"}
    problem = rdc.Problem(source, reproduction, limits=limits, **letters)
    solver = FIXED if letters else None

    def solve(stated):
        return rdc.solve(stated, solver, tolerance=TOLERANCE)

    first = solve(problem.minimising("distortion", rate=rate))
    least = solve(problem.minimising("label_entropy", rate=rate))
    third = solve(problem.with_limits(C=least.label_entropy + 2 * TOLERANCE).minimising("distortion", rate=rate))
    names = [found.status.name for found in (first, least, third)]
    if not (first.channel.size and third.channel.size):
        return None, names
    places = {}
    if letters:
        places = {"first_points": reproduction[first.letters], "third_points": reproduction[third.letters]}
    return theorem_5(source, first.channel, third.channel, **places), names


def show_violations(rows):
    """Print one table for all alphabets."""
    lines = []
    for row in rows:
        fails = collections.Counter(row["fails"])
        usable = row["count"] - fails["no answer"] - fails["root of a negative number"]
        lines.append(
            [
                row["part"],
                str(usable),
                str(fails["root of a negative number"]),
                *(str(fails[f"(12) {reading}"]) for reading in READINGS),
                *(str(fails[f"(13) {reading}"]) for reading in READINGS),
                str(fails["sharper"]),
                f"{row['slack']['(12)']:.1e}",
                str(fails["premise"]),
                str(fails["assumption holds"]),
                clock(row["cpu"]),
            ]
        )
    heads = [f"{number} fails, D(b) = {name}" for number in ("(12)", "(13)") for name in READINGS.values()]
    head = ["reproductions", "sources", "(12) undefined", *heads, "sharper fails", "least slack / var", "premise fails"]
    table([*head, "W2 = 0", "CPU"], lines)


# ------------------------------------------------------------------------------------- vector Gaussians


def vector(count):
    """Solve random vector Gaussian problems; rows: gaps, and differences from reverse water-filling."""
    rng, rows = np.random.default_rng(0), []
    for dim, labels in [(2, 1), (4, 2), (8, 4), (16, 8)]:
        gaps, errors, cpu, penalties = [], [], [], []
        for _ in range(count):
            root = rng.normal(size=(dim, dim))
            Sigma = root @ root.T
            directions, noise = rng.normal(size=(labels, dim)), rng.uniform(0.1, 1.0, labels)
            D = rng.uniform(0.05, 0.9) * np.trace(Sigma)
            spread = np.einsum("ki,ij,kj->k", directions, Sigma, directions)
            kept = rng.uniform(0.05, 0.9, labels)
            C = 0.5 * np.log(2 * np.pi * np.e * (kept * spread + noise))
            targets = [[D, *np.full(labels, np.inf)], [np.inf, *C]]
            given = Sigma, targets, directions, noise
            timed = median_of(lambda given=given: vector_gaussian.universal_rate(*given), 1)
            cpu.append(timed.cpu)
            gaps += [found.gap for found in (timed.value.together, *timed.value.alone)]
            penalties.append(timed.value.penalty_lower)
            eigenvalues = np.linalg.eigvalsh(Sigma)
            filled = vector_gaussian.reverse_water_filling(D, eigenvalues)
            errors.append(abs(timed.value.alone[0].rate_upper - 0.5 * np.log(eigenvalues / filled).sum()))
        rows.append(
            {
                "dim": dim,
                "labels": labels,
                "largest_gap": max(gaps),
                "largest_error": max(errors),
                "positive": int(np.sum(np.array(penalties) > 0)),
                "count": len(penalties),
                "largest_penalty": max(penalties),
                "median_cpu": float(np.median(cpu)),
            }
        )
    return rows


def show_vector(rows):
    """Print the table."""
    table(
        ["d", "labels", "largest gap", "off reverse water-filling", "penalty > 0", "largest penalty", "CPU of three"],
        [
            [
                str(row["dim"]),
                str(row["labels"]),
                f"{row['largest_gap']:.0e}",
                f"{row['largest_error']:.0e}",
                f"{row['positive']} of {row['count']}",
                f"{row['largest_penalty']:.3f}",
                clock(row["median_cpu"]),
            ]
            for row in rows
        ],
    )


PARTS = {
    "encoders": (encoders, show_encoders, 50, 1000),
    "free": (free, show_violations, 20, 1000),
    "points": (points, show_violations, 20, 1000),
    "elsewhere": (elsewhere, show_violations, 20, 1000),
    "vector": (vector, show_vector, 5, 20),
}
"""By name: what makes the rows, what prints them, and from how many sources with and without --quick."""


def show(rows):
    """Print the tables of every part that the rows hold."""
    shown = dict.fromkeys(function for _, function, *_ in PARTS.values())
    for function in shown:
        mine = [row for row in rows if PARTS[row["part"]][1] is function]
        if mine:
            print(f"### {', '.join(dict.fromkeys(row['part'] for row in mine))}\n")
            function(mine)


def main():
    """Run some parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer sources")
    parser.add_argument("--sources", type=int, help="how many sources, whatever the part")
    parser.add_argument("--save", help="write the figures to this JSON file")
    parser.add_argument("--show", type=Path, help="print the tables of such a file instead of running anything")
    options = parser.parse_args()
    if options.show:
        show(json.loads(options.show.read_text())["rows"])
        return
    rows = []
    for name in options.parts:
        run, _, few, many = PARTS[name]
        count = options.sources or (few if options.quick else many)
        rows += [{"part": name, **row} for row in run(count)]
        save(rows, options.save)
    show(rows)


if __name__ == "__main__":
    main()
