"""What a user may state as targets: pairs, limits by name, or the points of a trade-off; one row of bounds each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import LabelEntropyLimit, LossLimit, Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.problems.perception import KnownPerceptionLimit
from rdcsolve.problems.validation import freeze


def bounds_of(problem: Problem, targets: Any) -> np.ndarray:
    """Return the bounds that the targets put on the losses and perceptions of a problem, in the order of `limit_names`.

    The shape is (J, L) for L of these; inf where there is no limit.

    Raises
    ------
    InvalidInput
        If the problem is not one of the least rate under limits on losses, or a target cannot be read.
    """
    check_problem(problem)
    if hasattr(targets, "attrs") and hasattr(targets, "dims"):
        listed: Any = _points_of(problem, targets)
        problem = problem.in_unit(str(targets.attrs.get("unit", "nat")))
    elif isinstance(targets, (Sequence, np.ndarray)) and not isinstance(targets, str):
        listed = targets
    else:
        raise InvalidInput(
            f"targets is {targets!r}; give a list of pairs (D, C) or of mappings of losses to bounds, or a dataset of "
            "tradeoff"
        )
    if len(listed) == 0:
        raise InvalidInput("targets is empty; give at least one, such as [(0.3, 0.4)]")
    return freeze(np.array([_row_of(_limited(problem, target, j)) for j, target in enumerate(listed)]))


def _row_of(problem: Problem) -> np.ndarray:
    """Return the bounds of a problem in the order of its `limit_names`."""
    return np.concatenate([problem.bounds, problem.perception_bounds])


def check_no_perception(problem: Problem) -> None:
    """Raise if the problem looks at the law of the reproduction, which regions of two losses do not."""
    if problem.perceptions:
        raise InvalidInput(
            f"the problem has the perception {problem.perception_names[0]!r} but a region of two losses is about "
            "losses only; state the problem without it"
        )


def check_problem(problem: Any) -> None:
    """Raise unless it is a problem of the least rate without a limit on the rate."""
    if not isinstance(problem, Problem):
        raise InvalidInput(f"problem is {problem!r}; pass a Problem")
    if problem.own_letters is not None:
        raise InvalidInput(
            f"the letters are those of {type(problem.own_letters).__name__} but decoders need listed or free letters; "
            "list its places as reproduction="
        )
    if not is_rate(problem.objective):
        raise InvalidInput(
            f"the problem minimises {problem.objective!r} but a universal rate is a rate; "
            "pass problem.minimising('rate')"
        )
    if problem.equal.any():
        name = problem.loss_names[int(problem.equal.argmax())]
        raise InvalidInput(
            f"{name} is held at its bound (equal=True) but targets are limits from above; state it as a LossLimit "
            "without equal=True"
        )
    if problem.rate_bound is not None:
        raise InvalidInput(
            f"the problem limits the rate to {problem.rate_bound:.6g} but here it is minimised; "
            "pass problem.with_limits(rate=None)"
        )


def with_bounds(problem: Problem, bounds: np.ndarray) -> Problem:
    """Return the problem with these bounds, in the order of its `limit_names`, and no others."""
    pairs = zip(problem.limit_names, bounds, strict=True)
    named = {name: float(bound) if bound < math.inf else None for name, bound in pairs}
    return problem.with_limits(**named)


def limits_labels(problem: Problem, bounds: np.ndarray) -> bool:
    """Return whether any of these bounds, shape (J, L), limits a label's entropy."""
    return bool(np.isfinite(bounds[:, labels_of(problem)]).any())


def limits_laws(problem: Problem, bounds: np.ndarray) -> bool:
    """Return whether any of these bounds, shape (J, L), limits the law of the reproduction."""
    return bool(np.isfinite(bounds[:, laws_of(problem)]).any())


def labels_of(problem: Problem) -> slice:
    """Return where the label entropies stand among the bounds of a target."""
    return slice(len(problem.losses) - len(problem.label_entropies), len(problem.losses))


