"""Letters with soft decisions: pairs of a reproduction symbol j and, for every label, a probability vector r_k.

The price of a letter is c_j(r) = sum_i exp(log_weights[i, j] + sum_k lambda_k sum_s w_k[i, s] log r_ks), with
0 log 0 = 0. Here are its local maxima, found quickly, and a proved bound of its global maximum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.proof import PriceProof
from rdcsolve.letters.pricing import starts
from rdcsolve.letters.pricing.ascent import climb
from rdcsolve.letters.pricing.bound import MOST_DIMENSIONS, Search, tangents_at
from rdcsolve.letters.pricing.parts import EPS, Part, parts_of
from rdcsolve.letters.pricing.record import Record, earlier_shares, proof_of
from rdcsolve.letters.pricing.separation import separated

_PAIRS = 40_000_000  # of cells and rows, for all cells together


@dataclass(frozen=True)
class Decisions:
    """Letters.

    Attributes
    ----------
    columns : numpy.ndarray
        Shape (m,): symbol j of every letter.
    decisions : tuple of numpy.ndarray
        Per label, shape (m, n_k).
    log_prices : numpy.ndarray
        Shape (m,), nats.
    """

    columns: np.ndarray
    decisions: tuple[np.ndarray, ...]
    log_prices: np.ndarray


@dataclass(frozen=True)
class LargestPrice:
    """The largest price over all symbols and decisions.

    Attributes
    ----------
    log_upper : float
        If `proved`, no letter's log price is larger, all roundings considered; else `log_best`.
    log_best : float
        The log price of the best letter found.
    column : int
        Its symbol.
    decisions : tuple of numpy.ndarray
        Its decisions, per label of shape (n_k,).
    proved : bool
        False where more than three dimensions would have had to be searched.
    n_cells : int
        How many cells were bounded.
    proof : PriceProof or None
        What proves it, if `proved`; else what proves `log_proved`.
    log_proved : float
        A proved bound, if `proof` is one; larger than `log_upper` where branch and bound over cells of shares ended too
        early.
    """

    log_upper: float
    log_best: float
    column: int
    decisions: tuple[np.ndarray, ...]
    proved: bool
    n_cells: int
    proof: PriceProof | None = None
    log_proved: float = math.inf


@dataclass(frozen=True)
class Above:
    """What is known of prices beside a threshold.

    Attributes
    ----------
    above : numpy.ndarray
        Shape (n_y,), bool: the symbols that may have a price above it.
    log_upper : float
        A proved bound of the log prices of all others.
    record : dict of int to PartRecord
        Notes that a proof of the bound is made of.
    """

    above: np.ndarray
    log_upper: float
    record: Record


def log_prices(
    log_weights: np.ndarray,
    labels: list[np.ndarray],
    multipliers: np.ndarray,
    columns: np.ndarray,
    decisions: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Return the logarithms of the prices of letters, shape (m,), nats; -inf for a price of zero.

    Parameters
    ----------
    log_weights : numpy.ndarray
        Shape (n, n_y), nats, -inf allowed.
    labels : list of numpy.ndarray
        Conditionals w_k, shape (n, n_k), rows summing to one.
    multipliers : numpy.ndarray
        lambda_k >= 0.
    columns, decisions
        Letters as in `Decisions`.
    """
    exponents = log_weights[:, columns]
    for multiplier, label, soft in zip(multipliers.tolist(), labels, decisions, strict=True):
        if multiplier > 0:
            zero = soft == 0
            exponents = exponents + multiplier * (label @ np.log(np.where(zero, 1.0, soft)).T)
            if zero.any():
                exponents[label @ zero.T > 0] = -math.inf
    top = exponents.max(axis=0, initial=-math.inf)
    finite = top > -math.inf
    result = np.full(top.shape, -math.inf)
    result[finite] = top[finite] + np.log(np.exp(exponents[:, finite] - top[finite]).sum(axis=0))
    return result


