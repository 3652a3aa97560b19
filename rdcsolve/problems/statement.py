"""From what the user states to matrices: letters, losses and bounds of a `Problem`; a problem from matrices alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.options import shown
from rdcsolve.problems.limits import (
    ClassifierLossLimit,
    DistortionLimit,
    InformationLimit,
    LabelEntropyLimit,
    Limit,
    LossLimit,
    RateLimit,
)
from rdcsolve.problems.losses import FreeDistortion, LabelEntropy, Loss, LossTable
from rdcsolve.problems.perception import PerceptionLimit
from rdcsolve.problems.source import Source, losses_between
from rdcsolve.problems.structures import LossStructure, is_structure, structure_of
from rdcsolve.problems.validation import freeze, loss_matrix, one_of, point_array

_LIMITS = (
    DistortionLimit,
    LabelEntropyLimit,
    InformationLimit,
    ClassifierLossLimit,
    LossLimit,
    PerceptionLimit,
    RateLimit,
)


class Resolved(NamedTuple):
    """A statement turned into arrays."""

    reproduction: np.ndarray | None
    table: LossTable
    bounds: np.ndarray
    rate_bound: float | None
    equal: np.ndarray
    perception_bounds: np.ndarray


def resolve(source: Source, reproduction: Any, distortion: Any, limits: Any, unit: str) -> Resolved:
    """Return the letters, the checked table of losses, their bounds in the unit, and the rate limit of a statement."""
    listed = [
        limit.entropy_limit(source, unit) if isinstance(limit, InformationLimit) else limit
        for limit in _limit_list(limits)
    ]
    if isinstance(reproduction, str):
        return _resolve_free(source, reproduction, distortion, listed)
    if hasattr(reproduction, "place_losses"):
        return _resolve_own(source, reproduction, distortion, listed)
    return _resolve_listed(source, reproduction, distortion, listed)


def _resolve_listed(source: Source, reproduction: Any, distortion: Any, listed: list[Any]) -> Resolved:
    """Return the statement of a problem whose letters are listed."""
    if is_structure(distortion):
        distortion = structure_of(distortion, "loss 'distortion'")
    points = _letter_points(source, reproduction, distortion)
    first = Loss("distortion", losses_between(distortion, source, points, "distortion"))
    losses, bounds = _losses_and_bounds(source, points, first, listed)
    labels, their_bounds = _entropies(source, listed)
    perceptions = [limit for limit in listed if isinstance(limit, PerceptionLimit)]
    n_letters = int(losses[0].shape[1])
    if points is not None and points.shape[0] != n_letters:
        raise InvalidInput(
            f"reproduction has {points.shape[0]} points but the losses have {n_letters} columns; "
            "give one point per letter"
        )
    of_laws = [pair for limit in perceptions for pair in limit.resolved(source, points, n_letters)]
    table = LossTable(source.p_x, losses, labels, perceptions=[measured for measured, _ in of_laws])
    held = {limit.name for limit in listed if isinstance(limit, LossLimit) and limit.equal}
    return Resolved(
        points,
        table,
        freeze(np.array(bounds + their_bounds)),
        _rate_limit(listed),
        freeze(np.array([name in held for name in table.names])),
        freeze(np.array([bound for _, bound in of_laws], dtype=float)),
    )


def check_listed(reproduction: Any) -> None:
    """Raise unless letters are listed, as fixed ones have to be."""
    is_space = hasattr(reproduction, "place_losses")
    if is_space or isinstance(reproduction, str):
        stated = "a letter space" if is_space else repr(reproduction)
        raise InvalidInput(f"letters='fixed' needs listed letters but reproduction is {stated}; give points")


def _resolve_free(source: Source, reproduction: str, distortion: Any, limits: list[Any]) -> Resolved:
    """Return the statement of a problem whose letters are any points, each then the mean of what it stands for.

    Under absolute error on the line it may be a median, which the source's points hold: they are the letters then.
    """
    if reproduction != "free":
        raise InvalidInput(
            f"reproduction is {reproduction!r}; give points (n_y, dim), None for the source's, or 'free' for any points"
        )
    if source.points is None:
        raise InvalidInput("reproduction is 'free' but the source has no points; pass points= to Source")
    scales = {"squared_error": 1.0, "mean_squared_error": 1 / source.points.shape[1]}
    by_medians = isinstance(distortion, str) and distortion == "absolute" and source.points.shape[1] == 1
    if not by_medians and (not isinstance(distortion, str) or distortion not in scales):
        raise InvalidInput(
            f"reproduction is 'free' but the distortion is {shown(distortion)}; free letters are for 'squared_error', "
            "'mean_squared_error' and, on the line, 'absolute': give points otherwise"
        )
    bound = math.inf
    for limit in limits:
        if isinstance(limit, DistortionLimit) and limit.distortion is None:
            if bound < math.inf:
                raise InvalidInput("the distortion is limited twice; keep one DistortionLimit")
            bound = limit.bound
        elif not isinstance(limit, (LabelEntropyLimit, RateLimit)):
            raise InvalidInput(
                f"reproduction is 'free' but {limit!r} needs listed letters; give points, or limit the label's entropy"
            )
    if by_medians:
        return _resolve_listed(source, None, distortion, limits)
    labels, their_bounds = _entropies(source, limits)
    free = FreeDistortion("distortion", source.points, scales[distortion])
    table = LossTable(source.p_x, [], labels, free)
    return _of_places(table, [bound, *their_bounds], limits)


def _resolve_own(source: Source, space: Any, distortion: Any, limits: list[Any]) -> Resolved:
    """Return the statement of a problem whose letters come from a space of the user's own, with its losses."""
    kind = type(space).__name__
    if distortion != "squared_error":  # the default, which is not looked at
        raise InvalidInput(f"distortion is given but the letters of {kind} have their own losses; leave it out")
    names = tuple(space.loss_names)
    places = space.spread()
    if getattr(places, "ndim", 0) != 2 or not places.size or not np.isfinite(places).all():
        raise InvalidInput(f"{kind}.spread() is to return finite places of shape (k, dim), one row each")
    matrices = space.place_losses(places)
    if len(matrices) != len(names):
        raise InvalidInput(f"{kind} names the losses {names} but place_losses returns {len(matrices)} arrays")
    for name, matrix in zip(names, matrices, strict=True):
        stated = loss_matrix(matrix, f"loss '{name}' of {kind}")
        if stated.min() < 0:
            raise InvalidInput(
                f"loss '{name}' of {kind} has entries below zero, {stated.min():.6g} at least; which is least of all "
                "places is not known, so it cannot be counted from there: add a constant to it in place_losses"
            )
        shape = stated.shape
        if shape != (source.n_x, places.shape[0]):
            raise InvalidInput(
                f"loss '{name}' of {kind} has shape {shape} for {source.n_x} symbols and {places.shape[0]} places"
            )
    bounds = dict.fromkeys(names, math.inf)
    for limit in limits:
        if isinstance(limit, DistortionLimit) and limit.distortion is None and "distortion" in names:
            bounds["distortion"] = limit.bound
        elif not isinstance(limit, (LabelEntropyLimit, RateLimit)):
            raise InvalidInput(
                f"{limit!r} needs listed letters but these are of {kind}; limit its own losses by name, with_limits"
            )
    labels, their_bounds = _entropies(source, limits)
    table = LossTable(source.p_x, [], labels, own_letters=space)
    return _of_places(table, [*bounds.values(), *their_bounds], limits)


