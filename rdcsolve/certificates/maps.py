"""Fixed letters: limits that no map from symbols to letters meets, weighted and added up, so that no channel does.

With one letter per reproduction symbol E L is linear in the channel and H(S | A) concave. So for weights >= 0 the sum
sum_m w_m E L_m + sum_k w_k H(S_k | A) is concave, and least at a vertex: a map from symbols to letters that uses no
forbidden pair. If it exceeds sum_m w_m b_m at every map, no channel keeps all limits.

Maps are built up symbol by symbol. With q H(S | A = a) = G(P(., a)) for the joint masses of a letter, G is concave and
homogeneous, so G(P + Q) >= G(P) + G(Q): what is left adds at least what each symbol costs on its own.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.elementary import FLOAT, LOG_ERROR, Elementary
from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.tolerances import LIMIT_TOLERANCE
from rdcsolve.problems import Problem
from rdcsolve.rounding import row_sums, units

_MOST = 20_000  # maps of some of the symbols that are held at a time
_ENTRIES = 8_000_000  # of their joint masses


class Weights(Protocol):
    """What is checked: of a `Certificate`, its multipliers."""

    @property
    def multipliers(self) -> np.ndarray:
        """Shape (M,): the weights of the limits."""
        ...


def no_map_meets(certificate: Weights, problem: Problem, arithmetic: str = "float") -> bool:
    """Return whether it is proved that no map from symbols to fixed letters keeps the limits' weighted sum.

    Parameters
    ----------
    certificate : Certificate
        With weights >= 0 of the limits for multipliers; nothing else of it is looked at.
    problem : Problem
    arithmetic : {"float", "ball"}, optional
        Logarithms are NumPy's, taken to be good to four units in the last place, or have proved errors. All other
        roundings are counted either way.
    """
    weights = certificate.multipliers
    if problem.letters != "fixed" or not problem.label_entropies or problem.multipliers is not None:
        return False
    if not (np.isfinite(weights) & (weights >= 0)).all() or not np.isfinite(problem.bounds[weights > 0]).all():
        return False
    target = problem.goal.target
    if not weights.any() or (target is not None and weights[target]):
        return False
    nothing = np.empty(0, dtype=np.intp), np.empty((problem.n_x, 0))
    numbers = FloatNumbers(problem, np.zeros(problem.n_x), np.zeros(problem.n_x), weights, *nothing, None)
    elementary: Elementary = FLOAT
    if arithmetic == "ball":
        from rdcsolve.certificates.exponential import PROVED

        elementary = PROVED
    return _Maps(numbers, elementary).all_reach(_asked(numbers))


def _asked(numbers: FloatNumbers) -> float:
    """Return an upper bound of what limits leave above the least means, weighted, with what a channel may exceed them.

    A channel counts as meeting a limit if it exceeds it by a rounding, so that much is allowed for here as well.
    """
    terms = []
    for m in np.flatnonzero(numbers.multipliers).tolist():
        bound = float(numbers.problem.bounds[m])
        room = max(numbers.room(m, bound), 0.0) * (1 + units(4))
        of_label = numbers.entropy_rounding(m) if m >= numbers.first_label else 0.0
        slack = LIMIT_TOLERANCE * numbers.spread(m) + numbers.stated_rounding(m) + 4 * of_label
        terms.append(float(numbers.multipliers[m]) * (room + slack))
    return math.fsum(terms) * (1 + units(8))


class _Maps:
    """Maps from symbols to letters, built up from the symbols of largest mass."""

    def __init__(self, numbers: FloatNumbers, elementary: Elementary) -> None:
        n_letters = numbers.problem.n_letters
        order = np.argsort(-numbers.masses, kind="stable")
        self.p = (numbers.masses / (1.0 + numbers.excess_mass))[order]
        costs = np.zeros((numbers.n_rows, n_letters))
        for m, loss in enumerate(numbers.linear):
            if numbers.multipliers[m]:
                costs += numbers.multipliers[m] * numbers.distances(m, slice(0, n_letters))
            else:
                costs[np.isinf(loss.block(numbers.rows))] = math.inf
        self.costs = costs[order]
        weights = numbers.multipliers[numbers.first_label :].tolist()
        counted = [(weight, label) for weight, label in zip(weights, numbers.labels, strict=True) if weight]
        self.weights = [weight for weight, _ in counted]
        self.labels = [(label / row_sums(label)[:, None])[order] for _, label in counted]
        self.elementary, self.n_letters = elementary, n_letters
        width = sum(label.shape[1] for label in self.labels)
        # joint masses are sums of n products of normalised numbers, logarithms are of ratios of sums of classes, and
        # all else adds up at most n + k terms that are not negative: every error is a share of a value, or of the
        # masses, which are one
        count = units(4 * (self.p.size + width + n_letters) + 64)
        self.error = elementary.caution * (count + 2 * LOG_ERROR)
        # letters that cost all symbols the same are used in their order
        same = (self.costs[:, :, None] == self.costs[:, None, :]).all(axis=0)
        self.before = np.tril(same, -1)

    def all_reach(self, asked: float) -> bool:
        """Return whether it is proved that every map's sum is above this."""
        enough = (asked + 2 * self.error * sum(self.weights)) * (1 + 4 * self.error)
        joint = [np.zeros((1, self.n_letters, label.shape[1])) for label in self.labels]
        linear, unknown, used = np.zeros(1), np.zeros((1, self.n_letters)), np.zeros((1, self.n_letters), dtype=bool)
        rest = self._rest()
        for i, mass in enumerate(self.p.tolist()):
            deadline.look()
            more = [masses + mass * label[i] for masses, label in zip(joint, self.labels, strict=True)]
            after = self._unknown(more, linear.size)
            whole = linear[:, None] + mass * self.costs[i] + (unknown.sum(axis=1)[:, None] - unknown + after)
            is_twin = ~used & ((~used).astype(float) @ self.before.T > 0)
            rows, letters = np.nonzero(~(whole + rest[i] > enough) & ~is_twin)
            if not rows.size:
                return True
            if rows.size > _MOST or rows.size * self.n_letters * (1 + sum(j.shape[2] for j in joint)) > _ENTRIES:
                return False
            kept = np.arange(rows.size)
            linear = linear[rows] + mass * self.costs[i, letters]
            unknown, used = unknown[rows], used[rows]
            unknown[kept, letters], used[kept, letters] = after[rows, letters], True
            joint = [masses[rows] for masses in joint]
            for masses, new in zip(joint, more, strict=True):
                masses[kept, letters] = new[rows, letters]
        return False

    def _rest(self) -> np.ndarray:
        """Return what symbols after each add at least, shape (n,): the cheapest letter, and their own entropies."""
        least = self.costs.min(axis=1)
        for weight, label in zip(self.weights, self.labels, strict=True):
            least = least + weight * self._entropies(label)
        sums = np.cumsum((self.p * least)[::-1])[::-1]
        return np.append(sums[1:], 0.0)

    def _unknown(self, joint: list[np.ndarray], count: int) -> np.ndarray:
        """Return sum_k w_k G(P_k(., a)) of every letter of so many maps, shape (m, k); zero without labels."""
        pairs = zip(self.weights, joint, strict=True)
        nothing = np.zeros((count, self.n_letters))
        found: np.ndarray = sum((weight * self._entropies(masses) for weight, masses in pairs), nothing)
        return found

    def _entropies(self, masses: np.ndarray) -> np.ndarray:
        """Return G(P) = sum_s P_s log(|P| / P_s) over the last axis."""
        total = masses.sum(axis=-1, keepdims=True)
        ratios = np.divide(total, masses, out=np.ones_like(masses), where=(masses > 0) & (masses < total))
        found: np.ndarray = (masses * self.elementary.log(ratios)).sum(axis=-1)
        return found
