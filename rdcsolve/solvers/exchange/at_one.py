"""Dual points at a multiplier of exactly one, for a label that is a function of the symbol.

There the price sum_i p_i exp(u_i - lambda.L(i, a)) r_s(i) is linear in the decision r, so that the dearest letters
decide for single classes. Next to one it bends so slightly that its maximum runs through all decisions while u changes
by less than a restricted problem resolves: on straight segments of the curve, where one is the multiplier of all
channels, rounds come nearer and nearer to it and never arrive.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters.space import LetterSpace
from rdcsolve.letters.weights import log_weights, symbol_weights

_NEAR = 0.05  # multipliers from which one is tried


def at_one(space: LetterSpace, u: np.ndarray, multipliers: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return u and multipliers with that of the label one instead of nearly one, None where that is not the case.

    What all symbols of a class have too much or too little of is taken off their u, so that the dearest letter of every
    class has a price of one: no letter of the space has a larger one.

    Parameters
    ----------
    space : LetterSpace
    u : numpy.ndarray
        Shape (n_x,).
    multipliers : numpy.ndarray
        Shape (M,).
    """
    problem = space.problem
    if problem.free is not None or not space.is_checked:
        return None
    first = len(problem.losses) - len(problem.label_entropies)
    counting = np.flatnonzero(multipliers[first:])
    if counting.size != 1 or abs(multipliers[first + counting[0]] - 1.0) > _NEAR or problem.multipliers is not None:
        return None
    classes = problem.label_entropies[int(counting[0])].conditional[problem.p_x > 0] > 0
    if (np.count_nonzero(classes, axis=1) != 1).any():
        return None
    changed = multipliers.copy()
    changed[first + counting[0]] = 1.0
    weights = symbol_weights(problem.p_x, u, changed, problem.label_entropies)
    logs = log_weights(weights, [loss.block() for loss in problem.linear_losses])
    balanced = u.copy()
    for own in classes.T:
        symbols = weights.symbols[own]
        if symbols.size:
            top = float(logs[own].max())
            if not math.isfinite(top):
                return None
            balanced[symbols] -= top + math.log(float(np.exp(logs[own] - top).sum(axis=0).max()))
    return balanced, changed
