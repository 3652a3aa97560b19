"""`one_shot`: the least rate of codes for one symbol at a time that share randomness, exact for small sources."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.codes.cells import Cells, Partition
from rdcsolve.codes.mixtures import Programme, mixture
from rdcsolve.errors import InvalidInput
from rdcsolve.information import nats_to_bits
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import LossAtRate, is_lagrangian, is_rate
from rdcsolve.results import Status
from rdcsolve.rounding import exact_dot


@dataclass(frozen=True, eq=False)
class DeterministicCode:
    """A code without randomness of its own: a message for every symbol, a letter for every message.

    Attributes
    ----------
    weight : float
        How often shared randomness picks this code.
    messages : numpy.ndarray
        Shape (n_x,): the message of every symbol, 0 to k - 1; -1 for symbols without mass.
    letters : numpy.ndarray
        Shape (k,): the letter of every message; empty where letters are free.
    reproduction : numpy.ndarray
        Where letters are free: E[X | message], shape (k, dim). Otherwise empty.
    decisions : tuple of numpy.ndarray
        Per label entropy of the problem p(s | message), shape (k, n_s).
    rate : float
        The entropy of its messages, in the unit of the problem.
    losses : dict of str to float
        Its mean losses.
    """

    weight: float
    messages: np.ndarray
    letters: np.ndarray
    reproduction: np.ndarray
    decisions: tuple[np.ndarray, ...]
    rate: float
    losses: dict[str, float]


@dataclass(frozen=True, eq=False)
class OneShot:
    """What one-shot codes with shared randomness can do at best, between two bounds.

    Attributes
    ----------
    status : Status
        OPTIMAL, INFEASIBLE where no code meets the limits, or STALLED where the bounds are further apart than asked.
    objective : str
        ``"rate"``, ``"lagrangian"`` or the name of the loss that is minimised.
    objective_lower : float
        No code does better: the least Lagrangian over all partitions, counted down by what its roundings can be. Where
        the limits cannot be met, inf.
    objective_upper : float
        What the codes in `codes` attain together.
    rate : float
        H(f(X) | U) of those codes, in `unit`.
    losses : dict of str to float
        Their mean losses.
    slopes : dict of str to float
        By name of every limit, by how much the objective falls per unit of its bound: the dual numbers, >= 0, from
        which `objective_lower` follows. Where the limits cannot be met, weights at which every code exceeds the bounds.
    codes : tuple of DeterministicCode
        At most one more than there are limits.
    single : DeterministicCode or None
        The best code among those looked at that meets the limits alone, without shared randomness; another may be
        better yet, but not better than `objective_lower`.
    n_words : int or None
        The largest number of messages.
    rounds : int
        How many codes were looked at.
    unit : {"nat", "bit"}
        Of all information in this record.
    information_losses : tuple of str
        Names of the losses that are in that unit; the others have their own.
    """

    status: Status
    objective: str
    objective_lower: float
    objective_upper: float
    rate: float
    losses: dict[str, float]
    slopes: dict[str, float]
    codes: tuple[DeterministicCode, ...]
    single: DeterministicCode | None
    n_words: int | None
    rounds: int
    unit: str = "nat"
    information_losses: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        """Upper minus lower bound."""
        return self.objective_upper - self.objective_lower

    def __str__(self) -> str:
        words = "" if self.n_words is None else f" of at most {self.n_words} messages"
        if self.status is Status.INFEASIBLE:
            return f"INFEASIBLE: no code{words} meets the limits, with or without shared randomness"
        ends = f"[{self.objective_lower:.10f}, {self.objective_upper:.10f}]"
        rows = [f"{self.status.name}: one-shot codes{words}, {self.objective} in {ends}"]
        rows += [f"  {len(self.codes)} codes share randomness, H(f(X)|U) {self.rate:.10g} {self.unit}"]
        for name, value in self.losses.items():
            slope = f", slope {self.slopes[name]:.6g}" if name in self.slopes else ""
            rows.append(f"  {name} {value:.10g}{slope}")
        if self.single is not None:
            rows.append(f"  best single code looked at: H(f(X)) {self.single.rate:.10g} {self.unit}")
        return "\n".join(rows)

    def __repr__(self) -> str:
        return (
            f"<OneShot {self.status.name}: {self.objective} in [{self.objective_lower:.10g}, "
            f"{self.objective_upper:.10g}]>"
        )


@public_call
def one_shot(problem: Problem, n_words: int | None = None, *, tolerance: float = 1e-9) -> OneShot:
    """Return the least rate, or loss, of codes that encode one symbol at a time, with shared randomness.

    Encoder and decoder draw U together, beforehand and for nothing; then the encoder sends a message f_U(X), of which
    the decoder makes a letter. The rate is H(f_U(X) | U), what an entropy coder approaches when it codes many such
    messages in a row. It is never below R(D, C), which a channel attains over long blocks.

    Parameters
    ----------
    problem : Problem
        Of the least rate under limits on losses, of a least loss under limits on rate and losses, or a Lagrangian. Up
        to 16 symbols of positive mass; letters listed, or free ones; a label's entropy with split letters.
    n_words : int, optional
        The largest number of messages of every code; by default as many as there are symbols.
    tolerance : float, optional
        Gap to reach, in units of max(1, objective).

    Returns
    -------
    OneShot
        With the codes, their bounds, and the slopes that prove the lower one.

    Raises
    ------
    InvalidInput
        If the source is too large, or the problem holds losses at their bounds, limits the law of the reproduction, or
        has fixed letters beside a label's entropy, or letters from a space of its own.

    Notes
    -----
    A randomised code is a mixture of deterministic ones, and those are the partitions of the alphabet with a letter for
    each cell, so the answer is a linear programme over partitions. Its columns are made when they are needed: the best
    partition at given prices is found by dynamic programming over subsets, and at the final prices its value is the
    proof that no code does better. See Codes, in the docs.

    Examples
    --------
    A coin that shows heads with probability 0.3: codes that tell it all the time or never are mixed.

    >>> from rdcsolve.problems import Problem, Source
    >>> coin = Problem(Source([0.0, 1.0], [0.7, 0.3]), distortion="hamming").with_limits(D=0.1)
    >>> found = one_shot(coin)
    >>> print(f"{found.objective_lower:.6f} {found.objective_upper:.6f} {[code.weight for code in found.codes]}")
    0.407243 0.407243 [0.333..., 0.666...]
    """
    _check(problem)
    options.tolerance(tolerance)
    if n_words is not None:
        n_words = options.whole(n_words, "n_words")
    cells = Cells(problem)
    limit = n_words if n_words is not None and n_words < cells.n else None
    programme = _programme(problem, cells, limit)
    found = mixture(cells, programme, tolerance)
    return _answer(problem, cells, found, n_words)


def _check(problem: Any) -> None:
    """Raise where deterministic codes are not what the problem is about."""
    if not isinstance(problem, Problem):
        raise InvalidInput(f"problem is {problem!r}; pass a Problem")
    if problem.perceptions:
        raise InvalidInput(
            f"the problem has the perception {problem.perception_names[0]!r} but one-shot codes are about losses only; "
            "state the problem without it"
        )
    if problem.own_letters is not None:
        raise InvalidInput("one-shot codes need letters that are listed, or free points; list letters of your space")
    if problem.held.any():
        name = problem.loss_names[int(np.flatnonzero(problem.held)[0])]
        raise InvalidInput(
            f"'{name}' is held at its bound; one-shot codes keep upper limits, state it without equal=True"
        )
    if problem.label_entropies and problem.letters == "fixed":
        raise InvalidInput(
            "one-shot codes read a label's entropy from the message, which letters='fixed' forbids; use letters='split'"
        )


def _programme(problem: Problem, cells: Cells, n_words: int | None) -> Programme:
    """Return what is minimised and what is limited, by number: 0 is the rate, 1 + m is loss m."""
    goal, n_losses = problem.goal, len(problem.losses)
    bounds = np.array([math.inf if problem.rate_bound is None else problem.rate_bound, *problem.bounds])
    if isinstance(goal, LossAtRate):
        bounds[1 + goal.target] = math.inf
    bounds[1:] -= cells.shifts[1:]
    largest = math.log(cells.n if n_words is None else n_words)
    if bounds[0] >= largest:
        bounds[0] = math.inf  # no code reaches it; rounding log M must not forbid codes of M equally likely messages
    spreads = np.array([max(math.log(cells.n), 1.0), *(_spread(problem, cells, m) for m in range(n_losses))])
    return Programme(_weights(problem), bounds, spreads, n_words)


def _weights(problem: Problem) -> np.ndarray:
    """Return the weights of rate and losses in the objective, shape (1 + M,)."""
    weights = np.zeros(1 + len(problem.losses))
    if problem.multipliers is not None:
        weights[:] = [1.0, *problem.multipliers]
    else:
        weights[1 + problem.goal.target if isinstance(problem.goal, LossAtRate) else 0] = 1.0
    return weights


def _spread(problem: Problem, cells: Cells, m: int) -> float:
    """Return the scale on which a limit is met."""
    if 1 + m in cells.own:
        return float(cells.own[1 + m][-1]) or 1.0
    return problem.spread(m - cells.first_linear) or 1.0


def _answer(problem: Problem, cells: Cells, found: Any, n_words: int | None) -> OneShot:
    names = ("rate", *problem.loss_names)
    is_met = found.weights.size > 0
    shift = exact_dot((_weights(problem), cells.shifts))
    in_nats = OneShot(
        status=found.status,
        objective=problem.objective,
        objective_lower=max(found.lower + shift, 0.0) if is_rate(problem.objective) else found.lower + shift,
        objective_upper=found.upper + shift,
        rate=float(found.means[0]) if is_met else math.nan,
        losses=dict(zip(names[1:], (found.means + cells.shifts)[1:].tolist(), strict=True)) if is_met else {},
        slopes={names[j]: float(price) for j, price in zip(found.limited, found.prices, strict=True)},
        codes=tuple(
            _code(problem, cells, one, weight) for one, weight in zip(found.partitions, found.weights, strict=True)
        ),
        single=None if found.single is None else _code(problem, cells, found.single, 1.0),
        n_words=n_words,
        rounds=found.rounds,
        information_losses=problem.information_losses,
    )
    return _in_bits(in_nats) if problem.unit == "bit" else in_nats


def _code(problem: Problem, cells: Cells, partition: Partition, weight: float) -> DeterministicCode:
    """Return a partition as a code, its messages numbered by their first symbols."""
    order = sorted(range(len(partition.cells)), key=lambda k: int(cells.members(partition.cells[k])[0]))
    messages = np.full(problem.n_x, -1, dtype=np.intp)
    for z, k in enumerate(order):
        messages[cells.members(partition.cells[k])] = z
    joint = np.zeros((problem.n_x, len(order)))
    joint[cells.symbols, messages[cells.symbols]] = cells.p
    letters = np.array([partition.letters[k] for k in order] if partition.letters else [], dtype=np.intp)
    shares = joint / joint.sum(axis=0)
    return DeterministicCode(
        weight=float(weight),
        messages=messages,
        letters=letters,
        reproduction=np.empty((0, 0)) if problem.free is None else problem.free.means(joint),
        decisions=tuple(shares.T @ label.conditional for label in problem.label_entropies),
        rate=float(partition.means[0]),
        losses=dict(zip(problem.loss_names, (partition.means + cells.shifts)[1:].tolist(), strict=True)),
    )


def _in_bits(found: OneShot) -> OneShot:
    """Return the record with all information in bits."""
    known = found.information_losses

    def shown(losses: dict[str, float]) -> dict[str, float]:
        return {name: nats_to_bits(value) if name in known else value for name, value in losses.items()}

    def of_code(code: DeterministicCode) -> DeterministicCode:
        return replace(code, rate=nats_to_bits(code.rate), losses=shown(code.losses))

    in_information = is_rate(found.objective) or is_lagrangian(found.objective) or found.objective in known
    scale = 1 / math.log(2)
    return replace(
        found,
        objective_lower=found.objective_lower * scale if in_information else found.objective_lower,
        objective_upper=found.objective_upper * scale if in_information else found.objective_upper,
        rate=nats_to_bits(found.rate),
        losses=shown(found.losses),
        slopes={
            name: slope * (scale if in_information else 1.0) / (scale if name == "rate" or name in known else 1.0)
            for name, slope in found.slopes.items()
        },
        codes=tuple(of_code(code) for code in found.codes),
        single=None if found.single is None else of_code(found.single),
        unit="bit",
    )
