"""Local maxima of the price over soft decisions: multiplicative steps that cannot descend, and Newton's.

All starts climb together, in NumPy: nothing has to be compiled before the first answers. A process with much to climb
goes over to a compiled twin, `compiled_ascent` (see `rdcsolve.twins`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.pricing.layout import LONGEST, MOST_STRETCH, RESTS, WORK
from rdcsolve.letters.pricing.parts import Part
from rdcsolve.letters.pricing.shifts import normalise_each, shift_each

_MAX_STEPS = 400
_MANY_CLASSES = 16  # with more, accelerated mean shifts take less time than Newton's steps
_ENTRIES = 1 << 17  # of an array of starts and terms that is held at a time: it stays in a processor's cache
_PIECE = 50_000_000  # products between two looks at the clock, if compiled climbs took all their steps
_NEGLIGIBLE = 1e-290  # prices that are not climbed on
_IDLE = 1e-12  # decisions that Newton's method leaves to the multiplicative step
_BOUNDARY = 1e-9  # decisions that are tried as zero in the end
_SAME = 1e-6  # largest difference of decisions that count as one letter
_LITTLE = 1e-9  # relative gain of a mean shift, after which only the dearest are followed
_MOST_TURNS = (30, 50)  # of shifts, until they gain little, and from there until they gain nothing
_HEAP = 1e-4  # largest difference of decisions that lead to one maximum, where shifts gain little
_DEAR = 24  # ends that are followed to where shifts gain nothing


@dataclass
class _Climbers:
    """What is known of the starts that still climb.

    Attributes
    ----------
    at : numpy.ndarray
        Shape (m,): which start each is.
    weights : numpy.ndarray
        Shape (m, n): of the terms of its price.
    r : numpy.ndarray
        Shape (m, N): where it is.
    safe : numpy.ndarray
        Shape (m, N): where the multiplicative step leads to, from where it was last.
    last : numpy.ndarray
        Shape (m,): the last price that counts.
    may_fall_back : numpy.ndarray
        Shape (m,), bool: whether it came by a step that may have descended.
    is_newton : numpy.ndarray
        Shape (m,), bool: whether that was Newton's.
    rests : numpy.ndarray
        Shape (m,): for how many steps Newton's is not tried.
    stretch : numpy.ndarray
        Shape (m,): by how much the next multiplicative step is stretched, in the logarithm.
    kicked : numpy.ndarray
        Shape (m,), bool: whether it was moved off a saddle.
    """

    at: np.ndarray
    weights: np.ndarray
    r: np.ndarray
    safe: np.ndarray
    last: np.ndarray
    may_fall_back: np.ndarray
    is_newton: np.ndarray
    rests: np.ndarray
    stretch: np.ndarray
    kicked: np.ndarray

    def only(self, kept: np.ndarray) -> _Climbers:
        """Return some of them."""
        return self if kept.all() else _Climbers(*(getattr(self, one.name)[kept] for one in fields(self)))


def _terms(part: Part, weights: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return the terms (m, n) of the prices of decisions (m, N), with 0^0 = 1."""
    nothing = r <= 0
    if not nothing.any():
        return _sized(part, weights, np.log(r))
    terms = _sized(part, weights, np.log(np.where(nothing, 1.0, r)))
    terms[(nothing.astype(float) @ (part.powers > 0)) > 0] = 0.0
    return terms


def _sized(part: Part, weights: np.ndarray, logs: np.ndarray) -> np.ndarray:
    terms: np.ndarray = logs @ part.powers
    terms -= part.total_shift
    np.minimum(terms, 0.0, out=terms)
    np.exp(terms, out=terms)
    terms *= weights
    return terms


def _second_moments(part: Part, g: np.ndarray) -> np.ndarray:
    """Return sum_i g_i b_is b_it, shape (m, N, N)."""
    out = np.empty((len(g), part.n_classes, part.n_classes))
    for s in range(part.n_classes):
        out[:, s, : s + 1] = (g * part.powers[s]) @ part.powers[: s + 1].T
        out[:, : s + 1, s] = out[:, s, : s + 1]
    return out


def _along(part: Part, root: np.ndarray) -> np.ndarray:
    """Return sum_k root_k root_k' over the labels, shape (m, N, N)."""
    out = np.zeros((*root.shape, root.shape[1]))
    for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True):
        out[:, a:b, a:b] = root[:, a:b, None] * root[:, None, a:b]
    return out