def local_maxima(
    log_weights: np.ndarray,
    labels: list[np.ndarray],
    multipliers: np.ndarray,
    starts: Decisions | None = None,
    thorough: bool = True,
) -> Decisions:
    """Return local maxima of the price for every symbol, equal ones merged, prices good to about 1e-12.

    The list is as complete as a spread of starts makes it; symbols whose prices are below e^-600 times the largest
    may be left out.

    Parameters
    ----------
    log_weights, labels, multipliers
        As in `log_prices`.
    starts : Decisions, optional
        Letters to climb from, besides a spread of decisions.
    thorough : bool, optional
        Whether to climb from all of a small spread, or from its crests alone.
    """
    left = separated(log_weights, labels, multipliers)
    if starts is not None:
        starts = replace(starts, decisions=left.reduced(starts.decisions))
    parts, log_scale = parts_of(left.log_weights, left.labels, left.multipliers)
    found = [_empty(left.labels)]
    for part in parts:
        deadline.look()
        columns, decisions, prices = _maxima(part, starts, thorough)
        whole = _expanded(part, columns, decisions, left.labels)
        found.append(Decisions(columns, whole, log_scale + np.log(prices)))
    stacked = tuple(np.vstack(soft) for soft in zip(*(one.decisions for one in found), strict=True))
    return Decisions(
        np.concatenate([one.columns for one in found]),
        left.expanded(stacked),
        np.concatenate([one.log_prices for one in found]),
    )


def largest_price(  # noqa: PLR0913 - what a search may begin with is given by name
    log_weights: np.ndarray,
    labels: list[np.ndarray],
    multipliers: np.ndarray,
    *,
    log_error: float | np.ndarray = 0.0,
    rtol: float = 1e-10,
    log_enough: float = -math.inf,
    max_cells: int | None = None,
    found: Decisions | None = None,
    numbers: np.ndarray | None = None,
    may_go_on: Callable[[float], bool] | None = None,
    earlier: PriceProof | None = None,
) -> LargestPrice:
    """Return the largest price over all symbols and decisions, and a proved upper bound of it.

    The bound allows for all roundings: some 1e-13 relatively for everyday numbers, plus a few units in the last place
    of the largest logarithms and multipliers.

    Parameters
    ----------
    log_weights, labels, multipliers
        As in `log_prices`.
    log_error : float or numpy.ndarray
        Bound of the absolute error of every entry of `log_weights`.
    rtol : float
        How close to the largest price, relatively, the bound should be.
    log_enough : float, optional
        A log price below which bounds need not go.
    max_cells : int, optional
        How many cells of decisions may be bounded, by default some seconds' worth. Beyond that the bound is that of the
        cells left.
    found : Decisions, optional
        Local maxima; by default they are searched for.
    numbers : numpy.ndarray, optional
        Shape (n_y,): what the proof calls the columns; by default their places.
    may_go_on : callable, optional
        Where labels have too many classes for cells of decisions: takes a number of cells of shares and says whether so
        many more may be bounded. By default none are.
    earlier : PriceProof, optional
        Of a search at another dual point, or one that ended early: its cells of shares are where this one begins.
    """
    left = separated(log_weights, labels, multipliers)
    parts, log_scale = parts_of(left.log_weights, left.labels, left.multipliers, log_error + left.log_error)
    if found is not None:
        found = replace(found, decisions=left.reduced(found.decisions)) if found.columns.size else None
    most = _most_cells(log_weights) if max_cells is None else max_cells
    enough = math.exp(min(log_enough - log_scale, 700.0)) if parts else 0.0
    search = Search(rtol, most, enough=enough, may_go_on=may_go_on)
    numbers = np.arange(log_weights.shape[1]) if numbers is None else numbers
    maxima = []
    for part in parts:
        one = _maxima(part, None) if found is None else _of_part(part, found, mixed=0.0)
        if found is not None and part.n_classes:
            one = climb(part, *one[:2])
        search.offer(part, *one)
        search.maxima[part.number] = one[:2]
        search.earlier[part.number] = earlier_shares(earlier, part.number, numbers)
        maxima.append(one)
    for part, one in zip(parts, maxima, strict=True):
        search.bound(part, one[0], one[2])
    if search.part is None or search.decisions is None:
        uniform = tuple(np.full(label.shape[1], 1.0 / label.shape[1]) for label in labels)
        return LargestPrice(-math.inf, -math.inf, 0, uniform, True, 0, PriceProof())
    column = np.array([search.column])
    best = left.expanded(_expanded(search.part, column, search.decisions[None], left.labels))
    log_best = float(log_prices(log_weights, labels, multipliers, column, best)[0])
    log_upper, log_proved, proof = log_best, math.inf, None
    if search.proved:
        proof = proof_of([(numbers, search.record)])
        upper = math.log(max(search.upper, search.best))
        log_proved = upper + log_scale + 4 * EPS * (1 + abs(upper) + abs(log_scale))
        log_upper = log_best if search.is_short else log_proved
    single, proved = tuple(soft[0] for soft in best), search.proved and not search.is_short
    return LargestPrice(log_upper, log_best, search.column, single, proved, search.n_cells, proof, log_proved)


