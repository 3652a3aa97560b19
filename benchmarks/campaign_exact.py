"""Channels, prices and bounds of stated problems in ball arithmetic, by code of its own.

Every number stored is taken exactly; a comparison of balls is true only if it is proved.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from flint import arb, ctx

ctx.prec = 192
_ROUNDINGS = 16 * arb(2) ** -53  # of a least value, for every symbol: what it may be computed to
NOTHING = -(arb(10) ** 400)  # below every bound that could be claimed


class Attained(NamedTuple):
    """Means by name of the loss, the rate in nats, and what is wrong with the channel: kinds and words."""

    means: dict[str, Any]
    rate: Any
    faults: list[tuple[str, str]]


def masses(p) -> dict[int, Any]:
    """Return the positive masses by symbol, divided by their exact sum."""
    held = {int(i): arb(float(p[i])) for i in np.flatnonzero(p > 0)}
    total = sum(held.values(), arb(0))
    return {i: value / total for i, value in held.items()}


def up(value) -> float:
    """Return a float not below a non-negative number known as a ball: the next one, or zero if it may be zero."""
    if value.contains(arb(0)):
        return 0.0
    rounded = float(value.upper())
    return rounded if arb(rounded) >= value else math.nextafter(rounded, math.inf)


# --------------------------------------------------------------------------------- what a channel attains


def attained(stated, channel, letters) -> Attained:
    """Evaluate a channel (n_x, k) into letters (k,) of a stated problem; rows are divided by their exact sums."""
    p, faults = masses(stated.p), []
    columns = _columns(stated, p, np.asarray(channel, dtype=float), letters, faults)
    joint = [(key, {i: p[i] * w for i, w in column.items()}) for key, column in columns]
    rate = arb(0)
    for (_, column), (_, together) in zip(columns, joint, strict=True):
        q = sum(together.values(), arb(0))
        rate += sum((mass * (column[i] / q).log() for i, mass in together.items()), arb(0))
    means = {name: _mean(matrix, joint, faults, name) for name, matrix in stated.linear.items()}
    if stated.free:
        means["distortion"] = _spread(stated, joint)
    means |= {name: _entropy(label, joint) for name, label in stated.entropies.items()}
    return Attained(means, rate, faults)


def _columns(stated, p, channel, letters, faults):
    """Return per letter its reproduction symbol and the positive entries of its column, by symbol."""
    if channel.ndim != 2 or channel.shape != (stated.p.size, len(letters)):
        faults.append(("row", f"the channel has shape {channel.shape} for {len(letters)} letters"))
        return []
    rows = channel[list(p)]
    if not (np.isfinite(rows) & (rows >= 0)).all() or np.abs(rows.sum(axis=1) - 1).max() > 1e-9:
        faults.append(("row", "rows of the channel are not distributions"))
        return []
    totals = {i: sum((arb(float(w)) for w in channel[i]), arb(0)) for i in p}
    keys = [int(letter) for letter in letters]
    gathered: dict[Any, dict[int, Any]] = {}
    for a, letter in enumerate(keys):
        own = gathered.setdefault(letter if stated.letters == "fixed" else (letter, a), {})
        for i in p:
            if channel[i, a] > 0:
                own[i] = own.get(i, arb(0)) + arb(float(channel[i, a])) / totals[i]
    pairs = [(key if isinstance(key, int) else key[0], column) for key, column in gathered.items()]
    return [(letter, column) for letter, column in pairs if column]


def _mean(matrix, joint, faults, name):
    """Return the mean of a linear loss; a pair that is forbidden and used is a fault."""
    total = arb(0)
    for letter, column in joint:
        for i, mass in column.items():
            if math.isinf(matrix[i, letter]):
                faults.append(("forbidden", f"symbol {i} uses letter {letter}, which '{name}' forbids"))
            else:
                total += mass * arb(float(matrix[i, letter]))
    return total


def _spread(stated, joint):
    """Return E |X - E[X | A]|^2."""
    total = arb(0)
    for _, column in joint:
        q = sum(column.values(), arb(0))
        for x in stated.points.T:
            origin = arb(float(x[next(iter(column))]))
            first = sum((mass * (arb(float(x[i])) - origin) for i, mass in column.items()), arb(0))
            total += sum((mass * (arb(float(x[i])) - origin) ** 2 for i, mass in column.items()), arb(0)) - first**2 / q
    return total / stated.per_dimension


def _entropy(label, joint):
    """Return H(S | A) of the joint masses."""
    w = distributions(label)
    total = arb(0)
    for _, column in joint:
        classes: dict[int, Any] = {}
        for i, mass in column.items():
            for s, share in w[i].items():
                classes[s] = classes.get(s, arb(0)) + mass * share
        q = sum(classes.values(), arb(0))
        total -= sum((mass * (mass / q).log() for mass in classes.values()), arb(0))
    return total


def distributions(label) -> list[dict[int, Any]]:
    """Return the positive entries of every row, divided by the row's exact sum."""
    return [masses(row) for row in np.asarray(label)]


def known_label(stated, label):
    """Return H(S | X), which no letter falls below."""
    p, w = masses(stated.p), distributions(label)
    return -sum((p[i] * share * share.log() for i in p for share in w[i].values()), arb(0))