def _solve_definite(matrix: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the solutions (m, N) of systems (m, N, N), which are overwritten, and which of them are positive definite.

    By elimination without a search for pivots: these are positive exactly if the matrix is positive definite.
    """
    step, regular = right.copy(), np.ones(len(right), dtype=bool)
    size = right.shape[1]
    for s in range(size):
        regular &= matrix[:, s, s] > 0
        pivot = np.where(regular, matrix[:, s, s], 1.0)
        ratio = matrix[:, s + 1 :, s] / pivot[:, None]
        matrix[:, s + 1 :, s + 1 :] -= ratio[:, :, None] * matrix[:, s, None, s + 1 :]
        step[:, s + 1 :] -= ratio * step[:, s, None]
        step[:, s] /= pivot
        matrix[:, s, s + 1 :] /= pivot[:, None]
    for s in range(size - 2, -1, -1):
        step[:, s] -= (matrix[:, s, s + 1 :] * step[:, s + 1 :]).sum(axis=1)
    return step, regular


def _newton(
    part: Part, r: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return relative steps (m, N), the rise (m,) that the model promises, the roots of r in use, and who has a step.

    In the variables phi_s = d log r_s sqrt(r_s) the decisions stay probabilities if phi is orthogonal to sqrt(r_k) for
    every label, to first order. Adding a scale in those directions makes the projected system regular.
    """
    used = r >= _IDLE
    root = np.sqrt(np.where(used, r, 0.0))
    inverse = np.zeros_like(root)
    np.divide(1.0, root, out=inverse, where=used)
    gradient, scale = first * inverse, first.max(axis=1)
    matrix = second * (-inverse[:, :, None] * inverse[:, None, :])
    diagonal = np.arange(part.n_classes)
    matrix[:, diagonal, diagonal] += np.where(used, gradient * inverse, scale[:, None])
    along = _along(part, root)
    gradient -= np.einsum("mst,mt->ms", along, gradient)
    matrix -= along @ matrix
    matrix -= matrix @ along
    matrix += scale[:, None, None] * along
    step, regular = _solve_definite(matrix, gradient)
    rise = 0.5 * (step * gradient).sum(axis=1)
    return step * inverse, rise, root, regular


def _advance(part: Part, all_prices: np.ndarray, all_decisions: np.ndarray, one: _Climbers, is_last: bool) -> _Climbers:
    """Take a step of every start, and enter prices and decisions of those that have arrived; return the others.

    Multiplicative step: r_k <- sum_i g_i w_k[i] / sum_i g_i with the terms g_i. By Jensen's inequality
    log c(r') - log c(r) >= sum_i g_i / c (eta_i(r') - eta_i(r)), and this r' makes the right side largest, so not
    negative. It converges linearly, so Newton's step is taken where the price is concave, and elsewhere this one is
    stretched while that pays. Either is undone if it descends.
    """
    g = _terms(part, one.weights, one.r)
    price = g.sum(axis=1)
    fell = one.may_fall_back & ~(price >= one.last * (1 - 1e-15))
    one.r[fell] = one.safe[fell]
    one.last = np.where(fell, one.last, price)
    one.stretch[fell & ~one.is_newton] = 1.0
    one.rests = np.where(fell, np.where(one.is_newton, RESTS, one.rests), np.maximum(one.rests - 1, 0))
    first = g @ part.powers.T
    safe = first.copy()
    normalise_each(part, safe)
    ratio = np.ones_like(safe)
    np.divide(safe, one.r, out=ratio, where=one.r > 0)
    gain = (first * (ratio - 1.0)).sum(axis=1)
    step, rise, root, regular = _newton(part, one.r, first, _second_moments(part, g))
    longest = np.abs(step).max(axis=1)
    settled = regular & (rise <= 1e-13 * price) & (gain <= 1e-9 * price) & (longest < 1e-2)
    flat = ~regular & (gain <= 1e-17 * price)
    is_newton = regular & (settled | (one.rests == 0))
    is_stretched = ~is_newton & ~flat & (one.stretch > 1)
    shrink = np.minimum(1.0, LONGEST / np.maximum(longest, 1e-300))
    moved = np.where(root > 0, one.r * (1 + shrink[:, None] * step), safe)
    pushed = one.r * (1 + 1e-3 * (np.arange(part.n_classes) % 3 - 0.9))  # off a saddle any step leads to a maximum
    far = one.r * np.exp(np.clip(one.stretch[:, None] * np.log(ratio), -LONGEST, LONGEST))
    after = np.where(is_stretched[:, None], far, safe)
    after = np.where(is_newton[:, None], moved, np.where(flat[:, None], pushed, after))
    normalise_each(part, after)

    over = ~fell & (price <= _NEGLIGIBLE) | is_last
    arrived = over | ~fell & (settled | flat & one.kicked)
    stays = over | fell | flat & one.kicked
    after[stays] = one.r[stays]
    if arrived.any():
        # the model errs by a power 3/2 of its rise
        all_prices[one.at[arrived]] = np.where(settled & ~over, price + rise, one.last)[arrived]
        all_decisions[one.at[arrived]] = after[arrived]
    one.r = after
    one.safe = np.where(fell[:, None], one.safe, safe)
    one.may_fall_back = ~fell & (is_newton | is_stretched)
    one.is_newton = is_newton
    one.stretch = np.where(~fell & ~is_newton & ~flat, np.minimum(2.0 * one.stretch, MOST_STRETCH), one.stretch)
    one.kicked = one.kicked | flat & ~fell
    return one.only(~arrived)


def _at_a_time(part: Part, is_plain: bool) -> int:
    n = int(part.powers.shape[1])
    if is_plain:
        return max(1, _ENTRIES // max(n, part.n_classes**2))
    return max(1, _PIECE // (_MAX_STEPS * n * part.n_classes**2))


def climb_compiled(part: Part, columns: np.ndarray, decisions: np.ndarray, prices: np.ndarray) -> None:
    """Do what `climb_together` does, by compiled loops."""
    from rdcsolve.letters.pricing.compiled_ascent import climb_all

    deadline.look()
    args = part.weights, part.powers, part.total_shift, part.offsets
    climb_all(*args, columns, decisions, prices, _MAX_STEPS, part.is_concave)


@np.errstate(all="ignore")  # steps that come to nothing are not taken
def climb_together(part: Part, columns: np.ndarray, decisions: np.ndarray, prices: np.ndarray) -> None:
    """Overwrite decisions (m, N) by stationary points no lower, and write their prices (m,).

    Where the price is concave throughout, its maximum is off the boundary.
    """
    m, weights = len(columns), part.weights[columns]
    never = np.zeros(m, dtype=bool)
    left = _Climbers(
        *(np.arange(m), weights, decisions.copy(), decisions.copy(), np.full(m, -1.0)),
        *(never, never, np.zeros(m, dtype=np.int64), np.ones(m), never),
    )
    for count in range(_MAX_STEPS + 1):
        deadline.look()
        WORK.step(left.weights.size * (part.n_classes + 4))
        left = _advance(part, prices, decisions, left, count == _MAX_STEPS)
        if not left.at.size:
            break
    if part.is_concave:
        return
    small = np.flatnonzero(((decisions > 0) & (decisions <= _BOUNDARY)).any(axis=1))
    if small.size:  # the limit of a sequence that ends on the boundary
        ends = np.where(decisions[small] > _BOUNDARY, decisions[small], 0.0)
        normalise_each(part, ends)
        values = _terms(part, weights[small], ends).sum(axis=1)
        better = values >= prices[small]
        decisions[small[better]], prices[small[better]] = ends[better], values[better]


def _distinct(columns: np.ndarray, decisions: np.ndarray, prices: np.ndarray, same: float = _SAME) -> np.ndarray:
    """Return the first of every group of nearly equal letters; columns ascending, prices descending within a column."""
    left, kept = np.flatnonzero(prices > 0), []
    while left.size:
        is_first = np.r_[True, columns[left[1:]] != columns[left[:-1]]]
        first = left[is_first]
        kept.append(first)
        apart = np.abs(decisions[left] - decisions[first][np.cumsum(is_first) - 1]).max(axis=1, initial=0.0)
        left = left[apart > same]
    return np.sort(np.concatenate(kept)) if kept else left


def climb_each(part: Part, columns: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns (m,), and the decisions (m, N) and scaled prices (m,) that each of the starts leads to."""
    decisions, prices = np.array(starts, dtype=float, order="C"), np.empty(len(columns))
    columns = np.ascontiguousarray(columns, dtype=np.int64)
    begin = 0
    while begin < len(columns):
        is_plain = WORK.may_stay_plain()
        rows = slice(begin, begin + _at_a_time(part, is_plain))
        (climb_together if is_plain else climb_compiled)(part, columns[rows], decisions[rows], prices[rows])
        begin = rows.stop
    return columns, decisions, prices


def _shift_to_maxima(part: Part, columns: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns (m,), decisions (m, N) and prices (m,) of where shifts lead, one for every heap they end in.

    All starts are shifted until a shift gains little, and the dearest ends until it gains nothing. Prices of smooth
    sources have ridges, on which climbs wander for hundreds of turns and gain next to nothing.
    """
    decisions, prices = shift_each(part, columns, starts, _LITTLE, _MOST_TURNS[0])
    order = np.lexsort((-prices, columns))
    columns, decisions, prices = columns[order], decisions[order], prices[order]
    kept = _distinct(columns, decisions, prices, _HEAP)
    columns, decisions, prices = columns[kept], decisions[kept], prices[kept]
    dear = np.argsort(-prices, kind="stable")[:_DEAR]
    decisions[dear], prices[dear] = shift_each(part, columns[dear], decisions[dear], most_turns=_MOST_TURNS[1])
    return columns, decisions, prices


def climb(part: Part, columns: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct local maxima that the starts lead to: columns (m,), decisions (m, N), scaled prices (m,).

    Parameters
    ----------
    part : Part
        With at least one remaining label.
    columns : numpy.ndarray
        Shape (m,): symbol of every start.
    starts : numpy.ndarray
        Shape (m, N); an entry that is zero stays zero.
    """
    if part.n_classes > _MANY_CLASSES:
        columns, decisions, prices = _shift_to_maxima(part, columns, starts)
    else:
        columns, decisions, prices = climb_each(part, columns, starts)
    order = np.lexsort((-prices, columns))
    columns, decisions, prices = columns[order], decisions[order], prices[order]
    kept = _distinct(columns, decisions, prices)
    return columns[kept], decisions[kept], prices[kept]
