"""Problems as arrays by name, and back: matrices, limits and labels, so that a problem can be kept in a file."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.columns import Columns
from rdcsolve.problems.limits import DistortionLimit, LabelEntropyLimit, LossLimit, RateLimit
from rdcsolve.problems.line import LINE_DISTORTIONS, LineLoss
from rdcsolve.problems.losses import Loss
from rdcsolve.problems.perception import MEASURES, TRANSPORT, KnownPerceptionLimit, Perception
from rdcsolve.problems.problem import Problem
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.problems.source import Source
from rdcsolve.problems.validation import float_array, freeze, loss_matrix, mass_rows, mass_vector, one_of

_PERCEPTION = "perception_"
_KINDS = {str: "U", int: "iu", float: "f", bool: "b"}
"""Types of names that arrays hold as they are."""

_CALLED = ("symbols", "label_names", "columns")
_NAMES = ("p_x", "points", "reproduction", "distortion", "rate_bound", "minimise", "letters", "information", "unit")
_PREFIXES = (
    "loss",
    "bound",
    "equal",
    "multiplier",
    "entropy",
    "perception",
    "target",
    "place",
    "outside",
    "cost",
    "features",
    "members",
)
_AXIS = re.compile(r"axis_(0|[1-9]\d*)_(\w+)")  # the table of one axis of a loss that is a sum over the axes of a grid
_LINE = re.compile(r"line_(squared_error|absolute|letters)_(\w+)")  # places of points of a line, and of letters
_KNOWN = re.compile(
    rf"{'|'.join(_NAMES + _CALLED)}|(labels|classes)_\d+|{_AXIS.pattern}|{_LINE.pattern}|({'|'.join(_PREFIXES)})_\w+"
)


def problem_of(
    arrays: dict[str, np.ndarray], name: str, *, with_entropies: bool = False, normalise: bool = False
) -> Problem:
    """Return the problem stated by arrays: `p_x`, `distortion`, and optionally the others that are known.

    Parameters
    ----------
    arrays : dict
        `p_x` (n_x,) and `distortion` (n_x, n_y), or its name where `reproduction` is the text ``"free"``; optionally
        `loss_NAME` (n_x, n_y), or in place of a matrix the tables `axis_0_NAME` (n_0, k_0), ... that a loss on a grid
        is the sum of, or the places `line_squared_error_NAME` or `line_absolute_NAME` (n_x,) of points of a line, with
        those of letters `line_letters_NAME` (n_y,) where they differ, NAME being `distortion` or another; `points`,
        `reproduction`, `labels_0`, ..., the numbers `bound_NAME`, `equal_NAME` (1 if the loss is held at its bound),
        `rate_bound`, `multiplier_NAME`, `entropy_NAME` (which label's entropy has that name), the texts `minimise`
        and `letters`, the names `information` of losses that are cross-entropies, and the text `unit` of answers: the
        numbers here are in nats. For every measure of the reproduction's law its name as `perception_NAME`, with
        `target_NAME`, `place_NAME`, `outside_NAME` and, where it has one, `cost_NAME`, `features_NAME` or
        `members_NAME`: the fields of `Perception`. What things are called is in the arrays of `names_in`.
    name : str
        Of the source, and for messages.
    with_entropies : bool, optional
        Whether each label's entropy is a loss where the arrays name none.
    normalise : bool, optional
        Rescale the masses and the rows of the labels to sum to one; arrays of integers are counts, and are in any case.

    Raises
    ------
    InvalidInput
        If something is missing, has a name that is not one of these, or does not form a problem.
    """
    check_names(arrays, name)
    if "p_x" not in arrays:
        raise InvalidInput(f"{name} holds {', '.join(arrays) or 'nothing known'} but no p_x; save the masses as p_x")
    labels = [arrays[key] for key in sorted(arrays, key=_number) if key.startswith("labels_")]
    source = source_of(arrays, labels, name, normalise=normalise)
    losses = _losses(arrays, name)
    own = losses.pop("distortion", None)
    bounds = _numbers(arrays, "bound_")
    nats = {str(one) for one in np.atleast_1d(arrays.get("information", np.array([], dtype=str)))}
    held = _held(arrays, losses)
    limits: list[Any] = [
        LossLimit(bounds.pop(loss, math.inf), matrix, loss, is_information=loss in nats, equal=loss in held)
        for loss, matrix in losses.items()
    ]
    limits.append(DistortionLimit(bounds.pop("distortion", math.inf)))
    entropies = _numbers(arrays, "entropy_")
    stated = [LabelEntropyLimit(math.inf, _index(k, label), label) for label, k in entropies.items()]
    if with_entropies and not stated:
        stated = [LabelEntropyLimit(math.inf, k) for k in range(len(labels))]
    limits += [LabelEntropyLimit(bounds.pop(one.name, math.inf), one.label, one.name) for one in stated]
    measured = [_perception_of(arrays, key, name) for key in arrays if key.startswith(_PERCEPTION)]
    limits += [KnownPerceptionLimit(bounds.pop(one.name, math.inf), one) for one in measured]
    if bounds:
        raise InvalidInput(f"{name} holds bound_{min(bounds)} but no loss of that name; add loss_{min(bounds)}")
    if "rate_bound" in arrays:
        limits.append(RateLimit(_scalar(arrays["rate_bound"], "rate_bound")))
    minimise = str(arrays.get("minimise", "rate"))
    letters = str(arrays.get("letters", "split"))
    reproduction, distortion = (_text_or_array(arrays.get(key)) for key in ("reproduction", "distortion"))
    problem = Problem(source, reproduction, distortion if own is None else own, limits, minimise, letters)
    multipliers = _numbers(arrays, "multiplier_")
    problem = problem.at_multipliers(**multipliers) if multipliers else problem
    return problem.in_unit(str(arrays.get("unit", "nat")))


def source_of(
    arrays: dict[str, np.ndarray], labels: Sequence[np.ndarray], name: str, *, where: str = "", normalise: bool = False
) -> Source:
    """Return the source of an archive's arrays. Masses and rows of labels that are stored as integers are counts.

    No rounding brings integers to a sum other than one, so what is stored as such is rescaled without being asked.

    Parameters
    ----------
    arrays : dict
        `p_x` (n_x,), and optionally `points` (n_x, dim) and what `names_in` reads.
    labels : sequence of numpy.ndarray
        Shapes (n_x, n_s).
    name : str
        Of the source.
    where : str, optional
        What to call the archive in messages, by default as the source.
    normalise : bool, optional
        Rescale all masses and rows, whatever they are stored as.

    Raises
    ------
    InvalidInput
        If the arrays do not form a source.
    """
    named = names_in(arrays, len(labels), where or name)
    masses = mass_vector(arrays["p_x"], "p_x", normalise=normalise or _is_whole(arrays["p_x"]))
    rows = [
        mass_rows(label, f"label {k}", masses.size, normalise=True, masses=masses)
        if _is_whole(label) and label.ndim > 1
        else label
        for k, label in enumerate(labels)
    ]
    return Source(arrays.get("points"), masses, rows, name, normalise, **named)


def _is_whole(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu"


def check_names(names: Iterable[str], what: str, strange: bool = True) -> None:
    """Raise if an array has none of the names that state a problem: it may be a misspelt limit.

    Parameters
    ----------
    names : iterable of str
    what : str
        What holds them, for the message.
    strange : bool, optional
        Whether a name that resembles none is refused too.

    Raises
    ------
    InvalidInput
        With the name that may have been meant.
    """
    for name in names:
        if _KNOWN.fullmatch(name):
            continue
        ending = name.partition("_")[2]
        known = [*_NAMES, *_CALLED, "labels_0", *(f"{prefix}_{ending}" for prefix in _PREFIXES if ending)]
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        if close or strange:
            cure = f"did you mean {close[0]}?" if close else "leave it out"
            raise InvalidInput(f"{what} holds the array {name}, which is no part of a problem; {cure}")


def arrays_of(problem: Problem) -> dict[str, Any]:
    """Return the arrays of which `problem_of` makes the same problem: what is known by name, and no more."""
    arrays: dict[str, Any] = {"p_x": problem.p_x, "minimise": problem.minimise}
    if problem.free is not None:
        arrays |= {"distortion": problem.distortion, "reproduction": "free"}
    else:
        for loss in problem.linear_losses:
            arrays |= _arrays_of_loss(loss)
        nats = [loss.name for loss in problem.linear_losses[1:] if loss.is_information]
        arrays |= {"information": np.array(nats)} if nats else {}
    arrays |= {} if problem.unit == "nat" else {"unit": problem.unit}
    arrays |= {f"entropy_{label.name}": label.label for label in problem.label_entropies}
    arrays |= {"letters": problem.letters} if problem.label_entropies else {}
    for perception in problem.perceptions:
        arrays |= _arrays_of_perception(perception)
    names = (*problem.loss_names, *problem.perception_names)
    bounds = zip(names, [*problem.bounds, *problem.perception_bounds], strict=True)
    arrays |= {f"bound_{name}": bound for name, bound in bounds if math.isfinite(bound)}
    pairs = zip(problem.loss_names, problem.equal.tolist(), strict=True)
    arrays |= {f"equal_{name}": np.float64(1.0) for name, equal in pairs if equal}
    arrays |= {f"labels_{k}": label for k, label in enumerate(problem.source.labels)}
    arrays |= _arrays_of_names(problem.source)
    optional = {"points": problem.source.points, "reproduction": problem.reproduction, "rate_bound": problem.rate_bound}
    arrays |= {key: value for key, value in optional.items() if value is not None}
    if problem.multipliers is not None:
        assert problem.perception_multipliers is not None
        pairs = zip(names, [*problem.multipliers, *problem.perception_multipliers], strict=True)
        exact = {perception.name for perception in problem.perceptions if perception.is_exact}
        arrays |= {f"multiplier_{name}": value for name, value in pairs if name not in exact}
    return arrays


def _arrays_of_loss(loss: Loss) -> dict[str, Any]:
    """Return a loss's matrix, or the tables of its axes: they are what is stored, and what its fingerprint is of."""
    if isinstance(loss.structure, SeparableLoss):
        return {f"axis_{d}_{loss.name}": table for d, table in enumerate(loss.structure.tables)}
    line = loss.structure
    if isinstance(line, LineLoss):
        places = {f"line_{line.distortion}_{loss.name}": line.points}
        return places if line.is_square else places | {f"line_letters_{loss.name}": line.reproduction}
    return {"distortion" if loss.name == "distortion" else f"loss_{loss.name}": loss.matrix}


def _losses(arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """Return the losses by name, in the order of the arrays; the distortion only where its axes have tables."""
    losses: dict[str, Any] = {}
    axes: dict[str, dict[int, np.ndarray]] = {}
    lines: dict[str, list[str]] = {}
    for key, value in arrays.items():
        axis = _AXIS.fullmatch(key)
        if axis:
            losses.setdefault(axis[2], None)
            axes.setdefault(axis[2], {})[int(axis[1])] = value
        elif _LINE.fullmatch(key):
            own = _LINE.fullmatch(key)[2]  # type: ignore[index]
            losses.setdefault(own, None)
            lines.setdefault(own, []).append(key)
        elif key.startswith("loss_"):
            losses[key.removeprefix("loss_")] = value
    for own, tables in axes.items():
        other = "distortion" if own == "distortion" else f"loss_{own}"
        if sorted(tables) != list(range(len(tables))) or other in arrays:
            held = ", ".join(f"axis_{d}_{own}" for d in tables) + (f", {other}" if other in arrays else "")
            raise InvalidInput(f"{name} holds {held}; give a loss by one table per axis, 0, 1, ..., or by {other}")
        losses[own] = SeparableLoss([tables[d] for d in range(len(tables))])
    for own, keys in lines.items():
        losses[own] = _line_loss(arrays, own, keys, name)
    return losses


def _line_loss(arrays: dict[str, np.ndarray], own: str, keys: list[str], name: str) -> LineLoss:
    """Return a loss between points of a line, from the one array of its places and perhaps that of its letters."""
    kinds = [kind for kind in LINE_DISTORTIONS if f"line_{kind}_{own}" in keys]
    others = [key for key in (f"axis_0_{own}", "distortion" if own == "distortion" else f"loss_{own}") if key in arrays]
    if len(kinds) != 1 or others:
        held = ", ".join([*keys, *others])
        raise InvalidInput(
            f"{name} holds {held}; give a loss on a line by one of line_squared_error_{own}, "
            f"line_absolute_{own}, and by nothing else but line_letters_{own}"
        )
    return LineLoss(kinds[0], arrays[f"line_{kinds[0]}_{own}"], arrays.get(f"line_letters_{own}"))


def names_in(arrays: dict[str, np.ndarray], n_labels: int, name: str) -> dict[str, Any]:
    """Return what the parts of a source are called, as arguments of `Source`.

    Parameters
    ----------
    arrays : dict
        Optionally `symbols` (n_x,), texts or numbers, or (n_x, k) for tuples of them; `classes_0` (n_s,), ...;
        `label_names` (K,); and the text `columns`, the fields of `Columns` as JSON.
    n_labels : int
    name : str
        What holds them, for messages.

    Raises
    ------
    InvalidInput
        If these are no names.
    """
    classes = [_values(arrays, f"classes_{k}", name) for k in range(n_labels)]
    others = [key for key in arrays if key.startswith("classes_") and not 0 <= _number(key) < n_labels]
    if others:
        raise InvalidInput(f"{name} holds {others[0]} but no labels_{_number(others[0])}; add it, or leave it out")
    return {
        "symbols": _values(arrays, "symbols", name),
        "classes": None if all(one is None for one in classes) else classes,
        "label_names": _values(arrays, "label_names", name),
        "columns": None if "columns" not in arrays else Columns.from_text(str(arrays["columns"]), name),
    }


def _values(arrays: dict[str, np.ndarray], key: str, name: str) -> list[Any] | None:
    if key not in arrays:
        return None
    held = arrays[key]
    if held.ndim not in (1, 2) or held.dtype.kind not in "Uiufb":
        raise InvalidInput(f"{key} of {name} has shape {held.shape} and dtype {held.dtype}; give texts or numbers")
    return _listed(held)


def _listed(names: np.ndarray) -> list[Any]:
    return [tuple(value) if isinstance(value, list) else value for value in names.tolist()]


def _arrays_of_names(source: Source) -> dict[str, Any]:
    """Return the arrays of which `names_in` makes the same; names that are no texts or numbers become texts."""
    arrays = {} if source.symbols is None else _as_array("symbols", source.symbols)
    for k, classes in enumerate(source.classes):
        arrays |= {} if classes is None else _as_array(f"classes_{k}", classes)
    arrays |= {"label_names": np.array(source.label_names)} if any(source.label_names) else {}
    return arrays if source.columns is None else arrays | {"columns": np.array(source.columns.as_text())}


def _as_array(key: str, names: Sequence[Any]) -> dict[str, np.ndarray]:
    """Return distinct names as an array; nothing where two of them have the same text."""
    parts = [name if isinstance(name, tuple) else (name,) for name in names]
    kinds = {type(one) for part in parts for one in part}
    is_uniform = (
        len(kinds) == 1 and len({(isinstance(n, tuple), len(p)) for n, p in zip(names, parts, strict=True)}) == 1
    )
    array = np.array(list(names)) if is_uniform and kinds <= set(_KINDS) else np.array([])
    if not array.size or array.dtype.kind not in _KINDS[kinds.pop()] or _listed(array) != list(names):
        array = np.array([str(name) for name in names])  # numpy converts mixed types, and rounds large integers
    return {key: array} if len(set(_listed(array))) == len(names) else {}


def _arrays_of_perception(perception: Perception) -> dict[str, Any]:
    name = perception.name
    arrays: dict[str, Any] = {
        _PERCEPTION + name: perception.measure,
        f"target_{name}": perception.target,
        f"place_{name}": perception.place,
        f"outside_{name}": perception.outside,
    }
    arrays |= {} if perception.features is None else {f"features_{name}": perception.features}
    arrays |= {} if perception.members is None else {f"members_{name}": perception.members}
    return arrays if perception.cost is None else arrays | {f"cost_{name}": perception.cost}


def _perception_of(arrays: dict[str, np.ndarray], key: str, name: str) -> Perception:
    """Return a measure from its arrays, checked: files may hold anything."""
    own = key.removeprefix(_PERCEPTION)
    measure = one_of(str(arrays[key]), MEASURES, f"measure {key} of {name}")
    fields = {field: arrays.get(f"{field}_{own}") for field in ("target", "place", "outside", "cost", "features")}
    missing = [f"{field}_{own}" for field in ("target", "place") if fields[field] is None]
    for field, needs in (("cost", measure in TRANSPORT), ("features", measure == "mmd")):
        if missing or needs != (fields[field] is not None):
            raise InvalidInput(f"{name} holds {key} but not {', '.join(missing) or f'a {field}_{own} that fits it'}")
    target = float_array(fields["target"], f"target_{own}")
    outside = 0.0 if fields["outside"] is None else _scalar(fields["outside"], f"outside_{own}")
    place = np.asarray(fields["place"])
    cost = None if fields["cost"] is None else loss_matrix(fields["cost"], f"cost_{own}")
    features = None if fields["features"] is None else loss_matrix(fields["features"], f"features_{own}")
    n_places = target.size if cost is None else cost.shape[1]
    n_places = n_places if features is None else features.shape[0]
    is_right = (
        target.ndim == 1
        and bool((target >= 0).all())
        and abs(float(target.sum()) + outside - 1) <= 1e-9
        and outside >= 0
        and place.ndim == 1
        and place.dtype.kind in "iu"
        and (not place.size or 0 <= int(place.min()) <= int(place.max()) < n_places)
        and (cost is None or (bool(np.isfinite(cost).all()) and cost.shape[0] == target.size and not outside))
        and (features is None or (bool(np.isfinite(features).all()) and not outside))
    )
    if not is_right:
        raise InvalidInput(f"{name} holds a {key} whose target, places and costs do not fit; save the problem again")
    members = _members_of(arrays, own, name)
    return Perception(own, measure, target, freeze(place.astype(np.intp)), cost, outside, features, members)


def _members_of(arrays: dict[str, np.ndarray], own: str, name: str) -> np.ndarray | None:
    """Return the shares of symbols in a class whose law is measured, None where it is that of all symbols."""
    held = arrays.get(f"members_{own}")
    if held is None:
        return None
    members, p_x = float_array(held, f"members_{own}"), np.asarray(arrays.get("p_x", ()), dtype=float)
    is_right = members.ndim == 1 and members.shape == p_x.shape and bool(((members >= 0) & (members <= 1)).all())
    if not is_right or not float((p_x * members).sum()) > 0:
        raise InvalidInput(
            f"{name} holds members_{own} of shape {members.shape}, which are to be the shares in [0, 1] of "
            f"{p_x.size} symbols in a class, not all of them zero where the source has mass; save the problem again"
        )
    return freeze(members)


def _text_or_array(value: np.ndarray | None) -> Any:
    return str(value) if value is not None and value.dtype.kind == "U" and not value.ndim else value


def _index(number: float, label: str) -> int:
    if not number.is_integer():
        raise InvalidInput(f"entropy_{label} is {number:.6g}; it must be the number of a label: 0, 1, ...")
    return int(number)


def _held(arrays: dict[str, np.ndarray], losses: dict[str, Any]) -> set[str]:
    """Return the names of the losses that are held at their bounds."""
    stated = _numbers(arrays, "equal_")
    for name, value in stated.items():
        if name not in losses or value not in (0.0, 1.0):
            known = ", ".join(losses) or "none"
            raise InvalidInput(
                f"equal_{name} is {value:.6g}; it must be 0 or 1, and {name} a further loss of the file ({known})"
            )
    return {name for name, value in stated.items() if value}


def _number(key: str) -> int:
    digits = key.rpartition("_")[2]
    return int(digits) if digits.isdigit() else -1


def _numbers(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, float]:
    return {key.removeprefix(prefix): _scalar(value, key) for key, value in arrays.items() if key.startswith(prefix)}


def _scalar(value: np.ndarray, key: str) -> float:
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise InvalidInput(f"{key} has shape {value.shape} and dtype {value.dtype}; it must be one number")
    return float(value.reshape(()))
