"""The grid of a sweep: its axes, its points, the order of visiting, and the problem at each point."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.problems.statement import by_name, spelled_out
from rdcsolve.problems.validation import real_numbers
from rdcsolve.results.units import InBits

Index = tuple[int, ...]

TAKEN = frozenset(
    ["loss", "limit", "objective_lower", "objective_upper", "rate_lower", "rate_upper", "gap", "losses", "multipliers"]
    + ["certificate_multipliers", "minimum", "status", "proof", "seconds", "steps"]
)
"""Names that the dataset of a sweep uses for itself."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Axes of a sweep over one problem.

    Parameters
    ----------
    problem : Problem
        What stays the same; at fixed multipliers the axes are multipliers, otherwise limits.
    names : tuple of str
        Names of the axes as the user wrote them.
    values : tuple of numpy.ndarray
        One 1-D array per axis.
    """

    problem: Problem
    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points along each axis."""
        return tuple(axis.size for axis in self.values)

    def rows(self) -> list[list[Index]]:
        """Return all indices, one list per row along the last axis, each point next to the one before it."""
        order: list[Index] = [()]
        for size in self.shape:
            ways = (range(size), range(size - 1, -1, -1))
            order = [(*prefix, i) for k, prefix in enumerate(order) for i in ways[k % 2]]
        width = self.shape[-1]
        return [order[start : start + width] for start in range(0, len(order), width)]

    def point(self, index: Index) -> dict[str, float]:
        """Return the coordinates of a point by name of the axis."""
        return {name: float(axis[i]) for name, axis, i in zip(self.names, self.values, index, strict=True)}

    def problem_at(self, point: Mapping[str, float]) -> Problem:
        """Return the problem with the limits, or at the multipliers, of `point`."""
        if self.problem.multipliers is None:
            return self.problem.with_limits(**point)
        fixed = self._numbers()
        if self.problem.unit == "bit":
            names, known = self.problem.limit_names, self.problem.information_losses
            fixed = dict(zip(names, InBits("rate", names, known).multipliers(tuple(fixed.values())), strict=True))
        for perception in self.problem.perceptions:
            if perception.is_exact:
                del fixed[perception.name]
        problem = self.problem
        moved = by_name(point.items(), label_names(problem), problem.families, "multiplier")
        return problem.at_multipliers(**fixed | moved)

    def _numbers(self) -> dict[str, float]:
        """Return the bound, or the multiplier where these are fixed, of every loss and perception."""
        problem = self.problem
        if problem.multipliers is None or problem.perception_multipliers is None:
            numbers = [*problem.bounds.tolist(), *problem.perception_bounds.tolist()]
        else:
            numbers = [*problem.multipliers.tolist(), *problem.perception_multipliers.tolist()]
        return dict(zip(problem.limit_names, numbers, strict=True))

    def loss_of(self, name: str) -> str:
        """Return the name of the loss an axis of this grid is about."""
        return spelled_out(name, label_names(self.problem))

    @property
    def has_fixed_letters(self) -> bool:
        """Whether the points are stationary points of a problem that is not convex."""
        return has_fixed_letters(self.problem)

    def statement(self) -> str:
        """Return, as JSON, what decides the answers besides the axes: losses, objective, what stays fixed, the unit."""
        problem = self.problem
        free = {full for name in self.names for full in problem.families.get(self.loss_of(name), [self.loss_of(name)])}
        fixed = {
            name: float(number)
            for name, number in self._numbers().items()
            if name not in free and math.isfinite(number)
        }
        if problem.rate_bound is not None and "rate" not in free:
            fixed["rate"] = problem.rate_bound
        stated = {"fingerprint": problem.fingerprint(), "objective": problem.objective, "fixed": fixed}
        held = [name for name, equal in zip(problem.loss_names, problem.equal, strict=True) if equal and name in fixed]
        if held:
            stated["held"] = held
        if self.has_fixed_letters:
            stated["letters"] = problem.letters
        if problem.unit != "nat":
            stated["unit"] = problem.unit
        return json.dumps(stated, sort_keys=True)


def label_names(problem: Problem) -> tuple[str, ...]:
    """Return the names of a problem's label entropies, in order."""
    return tuple(label.name for label in problem.label_entropies)


def has_fixed_letters(problem: Problem) -> bool:
    """Return whether a problem has label entropies and one letter per symbol, and so is not convex."""
    return bool(problem.label_entropies) and problem.letters == "fixed"


def make_grid(problem: Problem, axes: Mapping[str, Any]) -> Grid:
    """Return the grid over `axes` after checking every value, or raise `InvalidInput`."""
    if not isinstance(problem, Problem):
        raise InvalidInput(f"problem is {problem!r}; pass a Problem")
    if not axes:
        raise InvalidInput(f"no axis is given; name one, such as sweep(problem, {problem.loss_names[0]}=[...])")
    labels = label_names(problem)
    for short in {"D", "C", "P"} & set(axes):
        if spelled_out(short, labels) in axes:
            raise InvalidInput(f"{short} and {spelled_out(short, labels)} are the same axis; give one of them")
    if "C" in axes and len(labels) > 1:
        raise InvalidInput(f"C is one axis but the problem has the label entropies {', '.join(labels)}; name one")
    clash = sorted(TAKEN & set(axes))
    if clash:
        raise InvalidInput(f"the axis {clash[0]!r} has a name that the dataset uses itself; rename the loss")
    if problem.multipliers is not None and "rate" in axes:
        raise InvalidInput("a problem at fixed multipliers has no rate limit; sweep over its multipliers")
    for name in axes:
        if problem.multipliers is None and problem.equal[_place(problem, spelled_out(name, labels))].any():
            raise InvalidInput(
                f"the axis {name} is a loss held at its bound (equal=True), along which the rate need not fall as "
                f"curves and surfaces assume; solve problem.with_limits({name}=...) point by point"
            )
    grid = Grid(problem, tuple(axes), tuple(_axis(name, values) for name, values in axes.items()))
    first = grid.point((0,) * len(grid.names))
    for name, values in zip(grid.names, grid.values, strict=True):
        for value in values:
            grid.problem_at(first | {name: float(value)})
    return grid


def _place(problem: Problem, name: str) -> list[int]:
    """Return the index of a loss, as a list; nothing where there is none of this name."""
    return [problem.loss_names.index(name)] if name in problem.loss_names else []


def _axis(name: str, values: Any) -> np.ndarray:
    axis = real_numbers(values, f"the axis {name}")
    if axis.ndim == 0:
        raise InvalidInput(
            f"the axis {name} is the single number {float(axis):.6g}; give a list, or fix it with with_limits"
        )
    if axis.ndim != 1 or axis.size == 0:
        raise InvalidInput(f"the axis {name} has shape {axis.shape}; give a list of at least one number")
    if np.unique(axis).size < axis.size:
        raise InvalidInput(f"the axis {name} has {axis.size} values of which some are equal; keep each once")
    return axis