def prices_above(
    log_weights: np.ndarray,
    labels: list[np.ndarray],
    multipliers: np.ndarray,
    log_enough: float,
    *,
    log_error: float | np.ndarray = 0.0,
    max_cells: int | None = None,
    is_last: bool = False,
) -> Above:
    """Return which symbols may have a price above a threshold, and a proved bound of all others.

    Parameters
    ----------
    log_weights, labels, multipliers, log_error, max_cells
        As in `largest_price`.
    log_enough : float
        The logarithm of the threshold.
    is_last : bool, optional
        Whether no symbol is to be marked: then the bound is that of all of them, below the threshold where it can be.
    """
    left = separated(log_weights, labels, multipliers)
    parts, log_scale = parts_of(left.log_weights, left.labels, left.multipliers, log_error + left.log_error)
    above = np.zeros(log_weights.shape[1], dtype=bool)
    most = _most_cells(log_weights) if max_cells is None else max_cells
    search = Search(0.0, most, best=math.exp(min(log_enough - log_scale, 700.0)), above=None if is_last else above)
    for part in parts:
        columns, _, prices = _maxima(part, None)
        search.bound(part, columns, prices)
    if not search.proved:
        above[:] = True
    if not search.upper > 0:
        return Above(above, -math.inf, search.record)
    upper = math.log(search.upper)
    return Above(above, upper + log_scale + 4 * EPS * (1 + abs(upper) + abs(log_scale)), search.record)


def log_price_bounded(
    log_weights: np.ndarray,
    labels: list[np.ndarray],
    multipliers: np.ndarray,
    letters: Decisions,
    log_error: float | np.ndarray = 0.0,
) -> float:
    """Return the logarithm of the dearest letter's price with all that bounds allow for: none can be below it.

    Parameters
    ----------
    log_weights, labels, multipliers, log_error
        As in `largest_price`.
    letters : Decisions
    """
    left = separated(log_weights, labels, multipliers)
    parts, log_scale = parts_of(left.log_weights, left.labels, left.multipliers, log_error + left.log_error)
    reduced = replace(letters, decisions=left.reduced(letters.decisions))
    # with a multiplier of 1e8, decisions that are moved by 1e-15 cost more than all roundings
    prices = [float(_of_part(part, reduced, mixed=0.0, least=0.0)[2].max(initial=0.0)) for part in parts]
    largest = max(prices, default=0.0)
    return log_scale + math.log(largest) if largest > 0 else -math.inf


def bounded_at(
    log_weights: np.ndarray,
    labels: list[np.ndarray],
    multipliers: np.ndarray,
    decisions: tuple[np.ndarray, ...],
    *,
    log_error: float | np.ndarray = 0.0,
    numbers: np.ndarray | None = None,
) -> tuple[float, PriceProof | None]:
    """Return the logarithm of what tangents at one place bound all prices by, and the proof; inf if they are none.

    Parameters
    ----------
    log_weights, labels, multipliers, log_error, numbers
        As in `largest_price`.
    decisions : tuple of numpy.ndarray
        Per label, shape (n_k,): where the tangents are taken. Prices have to be concave.
    """
    left = separated(log_weights, labels, multipliers)
    parts, log_scale = parts_of(left.log_weights, left.labels, left.multipliers, log_error + left.log_error)
    columns = np.arange(log_weights.shape[1])
    soft = left.reduced(tuple(one[None] for one in decisions))
    record: Record = {}
    largest = 0.0
    for part in parts:
        if part.n_classes and not part.is_concave:
            return math.inf, None
        if part.n_classes:
            bounds, record[part.number] = tangents_at(part, columns, _places(part, soft))
        else:
            bounds = part.weights.sum(axis=1) * (1 + part.rounding)
        largest = max(largest, float(bounds.max(initial=0.0)))
    proof = proof_of([(columns if numbers is None else numbers, record)])
    return (log_scale + math.log(largest) + 4 * EPS * (1 + abs(log_scale)) if largest > 0 else -math.inf), proof


