"""Limits on label entropies: closed forms, surfaces, digits, and the information bottleneck against its peers.

python benchmarks/label_entropy.py [--parts binary gaussian ...] [--quick] [--save FILE.json]
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

import bottleneck_peers  # noqa: E402
import numpy as np  # noqa: E402
from markdown_table import clock, table  # noqa: E402
from measure import median_of, save  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.data.kmeans import kmeans_codebook  # noqa: E402
from rdcsolve.information import binary_entropy, conditional_entropy, entropy  # noqa: E402

TOLERANCE = 1e-6
FLIP = [[0.0, 1.0], [1.0, 0.0]]


# ------------------------------------------------------------------------------------- binary: the closed form


def binary(options):
    """Solve random binary problems with feasible limits; rows: what differs most from the closed form."""
    rng, count = np.random.default_rng(0), 20 if options.quick else 200
    points, errors, outside = [], [], 0
    for _ in range(count):
        b, p1, D = rng.uniform([0.05, 0.01, 0.01], [0.5, 0.45, 0.5])
        C = rng.uniform(binary_entropy(p1), binary_entropy(b * (1 - p1) + (1 - b) * p1))
        problem = rdc.Problem.from_arrays([1 - b, b], FLIP, [[1 - p1, p1], [p1, 1 - p1]], D=D, C=C)
        timed = median_of(lambda problem=problem: rdc.solve(problem), 1)
        expected = rdc.theory.binary.rate(D, C, b, p1)
        points.append(outcome(timed.value, timed.cpu))
        errors.append(max(abs(timed.value.rate_upper - expected), abs(timed.value.rate_lower - expected)))
        outside += not timed.value.rate_lower - 1e-12 <= expected <= timed.value.rate_upper + 1e-12
    return [{**summary(points), "largest_error": max(errors), "outside": outside}]


def show_binary(rows):
    """Print the table."""
    row = rows[0]
    table(
        ["problems", "largest difference", "outside the bounds", *SUMMARY],
        [[str(row["points"]), f"{row['largest_error']:.0e}", str(row["outside"]), *summarised(row)]],
    )


# ------------------------------------------------------------------------------------- Gaussian: the closed form

# (rho, R): the limit named needs the rate R alone. The other needs 0.6 R; in `corner` both need R, in `near` C 0.98 R.
GAUSSIAN_POINTS = [
    *(("label", rho, R) for rho, R in [(0.3, 0.2), (0.3, 0.6), (0.7, 0.2), (0.7, 0.6), (0.7, 1.2)]),
    *(("label", 0.95, R) for R in [0.2, 0.6, 1.5]),
    *(("distortion", rho, R) for rho, R in [(0.3, 0.3), (0.3, 0.8), (0.3, 2.0), (0.7, 0.8), (0.7, 2.0), (0.95, 2.0)]),
    *(("corner", rho, 0.5) for rho in [0.3, 0.7, 0.95]),
    *(("near", rho, 0.9) for rho in [0.3, 0.7, 0.95]),
]
GAUSSIAN_GRIDS = [(26, 14), (51, 26), (101, 51), (201, 101), (401, 201)]
HALF_WIDTH = 6.0  # what is cut off changes the variance by 2 w phi(w) = 7e-8, less than the tolerance
GAUSSIAN_SECONDS = 60.0  # for one point


def gaussian(options):
    """Solve discretised Gaussian pairs on finer and finer grids; rows: every point on every grid."""
    rows = []
    for n_x, n_s in GAUSSIAN_GRIDS[:3] if options.quick else GAUSSIAN_GRIDS:
        if options.grids and n_x not in options.grids:
            continue
        for kind, rho, R in GAUSSIAN_POINTS[::3] if options.quick else GAUSSIAN_POINTS:
            rows.append(gaussian_point(kind, rho, R, n_x, n_s, HALF_WIDTH))
            progress(f"{kind} {rho} {R} {n_x}: difference {error_of(rows[-1]):.1e}", rows[-1])
    for half_width in (3.0, 4.0, 5.0):  # at the step that 101 points have at the largest width
        n_x, n_s = round(100 * half_width / HALF_WIDTH) + 1, round(50 * half_width / HALF_WIDTH) + 1
        for kind, rho, R in [("label", 0.7, 0.6), ("distortion", 0.7, 0.8)]:
            rows.append(gaussian_point(kind, rho, R, n_x, n_s, half_width))
            progress(f"{kind} {rho} {R} width {half_width}", rows[-1])
    return rows


def gaussian_point(kind, rho, R, n_x, n_s, half_width):
    """Return the difference of the discretised problem's bounds from the closed form."""
    theory = rdc.theory.gaussian
    D = float(theory.distortion_rate(0.6 * R if kind == "label" else R))
    C = float(theory.critical_label_entropy({"distortion": 0.6 * R, "near": 0.98 * R}.get(kind, R), rho))
    source = rdc.sources.gaussian_pair(rho, n_x=n_x, n_s=n_s, half_width=half_width)
    step = 2 * half_width / (n_s - 1)
    limits = [rdc.DistortionLimit(D), rdc.LabelEntropyLimit(C - math.log(step))]
    problem = rdc.Problem(source, source.points, limits=limits)
    timed = median_of(lambda: rdc.solve(problem, tolerance=TOLERANCE, time_limit=GAUSSIAN_SECONDS), 1)
    expected = float(theory.rate(D, C, rho))
    lower, upper = timed.value.rate_lower - expected, timed.value.rate_upper - expected
    return {
        **outcome(timed.value, timed.cpu),
        "kind": kind,
        "rho": rho,
        "R": R,
        "D": D,
        "C": C,
        "n_x": n_x,
        "n_s": n_s,
        "half_width": half_width,
        "rate": expected,
        "lower_error": lower,
        "upper_error": upper,
        "multipliers": timed.value.multipliers,
    }


