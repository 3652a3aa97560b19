"""From what the user states to matrices: letters, losses and bounds of a `Problem`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.distortions import distortion_matrix
from rdcsolve.problems.limits import ClassifierLossLimit, DistortionLimit, LossLimit, RateLimit
from rdcsolve.problems.losses import Loss, LossTable
from rdcsolve.problems.source import Source
from rdcsolve.problems.validation import freeze, one_of, point_array

_LIMITS = (DistortionLimit, ClassifierLossLimit, LossLimit, RateLimit)


class Resolved(NamedTuple):
    """A statement turned into arrays."""

    reproduction: np.ndarray | None
    table: LossTable
    bounds: np.ndarray
    rate_bound: float | None


def resolve(source: Source, reproduction: Any, distortion: Any, limits: Any) -> Resolved:
    """Return the letters, the checked table of losses, their bounds and the rate limit of a statement."""
    listed = _limit_list(limits)
    points = _letter_points(source, reproduction, distortion)
    first = Loss("distortion", distortion_matrix(distortion, source.points, points))
    losses, bounds = _losses_and_bounds(source, points, first, listed)
    table = LossTable(source.p_x, losses)
    if points is not None and points.shape[0] != table.n_letters:
        raise InvalidInput(
            f"reproduction has {points.shape[0]} points but the losses have {table.n_letters} columns; "
            "give one point per letter"
        )
    rates = [limit.bound for limit in listed if isinstance(limit, RateLimit)]
    if len(rates) > 1:
        raise InvalidInput(
            f"{len(rates)} rate limits are given; keep the smallest, RateLimit({min(rates):.6g})"
        )
    return Resolved(points, table, freeze(np.array(bounds)), rates[0] if rates else None)


def _limit_list(limits: Any) -> list[Any]:
    if isinstance(limits, _LIMITS) or not isinstance(limits, Sequence):
        limits = [limits]
    for limit in limits:
        if not isinstance(limit, _LIMITS):
            names = ", ".join(kind.__name__ for kind in _LIMITS)
            raise InvalidInput(f"limits holds {limit!r}; the known limits are {names}")
    return list(limits)


def _letter_points(source: Source, reproduction: Any, distortion: Any) -> np.ndarray | None:
    if isinstance(reproduction, str):
        raise InvalidInput(
            f"reproduction is {reproduction!r}; give points (n_y, dim), or None for the source's"
        )
    if reproduction is not None:
        return point_array(reproduction, "reproduction")
    if isinstance(distortion, str) or callable(distortion):
        return source.points
    if source.points is not None and np.shape(distortion) == (source.n_x, source.n_x):
        return source.points
    return None


def _losses_and_bounds(
    source: Source, points: np.ndarray | None, first: Loss, limits: list[Any]
) -> tuple[list[Loss], list[float]]:
    """Return the losses in order and their bounds; the first loss is the problem's distortion."""
    losses, bounds = [first], [math.inf]
    is_limited = False
    for limit in limits:
        if isinstance(limit, RateLimit):
            continue
        matrix = limit.matrix(source, points)
        if matrix is not None:
            losses.append(Loss(limit.name, matrix))
            bounds.append(limit.bound)
        elif is_limited:
            raise InvalidInput(
                "the distortion is limited twice; keep one DistortionLimit without distortion="
            )
        else:
            bounds[0] = limit.bound
            is_limited = True
    return losses, bounds


def check_objective(minimise: str, names: tuple[str, ...], bounds: np.ndarray, rate: float | None) -> None:
    """Raise unless `minimise` is the rate, or a loss that the limits leave to be minimised."""
    one_of(minimise, ("rate", *names), "objective")
    if minimise == "rate":
        return
    if rate is None:
        raise InvalidInput(f"minimise={minimise!r} needs a limit on the rate; add RateLimit(...), in nats")
    bound = bounds[names.index(minimise)]
    if bound < math.inf:
        raise InvalidInput(
            f"{minimise} is minimised and limited to {bound:.6g}; drop that limit, or minimise something else"
        )