def _of_places(table: LossTable, bounds: list[float], limits: list[Any]) -> Resolved:
    """Return the statement of a problem whose letters are places: no loss is held at a value, no law limited."""
    held = np.zeros(len(bounds), dtype=bool)
    return Resolved(None, table, freeze(np.array(bounds)), _rate_limit(limits), freeze(held), freeze(np.zeros(0)))


def _entropies(source: Source, limits: list[Any]) -> tuple[list[LabelEntropy], list[float]]:
    entropies = [limit for limit in limits if isinstance(limit, LabelEntropyLimit)]
    return [limit.loss(source) for limit in entropies], [limit.bound for limit in entropies]


def _rate_limit(limits: list[Any]) -> float | None:
    rates = [limit.bound for limit in limits if isinstance(limit, RateLimit)]
    if len(rates) > 1:
        raise InvalidInput(f"{len(rates)} rate limits are given; keep the smallest, RateLimit({min(rates):.6g})")
    return rates[0] if rates else None


def _limit_list(limits: Any) -> list[Any]:
    if isinstance(limits, _LIMITS) or not isinstance(limits, Sequence):
        limits = [limits]
    for limit in limits:
        if not isinstance(limit, _LIMITS):
            names = ", ".join(kind.__name__ for kind in _LIMITS)
            raise InvalidInput(f"limits holds {limit!r}; the known limits are {names}")
    return list(limits)


