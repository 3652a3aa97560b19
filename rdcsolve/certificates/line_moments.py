"""Rate and mean of a channel between points of the line under absolute error, in O(n + k): no pair is looked at.

The channel W(a | i) = q_a exp(-lambda |x_i - y_a|) / t_i is given by q and lambda. With the mean distance D_i = s_i /
t_i,

    t_i = sum_a q_a exp(-lambda |x_i - y_a|),    s_i = sum_a q_a |x_i - y_a| exp(-lambda |x_i - y_a|),

its mean loss is sum_i p_i D_i, its output law r_a = q_a sum_i p_i exp(-lambda |x_i - y_a|) / t_i, and

    I(X; A) <= sum_i p_i (-lambda D_i - log t_i) + sum_a r_a log(q_a / r'_a) + log sum_a r'_a

for any masses r' (Gibbs). All sums are of non-negative terms. A distance is the sum of the steps between the points on
the way: s is the sum over steps h_j of h_j exp(-lambda ...) times what is beyond them, again a running sum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.certificates.line_prices import BLOCK, from_left, line_loss
from rdcsolve.certificates.moments import Moments, Survey
from rdcsolve.rounding import ELEMENTARY, TINY, units, up

_WORTHWHILE = 1 << 18  # pairs: smaller channels are looked at entry by entry


def channel_on_line(numbers: Any, worthwhile: int = _WORTHWHILE) -> tuple[Survey, Moments] | None:
    """Return what two passes over the channel would tell, rounded up, or None where it has no such structure.

    Parameters
    ----------
    numbers : FloatNumbers
    worthwhile : int, optional
        How many pairs of symbol and letter there have to be.

    Notes
    -----
    Running sums put a term through as many additions as a block of 32 nat has points, and two operations and an
    exponential for every block on its way; exponents err by 3 roundings of themselves. s is two running sums. So t
    and r err by a fraction `count`, s by twice that, and D by three times.
    """
    problem, channel = numbers.problem, numbers.whole_channel
    q, multipliers = getattr(channel, "q", None), getattr(channel, "multipliers", None)
    if q is None or multipliers is None or len(problem.losses) != 1 or problem.held.any() or problem.perceptions:
        return None
    loss, letters = line_loss(problem, multipliers), numbers.letters
    if loss is None or loss.distortion != "absolute" or numbers.masses.size * letters.size < worthwhile:
        return None
    if not ((np.diff(letters) > 0).all() and (q > 0).all() and np.isfinite(q).all()):
        return None
    multiplier, elementary = float(multipliers[0]), numbers.elementary
    x, y = (loss.points if numbers.rows is None else loss.points[numbers.rows]), loss.reproduction[letters]
    places = np.union1d(x, y)
    at_x, at_y = np.searchsorted(places, x), np.searchsorted(places, y)
    sums = _Sums(elementary, places, multiplier)
    masses = np.zeros(places.size)
    masses[at_y] = q
    t, s = (part[at_x] for part in sums.both(masses, with_distances=True))
    if not ((t > 1e-250) & np.isfinite(t)).all():
        return None
    p = numbers.masses / (1.0 + numbers.excess_mass)
    weights = np.zeros(places.size)
    weights[at_x] = p / t
    law = q * sums.both(weights)[0][at_y]
    count = sums.error * (1 + 1e-6) + units(16)
    distances = s / t
    mean = math.fsum(p * distances) * (1 + 3 * count + units(8)) + TINY
    logs = np.log(t)
    ratios = np.log(q / np.maximum(law, 1e-300))
    terms = p * (-multiplier * distances - logs)
    sizes = p * (multiplier * distances * 4 * count + (ELEMENTARY + units(4)) * np.abs(logs) + 2 * count)
    of_law = math.fsum(law * ratios)
    size_of_law = math.fsum(law * np.abs(ratios)) * (3 * count + 2 * ELEMENTARY) + units(64)
    rate = math.fsum(terms) + of_law + (math.fsum(sizes) + size_of_law) * (1 + 1e-6)
    rate = up(rate + units(8) * (math.fsum(np.abs(terms)) + abs(of_law)))
    survey = Survey(np.ones(x.size), law, 0.0, 1.0, letters.size == 1, 0.0)
    return survey, Moments(rate, [mean], [])


class _Sums:
    """Sums over all places of weights times exp(-lambda distance), and times the distance as well."""

    def __init__(self, elementary: Any, places: np.ndarray, multiplier: float) -> None:
        self.elementary, self.places, self.multiplier = elementary, places, multiplier
        self.steps = np.diff(places)
        self.decays = np.exp(-multiplier * self.steps)
        blocks = np.floor(multiplier * (places - places[0]) / BLOCK)
        crowd = int(np.unique(blocks, return_counts=True)[1].max())
        n_blocks = float(blocks[-1]) + 1
        span = multiplier * float(places[-1] - places[0])
        self.error = 2 * (units(crowd + 8 * n_blocks + 6 * span + 8 * BLOCK + 64) + (6 + n_blocks) * elementary.excess)

    def both(self, weights: np.ndarray, with_distances: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return sums over all places, and those with distances; zeros where these are not asked for."""
        left, left_distances = self._one(self.places, weights, self.steps, self.decays, with_distances)
        mirrored = -self.places[::-1], weights[::-1], self.steps[::-1], self.decays[::-1]
        right, right_distances = (part[::-1] for part in self._one(*mirrored, with_distances))
        beyond = np.zeros(weights.size)
        beyond[:-1] = self.decays * right[1:]
        return left + beyond, left_distances + right_distances

    def _one(
        self, places: np.ndarray, weights: np.ndarray, steps: np.ndarray, decays: np.ndarray, with_distances: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        sums = from_left(self.elementary, places, weights, places, self.multiplier, "right")
        if not with_distances:
            return sums, np.zeros(weights.size)
        arrived = np.zeros(weights.size)
        arrived[1:] = steps * decays * sums[:-1]
        return sums, from_left(self.elementary, places, arrived, places, self.multiplier, "right")
