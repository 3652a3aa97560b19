"""Mean shifts: ascent of the price over soft decisions for many starts together, accelerated by what they remember."""

from __future__ import annotations

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.pricing.parts import Part

_MEMORY = 8  # turns that the next step is made of
_ENTRIES = 1 << 22  # of an array of letters and terms that is held at a time
_LEAST = 1e-300
SETTLED = 1e-13  # relative gain of a shift that is none
_MOST_STRETCH = 1024.0  # of a shift
_LONGEST = 5.0  # change of a logarithm in one step
_ROUNDING = 1e-14  # of prices: a step is not taken back for it, or a climb would end in shifts alone
_SINGULAR = 1e-13  # of a least-squares system, relatively


def shift_each(
    part: Part, columns: np.ndarray, starts: np.ndarray, settled: float = SETTLED, most_turns: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Return the decisions (m, N) and scaled prices (m,) that mean shifts lead to, all starts together.

    They end where a shift gains less than `settled`, relatively, or after so many turns.

    With many classes Newton's matrices are out of proportion, and shifts alone converge slowly where a price is nearly
    flat. So a step is the combination of the last ones under which shifts would have moved least (Anderson's
    acceleration), in logarithms, weighted as relative entropy weights them. Where the price falls, which it does as
    long as it is convex along a ridge, a shift stretched for as long as that pays is tried; the shift itself, taken
    where that fails too, cannot descend.
    """
    decisions, prices = np.array(starts, dtype=float), np.zeros(len(columns))
    block = max(1, _ENTRIES // max(part.weights.shape[1], 2 * _MEMORY * part.n_classes))
    for first in range(0, len(columns), block):
        rows = slice(first, first + block)
        decisions[rows], prices[rows] = _shift(part, part.weights[columns[rows]], decisions[rows], settled, most_turns)
    return decisions, prices


class _Memory:
    """Of every climb the last few changes of its place and of the shift there, shapes (m, memory, N)."""

    def __init__(self, n_climbs: int, n_classes: int) -> None:
        self.places = np.zeros((n_climbs, _MEMORY, n_classes))
        self.shifts = np.zeros_like(self.places)
        self.next = 0

    def add(self, place: np.ndarray, shift: np.ndarray) -> None:
        """Enter changes, shape (m, N), in place of the oldest."""
        self.places[:, self.next], self.shifts[:, self.next] = place, shift
        self.next = (self.next + 1) % _MEMORY

    def step(self, shift: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the accelerated step in place of a shift, both of shape (m, N)."""
        weighted = self.shifts * weights[:, None]
        system = weighted @ self.shifts.transpose(0, 2, 1)
        trace = np.einsum("kmm->k", system)
        system += (_SINGULAR * trace + _LEAST)[:, None, None] * np.eye(_MEMORY)
        shares = np.linalg.solve(system, weighted @ shift[:, :, None]).transpose(0, 2, 1)
        return np.asarray(shift - (shares @ self.places + shares @ self.shifts)[:, 0])

    def keep(self, rows: np.ndarray) -> None:
        """Keep some of the climbs only."""
        self.places, self.shifts = self.places[rows], self.shifts[rows]


def _shift(
    part: Part, weights: np.ndarray, r: np.ndarray, settled: float, most_turns: int
) -> tuple[np.ndarray, np.ndarray]:
    ends, end_prices, left = r.copy(), np.zeros(len(r)), np.arange(len(r))
    memory, stretch = _Memory(*r.shape), np.ones(len(r))
    price, target = shifted(part, weights, r)
    shift = _log_ratio(target, r)
    for turn in range(most_turns):
        deadline.look()
        going = 0.5 * (target * shift**2).sum(axis=1) > settled  # what a shift gains, to second order
        if turn == most_turns - 1:
            going[:] = False
        if not going.all():
            # a combination may leave out entries that hardly count: the last step is a shift
            done = ~going
            ends[left[done]], end_prices[left[done]] = target[done], shifted(part, weights[done], target[done])[0]
            left, weights, r, price, target, shift, stretch = (
                one[going] for one in (left, weights, r, price, target, shift, stretch)
            )
            memory.keep(going)
        if not left.size:
            break
        trial, value, after = np.empty_like(r), np.full(len(r), -1.0), np.empty_like(r)
        stretched = stretch[:, None] * shift
        for step in (memory.step(shift, target), stretched, shift):
            short = np.flatnonzero(~(value >= price * (1 - _ROUNDING)))
            if not short.size:
                break
            moved = r[short] * np.exp(np.clip(step[short], -_LONGEST, _LONGEST))
            normalise_each(part, moved)
            trial[short] = moved
            value[short], after[short] = shifted(part, weights[short], moved)
            if step is stretched:
                longer = np.minimum(2.0 * stretch[short], _MOST_STRETCH)
                stretch[short] = np.where(value[short] >= price[short], longer, 1.0)
        new = _log_ratio(after, trial)
        memory.add(_log_ratio(trial, r), new - shift)
        r, price, target, shift = trial, value, after, new
    return ends, end_prices


def _log_ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(above, _LEAST)) - np.log(np.maximum(below, _LEAST)))


def shifted(part: Part, weights: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the prices (m,) of decisions (m, N) and the mean of the classes under the shares of their terms."""
    terms = np.log(np.maximum(r, _LEAST)) @ part.powers
    terms -= part.total_shift
    np.minimum(terms, 0.0, out=terms)
    np.exp(terms, out=terms)
    terms *= weights
    means = terms @ part.powers.T
    normalise_each(part, means)
    return terms.sum(axis=1), means


def normalise_each(part: Part, r: np.ndarray) -> None:
    """Scale decisions (m, N) to a sum of one for every label that has any."""
    for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True):
        total = r[:, a:b].sum(axis=1, keepdims=True)
        r[:, a:b] /= np.where(total > 0, total, 1.0)