def _letter_points(source: Source, reproduction: Any, distortion: Any) -> np.ndarray | None:
    if reproduction is not None:
        return point_array(reproduction, "reproduction")
    own: np.ndarray | None = source.points
    if isinstance(distortion, str) or callable(distortion):
        return own
    shape = distortion.shape if isinstance(distortion, LossStructure) else np.shape(distortion)
    return own if tuple(shape) == (source.n_x, source.n_x) else None


def _losses_and_bounds(
    source: Source, points: np.ndarray | None, first: Loss, limits: list[Any]
) -> tuple[list[Loss], list[float]]:
    """Return the losses in order and their bounds; the first loss is the problem's distortion."""
    losses, bounds = [first], [math.inf]
    is_limited = False
    for limit in limits:
        if isinstance(limit, (RateLimit, LabelEntropyLimit, PerceptionLimit)):
            continue
        matrix = limit.matrix(source, points)
        if matrix is not None:
            losses.append(Loss(limit.name, matrix, getattr(limit, "is_information", False)))
            bounds.append(limit.bound)
        elif is_limited:
            raise InvalidInput("the distortion is limited twice; keep one DistortionLimit without distortion=")
        else:
            bounds[0] = limit.bound
            is_limited = True
    return losses, bounds


def spelled_out(name: str, labels: Sequence[str] = ()) -> str:
    """Return the name of the loss that a short name stands for; ``C`` is the only one of `labels` if given."""
    if isinstance(name, str) and name == "C" and len(labels) == 1:
        return labels[0]
    return {"D": "distortion", "C": "label_entropy", "P": "perception"}.get(name, name)


def by_name(
    stated: Iterable[tuple[str, Any]],
    label_names: tuple[str, ...],
    families: Mapping[str, Sequence[str]] = MappingProxyType({}),
    what: str = "bound",
) -> dict[str, Any]:
    """Return numbers by full name: ``D`` is the distortion, ``C`` the label's entropy or a list of them, in order.

    A name of limits on the laws of classes stands for all of them: they get a number each, or all the same.

    Parameters
    ----------
    stated : iterable of (str, number or sequence)
    label_names : tuple of str
        Of the problem's label entropies.
    families : mapping of str to sequence of str, optional
        Names of the measures of classes, by the name that stands for them.
    what : {"bound", "multiplier"}, optional
        What the numbers are, for messages.
    """
    numbers: dict[str, Any] = {}
    for name, number in stated:
        named = [(spelled_out(name), number)]
        family = families.get(named[0][0])
        if family is not None:
            several = list(number) if isinstance(number, (Sequence, np.ndarray)) else [number] * len(family)
            if len(several) != len(family):
                raise InvalidInput(
                    f"{name} holds {len(several)} {what}s but stands for the laws of {len(family)} classes "
                    f"({', '.join(family)}); give one each, or a single number"
                )
            named = list(zip(family, several, strict=True))
        if name == "C":
            if not label_names:
                raise InvalidInput(
                    "C stands for a label's entropy but the problem has none; declare it with LabelEntropyLimit(inf)"
                )
            several = list(number) if isinstance(number, (Sequence, np.ndarray)) else [number]
            if len(several) != len(label_names):
                raise InvalidInput(
                    f"C holds {len(several)} {what}s but the problem has {len(label_names)} label entropies "
                    f"({', '.join(label_names)}); give one each"
                )
            named = list(zip(label_names, several, strict=True))
        for full, value in named:
            if full in numbers:
                what = "limit on" if what == "bound" else "multiplier of"
                raise InvalidInput(f"the {what} {full} is stated twice; give it once")
            numbers[full] = value
    return numbers


def check_objective(minimise: str, bounds: dict[str, float], rate: float | None) -> None:
    """Check that the objective is the rate, or a loss or perception that the limits leave to be minimised."""
    one_of(minimise, ("rate", *bounds), "objective")
    if minimise == "rate":
        return
    if rate is None:
        raise InvalidInput(f"minimise={minimise!r} needs a limit on the rate; add RateLimit(...)")
    bound = bounds[minimise]
    if bound < math.inf:
        raise InvalidInput(
            f"{minimise} is minimised and limited to {bound:.6g}; drop that limit, or minimise something else"
        )