def unknown_label(stated, label):
    """Return H(S), which a letter that says nothing leaves."""
    p, w = masses(stated.p), distributions(label)
    classes: dict[int, Any] = {}
    for i, mass in p.items():
        for s, share in w[i].items():
            classes[s] = classes.get(s, arb(0)) + mass * share
    return -sum((mass * mass.log() for mass in classes.values()), arb(0))


def least(stated, name):
    """Return the least value of a loss by itself."""
    if name in stated.entropies:
        return known_label(stated, stated.entropies[name])
    if stated.free:
        return arb(0)
    matrix = np.where(stated.forbidden, math.inf, stated.linear[name])
    return sum((mass * arb(float(matrix[i].min())) for i, mass in masses(stated.p).items()), arb(0))


def is_a_rounding_below_least(stated, name, bound: float) -> bool:
    """Return whether a bound is below the least value by what whoever computes that in floats may round by."""
    if name in stated.entropies:
        size = arb(stated.entropies[name].shape[1]).log()
    elif stated.free:
        return False  # the least value is zero
    else:
        matrix = np.where(stated.forbidden, math.inf, stated.linear[name])
        size = sum((mass * abs(arb(float(matrix[i].min()))) for i, mass in masses(stated.p).items()), arb(0))
    return bool(arb(bound) >= least(stated, name) - _ROUNDINGS * (len(stated.p) + 4) * size)


def spread(stated, name):
    """Return the largest minus the smallest value of a loss at pairs that are allowed; log n_s for an entropy."""
    if name in stated.entropies:
        return arb(stated.entropies[name].shape[1]).log()
    if stated.free:
        sides = stated.points.max(axis=0) - stated.points.min(axis=0)
        return arb(float((sides**2).sum())) / stated.per_dimension
    values = stated.linear[name][(stated.p > 0)[:, None] & ~stated.forbidden]
    return arb(float(values.max())) - arb(float(values.min()))


# --------------------------------------------------------------------------------- what a certificate proves


def log_price(stated, u, multipliers, letter, decisions):
    """Return log c of one letter: a symbol, or a point where letters are free, and a soft decision per label."""
    logs = [[arb(float(r)).log() if r > 0 else None for r in np.asarray(soft) / 1.0] for soft in decisions]
    sums = [sum((arb(float(r)) for r in soft), arb(0)).log() for soft in decisions]
    total = arb(0)
    for i, mass in masses(stated.p).items():
        exponent = _exponent(stated, multipliers, letter, i)
        for k, (name, label) in enumerate(stated.entropies.items()):
            if exponent is not None and multipliers[name] > 0:
                exponent = _with_decision(exponent, multipliers[name], label[i], logs[k], sums[k])
        if exponent is not None:
            total += mass * (u[i] + exponent).exp()
    return total.log()


def _exponent(stated, multipliers, letter, i):
    """Return -lambda.L of the losses that are no entropies; None at a forbidden pair."""
    if stated.free:
        scale = arb(multipliers["distortion"]) / stated.per_dimension
        pairs = zip(stated.points[i], letter, strict=True)
        return -scale * sum(((arb(float(x)) - arb(float(y))) ** 2 for x, y in pairs), arb(0))
    if stated.forbidden[i, letter]:
        return None
    terms = (arb(multipliers[name]) * arb(float(matrix[i, letter])) for name, matrix in stated.linear.items())
    return -sum(terms, arb(0))


def _with_decision(exponent, multiplier, row, logs, log_sum):
    total = sum((arb(float(w)) for w in row), arb(0))
    for w, logarithm in zip(row, logs, strict=True):
        if w > 0:
            if logarithm is None:
                return None
            exponent += arb(multiplier) * arb(float(w)) / total * (logarithm - log_sum)
    return exponent


def mean_u(stated, u):
    """Return p.u."""
    return sum((mass * u[i] for i, mass in masses(stated.p).items()), arb(0))


def proved(stated, u, multipliers, log_largest):
    """Return what multipliers and u prove of the objective, given the logarithm of the largest price."""
    value, objective = mean_u(stated, u) - log_largest, stated.objective
    if any(not multiplier >= 0 for multiplier in multipliers.values()):
        return NOTHING
    if objective == "lagrangian":
        spare = {name: arb(stated.multipliers.get(name, 0.0)) - arb(multipliers[name]) for name in multipliers}
        if any(one < 0 for one in spare.values()):
            return NOTHING
        return value + sum((one * least(stated, name) for name, one in spare.items() if one > 0), arb(0))
    for name, multiplier in multipliers.items():
        if multiplier > 0 and name != objective:
            if math.isinf(stated.bounds.get(name, math.inf)):
                return NOTHING
            value -= arb(multiplier) * arb(stated.bounds[name])
    if objective == "rate":
        return value
    return (value - arb(stated.rate)) / arb(multipliers[objective]) if multipliers[objective] > 0 else NOTHING


def trivial(stated):
    """Return the bound that needs no certificate: no rate is below zero, and no loss below its least value."""
    if stated.objective == "rate":
        return arb(0)
    if stated.objective == "lagrangian":
        terms = (arb(weight) * least(stated, name) for name, weight in stated.multipliers.items() if weight)
        return sum(terms, arb(0))
    return least(stated, stated.objective)


def objective_of(stated, found: Attained):
    """Return the objective of a channel."""
    if stated.objective == "rate":
        return found.rate
    if stated.objective == "lagrangian":
        weighted = (arb(weight) * found.means[name] for name, weight in stated.multipliers.items())
        return found.rate + sum(weighted, arb(0))
    return found.means[stated.objective]