def laws_of(problem: Problem) -> slice:
    """Return where the perceptions stand among the bounds of a target."""
    return slice(len(problem.losses), None)


def rows_of(problem: Problem, targets: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Return the bounds of targets that name what they limit, in full, shape (J, L)."""
    free = problem.with_limits(**dict.fromkeys(problem.limit_names))
    return np.array([_row_of(free.with_limits(**target)) for target in targets])


def with_split_letters(problem: Problem) -> Problem:
    """Return the same losses and perceptions with split letters."""
    if problem.letters == "split":
        return problem
    first, *others = problem.linear_losses
    limits: list[Any] = [LossLimit(math.inf, loss.block(), loss.name, loss.is_information) for loss in others]
    limits += [LabelEntropyLimit(math.inf, label.label, label.name) for label in problem.label_entropies]
    limits += [KnownPerceptionLimit(math.inf, perception) for perception in problem.perceptions]
    split = Problem(problem.source, problem.reproduction, first.block(), limits)
    return with_bounds(split, _row_of(problem))


def _limited(problem: Problem, target: Any, j: int) -> Problem:
    if isinstance(target, Mapping):
        if "rate" in target:
            raise InvalidInput(f"target {j} limits the rate, which is minimised; name losses only")
        if not target or not all(isinstance(name, str) for name in target):
            raise InvalidInput(f"target {j} is {target!r}; give bounds by name of the loss")
        return problem.with_limits(**target)
    try:
        values = list(target)
    except TypeError:
        values = []
    names = _names_in_order(problem) if len(values) > 1 else ("D", "C")
    if len(values) != len(names):
        kind = "a pair" if len(names) == 2 else "a triple"
        raise InvalidInput(
            f"target {j} is {target!r}; give {kind} ({', '.join(names)}), or a mapping such as {{'distortion': 0.3}}"
        )
    return problem.with_limits(**dict(zip(names, values, strict=True)))


def _names_in_order(problem: Problem) -> tuple[str, ...]:
    """Return what a target without names bounds: the distortion, then the label's loss, then the perception."""
    first, others = problem.loss_names[0], problem.loss_names[1:]
    second = ("C",) if problem.label_entropies else others
    third = ("P",) if problem.perception_names == ("perception",) else problem.perception_names
    names = ("D" if first == "distortion" else first, *second, *third)
    if len(second) <= 1 and len(third) <= 1 and len(names) > 1:
        return names
    have = ", ".join(problem.limit_names)
    is_bare = len(problem.limit_names) == 1
    cure = "declare the label with LabelEntropyLimit(inf)" if is_bare else "name them in a mapping"
    raise InvalidInput(f"a pair bounds the distortion and a label's loss but the problem has {have}; {cure}")


def _points_of(problem: Problem, data: Any) -> list[dict[str, float]]:
    """Return the points of a trade-off as targets, those that no channel meets left out."""
    attributes = data.attrs
    if "objective" not in attributes or "status" not in data or len(data["status"].dims) != 1:
        raise InvalidInput("targets is a dataset but not of tradeoff; pass one of those, or a list of pairs")
    objective = str(attributes["objective"])
    if objective not in problem.loss_names or attributes["axes"] != "limits":
        raise InvalidInput(f"targets is a dataset of {objective!r}; pass one of tradeoff, which minimises a loss")
    if attributes["fingerprint"] != problem.fingerprint():
        raise InvalidInput(
            f"targets is a trade-off of the losses {attributes['fingerprint']}, this problem has "
            f"{problem.fingerprint()}; pass the problem that was traced"
        )
    axis = str(data["status"].dims[0])
    attained = np.isfinite(data["objective_upper"].values)
    pairs = zip(data[axis].values[attained], data["objective_upper"].values[attained], strict=True)
    return [{axis: float(limit), objective: float(value)} for limit, value in pairs]