def _perception_of(bound: float | None, measure: Any) -> list[Limit]:
    """Return the limit on the reproduction's law that bare arrays state, if they state one."""
    if measure is None and bound is None:
        return []
    if measure is None:
        raise InvalidInput("P limits the law of the reproduction but not how it is measured; add perception='tv'")
    bound = math.inf if bound is None else bound
    if isinstance(measure, str):
        return [PerceptionLimit(bound, measure)]
    return [PerceptionLimit(bound, "transport", cost=measure)]


@public_call
def from_arrays(  # noqa: PLR0913 - what may be stated, by keyword
    cls: type[Any],
    p_x: Any,
    d: Any,
    p_s_given_x: Any = None,
    *,
    D: float | None = None,
    C: float | Sequence[float] | None = None,
    P: float | None = None,
    perception: Any = None,
    losses: Mapping[str, Any] | None = None,
    limits: Mapping[str, float] | None = None,
    equal: Sequence[str] = (),
    rate: float | None = None,
    minimise: str = "rate",
    letters: str = "split",
    normalise: bool = False,
    unit: str = "nat",
) -> Any:
    """Return the problem stated by matrices alone.

    Parameters
    ----------
    p_x : array_like
        Masses, shape (n_x,).
    d : array_like
        Distortions, shape (n_x, n_y), real numbers; ``+inf`` forbids the pair.
    p_s_given_x : array_like or sequence of array_like, optional
        Conditionals of the label, or of each label, shape (n_x, n_s).
    D : float, optional
        Limit on the distortion.
    C : float or sequence of float, optional
        Limit on the entropy H(S | A) of the label, or of each label, in `unit`; inf declares it without limiting it.
    P : float, optional
        Limit on the distance between the law of the reproduction and `p_x`.
    perception : str or array_like, optional
        How that distance is measured, see `PerceptionLimit`: a measure that needs no points, or the costs of a
        transport, shape (n_x, n_y). Without `P` it is declared and not limited.
    losses : mapping of str to array_like, optional
        Further losses by name, shape (n_x, n_y).
    limits : mapping of str to float, optional
        Bounds on the losses by name; a loss without one is not limited.
    equal : sequence of str, optional
        Which of the further losses are held at their bounds, not below them; see `LossLimit`.
    rate : float, optional
        Limit on the rate, in `unit`.
    minimise : str, optional
        ``"rate"`` or the name of a loss.
    letters : {"split", "fixed"}, optional
        See `Problem`.
    normalise : bool, optional
        Rescale `p_x` and the rows of `p_s_given_x` to sum to one.
    unit : {"nat", "bit"}, optional
        Of rates and entropies, here and in every answer; see `Problem`.

    Returns
    -------
    Problem

    Examples
    --------
    >>> from rdcsolve import Problem
    >>> Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    Problem(n_x=2, n_letters=2, minimise='rate', distortion <= 0.1)
    """
    for name, stated in {"losses": losses, "limits": limits}.items():
        if stated is not None and not isinstance(stated, Mapping):
            raise InvalidInput(f"{name} is {shown(stated)}; give a mapping of names to values, such as {{'miss': ...}}")
    source = Source(None, p_x, labels=() if p_s_given_x is None else p_s_given_x, normalise=normalise)
    held = _names_held(equal, losses or {})
    named = (losses or {}).items()
    extra: list[Limit] = [LossLimit(math.inf, matrix, name, equal=name in held) for name, matrix in named]
    if C is not None:
        extra += [LabelEntropyLimit(math.inf, k) for k in range(len(source.labels))]
    extra += _perception_of(P, perception)
    problem = cls(source, distortion=d, limits=extra, letters=letters, unit=unit)
    all_stated = [*(limits or {}).items(), ("D", D), ("C", None if C == math.inf else C), ("rate", rate)]
    label_names = tuple(label.name for label in problem.label_entropies)
    bounds = by_name(((name, bound) for name, bound in all_stated if bound is not None), label_names)
    return problem.with_limits(**bounds)._variant(minimise=spelled_out(minimise))


def _names_held(equal: Any, losses: Mapping[str, Any]) -> set[str]:
    """Return the names of further losses that are held at their bounds."""
    if not isinstance(equal, (str, Sequence, Set)):
        raise InvalidInput(f"equal is {shown(equal)}; give a list of the names of losses")
    names = [equal] if isinstance(equal, str) else list(equal)
    for name in names:
        one_of(name, tuple(losses), "loss held at its bound (equal=)")
    return set(names)
