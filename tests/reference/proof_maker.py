"""Makes proofs of the largest price for small problems, without the library: what the checker is tried on.

Trees are halved at the longest edge until the checker's own bound is near the largest price that a lattice and an
ascent find, so a proof made here says nothing by itself: the tests hold it against that brute force.
"""

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
from flint import arb, ctx

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "reference"))

import check_certificate as checker


def lattice(size, steps):
    """All decisions of so many classes with denominators `steps`."""
    rows = [row for row in itertools.product(range(steps + 1), repeat=size) if sum(row) == steps]
    return np.array(rows) / steps


def price(amounts, labels, multipliers, decisions):
    """Prices of decisions, one array (k, n_s) per label, at amounts (n, columns): an array (k, columns)."""
    exponents = 0.0
    for label, multiplier, decision in zip(labels, multipliers, decisions, strict=True):
        losses = label @ np.log(np.maximum(decision, 1e-300)).T
        exponents = exponents + np.reshape(multiplier, (-1, 1)) * losses
    return np.exp(exponents).T @ amounts


def largest(amounts, labels, multipliers, steps=24, climbs=6):
    """The largest price that a lattice and the mean shift from its best places find, and each column's decisions."""
    if not labels:
        return float(amounts.sum(axis=0).max()), []
    choices = [lattice(label.shape[1], steps) for label in labels]
    indices = np.array(list(itertools.product(*(range(len(choice)) for choice in choices))))
    grid = [choice[indices[:, k]] for k, choice in enumerate(choices)]
    prices = price(amounts, labels, multipliers, grid)
    best, places = prices.max(), []
    for j in range(amounts.shape[1]):
        found = (-1.0, None)
        for start in np.argsort(-prices[:, j])[:climbs]:
            value, place = climbed(amounts[:, j], labels, multipliers, [choice[start] for choice in grid])
            found = max(found, (value, place), key=lambda pair: pair[0])
        best = max(best, found[0])
        places.append(np.concatenate(found[1]))
    return float(best), places


def climbed(column, labels, multipliers, place, rounds=400):
    """Where the mean shift ends that starts near a place."""
    place = [0.999 * r + 0.001 / r.size for r in place]
    for _ in range(rounds):
        exponents = sum(m * (w @ np.log(r)) for m, w, r in zip(multipliers, labels, place, strict=True))
        shares = column * np.exp(exponents)
        place = [np.maximum(shares @ w / shares.sum(), 1e-30) for w in labels]
        place = [r / r.sum() for r in place]
    return price(column[:, None], labels, multipliers, [r[None] for r in place]).item(), place


def tree(part, amounts, columns, target, most=20_000):
    """Splits and ends of a tree that bounds every first column by `target`, halving longest edges level by level."""
    sizes = [span.stop - span.start for span in part.spans]
    edges = [(k, a, b) for k, size in enumerate(sizes) for b in range(size) for a in range(b)]
    firsts = np.unique(columns, return_index=True)[1]
    level = [([np.eye(size) for size in sizes], firsts)]
    splits, ends = [], []
    while level:
        following = []
        for vertices, active in level:
            cells = checker.Cells(part, [np.maximum(vertex, checker.RAISED)[None] for vertex in vertices])
            bounds = cells.bounds(np.zeros(active.size, dtype=int), amounts[columns[active]])
            is_open = bounds > target
            lengths = [np.linalg.norm(vertices[k][a] - vertices[k][b]) for k, a, b in edges]
            if len(splits) > most or max(lengths) < 2.0**-40:
                is_open[:] = False
            ends += [(len(splits), column) for column in active[~is_open]]
            if not is_open.any():
                splits.append(-1)
                continue
            splits.append(int(np.argmax(lengths)))
            k, a, b = edges[splits[-1]]
            for replaced in (b, a):
                child = [vertex.copy() for vertex in vertices]
                child[k][replaced] = (vertices[k][a] + vertices[k][b]) / 2
                following.append((child, active[is_open]))
        level = following
    return np.array(splits), np.array(ends).reshape(-1, 2)