def show_gaussian(rows):
    """Print a table per question: grids, widths, and the points of the finest grid."""
    refined = [row for row in rows if row["half_width"] == HALF_WIDTH]
    lines, before = [], None
    for n_x, n_s in GAUSSIAN_GRIDS:
        here = [row for row in refined if row["n_x"] == n_x]
        if not here:
            continue
        found = [row for row in here if math.isfinite(row["upper_error"])]
        differences = {point_of(row): error_of(row) for row in found}
        # Where the gap is most of the difference nothing shrinks any more.
        large = [key for key in differences if (before or {}).get(key, 0) > 10 * TOLERANCE]
        orders = [math.log2(before[key] / differences[key]) for key in large]
        medians = [f"{np.median(orders):.1f} ({len(orders)})" if orders else ""]
        most = [max((d for key, d in differences.items() if key[0] == kind), default=math.nan) for kind in KINDS]
        before = differences
        lines.append([f"{n_x} / {n_s}", *(f"{m:.1e}" for m in most), *medians, *summarised(summary(here))])
    print(f"grids of half width {HALF_WIDTH:g}: largest difference from the closed form, by the limit that is active\n")
    table(["n_x / n_s", *KINDS, "median order (points)", *SUMMARY], lines)
    cut = [row for row in rows if row["half_width"] != HALF_WIDTH]
    print("narrower grids of the same step\n")
    table(
        ["half width", "active limit", "difference", "predicted"],
        [[f"{row['half_width']:g}", row["kind"], f"{error_of(row):.1e}", predicted(row)] for row in cut],
    )
    finest = max(row["n_x"] for row in refined)
    print(f"every point at n_x = {finest}\n")
    table(
        ["active limit", "rho", "closed form", "lower", "upper", "multipliers (D, C)", "status", "proof", "gap", "CPU"],
        [
            [
                row["kind"],
                f"{row['rho']:g}",
                f"{row['rate']:.6f}",
                f"{row['lower_error']:+.1e}",
                f"{row['upper_error']:+.1e}",
                ", ".join(f"{value:.3g}" for value in row["multipliers"].values()),
                row["status"],
                row["proof"],
                f"{row['gap']:.0e}",
                clock(row["cpu"]),
            ]
            for row in refined
            if row["n_x"] == finest
        ],
    )


