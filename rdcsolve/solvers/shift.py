"""Losses with entries below zero: solved with every symbol's least entry taken off, answered in the user's own scale.

A constant added to all losses of one symbol, and its mean to the bound, changes no channel and no rate: only the mean
loss, by that mean. So solvers see no loss below zero, and their scales (bounds, shares, first multipliers) keep a
meaning. With lambda and u of the shifted problem, u + lambda.shift has the same prices, and proves the same bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdcsolve.certificates import Certificate
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.problems.losses import Loss, LossTable
from rdcsolve.problems.objective import is_lagrangian
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.problems.structures import LossStructure, Shifted, Table
from rdcsolve.problems.validation import freeze
from rdcsolve.results.channel import Channel
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.rounding import two_sum
from rdcsolve.solvers.finite.reduction import least_rounding, negligible

Callback = Callable[[StepRecord], object]


@dataclass(frozen=True, eq=False)
class Shift:
    """What is taken off the losses of a problem, symbol by symbol, and the way back.

    Parameters
    ----------
    problem : Problem
        As it is stated.
    shifts : numpy.ndarray
        Shape (M', n_x): what is taken off the linear losses.
    means : numpy.ndarray
        Shape (M + J,): their means, zero for other losses and perceptions.
    inside : Problem
        The problem with no loss below zero.
    """

    problem: Problem
    shifts: np.ndarray
    means: np.ndarray
    inside: Problem

    @classmethod
    def of(cls, problem: Problem) -> Shift | None:
        """Return the shift that leaves no loss of a problem below zero, or None if there is none now.

        The exchange of letters measures what is left of a gap beside the loss, so there a loss also counts from its
        least values where these are more than all differences between letters.
        """
        lowest = [problem.row_minima(m) for m in range(len(problem.linear_losses))]  # over pairs that are allowed
        moved = [bool((least < 0).any()) or _is_constant(problem, m) for m, least in enumerate(lowest)]
        if not any(moved):
            return None
        shifts = np.array(
            [least if is_moved else np.zeros(least.size) for least, is_moved in zip(lowest, moved, strict=True)]
        )
        pairs = zip(problem.linear_losses, shifts, strict=True)
        forbidden = problem.forbidden
        losses = [Loss(one.name, less(one.structure, shift, forbidden), one.is_information) for one, shift in pairs]
        table = LossTable(problem.p_x, losses, problem.label_entropies, perceptions=problem.perceptions)
        means = np.zeros(len(problem.limit_names))
        means[: len(losses)] = [mean_excess(problem.p_x, shift) for shift in shifts]
        return cls(problem, shifts, means, problem.with_table(table, shifted_bounds(problem, shifts)))

    # ------------------------------------------------------------------------------------------- and back

    def result(self, result: Result) -> Result:
        """Return a result of the inside problem as one of the problem stated."""
        problem, names = self.problem, self.problem.limit_names
        own = dict(zip(names, self.means.tolist(), strict=True))
        channel = result.channel
        if isinstance(channel, Channel):
            channel = Channel(problem, channel.letters, channel.q, channel.multipliers)
        by = self.of_objective(result.objective)
        changes: dict[str, Any] = {
            "objective_lower": result.objective_lower + by,
            "objective_upper": result.objective_upper + by,
            "losses": {name: value + own[name] for name, value in result.losses.items()},
            "minimum": {name: value + own.get(name, 0.0) for name, value in result.minimum.items()},
            "d_tilted": result.d_tilted + self._tilted(result),
            "channel": channel,
            "certificate": None if result.certificate is None else self._certificate(result.certificate, channel),
            "history": tuple(self.record(record, by) for record in result.history),
            "fingerprint": problem.fingerprint(),
        }
        return replace(result, **changes)

    def start(self, start: Result | None) -> Result | None:
        """Return a result of the problem stated as one to begin near inside."""
        if start is None:
            return None
        own = dict(zip(self.problem.limit_names, self.means.tolist(), strict=True))
        losses = {name: value - own[name] for name, value in start.losses.items()}
        return replace(start, losses=losses, fingerprint=self.inside.fingerprint())

    def callback(self, callback: Callback | None) -> Callback | None:
        """Return what tells the user's callback of the steps inside."""
        by = self.of_objective(self.problem.objective)
        return None if callback is None else lambda record: callback(self.record(record, by))

    def record(self, record: StepRecord, by: float) -> StepRecord:
        """Return a line of a history about an objective that is larger by a number."""
        return replace(record, lower=record.lower + by, value=record.value + by) if by else record

    def of_objective(self, objective: str) -> float:
        """Return by how much an objective of the problem stated is larger than inside."""
        if is_lagrangian(objective):
            given = self.problem.multipliers
            return 0.0 if given is None else math.fsum((given * self.means[: given.size]).tolist())
        names = self.problem.limit_names
        return float(self.means[names.index(objective)]) if objective in names else 0.0

    def _certificate(self, certificate: Certificate, channel: Any) -> Certificate:
        by = self.of_objective(certificate.objective)
        n_linear = len(self.shifts)
        every = np.arange(self.problem.n_x)
        point = DualPoint.shifted(self.problem, every, certificate.u, certificate.multipliers[:n_linear], self.shifts)
        u, left = two_sum(point.u, certificate.u_rest)
        return replace(
            certificate,
            u=u,
            u_rest=point.rest + left,
            channel=channel,
            lower=certificate.lower + by,
            upper=certificate.upper + by,
            fingerprint=self.problem.fingerprint(),
        )

    def _tilted(self, result: Result) -> np.ndarray:
        """Return what u - lambda.b is larger by: shifts less their means, at the certificate's multipliers."""
        if result.certificate is None:
            return np.zeros(self.problem.n_x)
        n_linear = len(self.shifts)
        multipliers = result.certificate.multipliers[:n_linear]
        used = np.flatnonzero(multipliers)
        moved: np.ndarray = multipliers[used] @ (self.shifts[used] - self.means[used, None])
        return moved


def _is_constant(problem: Problem, m: int) -> bool:
    """Return whether a linear loss beside label entropies is mostly a constant for every symbol."""
    if not problem.label_entropies or problem.free is not None:
        return False
    return problem.least_mean(m) > problem.spread(m)


def less(structure: LossStructure, shift: np.ndarray, forbidden: np.ndarray | None = None) -> LossStructure:
    """Return a loss with something taken off every row, as a structure of the same kind where that is known.

    Parameters
    ----------
    structure : LossStructure
    shift : numpy.ndarray
        Shape (n_x,): the least allowed entries.
    forbidden : numpy.ndarray, optional
        Mask of pairs that are not allowed, where the loss may be less than that.
    """
    if not shift.any():
        return structure
    if isinstance(structure, Table):
        return Table(freeze(np.maximum(structure.block() - shift[:, None], 0.0)))
    if isinstance(structure, SeparableLoss) and forbidden is None:
        lowered, minima = structure.less_row_minima()
        return lowered if np.array_equal(minima, shift) else Shifted(structure, shift)
    return Shifted(structure, shift)


def shifted_bounds(problem: Problem, shifts: np.ndarray) -> np.ndarray:
    """Return the bounds on losses that are shifted, shape (M,); one at the least value stays at the least value."""
    bounds = problem.bounds.copy()
    for m in np.flatnonzero(np.isfinite(bounds[: len(shifts)])).tolist():
        if shifts[m].any():
            bound = -mean_excess(problem.p_x, shifts[m], float(bounds[m]))
            room = -mean_excess(problem.p_x, problem.row_minima(m), float(bounds[m]))
            if -least_rounding(problem, m) <= room <= negligible(problem, m):
                bound -= room
            bounds[m] = bound
    return freeze(bounds)