def proof_of(problem, dual, tolerance, line=None):
    """Arrays of a proof for every part, by name, and the largest price that was found."""
    with ctx.workprec(checker.PRECISION):
        labels = [loss for loss in problem.losses if loss.kind == "label" and loss.name in dual.multipliers]
        reduced = [checker.reduced_label(label.data, dual.multipliers[label.name]) for label in labels]
        parts, _ = checker.parts_of(reduced, len(problem.masses))
        factor = sum((one.factor for one in reduced), arb(0))
        held = {} if line is None else {"line": line}
        best = 0.0
        for g, part in enumerate(parts):
            amounts, columns = checker.amounts_of(problem, dual, part, factor, held)
            found, places = found_in(part, amounts)
            best = max(best, found)
            if part.spans:
                firsts = np.unique(columns, return_index=True)[1]
                target = found * (1 + tolerance)
                if part.sums.max() <= 1:
                    held[f"{g}_places_columns"] = firsts
                    held[f"{g}_places"] = np.maximum(np.array(places), 1e-12)
                else:
                    held[f"{g}_splits"], held[f"{g}_ends"] = tree(part, amounts, columns, target)
        return held, best


def found_in(part, amounts):
    """The largest price of a part by brute force, and the best place of each column."""
    if not part.spans:
        return largest(amounts.T, [], [])
    powers = [part.powers[:, span] for span in part.spans]
    sums = [power.sum(axis=1, keepdims=True) for power in powers]
    labels = [power / total for power, total in zip(powers, sums, strict=True)]
    steps = {1: 200, 2: 40, 3: 16}.get(part.powers.shape[1] - len(part.spans), 8)
    return largest(
        (amounts * np.exp(-part.tops.sum(axis=1))).T, labels, [total[:, 0] for total in sums], steps, climbs=2
    )


def statement(p, losses, labels, multipliers, *, points=None):
    """Arrays of the problem of minimising a Lagrangian."""
    arrays = {"p_x": p, "minimise": np.array("rate"), "multiplier_distortion": np.array(multipliers[0])}
    if points is None:
        arrays["distortion"] = losses
    else:
        arrays |= {"distortion": np.array("squared_error"), "reproduction": np.array("free"), "points": points}
    for k, label in enumerate(labels):
        arrays |= {f"labels_{k}": label, f"entropy_label_{k}": np.array(k), "letters": np.array("split")}
        arrays[f"multiplier_label_{k}"] = np.array(multipliers[k + 1])
    return arrays


def result_for(arrays, u, tolerance, line=None, channel=None):
    """Arrays of a result whose lower bound is the proof's; and the bound on log C that brute force suggests."""
    problem = checker.problem_of(arrays)
    n = problem.is_kept.size
    names = [loss.name for loss in problem.losses]
    multipliers = {name: float(problem.multipliers[name]) for name in names}
    channel = np.ones((n, 1)) if channel is None else channel
    result = {
        "certificate_u": u,
        "certificate_u_rest": np.zeros(n),
        "certificate_multipliers": np.array(list(multipliers.values())),
        "certificate_letters": np.arange(channel.shape[1]),
        "certificate_channel": channel,
    }
    with ctx.workprec(checker.PRECISION):
        dual = checker.dual_of(result, problem)
        held, best = proof_of(problem, dual, tolerance, line)
        result |= {f"certificate_proof_{name}": values for name, values in held.items()}
        channel = checker.channel_of(result, problem)
        losses = {loss.name: float(checker.mean_of(loss, channel).mid()) for loss in problem.losses}
        upper = float(checker.rate_of(channel, problem).mid()) + 1e-12
        upper += sum(multipliers[name] * losses[name] for name in names)
        p = arrays["p_x"]
        low = float(p @ np.where(p > 0, u, 0.0)) - math.log(best * (1 + tolerance) * (1 + 1e-12)) - 1e-12
    claimed = {"objective": "lagrangian", "lower": low, "upper": upper, "fingerprint": ""}
    header = {
        "format": "rdcsolve result",
        "version": 2,
        "status": "OPTIMAL",
        "proof": "CERTIFIED",
        "objective": "lagrangian",
        "objective_lower": low,
        "objective_upper": upper,
        "rate_lower": math.nan,
        "rate_upper": math.nan,
        "losses": losses,
        "multipliers": multipliers,
        "unit": "nat",
        "certificate": claimed,
    }
    result["header"] = np.array(json.dumps(header))
    return result, best