KINDS = ["label", "distortion", "corner", "near"]


def point_of(row):
    """Return what identifies a point on every grid."""
    return row["kind"], row["rho"], row["R"]


def error_of(row):
    """Return how far the farther bound is from the closed form."""
    return max(abs(row["lower_error"]), abs(row["upper_error"]))


def predicted(row):
    """Return what the lost variance 2 w phi(w) takes from the rate 1/2 log(var / D)."""
    w = row["half_width"]
    return f"{w * math.exp(-0.5 * w**2) / math.sqrt(2 * math.pi):.1e}" if row["kind"] == "distortion" else ""


# ------------------------------------------------------------------------------------- surfaces


def surface(options):
    """Sweep the two-class mixture over D and C."""
    source = rdc.sources.mixture([-1, 1], 0.7, n_x=401)
    problem = rdc.Problem(source, reproduction(source), limits=[rdc.LabelEntropyLimit(math.inf)])
    size = 4 if options.quick else 12
    return [swept(problem, D=np.linspace(0.1, 1.4, size), C=label_axis(source, 0, size))]


def two_labels(options):
    """Sweep the mixture with a second label, whether abs(x) > 1, softened."""
    plain = rdc.sources.mixture([-1, 1], 0.7, n_x=401)
    far = 1 / (1 + np.exp(-(np.abs(plain.points[:, 0]) - 1) / 0.2))
    labels = [plain.labels[0], np.stack([1 - far, far], axis=1)]
    source = rdc.Source(plain.points, plain.p_x, labels=labels, name="mixture with two labels")
    limits = [rdc.LabelEntropyLimit(math.inf, label) for label in (0, 1)]
    problem = rdc.Problem(source, reproduction(source), limits=limits)
    size = 2 if options.quick else 4
    names = [loss.name for loss in problem.label_entropies]
    axes = {name: label_axis(source, k, size) for k, name in enumerate(names)}
    return [swept(problem, D=np.linspace(0.2, 1.3, size), **axes)]


def reproduction(source):
    """Return 101 points on the source's interval."""
    return np.linspace(source.points.min(), source.points.max(), 101)


def label_axis(source, index, size):
    """Return limits from just below the least label entropy, which is infeasible, to just below H(S)."""
    label = source.labels[index]
    least, most = conditional_entropy(source.p_x, label, np.eye(source.n_x)), entropy(source.p_x @ label)
    return np.r_[0.98 * least, np.linspace(least + 0.02 * (most - least), least + 0.97 * (most - least), size - 1)]


def swept(problem, **axes):
    """Return the outcome of a sweep, the seconds of its points, and whether bounds contradict one another."""
    points = []

    def heard(n_done, n_points, point, found):
        numbers = {name: found[name] for name in ("status", "proof", "gap", "rate_lower", "rate_upper")}
        points.append({**point, **numbers, "multipliers": list(found["multipliers"]), "cpu": found["seconds"]})
        progress(f"{n_done}/{n_points}", points[-1])

    timed = median_of(lambda: rdc.sweep(problem, tolerance=TOLERANCE, progress=heard, **axes), 1)
    lower, upper = timed.value.rate_lower.values, timed.value.rate_upper.values
    contradictions = 0
    for axis in range(lower.ndim):
        low, high = np.moveaxis(lower, axis, 0), np.moveaxis(upper, axis, 0)
        contradictions += int((low[1:] > high[:-1] + 1e-12).sum())  # the rate falls as limits rise
    return {
        **summary(points),
        "shape": list(lower.shape),
        "contradictions": contradictions,
        "cpu": timed.cpu,
        "each": points,
    }


def show_swept(rows):
    """Print the table, and the dearest points."""
    row = rows[0]
    table(
        ["points", "contradictions", *SUMMARY],
        [[" x ".join(map(str, row["shape"])), str(row["contradictions"]), *summarised(row)]],
    )
    for point in sorted(row["each"], key=lambda point: -point["cpu"])[:4]:
        told = {name: value for name, value in point.items() if name not in ("multipliers", "rate_lower", "rate_upper")}
        print("slowest: " + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in told.items()))
    print()


