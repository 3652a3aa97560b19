"""Masses of letters with which a constant channel meets limits without any rounding, where these leave next to none.

Two limits that are met with equality, such as those on a loss and on a constant less it, are rounded as they are
stated, and leave what that rounding leaves: one unit in the last place, or less. Masses that meet them to 1e-16 of the
spread are not within them. But a row of a channel is rescaled before anything else, so that its sum is free in the last
digits: among rows whose sums differ there, one is within.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from rdcsolve.problems import Problem

_UNIT = 2.0**-53
_ROUNDS = 2  # of refinement: each adds some ten digits
_FURTHEST = 2.0**12  # units: how far masses may be from those given
_SUMS = 96  # rows that are tried, whose sums are a unit in the last place apart
_MOST_PAIRS = 20_000  # beyond them exact sums take long
_SHARE = 0.25  # of what a check allows to a mean that is to equal its bound
_ALLOWED = 2.0**-49


def exact_masses(problem: Problem, letters: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Return masses near those given with which the channel that ignores its input meets every limit on a linear loss.

    Parameters
    ----------
    problem : Problem
    letters : numpy.ndarray
        Shape (k,), allowed to all symbols.
    masses : numpy.ndarray
        Shape (k,), > 0: they meet the limits to rounding.

    Returns
    -------
    numpy.ndarray
        Shape (k,), summing to one to 1e-14. The masses given, if none are found that meet the limits exactly.
    """
    symbols = np.flatnonzero(problem.p_x > 0)
    if symbols.size * letters.size > _MOST_PAIRS:
        return masses
    gaps = _gaps(problem, symbols, letters)
    if not gaps or _meets(gaps, masses.tolist()):
        return masses
    near = [Fraction(float(mass)) for mass in masses]
    for _ in range(_ROUNDS):
        moved = _moved(gaps, near)
        if moved is None:
            return masses
        near = moved
    total = sum(near)
    for unit in range(_SUMS):
        row = [float(mass / total * (1 + Fraction(unit, 2**53))) for mass in near]
        if min(row) > 0 and _meets(gaps, row):
            return np.array(row)
    return masses


def _gaps(problem: Problem, symbols: np.ndarray, letters: np.ndarray) -> list[list[Fraction]]:
    """Return, per limit, the letters' mean losses less the bound, per spread: no limit is met with a positive sum."""
    p = [Fraction(float(mass)) for mass in problem.p_x[symbols]]
    total = sum(p, Fraction(0))
    gaps: list[list[Fraction]] = []
    for m, loss in enumerate(problem.linear_losses):
        bound = float(problem.bounds[m])
        if not math.isfinite(bound):
            continue
        spread = Fraction(float(problem.spread(m)) or 1.0)
        columns = loss.block(symbols, letters).T.tolist()
        means = [_sum([Fraction(value) for value in column], p) / total for column in columns]
        above = [(mean - Fraction(bound)) / spread for mean in means]
        if problem.held[m]:
            allowed = Fraction(_SHARE * _ALLOWED)
            gaps += [[value - allowed for value in above], [-value - allowed for value in above]]
        else:
            gaps.append(above)
    return gaps


def _meets(gaps: list[list[Fraction]], masses: list[float]) -> bool:
    exact = [Fraction(mass) for mass in masses]
    return all(_sum(row, exact) <= 0 for row in gaps)


def _sum(row: list[Fraction], masses: list[Fraction]) -> Fraction:
    return sum((gap * mass for gap, mass in zip(row, masses, strict=True)), Fraction(0))


def _moved(gaps: list[list[Fraction]], masses: list[Fraction]) -> list[Fraction] | None:
    """Return masses that leave as much of every limit as can be had near those given; None if there are none.

    The programme is about the last digits alone: what the limits leave now is computed exactly, and everything is told
    in units of them.
    """
    from scipy.optimize import linprog

    k = len(masses)
    left = [float(-_sum(row, masses) / Fraction(_UNIT)) for row in gaps]
    slopes = np.array([[float(gap) for gap in row] for row in gaps])
    answer = linprog(
        np.r_[np.zeros(k), -1.0],
        A_ub=np.hstack([slopes, np.ones((len(gaps), 1))]),
        b_ub=left,
        A_eq=np.r_[np.ones(k), 0.0][None],
        b_eq=[0.0],
        bounds=[(-_FURTHEST, _FURTHEST)] * k + [(None, _FURTHEST)],
        method="highs",
    )
    if answer.status != 0:
        return None
    return [
        mass + Fraction(float(step)) * Fraction(_UNIT) for mass, step in zip(masses, answer.x[:k].tolist(), strict=True)
    ]