def _most_cells(log_weights: np.ndarray) -> int:
    """Return how many cells may be bounded: the work for one grows with the number of rows."""
    return int(min(max(_PAIRS // log_weights.shape[0], 200_000), 4_000_000))


def is_provable(labels: list[np.ndarray], multipliers: np.ndarray) -> bool:
    """Return whether the largest price can be bounded, whatever the weights."""
    parts = _bare_parts(labels, multipliers) if labels else []
    return all(part.is_concave or part.dimension <= MOST_DIMENSIONS for part in parts)


def is_by_tangents(labels: list[np.ndarray], multipliers: np.ndarray) -> bool:
    """Return whether some prices are bounded by tangents alone, which may end above what bounds are to reach."""
    return bool(labels) and any(part.dimension > MOST_DIMENSIONS for part in _bare_parts(labels, multipliers))


def _bare_parts(labels: list[np.ndarray], multipliers: np.ndarray) -> list[Part]:
    """Return the parts of prices whose weights are all one."""
    left = separated(np.zeros((labels[0].shape[0], 1)), labels, multipliers)
    return parts_of(np.zeros((labels[0].shape[0], 1)), left.labels, left.multipliers)[0]


def _maxima(part: Part, given: Decisions | None, thorough: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns (m,), decisions (m, N) and scaled prices (m,) of a part's local maxima."""
    if part.n_classes == 0:
        totals = part.weights.sum(axis=1)
        columns = np.flatnonzero(totals > 0)
        return columns, np.empty((columns.size, 0)), totals[columns]
    columns, decisions = starts.starts(part, thorough)
    if given is not None:
        more = _of_part(part, given, mixed=1e-9)
        columns, decisions = np.r_[more[0], columns], np.vstack([more[1], decisions])
    return climb(part, columns, decisions)


def _of_part(
    part: Part, given: Decisions, mixed: float, least: float = 1e-15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return those of the given letters that a part has, raised by `least`, with a share `mixed` of the centre.

    A letter that gives nothing to the part's classes has no price there: unless it is raised, it is left out.
    """
    chosen = np.ones(given.columns.size, dtype=bool)
    for k, only in part.decided:
        chosen &= given.decisions[k].argmax(axis=1) == only
    for k, classes in part.remaining:
        chosen &= given.decisions[k][:, classes].sum(axis=1) + least > 0
    which = np.flatnonzero(chosen)
    soft = [given.decisions[k][np.ix_(which, classes)] + least for k, classes in part.remaining]
    table = np.hstack([np.empty((which.size, 0)), *(one / one.sum(axis=1, keepdims=True) for one in soft)])
    if mixed and soft:
        table = (1 - mixed) * table + mixed * part.centre()
    columns = given.columns[which]
    prices = part.terms(columns, table).sum(axis=1) if which.size else np.empty(0)
    return columns, table, prices


def _places(part: Part, decisions: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return decisions of all labels, shape (1, n_k) each, among a part's classes, one row for every column."""
    kept = [np.maximum(decisions[k][:, classes], 1e-250) for k, classes in part.remaining]
    place = np.hstack([one / one.sum(axis=1, keepdims=True) for one in kept])
    return np.repeat(place, part.weights.shape[0], axis=0)


def _expanded(
    part: Part, columns: np.ndarray, decisions: np.ndarray, labels: list[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """Return a part's decisions, shape (m, N), for all labels and classes; where r_k does not matter, the posterior."""
    whole = [np.zeros((columns.size, label.shape[1])) for label in labels]
    for k, only in part.decided:
        whole[k][:, only] = 1.0
    for position, (k, classes) in enumerate(part.remaining):
        whole[k][:, classes] = decisions[:, part.offsets[position] : part.offsets[position + 1]]
    idle = set(range(len(labels))) - {k for k, _ in part.decided} - {k for k, _ in part.remaining}
    if idle and columns.size:
        terms = part.terms(columns, decisions) if part.n_classes else part.weights[columns]
        for k in idle:
            posterior = terms @ labels[k][part.rows]
            whole[k][:] = posterior / posterior.sum(axis=1, keepdims=True)
    return tuple(whole)


def _empty(labels: list[np.ndarray]) -> Decisions:
    return Decisions(np.empty(0, dtype=np.int64), tuple(np.empty((0, label.shape[1])) for label in labels), np.empty(0))