# ------------------------------------------------------------------------------------- digits

DIGIT_RATES = [1.0, 2.0, 3.0]
FREE_TOLERANCE = 1e-3  # where only the upper bound is proved


def digits(options):
    """Trade distortion for label entropy on scikit-learn's digits at fixed rates; rows: two per rate.

    With free letters every other limit of the codebook is solved again: no lower bound is proved in R^64, but what is
    attained should be below what the codebook cannot beat.
    """
    rates = DIGIT_RATES[:1] if options.quick else DIGIT_RATES
    rows = [traded("256 k-means centres", digits_with_codebook(), rate) for rate in rates]
    for listed in rows[: len(rates)]:
        known = listed["each"][::2]
        free = traded("free", digits_with_free_letters(), listed["rate"], [point["label_entropy"] for point in known])
        pairs = zip(free["each"], known, strict=True)
        free["saved"] = [
            (codebook["objective_upper"] - codebook["gap"]) - point["objective_upper"] for point, codebook in pairs
        ]
        rows.append(free)
    return rows


def traded(name, problem, rate, limits=None):
    """Return the outcome of a trade-off of distortion for label entropy at one rate, at given limits or the default."""
    points = []

    def heard(n_done, n_points, point, found):
        numbers = {name: found[name] for name in ("status", "proof", "gap", "objective_upper")}
        relative = found["gap"] / max(1.0, found["objective_upper"])
        points.append({**point, **numbers, "relative_gap": relative, "cpu": found["seconds"]})
        progress(f"{name} {rate} {n_done}/{n_points}", points[-1])

    options = {"tolerance": TOLERANCE if limits is None else FREE_TOLERANCE, "progress": heard, "bounds": limits}
    timed = median_of(lambda: rdc.tradeoff(problem, rate=rate, loss="label_entropy", **options), 1)
    ends = [(point["label_entropy"], point["objective_upper"]) for point in points]
    return {
        **summary(points),
        "problem": name,
        "rate": rate,
        "cpu": timed.cpu,
        "wall": timed.wall,
        "ends": [min(ends), max(ends)],
        "largest_relative_gap": max(point["relative_gap"] for point in points),
        "each": points,
    }


def digits_with_codebook():
    """Return the problem on all 1797 images with 256 k-means centres of them as the reproduction, fixed."""
    source = rdc.sources.digits()
    return rdc.Problem(source, kmeans_codebook(source, 256), limits=[rdc.LabelEntropyLimit(math.inf)])


def digits_with_free_letters():
    """Return the problem on all 1797 images with reproductions anywhere in R^64: no lower bound is proved."""
    return rdc.Problem(rdc.sources.digits(), reproduction="free", limits=[rdc.LabelEntropyLimit(math.inf)])


def show_digits(rows):
    """Print the table."""
    table(
        ["reproduction", "rate", "from (C, D)", "to (C, D)", "gap / max(1, D)", *SUMMARY],
        [
            [
                row["problem"],
                f"{row['rate']:g}",
                *(f"({C:.4f}, {D:.4f})" for C, D in row["ends"]),
                f"{row['largest_relative_gap']:.0e}",
                *summarised(row),
            ]
            for row in rows
        ],
    )
    for name in dict.fromkeys(row["problem"] for row in rows):
        own = [row for row in rows if row["problem"] == name]
        print(f"{name}: {sum(row['cpu'] for row in own):.1f} s of CPU, {sum(row['wall'] for row in own):.1f} s of wall")
    for row in rows:
        if "saved" in row:
            most = max(row["saved"])
            print(f"free at rate {row['rate']:g}: {min(row['saved']):.3f} to {most:.3f} below the codebook")
    print()


# ------------------------------------------------------------------------------------- information bottleneck

BOTTLENECK_MULTIPLIER = 5.0
CONCENTRATIONS = [0.2, 0.3, 0.5]
STARTS, STEPS, STILL = 10, 20_000, 1e-11
PEER_SECONDS = 180.0


def bottleneck(options):
    """Solve information bottlenecks, 256 symbols, 10 classes; rows: rdcsolve and its peers on each."""
    rows = []
    starts, steps = (2, 1000) if options.quick else (STARTS, STEPS)
    for concentration in CONCENTRATIONS[-1:] if options.quick else CONCENTRATIONS:
        rng = np.random.default_rng(0)
        p, label = np.full(256, 1 / 256), rng.dirichlet(np.full(10, concentration), 256)
        problem = rdc.Problem.from_arrays(p, np.zeros((256, 1)), label, C=math.inf)
        problem = problem.at_multipliers(label_entropy=BOTTLENECK_MULTIPLIER)
        timed = median_of(lambda problem=problem: rdc.solve(problem, tolerance=1e-7), 1)
        result = timed.value
        row = {
            **outcome(result, timed.cpu),
            "concentration": concentration,
            "lower": result.objective_lower,
            "upper": result.objective_upper,
            "rate": result.rate_upper,
            "trivial": BOTTLENECK_MULTIPLIER * entropy(p @ label),
            "starts": [],
        }
        instance = p, label, BOTTLENECK_MULTIPLIER
        for start in range(starts):  # half of them peaked, half not
            channel = bottleneck_peers.random_channel(np.random.default_rng(start), 256, peaked=start % 2 == 0)
            found = bottleneck_peers.textbook(*instance, channel, steps, STILL)
            row["starts"].append(found._asdict())
            print(f"  start {start}: {found}", flush=True, file=sys.stderr)
        limits = {"dit": (5 if options.quick else 20, 3), "embo": (100, 1e-3)}
        row["peers"] = {}
        for peer, limit in limits.items():
            found = bottleneck_peers.limited(peer, PEER_SECONDS, *instance, *limit)
            row["peers"][peer] = {"failure": found} if isinstance(found, str) else found._asdict()
            print(f"  {peer}: {found}", flush=True, file=sys.stderr)
        rows.append(row)
    return rows


def show_bottleneck(rows):
    """Print rdcsolve's bounds and how far from the lower one every peer ends."""
    table(
        ["Dirichlet", "I + 5 H(S|T)", "rate", "below trivial", *SUMMARY],
        [
            [
                f"{row['concentration']:g}",
                f"{row['upper']:.9f}",
                f"{row['rate']:.4f}",
                f"{row['trivial'] - row['upper']:.1e}",
                *summarised(summary([row])),
            ]
            for row in rows
        ],
    )
    lines = []
    for row in rows:
        for kind, starts in (("peaked", row["starts"][::2]), ("diffuse", row["starts"][1::2])):
            values = np.array([start["value"] for start in starts])
            excess = values - row["upper"]
            lines.append(
                [
                    f"{row['concentration']:g}",
                    f"textbook, {values.size} {kind} starts",
                    f"{excess.min():+.1e} to {excess.max():+.1e}",
                    f"{int((excess < -row['gap']).sum())}",
                    f"{int((np.abs(values - row['trivial']) < 1e-9).sum())} trivial, "
                    f"{sum(bool(start['note']) for start in starts)} not converged",
                    clock(sum(start["cpu"] for start in starts)),
                ]
            )
        for peer, found in row["peers"].items():
            if "failure" in found:
                lines.append([f"{row['concentration']:g}", peer, found["failure"], "", "", ""])
                continue
            claim = found["claimed"] - row["lower"]
            impossible = "its own numbers are impossible: " if claim < -1e-9 else "its own numbers: "
            lines.append(
                [
                    f"{row['concentration']:g}",
                    peer,
                    f"{found['value'] - row['upper']:+.1e}",
                    str(int(found["value"] - row["upper"] < -row["gap"])),
                    f"{impossible}{claim:+.1e}; {found['note']}".rstrip("; "),
                    clock(found["cpu"]),
                ]
            )
    table(["Dirichlet", "peer", "above rdcsolve's value", "below by more than the gap", "", "CPU"], lines)


# ------------------------------------------------------------------------------------- what all parts share

SUMMARY = ["statuses", "proof", "largest gap", "median CPU", "largest CPU", "total CPU"]


def outcome(result, cpu):
    """Return what every part reports of a result."""
    return {"status": result.status.name, "proof": result.proof.name, "gap": result.gap, "cpu": cpu}


def summary(points):
    """Return the counts of statuses and proofs, the largest gap and the seconds of some outcomes."""
    feasible = [point for point in points if point["status"] != "INFEASIBLE"]
    seconds = [point["cpu"] for point in points]
    return {
        "points": len(points),
        "statuses": dict(collections.Counter(point["status"] for point in points)),
        "proofs": dict(collections.Counter(point["proof"] for point in feasible)),
        "largest_gap": max((point["gap"] for point in feasible), default=math.nan),
        "median_cpu": float(np.median(seconds)),
        "largest_cpu": max(seconds),
        "cpu": sum(seconds),
    }


def summarised(row):
    """Return the cells of a summary."""
    counts = [", ".join(f"{key} {value}" for key, value in row[kind].items()) for kind in ("statuses", "proofs")]
    seconds = [clock(row[name]) for name in ("median_cpu", "largest_cpu", "cpu")]
    return [*counts, f"{row['largest_gap']:.0e}", *seconds]


def progress(name, point):
    """Say on the error stream how a point ended."""
    told = f"{point['status']}, {point['proof']}, gap {point['gap']:.0e}, {point['cpu']:.1f} s"
    print(f"  {name}: {told}", flush=True, file=sys.stderr)


PARTS = {
    "binary": (binary, show_binary),
    "gaussian": (gaussian, show_gaussian),
    "surface": (surface, show_swept),
    "two_labels": (two_labels, show_swept),
    "digits": (digits, show_digits),
    "bottleneck": (bottleneck, show_bottleneck),
}


def show(rows):
    """Print the tables of every part that the rows hold."""
    for name, (_, shown) in PARTS.items():
        mine = [row for row in rows if row["part"] == name]
        if mine:
            print(f"### {name}\n")
            shown(mine)


def warm_up():
    """Compile, outside of any clock."""
    rng = np.random.default_rng(0)
    for n_s in (2, 3, 12):
        p, d, label = rng.dirichlet(np.ones(9)), rng.random((9, 4)), rng.dirichlet(np.ones(n_s), 9)
        base = rdc.Problem.from_arrays(p, d, label, C=math.inf)
        rdc.solve(base.at_multipliers(distortion=2.0, label_entropy=3.0), tolerance=1e-5)
        rdc.solve(base.at_multipliers(distortion=2.0, label_entropy=0.5), tolerance=1e-5)
    labels = [rng.dirichlet(np.ones(2), 9) for _ in range(2)]
    base = rdc.Problem.from_arrays(p, d, labels, C=math.inf)
    rdc.solve(base.at_multipliers(distortion=2.0, label_entropy=2.0, label_entropy_1=2.0), tolerance=1e-5)
    rdc.solve(base.at_multipliers(distortion=2.0, label_entropy=0.3, label_entropy_1=0.4), tolerance=1e-5)


def main():
    """Run some parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer and smaller problems")
    parser.add_argument("--grids", type=int, nargs="+", help="only Gaussian grids of so many points, such as 51 101")
    parser.add_argument("--save", help="write the figures to this JSON file")
    parser.add_argument("--show", type=Path, help="print the tables of such a file instead of running anything")
    options = parser.parse_args()
    if options.show:
        show(json.loads(options.show.read_text())["rows"])
        return
    warm_up()
    rows = []
    for name in options.parts:
        began = time.process_time()
        found = [{"part": name, **row} for row in PARTS[name][0](options)]
        show(found)
        print(f"{name}: {time.process_time() - began:.1f} s of CPU in this process\n", flush=True)
        rows += found
        save(rows, options.save)  # after every part, as the next may take long


if __name__ == "__main__":
    main()
