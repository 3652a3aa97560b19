"""Confirm or refute a saved result of rdcsolve from its files alone: ``check_certificate.py RESULT.npz PROBLEM.npz``.

It follows the page "The certificate file", shares no line with the library, and needs NumPy and python-flint. The
exit code is 0 if the result is confirmed, 1 if it is refuted, with a sentence for every fault, and 2 if a file cannot
be read.

How it stays rigorous. Stored doubles are exact. Everything else is a ball of python-flint, which holds the exact
number, or, where there are very many terms, a double that is an upper bound: IEEE operations (+ - * / and sqrt) are off
by at most `HALF` of the result, and every allowance below counts them. Powers of a label are rounded down, which only
raises prices, since no entry of a decision exceeds one.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
from flint import arb, ctx

PRECISION = 128  # bits of the balls
MOST_BYTES = 2**30  # a file may not unpack to more
HALF = 2.0**-53  # largest relative error of one operation
SMALL = 1e-290  # more than all that is lost to underflow, and less than anything that matters
RAISED = 1e-40  # entries of decisions are raised to this
SAME = 1e-30  # entropies whose balls differ by less are the same, where a limit is read as the least value
NEARLY_ONE = 1 - 2.0**-40  # multipliers and sums of powers from here on, or to as much above one, count as one
HELD = 2.0**-49  # of the spread: how far a mean may be from what it is to equal
ROUNDING = 1e-12  # what counts as equal where floating point told a number, or decided how to prove
HIDDEN = 1e-6  # of the spread: how far below the least value a limit is at most that is read as it
SHARED = ("letters", "channel", "channel_masses", "channel_multipliers")
TRANSPORTS = ("w2", "w1", "transport")
DIVERGENCES = ("kl", "reverse_kl", "chi2", "reverse_chi2", "hellinger", "js")
STATUSES = "OPTIMAL ALMOST_OPTIMAL STATIONARY INFEASIBLE STEP_LIMIT TIME_LIMIT STALLED STOPPED_BY_CALLBACK INTERRUPTED"
DEGREE = 10  # of the polynomials on the line
FEW_PAIRS = 2**20  # of symbol and letter: so few losses on a grid are looked at one by one
MANY_PAIRS = 2**26  # of a table that this program makes itself
LINES = ("line_squared_error_", "line_absolute_")  # losses between points of a line, which are stored as these
LARGE = 16  # times the mass that is misplaced: masses of pairs that are surely large enough to carry it
REMADE = 1e-14  # of a number and one more: by how much rates and means of a channel by masses depend on who makes it
MOST_MAPS = 50_000  # of some symbols into fixed letters, held at a time
THIN = 1e-3  # widths of intervals of shares, in units of the nearer end of [0, 1], where differences are too rounded
COSTLIEST = 600.0  # nats: what costs more counts as this much in a channel by masses


class Unreadable(ValueError):
    """A file is not what it should be, so nothing can be said."""


class Refuted(ValueError):
    """The result is wrong in a way that ends its examination."""


@dataclass
class Report:
    """What is proved of the objective (rates in nats), excesses over limits, and why a result is refuted if it is."""

    valid: bool = False
    lower: float = -math.inf
    upper: float = math.inf
    excess: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"The objective is at least {self.lower!r}.", f"The objective is at most {self.upper!r}."]
        lines += [f"The excess over the limit on {name} is at most {value:.3g}." for name, value in self.excess.items()]
        lines += [f"Note: {note}" for note in self.notes] + [f"Fault: {fault}" for fault in self.faults]
        return "\n".join([*lines, "Confirmed." if self.valid else "Refuted."])


# ---------------------------------------------------------------------------------------------------- reading


def read(path: Any) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file in its order; no pickles, and nothing is unpacked before its size is known."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise ValueError(f"it would unpack to more than {MOST_BYTES} bytes")
            if len({member.filename for member in members}) < len(members):
                raise ValueError("it holds two arrays of one name")
            return {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
    except Exception as error:  # damage makes zipfile, zlib and NumPy raise nearly anything
        raise Unreadable(f"{path} is no readable npz file ({error or type(error).__name__}).") from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Return an array whose declared size is not more than what the archive says, which is all that zipfile unpacks."""
    with archive.open(member) as stream:
        heads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = heads[np.lib.format.read_magic(stream)](stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > member.file_size:
        raise ValueError(f"{member.filename} declares {shape} of {dtype}, which it cannot hold")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _array(arrays: dict[str, Any], name: str, ndim: int, error: type[ValueError], rows: int = -1) -> np.ndarray:
    """Return doubles of these dimensions, or raise the error."""
    values = np.asarray(arrays.get(name))
    if values.dtype.kind not in "fiub" or values.dtype.itemsize > 8:
        raise error(f"{name} is missing, or does not hold doubles.")
    if values.ndim != ndim or rows not in (-1, *values.shape[:1]):
        raise error(f"{name} has the wrong shape {values.shape}.")
    doubles = values.astype(np.float64)
    if values.dtype.kind in "iu" and (np.abs(doubles) > 2.0**53).any():
        raise error(f"{name} holds whole numbers that are no doubles.")
    return doubles


def _whole(arrays: dict[str, Any], name: str, ndim: int, least: int, end: int) -> np.ndarray:
    """Return whole numbers of these dimensions in a range, or refute."""
    values = _array(arrays, name, ndim, Refuted)
    if np.asarray(arrays[name]).dtype.kind == "f" or (values < least).any() or (values >= end).any():
        raise Refuted(f"{name} does not hold whole numbers from {least} to {end - 1}.")
    return values.astype(np.int64)


def _text(arrays: dict[str, Any], name: str, default: str = "") -> str:
    value = np.asarray(arrays.get(name, default))
    return str(value) if value.dtype.kind == "U" and value.ndim == 0 else ""


def _scalar(arrays: dict[str, Any], name: str, least: float = 0.0) -> float:
    number = float(_array({name: np.reshape(arrays[name], -1)}, name, 1, Unreadable, 1)[0])
    if not number >= least:
        raise Unreadable(f"{name} is {number}, but has to be a number that is not below {least}.")
    return number


def _excess(values: np.ndarray) -> float:
    """Return the exact sum less one, rounded once; so it is zero only if the sum is exactly one."""
    return math.fsum([*values.tolist(), -1.0])


def _is_masses(rows: np.ndarray) -> bool:
    is_right = bool((np.isfinite(rows) & (rows >= 0)).all())
    return is_right and all(abs(_excess(row)) <= 1e-9 for row in np.atleast_2d(rows))


# ------------------------------------------------------------------------------------------------ the problem


class Axes(NamedTuple):
    """Tables (n_d, k_d), one per axis of a grid, whose sums are losses; and which of the grid's points have rows."""

    tables: list[np.ndarray]
    kept: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Symbols of positive mass, and letters."""
        return self.kept.size, math.prod(table.shape[1] for table in self.tables)

    def block(self, rows: np.ndarray, letters: np.ndarray) -> np.ndarray:
        """Return losses: sums in doubles, one axis after the other, which is what the file means by them."""
        symbols = np.unravel_index(self.kept[rows], [table.shape[0] for table in self.tables])
        places = np.unravel_index(letters, [table.shape[1] for table in self.tables])
        found = [table[np.ix_(i, a)] for table, i, a in zip(self.tables, symbols, places, strict=True)]
        return reduce(np.add, found)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest loss of every row: rounded sums grow with each of their terms."""
        pairs = [(table.min(axis=1), table.max(axis=1)) for table in self.tables]
        least, largest = (reduce(np.add.outer, sides).ravel()[self.kept] for sides in zip(*pairs, strict=True))
        return least, largest


class Loss(NamedTuple):
    """A loss: kind "table" with (n, n_y) losses, "label" with (n, n_s) masses, "points" with (n, dim) places.

    Or kind "axes", with `Axes`: a table that is too large to be one.
    """

    name: str
    kind: str
    data: Any
    scale: float = 1.0  # what squared distances are divided by

    @property
    def is_linear(self) -> bool:
        """Whether the mean is linear in the channel."""
        return self.kind in ("table", "axes")

    def columns(self, letters: np.ndarray, rows: Any = None) -> np.ndarray:
        """Return the losses of some letters, at some symbols or all."""
        rows = np.arange(len(self.data) if self.kind == "table" else self.data.kept.size) if rows is None else rows
        found: np.ndarray = self.data[np.ix_(rows, letters)] if self.kind == "table" else self.data.block(rows, letters)
        return found

    def ends(self, forbidden: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest allowed loss of every symbol."""
        if self.kind == "axes":
            found: tuple[np.ndarray, np.ndarray] = self.data.ends()
            return found
        return np.where(forbidden, np.inf, self.data).min(axis=1), np.where(forbidden, -np.inf, self.data).max(axis=1)

    def range(self, forbidden: Any) -> float:
        """Return the difference of the largest and the least allowed loss."""
        least, largest = self.ends(forbidden)
        return float(largest.max() - least.min())


class Law(NamedTuple):
    """How far the law of the reproduction is from a target: masses of atoms or places, what letters show, costs.

    A discrepancy has features of places in place of costs. With members, p(class | symbol), the law is a class's.
    """

    name: str
    measure: str
    target: np.ndarray
    place: np.ndarray
    cost: np.ndarray | None
    outside: float
    features: np.ndarray | None = None
    members: np.ndarray | None = None

    @property
    def n_places(self) -> int:
        """How many places there are."""
        if self.features is not None:
            return int(self.features.shape[0])
        return int(self.target.size if self.cost is None else self.cost.shape[1])

    @property
    def total(self) -> Any:
        """A ball of the target's mass."""
        return _sum(np.append(self.target, self.outside))

    def share(self, masses: np.ndarray) -> Any:
        """Return a ball of the mass of the class, of masses as stored."""
        if self.members is None:
            return arb(1)
        return total(arb(p) * q for p, q in zip(masses.tolist(), self.members.tolist(), strict=True)) / _sum(masses)

    @property
    def can_be_exact(self) -> bool:
        """Whether all mass of the target has a place where it costs nothing."""
        if self.cost is None:
            return not self.outside and self.features is None
        return bool((self.cost[self.target > 0] == 0).any(axis=1).all())


@dataclass
class Problem:
    """A problem, reduced to its symbols of positive mass."""

    is_kept: np.ndarray
    stored: np.ndarray  # masses as stored
    masses: list[Any]  # balls of the masses divided by their sum
    losses: list[Loss]
    bounds: dict[str, float]
    rate_bound: float | None
    objective: str
    multipliers: dict[str, float] | None
    is_fixed: bool
    information: list[str]  # losses that are amounts of information, in order
    held: frozenset[str]  # losses that are to equal their bounds
    laws: list[Law] = field(default_factory=list)

    @property
    def forbidden(self) -> np.ndarray:
        """Pairs that some linear loss forbids."""
        if self.losses[0].kind == "axes":
            return np.broadcast_to(False, self.losses[0].data.shape)
        return np.any([np.isinf(loss.data) for loss in self.losses if loss.kind == "table"], axis=0)

    @cached_property
    def least(self) -> dict[str, Any]:
        """Balls of the least means of the losses whose limits are below them by no more than a rounding."""
        losses = [loss for loss in self.losses if loss.name in self.bounds and loss.kind != "points"]
        least = {loss.name: least_mean(loss, self) for loss in losses}
        allowed = {loss.name: self._rounding_of_least(loss, least[loss.name]) for loss in losses}
        below = {loss.name: least[loss.name] - self.bounds[loss.name] for loss in losses if self._is_below(loss, least)}
        read = {name: least[name] for name, value in below.items() if value <= allowed[name]}
        return self._least_of_letters | read if self.rate_bound == 0 else read

    @property
    def _least_of_letters(self) -> dict[str, Any]:
        """Balls of the least means of single letters where limits are below them by no more than a rounding."""
        found = {}
        for loss in self.losses:
            if loss.kind == "table" and loss.name in self.bounds and loss.name not in self.held:
                value, size = least_of_letters(loss, self)
                below = value - Fraction(self.bounds[loss.name])
                if 0 < below <= size * (4 * (len(self.masses) + 4)) * Fraction(HALF):
                    found[loss.name] = arb(value.numerator) / arb(value.denominator)
        return found

    def _is_below(self, loss: Loss, least: dict[str, Any]) -> bool:
        """Say whether a limit is below the least mean, if only by what a symbol of the mass 1e-200 contributes."""
        value = least[loss.name] - self.bounds[loss.name]
        if loss.is_linear and value.contains(0):
            return exact_least(loss, self) > Fraction(self.bounds[loss.name])
        return bool(value > 0)

    def _rounding_of_least(self, loss: Loss, least: Any) -> Any:
        """Return by how much a least mean may be off that is computed in floating point."""
        if loss.is_linear:
            size = total(mass * abs(value) for mass, value in zip(self.masses, least_values(loss, self), strict=True))
            rounding = size * ((len(self.masses) + 4) * HALF * (1 + 1e-8))
            lowest, largest = loss.ends(self.forbidden)
            spread = float((largest - lowest).max())
            return min(rounding, arb(HIDDEN * spread), key=upper) if spread else rounding
        return math.log(loss.data.shape[1]) * ((len(self.masses) + loss.data.shape[1] + 8) * HALF) + 1e-15

    @property
    def limits(self) -> dict[str, Any]:
        """Balls of the limits, as they are read."""
        least = self.least | {name: limit for name, (limit, _) in self.read.items()}
        return {name: least.get(name, arb(bound)) for name, bound in self.bounds.items()}

    @cached_property
    def read(self) -> dict[str, tuple[Any, Law]]:
        """Limits at the least distance of any law, as they are read, and the laws at whose zero they are met."""
        read = {law.name: at_least(law, self.bounds[law.name]) for law in self.laws if law.name in self.bounds}
        return {name: one for name, one in read.items() if one is not None}


def problem_of(arrays: dict[str, Any]) -> Problem:
    """Return the problem that arrays state, or raise `Unreadable`."""
    stored = _array(arrays, "p_x", 1, Unreadable)
    if not _is_masses(stored):
        raise Unreadable("p_x is no vector of masses that sum to one.")
    is_kept, whole = stored > 0, _sum(stored)
    losses = [*_first_losses(arrays, is_kept), *_label_losses(arrays, is_kept)]
    laws = _laws_of(arrays, losses, is_kept)
    names = [loss.name for loss in losses] + [law.name for law in laws]
    may_be_below = {f"bound_{loss.name}" for loss in losses if loss.is_linear and loss.ends(False)[0].min() < 0}
    stated = [key for key in arrays if key.startswith(("bound_", "multiplier_", "rate_bound"))]
    numbers = {key: _scalar(arrays, key, -sys.float_info.max if key in may_be_below else 0.0) for key in stated}
    held = {name for name in names if f"equal_{name}" in arrays and _scalar(arrays, f"equal_{name}") == 1}
    is_stated = {f"equal_{loss.name}" for loss in losses[1:] if loss.is_linear}
    if any(key.startswith("equal_") and (key not in is_stated or _scalar(arrays, key) not in (0, 1)) for key in arrays):
        raise Unreadable("The problem holds a loss at its bound that it does not have, or of which this is not known.")
    if not numbers.keys() <= {"rate_bound", *(f"{word}_{name}" for word in ("bound", "multiplier") for name in names)}:
        raise Unreadable("The problem has a limit or a multiplier on a loss that it does not have.")
    multipliers = {name: numbers[f"multiplier_{name}"] for name in names if f"multiplier_{name}" in numbers}
    bounds = {name: numbers[f"bound_{name}"] for name in names if numbers.get(f"bound_{name}", math.inf) < math.inf}
    minimise, letters = _text(arrays, "minimise", "rate"), _text(arrays, "letters", "split")
    if minimise not in ("rate", *names) or len(set(names)) < len(names) or letters not in ("split", "fixed"):
        raise Unreadable("The problem's objective, the names of its losses or its letters are not as they should be.")
    if minimise != "rate" and ("rate_bound" not in numbers or multipliers):
        raise Unreadable(f"The problem minimises {minimise} without a limit on the rate, or with multipliers.")
    problem = Problem(
        is_kept,
        stored[is_kept],
        [mass / whole for mass in map(arb, stored[is_kept].tolist())],
        losses,
        {} if multipliers else bounds,
        None if multipliers else numbers.get("rate_bound"),
        "lagrangian" if multipliers else minimise,
        {name: multipliers.get(name, 0.0) for name in names} if multipliers else None,
        letters == "fixed" and any(loss.kind == "label" for loss in losses),
        [loss.name for loss in losses if loss.kind == "label" or loss.name in _names(arrays, "information")],
        frozenset() if multipliers else frozenset(held & bounds.keys()),
        laws,
    )
    if losses[0].kind == "table" and problem.forbidden.all(axis=1).any():
        raise Unreadable("Every letter is forbidden to some symbol.")
    return problem


def _names(arrays: dict[str, Any], key: str) -> list[str]:
    names = np.atleast_1d(arrays.get(key, np.array([], dtype=str)))
    if names.ndim > 1 or names.dtype.kind != "U":
        raise Unreadable(f"{key} is no list of names.")
    return list(map(str, names))


def _first_losses(arrays: dict[str, Any], is_kept: np.ndarray) -> list[Loss]:
    """Return the linear losses, or the distortion to letters that are points."""
    named = _named_losses(arrays)
    distortion = _text(arrays, "distortion")
    if distortion:
        is_known = distortion in ("squared_error", "mean_squared_error") and _text(arrays, "reproduction") == "free"
        points = _array(arrays, "points", 2, Unreadable, is_kept.size)
        if not is_known or len(named) > 1 or not points.size or not np.isfinite(points).all():
            raise Unreadable("The distortion is a name, but letters are not points in a way that is known.")
        scale = points.shape[1] if distortion == "mean_squared_error" else 1
        return [Loss("distortion", "points", points[is_kept], float(scale))]
    losses = [_linear_loss(arrays, name, key, is_kept) for name, key in named.items()]
    if len({loss.data.shape for loss in losses}) > 1:
        raise Unreadable("Losses have different shapes.")
    if all(loss.kind == "axes" for loss in losses) and math.prod(losses[0].data.shape) >= FEW_PAIRS:
        grids = {tuple(table.shape for table in loss.data.tables) for loss in losses}
        if len(grids) == 1 and not any(key.startswith(("entropy_", "perception_")) for key in arrays):
            return losses
    return [_as_table(loss) for loss in losses]


def _named_losses(arrays: dict[str, Any]) -> dict[str, str]:
    """Return the linear losses in their order, each with the array that holds it, or the first of its axes."""
    named: dict[str, str] = {}
    for key in [key for key in arrays if key == "distortion" or key.startswith(("loss_", "axis_0_", *LINES))]:
        start = next((start for start in ("loss_", "axis_0_", *LINES) if key.startswith(start)), "")
        name = key.removeprefix(start)
        if name in named:
            raise Unreadable(f"The problem holds {named[name]} and {key}, but has one loss of a name.")
        named[name] = key
    return {"distortion": named.pop("distortion", "distortion")} | named


def _linear_loss(arrays: dict[str, Any], name: str, key: str, is_kept: np.ndarray) -> Loss:
    """Return a loss that is stored as a table, or as one for every axis of a grid."""
    if key.startswith(LINES):
        return Loss(name, "table", _table_of_line(arrays, name, key, is_kept))
    if not key.startswith("axis_0_"):
        table = _array(arrays, key, 2, Unreadable, is_kept.size)
        if not table.size or not (table > -np.inf).all():  # false if any entry is NaN
            raise Unreadable(f"{key} is no table of losses.")
        return Loss(name, "table", table[is_kept])
    keys = list(itertools.takewhile(arrays.__contains__, (f"axis_{d}_{name}" for d in itertools.count())))
    tables = [_array(arrays, one, 2, Unreadable) for one in keys]
    is_right = all(table.size and np.isfinite(table).all() for table in tables)
    if not is_right or math.prod(len(table) for table in tables) != is_kept.size:
        raise Unreadable(f"The tables of {name} hold no finite losses, or their grid is not that of p_x.")
    return Loss(name, "axes", Axes(tables, np.flatnonzero(is_kept)))


def _table_of_line(arrays: dict[str, Any], name: str, key: str, is_kept: np.ndarray) -> np.ndarray:
    """Return the table of a loss between points of a line: squares of distances, or distances, each rounded."""
    x = _array(arrays, key, 1, Unreadable, is_kept.size)
    letters = f"line_letters_{name}"
    y = _array(arrays, letters, 1, Unreadable) if letters in arrays else x
    if not y.size or not all(np.isfinite(line).all() and (np.diff(line) > 0).all() for line in (x, y)):
        raise Unreadable(f"The places of {name} on a line are not finite and increasing.")
    if x.size * y.size > MANY_PAIRS:
        raise Unreadable(f"{name} has {x.size} x {y.size} losses on a line; this program needs a table of them.")
    apart = np.subtract.outer(x[is_kept], y)
    return np.asarray(apart * apart if key.startswith(LINES[0]) else np.abs(apart))


def _as_table(loss: Loss) -> Loss:
    if loss.kind == "table":
        return loss
    n, k = loss.data.shape
    if n * k > MANY_PAIRS:
        raise Unreadable(f"{loss.name} has {n} x {k} losses on axes of its own; this program needs one grid for all.")
    return Loss(loss.name, "table", loss.columns(np.arange(k)))


def _laws_of(arrays: dict[str, Any], losses: list[Loss], is_kept: np.ndarray) -> list[Law]:
    """Return the measures of the reproduction's law; of classes, for the symbols that are kept."""
    laws, masses = [], _array(arrays, "p_x", 1, Unreadable)
    for key in [key for key in arrays if key.startswith("perception_")]:
        name, measure = key.removeprefix("perception_"), _text(arrays, key)
        cost = _array(arrays, f"cost_{name}", 2, Unreadable) if f"cost_{name}" in arrays else None
        features = _array(arrays, f"features_{name}", 2, Unreadable) if f"features_{name}" in arrays else None
        target, place = (_array(arrays, f"{word}_{name}", 1, Unreadable) for word in ("target", "place"))
        outside = _scalar(arrays, f"outside_{name}") if f"outside_{name}" in arrays else 0.0
        members = _array(arrays, f"members_{name}", 1, Unreadable) if f"members_{name}" in arrays else None
        law = Law(name, measure, target, place.astype(np.int64), cost, outside, features, members)
        is_right = (
            measure in ("tv", "exact", "mmd", *DIVERGENCES, *TRANSPORTS)
            and (measure in TRANSPORTS) == (cost is not None)
            and (measure == "mmd") == (features is not None)
            and losses[0].kind == "table"
            and place.shape == losses[0].data.shape[1:]
            and bool(((place >= 0) & (place < law.n_places) & (place % 1 == 0)).all())
            and bool((np.isfinite(target) & (target >= 0)).all())
            and abs(_excess(np.append(target, outside))) <= 1e-9
            and (cost is None or (not outside and cost.shape[0] == target.size))
            and (cost is None or bool((np.isfinite(cost) & (cost >= 0)).all()))
            and (features is None or (not outside and bool(np.isfinite(features).all())))
            and (features is None or f"bound_{name}" not in arrays or _scalar(arrays, f"bound_{name}") > 0)
            and (members is None or (members.shape == masses.shape and bool(((members >= 0) & (members <= 1)).all())))
            and (members is None or bool((members * masses).any()))
        )
        if not is_right:
            raise Unreadable(f"{key} is unknown, or its target, places, costs, features, members or limit do not fit.")
        laws.append(law if members is None else law._replace(members=members[is_kept]))
    return laws


def _label_losses(arrays: dict[str, Any], is_kept: np.ndarray) -> Iterable[Loss]:
    for key in [key for key in arrays if key.startswith("entropy_")]:
        index = _scalar(arrays, key)
        label = _array(arrays, f"labels_{index:.0f}", 2, Unreadable, is_kept.size)[is_kept]
        if index % 1 or not _is_masses(label):
            raise Unreadable(f"{key} names a label whose rows are no masses that sum to one.")
        yield Loss(key.removeprefix("entropy_"), "label", label)


# ------------------------------------------------------------------------------------------------ balls and bounds


def _sum(values: np.ndarray) -> Any:
    """Return a ball of the sum of numbers that sum to nearly one."""
    excess = _excess(values)
    return 1 + arb(excess, abs(excess) * 2 * HALF)


def total(balls: Iterable[Any]) -> Any:
    """Return the sum as a ball."""
    return sum(balls, arb(0))


def x_log_x(x: Any) -> Any:
    """Return x log x, which is zero at zero."""
    return x * x.log() if x > 0 else arb(0)


def upper(ball: Any) -> float:
    """Return a double that is no less than the ball; infinite if the ball is no number."""
    value = float(ball.upper())
    if math.isnan(value):
        return math.inf
    return value if arb(value) >= ball.upper() else math.nextafter(value, math.inf)


def lower(ball: Any) -> float:
    """Return a double that is no more than the ball."""
    return 0.0 - upper(-ball)


with ctx.workprec(PRECISION):
    STEP = arb.const_log2() / 64
    STEP_HIGH = math.ldexp(math.floor(float(STEP) * 2**36), -36)  # 30 bits, so that 17 bits times it are exact
    STEP_LOW = float(STEP - STEP_HIGH)
    POWERS = np.array([float((j * STEP).exp()) for j in range(64)])


def exp_up(x: np.ndarray) -> np.ndarray:
    """Return upper bounds of exp(x) for x < 700, above it by a relative 2^-49 at most; below -690 those of exp(-690).

    With n the integer next to x / STEP, exp(x) = 2^(n/64) exp(r), |r| < 0.0055. The product of n and the high part is
    exact, the low one is off by |n| 2^-36 HALF, so r is off by less than 2^-59. The table, the last addition and the
    polynomial (remainder r^6/720, below 2^-54) are off by less than four times HALF; 2^-50 is eight times that.
    """
    x = np.clip(x, -690.0, 700.0)
    n = np.rint(x * (64 / math.log(2)))
    r = (x - n * STEP_HIGH) - n * STEP_LOW
    polynomial = r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120)))))
    index = n.astype(np.int64)
    power = POWERS[index & 63]
    return np.ldexp(power + power * polynomial, (index >> 6).astype(np.int32)) * (1 + 2.0**-50)


def expm1_up(x: np.ndarray) -> np.ndarray:
    """Return upper bounds of exp(x) - 1, sharp for small x too; x may be off by a relative 2^-51."""
    x = x + 4 * HALF * np.abs(x)
    series = x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6)))))  # the next is below HALF |x| / 2
    return np.where(np.abs(x) < 2.0**-7, series + np.abs(x) * 2.0**-50, exp_up(x) - 1 + 2 * HALF)


def log1p_up(x: np.ndarray) -> np.ndarray:
    """Return upper bounds of log(1 + x) for x >= 0, sharp for small x too.

    A fraction with the first three derivatives, which lies above; or, whatever g is, g + (1 + x) exp(-g) - 1, as log t
    is at most t - 1.
    """
    g = np.log1p(x)
    near = x * (6 + x) / (6 + 4 * x) * (1 + 8 * HALF)
    far = g + ((1 + x) * exp_up(-g) - 1) + 8 * HALF * (1 + g)
    return np.fmin(near, far)


def tree_sum(x: np.ndarray) -> np.ndarray:
    """Return sums along the last axis, off by at most `levels` times HALF times the sums of absolute values."""
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        folded = x[..., :half] + x[..., half : 2 * half]
        if x.shape[-1] % 2:
            folded[..., 0] += x[..., -1]
        x = folded
    return x[..., 0]


def accurate_sum(x: np.ndarray) -> np.ndarray:
    """Return sums along the last axis, off by at most 2 HALF of the sums of sizes: their errors are added up too."""
    rest = np.zeros(x.shape[:-1])
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        folded, lost = _two_sum(x[..., :half], x[..., half : 2 * half])
        rest += lost.sum(axis=-1)
        if x.shape[-1] % 2:
            folded[..., 0], lost = _two_sum(folded[..., 0], x[..., -1])
            rest += lost
        x = folded
    return x[..., 0] + rest


def levels(x: np.ndarray) -> int:
    """Return how many additions a term goes through in `tree_sum`: at most two at each halving."""
    return 2 * x.shape[-1].bit_length()


def logs(x: np.ndarray) -> np.ndarray:
    """Return logarithms, off by less than twice HALF, relatively."""
    distinct, inverse = np.unique(x, return_inverse=True)
    return np.array([float(arb(value).log()) for value in distinct.tolist()])[inverse].reshape(x.shape)


# ------------------------------------------------------------------------------------------------ the channel


class Channel(NamedTuple):
    """A channel, and balls of the masses of its pairs: for every letter its symbols, as (symbol, mass)."""

    rows: np.ndarray
    letters: np.ndarray
    pairs: list[list[tuple[int, Any]]]
    kept: np.ndarray  # which symbols its rows are
    masses: np.ndarray  # all masses, as stored
    is_made: bool = False  # from masses and multipliers

    def is_own(self, target: np.ndarray) -> bool:
        """Say whether a target is the law of the source."""
        return np.array_equal(target, self.masses)


class MadeChannel(NamedTuple):
    """A channel by masses and multipliers: an upper bound of its rate, and balls of its means by name."""

    letters: np.ndarray
    rate: Any
    means: dict[str, Any]


class RowMaker(NamedTuple):
    """What the rows of a channel by masses are made of."""

    problem: Problem
    letters: np.ndarray
    masses: np.ndarray
    multipliers: list[float]

    def rows(self) -> np.ndarray:
        """Return all rows."""
        if self.problem.stored.size * self.letters.size > MANY_PAIRS:
            raise Unreadable("The channel has too many rows for a problem with labels or laws of the reproduction.")
        _, w, sums, _ = self.made(np.arange(self.problem.stored.size))
        return w / sums[:, None]

    def made(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, tuple[Any, np.ndarray]]]:
        """Return exponents y, w = q exp(y) rounded, its row sums, and by loss its least values and what is above them.

        Exponents are what they are in doubles: with them the channel is one, whoever made it. w is no less than
        q exp(y), and above it by a relative 2^-49 and HALF at most; w below `SMALL` is zero.
        """
        forbidden = np.zeros((rows.size, self.letters.size), dtype=bool)
        if self.problem.losses[0].kind == "table":
            forbidden = self.problem.forbidden[np.ix_(rows, self.letters)]
        y, apart = np.zeros(forbidden.shape), {}
        for loss, multiplier in zip(self.problem.losses, self.multipliers, strict=True):
            if loss.is_linear:
                columns = loss.columns(self.letters, rows)
                lowest = np.where(forbidden, np.inf, columns).min(axis=1)
                apart[loss.name] = lowest, np.where(forbidden, 0.0, columns - lowest[:, None])
                y -= multiplier * apart[loss.name][1]
        y = np.where(forbidden, -np.inf, y)
        y = np.maximum(y - y.max(axis=1, keepdims=True), -COSTLIEST)
        w = np.where(forbidden, 0.0, self.masses * exp_up(y))
        w[w < SMALL] = 0.0
        sums = accurate_sum(w)
        if not ((sums > 0) & (sums < np.inf)).all():
            raise Refuted("A symbol may use none of the channel's letters, or their masses are out of range.")
        return y, w, sums, apart

    def channel(self) -> MadeChannel:
        """Return the channel's rate and means, from two passes over blocks of its rows.

        The rate is at most sum_i p_i sum_a W(a|i) log (W(a|i) / r_a) + log sum_a r_a for any r > 0, such as the law of
        the letters in doubles: then nothing cancels. log W = log w - log sum w, and log w = log q + y but for what w is
        above q exp(y) by. Each term errs by two roundings, c by one of itself, sums by two, and so do quotients.
        """
        n, k = self.problem.stored.size, self.letters.size
        step = max(1, FEW_PAIRS // k)
        blocks = [np.arange(start, min(start + step, n)) for start in range(0, n, step)]
        law, first, is_constant = np.zeros(k), None, True
        for rows in blocks:
            _, w, sums, _ = self.made(rows)
            law += (self.problem.stored[rows] / sums) @ w
            first = w[0] if first is None else first
            is_constant = is_constant and bool((w == first).all())
        law = np.maximum(law, SMALL)
        c = np.array([float((arb(q) / r).log()) for q, r in zip(self.masses.tolist(), law.tolist(), strict=True)])
        rate, means = total(map(arb, law.tolist())).log() + 2.0**-49 + 2 * HALF, dict[str, Any]()
        for rows in blocks:
            y, w, sums, apart = self.made(rows)
            masses = [self.problem.masses[i] for i in rows.tolist()]
            value, size = accurate_sum(w * (c + y)), accurate_sum(w * (np.abs(c + y) + np.abs(c)))
            upper_ends = value / sums + (8 * size / sums + 4) * HALF
            pairs = zip(masses, upper_ends.tolist(), sums.tolist(), strict=True)
            rate += total(mass * (end - arb(whole).log()) for mass, end, whole in pairs)
            for name, (lowest, above) in apart.items():
                rises = (accurate_sum(w * above) / sums).tolist()
                values = (arb(x) + arb(r, 8 * HALF * r) for x, r in zip(lowest.tolist(), rises, strict=True))
                means[name] = means.get(name, arb(0)) + total(m * x for m, x in zip(masses, values, strict=True))
        return MadeChannel(self.letters, arb(0) if is_constant else rate, means)


def channel_of(arrays: dict[str, Any], problem: Problem) -> Channel | MadeChannel:
    """Return the certificate's channel, or refute."""
    if "certificate_channel_masses" not in arrays:
        return _channel_of_rows(arrays, problem)
    linear = problem.losses[0].data.shape[1] if problem.losses[0].is_linear else 0
    letters = _whole(arrays, "certificate_letters", 1, 0, linear)
    masses = _array(arrays, "certificate_channel_masses", 1, Refuted, letters.size)
    multipliers = _array(arrays, "certificate_channel_multipliers", 1, Refuted, len(problem.losses))
    if not letters.size or not ((masses > 0) & (masses < np.inf)).all() or not np.isfinite(multipliers).all():
        raise Refuted("A channel by masses has no letters, masses that are not positive, or multipliers out of range.")
    if problem.is_fixed and np.unique(letters).size < letters.size:
        raise Refuted("The channel's letters are repeated where they may not be.")
    maker = RowMaker(problem, letters, masses, multipliers.tolist())
    if all(loss.is_linear for loss in problem.losses) and not problem.laws:
        return maker.channel()
    rows = np.zeros((problem.is_kept.size, letters.size))
    rows[problem.is_kept] = maker.rows()
    return _channel_of_rows(arrays | {"certificate_channel": rows}, problem)._replace(is_made=True)


def _channel_of_rows(arrays: dict[str, Any], problem: Problem) -> Channel:
    rows = _array(arrays, "certificate_channel", 2, Refuted, problem.is_kept.size)[problem.is_kept]
    tables = [loss.data for loss in problem.losses if loss.is_linear]
    n_letters = tables[0].shape[1] if tables else rows.shape[1]
    letters = _whole(arrays, "certificate_letters", 1, 0, n_letters)
    is_repeated = np.unique(letters).size < letters.size
    if letters.size != rows.shape[1] or (is_repeated and (problem.is_fixed or not tables)):
        raise Refuted("The channel's letters are not one for each column, or repeated where they may not be.")
    if letters.size and not _is_masses(rows):
        raise Refuted("A row of the channel is negative, not finite, or does not sum to one.")
    if tables and (problem.forbidden[:, letters] & (rows > 0)).any():
        raise Refuted("The channel uses a forbidden pair.")
    pairs: list[list[tuple[int, Any]]] = [[] for _ in letters]
    for i, (mass, row) in enumerate(zip(problem.masses, rows if letters.size else [], strict=False)):
        share = mass / _sum(row)
        for a in np.flatnonzero(row).tolist():
            pairs[a].append((i, share * float(row[a])))
    masses = np.zeros(problem.is_kept.size)
    masses[problem.is_kept] = problem.stored
    return Channel(rows, letters, pairs, np.flatnonzero(problem.is_kept), masses)


def rate_of(channel: Channel | MadeChannel, problem: Problem) -> Any:
    """Return a ball of I(W): the sum of m log W over pairs with masses m, less that of q log q over letters.

    Of a channel by masses an upper bound.
    """
    if isinstance(channel, MadeChannel):
        return channel.rate
    if (channel.rows == channel.rows[0]).all():
        return arb(0)  # and not nearly zero
    value = arb(0)
    for a, letter in enumerate(channel.pairs):
        for i, mass in letter:
            entry = float(channel.rows[i, a])  # below 1e-40, 0 > x log x > -1e-37 needs no logarithm
            value += mass * arb(entry).log() if entry >= RAISED else arb(0, 1e-37)
        value -= x_log_x(total(mass for _, mass in letter))
    return value - total(mass * _sum(row).log() for mass, row in zip(problem.masses, channel.rows, strict=True))


def mean_of(loss: Loss, channel: Channel | MadeChannel) -> Any:
    """Return a ball of a mean; where it is zero it is exactly zero."""
    if isinstance(channel, MadeChannel):
        return channel.means[loss.name]
    if loss.is_linear:
        columns = loss.columns(channel.letters).T.tolist()
        pairs = zip(columns, channel.pairs, strict=True)
        return total(mass * column[i] for column, letter in pairs for i, mass in letter)
    if loss.kind == "label":
        shares = _shares(loss.data)
        return total(_entropy_of(letter, shares) for letter in channel.pairs)
    return total(_scatter_of(letter, loss.data) for letter in channel.pairs) / loss.scale


def _shares(label: np.ndarray) -> list[list[tuple[int, Any]]]:
    """Return for every symbol its classes with their probabilities."""
    return [[(s, arb(float(row[s])) / _sum(row)) for s in np.flatnonzero(row).tolist()] for row in label]


def _entropy_of(letter: list[tuple[int, Any]], shares: list[list[tuple[int, Any]]]) -> Any:
    masses: dict[int, Any] = {}
    for i, mass in letter:
        for s, w in shares[i]:
            masses[s] = masses.get(s, 0) + mass * w
    if len(masses) < 2:
        return arb(0)
    *others, largest = sorted(masses.values(), key=lambda mass: float(mass.mid()))
    rest = total(others)  # beside the largest it tells log (all / largest) to a share of itself, however small that is
    small = total(mass * ((rest + largest) / mass).log() for mass in others)
    return largest * (rest / largest).log1p() + small


def _scatter_of(letter: list[tuple[int, Any]], points: np.ndarray) -> Any:
    """Return the sum of m |x - mean|^2, from deviations of the heaviest point.

    Of the sum of squares the square of the first moment takes off no more than the share of all other points (Cauchy
    and Schwarz), so that at least the heaviest one's share is left of it: however little mass lies elsewhere, the ball
    is narrow beside what it holds.
    """
    value, masses = arb(0), [mass for _, mass in letter]
    heaviest = max(range(len(letter)), key=lambda a: float(masses[a].mid()), default=0)
    for coordinate in points[[i for i, _ in letter]].T.tolist():
        if len(set(coordinate)) > 1:
            deviations = [arb(x) - coordinate[heaviest] for x in coordinate]
            pairs = list(zip(masses, deviations, strict=True))
            first = total(mass * x for mass, x in pairs)  # times itself: the power of a ball around zero is no number
            value += total(mass * x * x for mass, x in pairs) - first * first / total(masses)
    return value


def exact_mean(loss: Loss, channel: Channel | MadeChannel, problem: Problem) -> Fraction | None:
    """Return the mean as a fraction where it is one, for limits that are met without any room."""
    if loss.kind == "label" or isinstance(channel, MadeChannel):
        return None
    rows = [list(map(Fraction, row)) for row in channel.rows.tolist()]
    masses = list(map(Fraction, problem.stored.tolist()))
    shares = [mass / sum(masses) / sum(row) for mass, row in zip(masses, rows, strict=True)]
    if loss.is_linear:
        used = np.where(channel.rows > 0, loss.columns(channel.letters), 0.0).tolist()
        lists = (sum(w * Fraction(x) for w, x in zip(row, xs, strict=True)) for row, xs in zip(rows, used, strict=True))
        return sum((share * value for share, value in zip(shares, lists, strict=True)), Fraction(0))
    mean = Fraction(0)
    for column, coordinate in itertools.product(zip(*rows, strict=True), loss.data.T.tolist()):
        joint = [(share * w, Fraction(x)) for share, w, x in zip(shares, column, coordinate, strict=True) if w]
        first, q = sum(m * x for m, x in joint), sum(m for m, _ in joint)
        mean += sum(m * x * x for m, x in joint) - (first**2 / q if q else 0)
    return mean / Fraction(loss.scale)


def exact_least(loss: Loss, problem: Problem) -> Fraction:
    """Return the least mean of a linear loss as a fraction."""
    masses = list(map(Fraction, problem.stored.tolist()))
    least = least_values(loss, problem)
    return sum((mass * Fraction(x) for mass, x in zip(masses, least, strict=True)), Fraction(0)) / sum(masses)


def least_of_letters(loss: Loss, problem: Problem) -> tuple[Fraction, Fraction]:
    """Return the least mean of a letter that is forbidden to no symbol, and the mean size of its losses; or zeros."""
    masses = list(map(Fraction, problem.stored.tolist()))
    columns = loss.data[:, ~problem.forbidden.any(axis=0)].T.tolist()
    sums = [
        [sum(m * f(Fraction(x)) for m, x in zip(masses, column, strict=True)) for f in (Fraction, abs)]
        for column in columns
    ]
    mean, size = min(sums, default=[Fraction(0), Fraction(0)])
    return mean / sum(masses), size / sum(masses)


def least_values(loss: Loss, problem: Problem) -> list[float]:
    """Return the least allowed value of a table of losses for every symbol."""
    least: list[float] = loss.ends(problem.forbidden)[0].tolist()
    return least


# ------------------------------------------------------------------------------------------------ the dual bound


class Dual(NamedTuple):
    """The certificate's multipliers but for zeros, and balls of u."""

    multipliers: dict[str, float]
    u: list[Any]
    slopes: dict[str, float] = {}  # multipliers of laws
    spent: Any = 0  # what prices of places come to, besides multipliers times distances


def dual_of(arrays: dict[str, Any], problem: Problem) -> Dual:
    """Return the dual point, or refute."""
    multipliers = _array(arrays, "certificate_multipliers", 1, Refuted, len(problem.losses))
    stored = {"certificate_u_rest": np.zeros(problem.is_kept.size)} | arrays
    both = [_array(stored, f"certificate_{name}", 1, Refuted, problem.is_kept.size) for name in ("u", "u_rest")]
    u, rest = (values[problem.is_kept] for values in both)
    is_free = np.array([loss.name in problem.held for loss in problem.losses])
    if not (np.isfinite([u, rest]).all() and np.isfinite(multipliers).all() and (is_free | (multipliers >= 0)).all()):
        raise Refuted("The certificate's u is not finite, or a multiplier is negative or not finite.")
    used = zip(problem.losses, multipliers.tolist(), strict=True)
    return Dual({loss.name: value for loss, value in used if value}, [arb(a) + b for a, b in zip(u, rest, strict=True)])


def least_mean(loss: Loss, problem: Problem) -> Any:
    """Return a ball of a number that the mean of no channel is below."""
    if loss.is_linear:
        return total(mass * value for mass, value in zip(problem.masses, least_values(loss, problem), strict=True))
    shares = zip(problem.masses, _shares(loss.data) if loss.kind == "label" else [], strict=False)
    return -total(mass * x_log_x(w) for mass, row in shares if len(row) > 1 for _, w in row)


def trivial_bound(problem: Problem) -> Any:
    """Return the bound that needs no certificate; no distance of a law is negative."""
    charged = problem.multipliers or ({} if problem.objective == "rate" else {problem.objective: 1.0})
    return total(arb(charged.get(loss.name, 0.0)) * least_mean(loss, problem) for loss in problem.losses)


def plane(problem: Problem, dual: Dual, price: Any, losses: dict[str, Any]) -> Any:
    """Return p.u - log C less multipliers times losses: no channel with these means has a lower rate."""
    value = total(mass * u for mass, u in zip(problem.masses, dual.u, strict=True)) - price.log() - dual.spent
    slopes = dual.multipliers | dual.slopes
    return value - total(arb(slopes[name]) * loss for name, loss in losses.items() if slopes[name])


def dual_bound(problem: Problem, dual: Dual, price: Any) -> Any:
    """Return the bound that a dual point proves given the largest price, or None if its multipliers prove nothing."""
    slopes = dual.multipliers | {name: value for name, value in dual.slopes.items() if value}
    if problem.multipliers is not None:
        spare = {name: arb(value) - slopes.get(name, 0.0) for name, value in problem.multipliers.items()}
        if any(value < 0 for value in spare.values()):
            return None
        least = total(spare[loss.name] * least_mean(loss, problem) for loss in problem.losses if spare[loss.name] > 0)
        return plane(problem, dual, price, {}) + least
    names = [name for name in slopes if name != problem.objective]
    if not problem.bounds.keys() >= set(names):
        return None
    charged = {name: problem.limits[name] for name in names}
    # an infinite multiplier is about laws at distance zero: nothing is charged for them, and nothing else follows
    endless = {name for name in slopes if math.isinf(slopes[name])}
    if any(name == problem.objective or charged[name] != 0 for name in endless):
        return None
    value = plane(problem, dual, price, {name: limit for name, limit in charged.items() if name not in endless})
    if problem.objective == "rate":
        return value
    slope = slopes.get(problem.objective)
    return (value - problem.rate_bound) / slope if slope else None


# ------------------------------------------------------------------------------------- maps into fixed letters


def no_map_meets(problem: Problem, dual: Dual) -> bool:
    """Say whether every map from symbols to fixed letters is beyond the limits, weighted by the multipliers.

    The weighted mean is concave in the channel, so no channel is below the best map. Maps are made symbol by symbol,
    and one is not followed further once what it costs, with the least that the other symbols add, is beyond the limits.
    """
    weights = dual.multipliers
    is_stated = problem.multipliers is None and weights.keys() <= problem.bounds.keys() - {problem.objective}
    if not problem.is_fixed or not weights or not is_stated or min(weights.values()) < 0:
        return False
    maps = _Maps(problem, weights)
    return maps.all_beyond(total(arb(weight) * problem.limits[name] for name, weight in weights.items()))


class _Maps:
    """What maps from symbols to letters cost at least, symbols of large mass first."""

    def __init__(self, problem: Problem, weights: dict[str, float]) -> None:
        used = [loss for loss in problem.losses if loss.name in weights]
        tables = [(arb(weights[loss.name]), loss.data.tolist()) for loss in used if loss.kind == "table"]
        self.labels = [(arb(weights[loss.name]), _shares(loss.data)) for loss in used if loss.kind == "label"]
        self.masses, self.known = problem.masses, {0: arb(0)}
        self.order = sorted(range(len(self.masses)), key=lambda i: -float(problem.stored[i]))
        forbidden = problem.forbidden
        self.costs = [
            [
                None if forbidden[i, a] else total(weight * table[i][a] for weight, table in tables)
                for a in range(forbidden.shape[1])
            ]
            for i in range(len(self.masses))
        ]
        columns = np.vstack([loss.data for loss in used if loss.kind == "table"] or [np.zeros((0, forbidden.shape[1]))])
        keys = [(column.tobytes(), mask.tobytes()) for column, mask in zip(columns.T, forbidden.T, strict=True)]
        self.twins = [[b for b in range(a) if keys[b] == keys[a]] for a in range(len(keys))]

    def _unknown(self, symbols: int) -> Any:
        """Return what is unknown of labels, weighted, by a letter that some symbols have, given as bits."""
        if symbols not in self.known:
            letter = [(i, mass) for i, mass in enumerate(self.masses) if symbols >> i & 1]
            self.known[symbols] = total(weight * _entropy_of(letter, shares) for weight, shares in self.labels)
        return self.known[symbols]

    def _least(self, i: int) -> Any:
        """Return a lower bound of what a symbol adds: a loss of its own, and what is unknown with a letter of its own.

        The cheapest letter's cost less its width is one float below all of them.
        """
        own = min(lower(cost) for cost in self.costs[i] if cost is not None)
        return self.masses[i] * own + self._unknown(1 << i)

    def all_beyond(self, limit: Any) -> bool:
        """Say whether every map's cost is certainly beyond this."""
        rest = total(self._least(i) for i in self.order)
        states = [((0,) * len(self.costs[0]), arb(0))]  # the symbols of every letter, and what they cost
        for i in self.order:
            rest -= self._least(i)
            after = []
            for letters, cost in states:
                for a, own in enumerate(self.costs[i]):
                    if own is None or (not letters[a] and any(not letters[b] for b in self.twins[a])):
                        continue  # a letter like one that nobody has makes the same map
                    new = letters[a] | 1 << i
                    value = cost + self.masses[i] * own + self._unknown(new) - self._unknown(letters[a])
                    if not value + rest > limit:
                        after.append(((*letters[:a], new, *letters[a + 1 :]), value))
            if not after:
                return True
            if len(after) > MOST_MAPS:
                return False
            states = after
        return False


# ---------------------------------------------------------------------------------------------- laws of what is shown


class LawProof(NamedTuple):
    """What the certificate holds for a law: prices of places, nu, tau, a plan as (atom, place, mass), and a witness."""

    prices: np.ndarray
    nu: float
    tau: float
    plan: list[tuple[int, int, float]]
    witness: list[float]


def law_proofs(arrays: dict[str, Any], problem: Problem) -> list[LawProof]:
    """Return the proofs of the problem's laws, or refute; without any, nothing is made of the laws."""
    prefix = "certificate_law_"
    proofs, known = [], set()
    held = any(key.startswith(prefix) for key in arrays)
    for k, law in enumerate(problem.laws):
        n_places = law.n_places
        if not held:
            proofs.append(LawProof(np.zeros(n_places), 0.0, 0.0, [], []))
            continue
        own = f"{prefix}{k}_"
        prices = _array(arrays, f"{own}prices", 1, Refuted, n_places)
        nu, tau = _array(arrays, f"{own}scalars", 1, Refuted, 2).tolist()
        if not (((prices >= 0) & (prices <= 1e290)).all() and nu >= 0 and math.isfinite(tau)):
            raise Refuted(f"A price of {law.name} is not between 0 and 1e290, or its multiplier or level is none.")
        plan: list[tuple[int, int, float]] = []
        known |= {f"{own}prices", f"{own}scalars"}
        if law.cost is not None and f"{own}plan_masses" in arrays:
            masses = _array(arrays, f"{own}plan_masses", 1, Refuted)
            ends = zip(("rows", "columns"), law.cost.shape, strict=True)
            indices = [_whole(arrays, f"{own}plan_{word}", 1, 0, end) for word, end in ends]
            if {masses.size} != {index.size for index in indices} or not (np.isfinite(masses) & (masses >= 0)).all():
                raise Refuted(f"The plan of {law.name} is none.")
            plan = list(zip(*(values.tolist() for values in (*indices, masses)), strict=True))
            known |= {f"{own}plan_{word}" for word in ("rows", "columns", "masses")}
        witness = np.zeros(0)
        if law.features is not None and f"{own}witness" in arrays:
            witness = _array(arrays, f"{own}witness", 1, Refuted, law.features.shape[1])
            known |= {f"{own}witness"}
            if not np.isfinite(witness).all():
                raise Refuted(f"The witness of {law.name} is none.")
        proofs.append(LawProof(prices, nu, tau, plan, witness.tolist()))
    unknown = {key for key in arrays if key.startswith(prefix)} - known
    if unknown:
        raise Refuted(f"The certificate has {min(unknown)!r}, which this problem has no use for.")
    return proofs


def with_laws(problem: Problem, dual: Dual, proofs: list[LawProof]) -> tuple[Problem, Dual, Dual]:
    """Return the problem with prices of places as one more loss, and its dual; and the dual that pays for them."""
    spent = total(support(law, proof) for law, proof in zip(problem.laws, proofs, strict=True))
    paying = dual._replace(
        slopes={law.name: proof.nu for law, proof in zip(problem.laws, proofs, strict=True)}, spent=spent
    )
    table = _price_table(problem, proofs) if problem.laws else np.zeros(0)
    if not table.any():
        return problem, dual, paying
    name = "price of what a letter shows"
    tables = [loss for loss in problem.losses if loss.kind == "table"]
    losses = [*tables, Loss(name, "table", table), *problem.losses[len(tables) :]]
    return replace(problem, losses=losses), dual._replace(multipliers=dual.multipliers | {name: 1.0}), paying


def _price_table(problem: Problem, proofs: list[LawProof]) -> np.ndarray:
    """Return what letters cost symbols by the prices of what they show, (n, n_y), rounded down: that is paid for.

    A place's price counts for a symbol times members / share, p(class | symbol) over the mass of the class.
    """
    shape = problem.losses[0].data.shape
    summed = [[Fraction(0)] * shape[1]]  # one row while all symbols pay the same
    for law, proof in zip(problem.laws, proofs, strict=True):
        prices = [Fraction(price) for price in proof.prices[law.place].tolist()]
        if law.members is None:
            summed = [[a + b for a, b in zip(row, prices, strict=True)] for row in summed]
        elif any(prices):
            members, stored = (list(map(Fraction, part.tolist())) for part in (law.members, problem.stored))
            share = sum((p * q for p, q in zip(members, stored, strict=True)), Fraction(0)) / sum(stored, Fraction(0))
            rows = summed if len(summed) == shape[0] else summed * shape[0]
            summed = [
                [a + part / share * b for a, b in zip(row, prices, strict=True)]
                for row, part in zip(rows, members, strict=True)
            ]
    table = np.array([[float(value) for value in row] for row in summed])
    is_above = [
        [Fraction(a) > b for a, b in zip(*rows, strict=True)] for rows in zip(table.tolist(), summed, strict=True)
    ]
    return np.broadcast_to(np.where(is_above, np.nextafter(table, -math.inf), table), shape)


def support(law: Law, proof: LawProof) -> Any:
    """Return a ball that, with nu d added, the mean price of what any channel shows does not exceed; maybe infinite."""
    w, nu, masses = [arb(price) for price in proof.prices.tolist()], proof.nu, law.target.tolist()
    if nu == 0:
        return arb(float(proof.prices.max()))
    if law.features is not None:
        return _discrepancy_support(law.features, proof, w)
    if law.cost is not None:
        value = arb(0)
        for mass, costs in zip(masses, law.cost.tolist(), strict=True):
            if mass:
                reached = [(a, c) for a, c in zip(w, costs, strict=True) if c == 0 or not math.isinf(nu)]
                if not reached:
                    return arb(math.inf)
                value += mass * _largest(a - (nu * arb(c) if c else 0) for a, c in reached)
        return value / law.total
    if math.isinf(nu):
        return arb(math.inf) if law.outside else total(m * a for m, a in zip(masses, w, strict=True)) / law.total
    if law.measure == "tv":
        away = _largest(w) - nu
        return (total(m * a.max(away) for m, a in zip(masses, w, strict=True)) + law.outside * away) / law.total
    if law.measure == "exact":
        return arb(math.inf)
    return _divergence_support(law, proof, w)


def _largest(balls: Iterable[Any]) -> Any:
    found = None
    for ball in balls:
        found = ball if found is None else found.max(ball)
    return found


def _discrepancy_support(features: np.ndarray, proof: LawProof, w: list[Any]) -> Any:
    """Return max_j (w_j - 2 nu f_j.z) + nu |z|^2 for the witness z, zeros without one."""
    if math.isinf(proof.nu):
        return arb(math.inf)
    nu, z = arb(proof.nu), [arb(value) for value in proof.witness]
    means = [total(arb(f) * value for f, value in zip(row, z, strict=bool(z))) for row in features.tolist()]
    return _largest(price - 2 * nu * mean for price, mean in zip(w, means, strict=True)) + nu * total(v * v for v in z)


def _divergence_support(law: Law, proof: LawProof, w: list[Any]) -> Any:
    """Return tau + nu (sum_j t_j f*((w_j - tau) / nu) - outside f(0))."""
    nu, tau, value = arb(proof.nu), arb(proof.tau), arb(0)
    steepest, at_zero = _slope(law.measure), _at_zero(law.measure)
    if law.outside and at_zero is None:
        return arb(math.inf)
    for mass, price in zip(law.target.tolist(), w, strict=True):
        s = (price - tau) / nu
        if steepest is not None and not s <= steepest:
            return arb(math.inf)
        if mass:
            value += mass * _conjugate(law.measure, s)
    return tau + nu * (value - (law.outside * at_zero if law.outside else 0)) / law.total


def _slope(measure: str) -> Any:
    """Return f'(infinity), None where it is infinite."""
    known = {"reverse_kl": arb(1), "reverse_chi2": arb(1), "hellinger": arb(0.5), "js": arb.const_log2() / 2}
    return known.get(measure)


def _at_zero(measure: str) -> Any:
    """Return f(0), None where it is infinite."""
    return {"kl": arb(1), "chi2": arb(1), "hellinger": arb(0.5), "js": arb.const_log2() / 2}.get(measure)


def _conjugate(measure: str, s: Any) -> Any:
    """Return f*(s) = sup_t (s t - f(t)); powers are written as products, since those of a ball around zero fail."""
    if measure == "kl":
        return s.expm1()
    if measure == "reverse_kl":
        return -(1 - s).log()
    if measure == "chi2":
        t = (1 + s / 2).max(arb(0))
        return t * t - 1
    if measure == "reverse_chi2":
        return 2 - 2 * (1 - s).sqrt()
    return s / (1 - 2 * s) if measure == "hellinger" else -(2 - (2 * s).exp()).log() / 2


def _f(measure: str, t: Any) -> Any:
    """Return f(t), t > 0."""
    if measure == "kl":
        return t * t.log() - t + 1
    if measure == "reverse_kl":
        return t - 1 - t.log()
    apart = (t.sqrt() if measure == "hellinger" else t) - 1
    if measure == "js":
        return (t * t.log() - (1 + t) * ((1 + t) / 2).log()) / 2
    return apart * apart / (t if measure == "reverse_chi2" else 2 if measure == "hellinger" else 1)


def at_least(law: Law, limit: float) -> tuple[Any, Law] | None:
    """Return how a limit within roundings of the least distance of any law is read, and the law whose zero it is.

    It is read as the least distance and what computing that rounds by; None for any other limit.
    """
    if not limit > 0 or law.features is not None or (law.cost is None and not law.outside):
        return None
    close, shown = arb(1e-11), law.target.tolist()
    if law.cost is not None:
        nearest = law.cost.min(axis=1)
        least = total(arb(t) * c for t, c in zip(shown, nearest.tolist(), strict=True)) / law.total
        rounding, close = least * (int(np.count_nonzero(law.target)) + 4) * HALF, close * float(law.cost.max())
    else:
        count = int(np.count_nonzero(law.target)) + (1 + 4)
        least, rounding = _least_of(law.measure, 1 - law.outside / law.total), arb(count) * HALF
    if least is None or not least > 0:
        return None
    room = limit - least
    if not (room >= -rounding * (1 - 1e-8) and room <= rounding.max(close)):
        return None
    read = arb(limit).max(least + rounding)
    if law.cost is not None:
        apart = law.cost - nearest[:, None] > 0.5 * upper(room.max(rounding))
        return read, law._replace(cost=apart.astype(float))
    if law.measure == "tv":
        cost = np.vstack([1.0 - np.eye(law.target.size), np.zeros(law.target.size)])
        return read, law._replace(
            measure="transport", target=np.append(law.target, law.outside), cost=cost, outside=0.0
        )
    return read, law._replace(measure="exact", outside=0.0)


def _least_of(measure: str, share: Any) -> Any:
    """Return the least distance of a law from a target with so much mass on places, None where there is none."""
    known = {
        "tv": lambda t: 1 - t,
        "kl": lambda t: -t.log(),
        "chi2": lambda t: 1 / t - 1,
        "hellinger": lambda t: 1 - t.sqrt(),
        "js": lambda t: (t * (2 * t / (1 + t)).log() + (2 / (1 + t)).log() + (1 - t) * arb.const_log2()) / 2,
    }
    return known[measure](share) if measure in known and share > 0 else None


def distance(law: Law, proof: LawProof, channel: Channel, is_zero: bool) -> Any:
    """Return a ball, or an upper bound, of how far the channel's law is; its misplaced mass where the limit is zero."""
    places = shown_masses(law, channel)
    target = [mass / law.total for mass in map(arb, law.target.tolist())]
    if law.features is not None:
        return _discrepancy(law.features, places)
    if law.cost is not None:
        cost = (law.cost > 0).astype(float) if is_zero else law.cost
        return _transport(cost, proof, target, places) if proof.plan else _coupling(law, cost, channel)
    if law.measure in DIVERGENCES and not is_zero:
        return _divergence(law, target, places)
    apart = total(abs(t - places.get(j, arb(0))) for j, t in enumerate(target))
    return (apart + law.outside / law.total) / 2


def shown_masses(law: Law, channel: Channel) -> dict[int, Any]:
    """Return balls of the masses of the law, by place."""
    places: dict[int, Any] = {}
    for letter, pairs in zip(channel.letters.tolist(), channel.pairs, strict=True):
        shown = [mass if law.members is None else mass * float(law.members[i]) for i, mass in pairs if _counts(law, i)]
        if shown:
            place = int(law.place[letter])
            places[place] = places.get(place, arb(0)) + total(shown)
    if law.members is None:
        return places
    share = law.share(channel.masses[channel.kept])
    return {place: mass / share for place, mass in places.items()}


def _counts(law: Law, symbol: int) -> bool:
    """Say whether a symbol's mass is part of the law."""
    return law.members is None or law.members[symbol] > 0


def _discrepancy(features: np.ndarray, places: dict[int, Any]) -> Any:
    """Return the squared length of the mean of features."""
    means = [total(mass * float(features[j, r]) for j, mass in places.items()) for r in range(features.shape[1])]
    return total(mean * mean for mean in means)


def _transport(cost: np.ndarray, proof: LawProof, target: list[Any], places: dict[int, Any]) -> Any:
    """Return what a plan costs, and the largest cost for all that its rows lack and its columns have too much."""
    rows, columns, spent = dict.fromkeys(range(len(target)), arb(0)), dict[int, Any](), arb(0)
    for i, j, mass in proof.plan:
        rows[i] = rows[i] + mass
        columns[j] = columns.get(j, arb(0)) + mass
        spent += arb(mass) * float(cost[i, j])
    nothing = arb(0)
    missing = total((t - rows[i]).max(nothing) for i, t in enumerate(target))
    missing += total((sent - places.get(j, nothing)).max(nothing) for j, sent in columns.items())
    return spent + float(cost.max()) * missing


def _coupling(law: Law, cost: np.ndarray, channel: Channel) -> Any:
    """Return the mean cost of symbol and reproduction, which is a plan where the target is the source's own law."""
    if law.members is not None or not channel.is_own(law.target):
        return arb(math.inf)
    kept = cost[channel.kept]
    pairs = zip(law.place[channel.letters].tolist(), channel.pairs, strict=True)
    return total(mass * float(kept[i, j]) for j, letter in pairs for i, mass in letter)


def moved_along_pairs(problem: Problem, law: Law, channel: Channel, mass: Any) -> tuple[Any, Any]:
    """Return what is moved in all to make a law exact, and what that adds to the rate; nothing where there is no way.

    Pairs of symbol and place whose masses are large are the edges of a graph. In each of its connected parts that has
    as much mass of symbols as of the target, exactly, a tree carries the mass that is misplaced.
    """
    nothing = arb(0), arb(0)
    ways = [[j] if law.cost is None else np.flatnonzero(row == 0).tolist() for j, row in enumerate(_rows_of(law))]
    used = [atom for atom, t in enumerate(law.target.tolist()) if t]
    if any(len(ways[atom]) != 1 for atom in used) or any(loss.kind == "label" for loss in problem.losses):
        return nothing
    wanted = {ways[atom][0] for atom in used}
    n, sums, edges, logs = len(problem.masses), {}, [], [arb(0)]
    for letter, pairs in zip(channel.letters.tolist(), channel.pairs, strict=True):
        if pairs and int(law.place[letter]) not in wanted:
            return nothing
        sums[letter] = total(share for _, share in pairs)
        for i, share in pairs:
            if share >= LARGE * mass and share > 0:
                edges.append((i, n + int(law.place[letter])))
                logs.append(abs((share / (problem.masses[i] * sums[letter])).log()))
    part = _parts({*range(n), *(n + place for place in wanted)}, edges)
    balance = dict.fromkeys(part.values(), Fraction(0))
    whole = [sum(map(Fraction, values.tolist()), Fraction(0)) for values in (problem.stored, law.target)]
    for i, stored in enumerate(problem.stored.tolist()):
        balance[part[i]] += Fraction(stored) / whole[0]
    for atom in used:
        balance[part[n + ways[atom][0]]] -= Fraction(float(law.target[atom])) / whole[1]
    if any(balance.values()):
        return nothing
    moved = mass * (n + len(wanted))
    return moved, moved * (_largest(logs) + 1)


def moved_by_classes(problem: Problem, exact: list[tuple[Law, Any]], channel: Channel) -> tuple[Any, Any]:
    """Return what is moved in all to make laws of classes exact, and what that adds to the rate; nothing at worst.

    Each class without symbols of another's has a kernel that sends what its symbols show.
    """
    nothing, moved = (arb(0), arb(0)), arb(0)
    if any(law.members is None for law, _ in exact) or any(loss.kind == "label" for loss in problem.losses):
        return nothing
    members = np.array([law.members for law, _ in exact])
    if problem.forbidden.any() or (members > 0).sum(axis=0).max() > 1:
        return nothing
    for (law, missed), own in zip(exact, members, strict=True):
        moved += _sent(law, missed, own, channel)
    if not moved > 0:
        return nothing
    return moved, moved * (arb(int(exact[0][0].place.size)).log() + 1 - moved.log())


def _sent(law: Law, missed: Any, members: np.ndarray, channel: Channel) -> Any:
    """Return how much is sent for one class: at each place by symbols most of it, as many as show enough."""
    least = float(members[members > 0].min())
    ways = [[j] if law.cost is None else np.flatnonzero(row == 0).tolist() for j, row in enumerate(_rows_of(law))]
    used = [(atom, arb(t) / law.total) for atom, t in enumerate(law.target.tolist()) if t]
    if any(len(ways[atom]) != 1 for atom, _ in used):
        return missed / least
    share, sent = law.share(channel.masses[channel.kept]), arb(0)
    shown: dict[int, list[tuple[float, Any]]] = {}
    for letter, pairs in zip(channel.letters.tolist(), channel.pairs, strict=True):
        known = [(float(members[i]), mass * float(members[i])) for i, mass in pairs if members[i] > 0]
        shown.setdefault(int(law.place[letter]), []).extend(known)
    for place, parts in shown.items():
        wanted = share * total(t for atom, t in used if ways[atom][0] == place)
        excess = (total(mass for _, mass in parts) - wanted).max(arb(0))
        taken, omega = arb(0), least
        for member, mass in sorted(parts, key=lambda part: -part[0]):
            taken += mass
            if taken >= LARGE * excess:
                omega = member
                break
        sent += excess / omega
    return sent


def _rows_of(law: Law) -> Iterable[Any]:
    return law.target if law.cost is None else law.cost


def _parts(nodes: set[int], edges: list[tuple[int, int]]) -> dict[int, int]:
    """Return which connected part of a graph each node is in."""
    part = {node: node for node in nodes}

    def root(node: int) -> int:
        while part[node] != node:
            part[node] = part[part[node]]
            node = part[node]
        return node

    for one, other in edges:
        part[root(one)] = root(other)
    return {node: root(node) for node in nodes}


def places_under(law: Law, exact: Law) -> dict[int, Any] | None:
    """Return masses of a measure's places where the law is the target of another one; None where they are not known.

    That is where an atom is at no distance from several places, or letters that show one place there show several here.
    """
    here: dict[int, int] = {}
    if law.members is not None or exact.members is not None:
        return None
    for there, own in zip(exact.place.tolist(), law.place.tolist(), strict=True):
        if here.setdefault(there, own) != own:
            return None
    masses: dict[int, Any] = {}
    for atom, mass in enumerate(exact.target.tolist()):
        if mass:
            near = [atom] if exact.cost is None else np.flatnonzero(exact.cost[atom] == 0).tolist()
            if len(near) != 1 or near[0] not in here:
                return None
            place = here[near[0]]
            masses[place] = masses.get(place, arb(0)) + arb(mass) / exact.total
    return masses


def _divergence(law: Law, target: list[Any], places: dict[int, Any]) -> Any:
    at_zero, steepest, value = _at_zero(law.measure), _slope(law.measure), arb(0)
    if law.outside:
        value += arb(math.inf) if at_zero is None else at_zero * law.outside / law.total
    for j, (mass, t) in enumerate(zip(law.target.tolist(), target, strict=True)):
        if j not in places:
            if mass:
                value += arb(math.inf) if at_zero is None else t * at_zero
        elif mass:
            value += t * _f(law.measure, places[j] / t)
        else:
            value += arb(math.inf) if steepest is None else places[j] * steepest
    return value


# ------------------------------------------------------------------------------------------------ the largest price


def largest_price(problem: Problem, dual: Dual, proof: dict[str, Any]) -> Any:
    """Return an exact ball that no letter's price exceeds; None where nothing can be proved."""
    if problem.losses[0].kind == "axes":
        if proof:
            raise Refuted(f"The proof has {min(proof)!r}, which this problem has no use for.")
        return price_on_axes(problem, dual)
    labels = [loss for loss in problem.losses if loss.kind == "label" and loss.name in dual.multipliers]
    is_line = problem.losses[0].kind == "points" and problem.losses[0].name in dual.multipliers
    if is_line and ("line" not in proof or problem.losses[0].data.shape[1] > 1):
        return None
    reduced = [reduced_label(label.data, dual.multipliers[label.name]) for label in labels]
    parts, short = parts_of(reduced, len(problem.masses))
    largest, totals, known = arb(0), np.zeros(1), {"line"} if is_line else set()
    factor = total(label.factor for label in reduced)
    for g, part in enumerate(parts):
        amounts, columns = amounts_of(problem, dual, part, factor, proof)
        names = ["places_columns", "places", "splits", "ends", *(f"share_{name}" for name in SHARE_NAMES.split())]
        own = {name: proof[f"{g}_{name}"] for name in names if f"{g}_{name}" in proof}
        bounds, sums = part_bounds(part, amounts, columns, own)
        highest = arb(float(bounds.max()))
        if problem.losses[0].kind == "table" and not part.spans:
            highest = _sharpened(problem, dual, part, factor, bounds, columns)
        largest, totals = largest.max(highest), totals + sums[columns]
        known |= {f"{g}_{name}" for name in own}
    if not proof.keys() <= known:
        raise Refuted(f"The proof has {min(proof.keys() - known)!r}, which this problem has no use for.")
    over = short / (1 - short) * (1 + 2 * len(parts) * HALF)  # prod (1 + d) - 1 over labels; totals are rounded sums
    return arb((largest + over * arb(float(totals.max()))).upper())


def _sharpened(problem: Problem, dual: Dual, part: Part, factor: Any, bounds: np.ndarray, columns: np.ndarray) -> Any:
    """Return a ball that no price of a part without classes exceeds, given bounds: the highest ones as balls."""
    used = [loss for loss in problem.losses if loss.kind == "table" and loss.name in dual.multipliers]
    factors, largest = [arb(-dual.multipliers[loss.name]) for loss in used], arb(0)
    firsts = np.unique(columns, return_index=True)[1]
    for column in np.argsort(-bounds).tolist():
        if arb(float(bounds[column])) <= largest:
            break
        price, j = arb(0), int(firsts[column])
        for i in part.rows[~problem.forbidden[part.rows, j]].tolist():
            costs = (minus * float(loss.data[i, j]) for minus, loss in zip(factors, used, strict=True))
            price += problem.masses[i] * (dual.u[i] + factor + total(costs)).exp()
        largest = largest.max(price)
    return arb(largest.upper()) if largest.is_finite() else arb(float(bounds.max()))


class Reduced(NamedTuple):
    """A label after (a): powers rounded down, where numbers are positive, the factor, the least lambda' of all rows.

    `is_large` says whether lambda' counts as one or more.
    """

    powers: np.ndarray
    positive: np.ndarray
    factor: Any
    least: Any
    is_large: bool


def reduced_label(table: np.ndarray, multiplier: float) -> Reduced:
    """Split off the constant classes E. Rows are divided by their sums here, and what then depends on i is bounded.

    With x the mass of r on E, r = x e there and (1 - x) rho elsewhere, a term is a power of x, one of 1 - x, and powers
    of e and rho. All bases are at most one, so the least exponents of all rows give a bound; its maximum is `factor`.
    """
    excess = np.array([_excess(row) for row in table])
    constant = (table == table[0]).all(axis=0) & (table[0] > 0)
    rest = math.fsum([1.0, *(-table[0, constant]).tolist()])
    if not (table[:, ~constant] > 0).any(axis=1).all() or rest <= 0:
        constant[:], rest = False, 1.0
    powers = multiplier * table / (1 + excess)[:, None] * (1 - 2.0**-50)  # four roundings, 2^-51 together
    powers[powers < SMALL] = 0.0
    powers[:, constant] = 0.0
    smallest, greatest = (1 + arb(float(end), abs(float(end)) * 2 * HALF) for end in (excess.min(), excess.max()))
    entries = [arb(value) for value in table[0, constant].tolist()]
    least = (multiplier * (1 - total(entries) / smallest)).lower() if entries else arb(multiplier)
    exponents = [multiplier * entry / greatest for entry in entries] + [least if least > 0 else arb(0)]
    whole = total(exponents)
    factor = total(exponent * (exponent / whole).log() for exponent in exponents if exponent > 0)
    return Reduced(powers, (table > 0) & ~constant, factor, exponents[-1], multiplier * rest >= NEARLY_ONE)


class Part(NamedTuple):
    """Symbols that are bounded together: powers, which classes are a label's, the largest exponents (rounded up)."""

    rows: np.ndarray
    spans: list[slice]
    powers: np.ndarray
    tops: np.ndarray

    @property
    def sums(self) -> np.ndarray:
        """Sums of the powers of rows, each rounded once."""
        return np.array([math.fsum(row) for row in self.powers.tolist()])


def parts_of(labels: list[Reduced], n: int) -> tuple[list[Part], Any]:
    """Return the parts, and by how much powers at corners fall short of one: r^(1 - d) <= r + d for 0 <= r <= 1."""
    is_corner = [bool((x.positive.sum(axis=1) == 1).all() and x.is_large) for x in labels]
    corners = [label for label, is_one in zip(labels, is_corner, strict=True) if is_one]
    others = [label for label, is_one in zip(labels, is_corner, strict=True) if not is_one]
    short = total(1 - label.least for label in corners if label.least < 1)
    classes = np.array([label.positive.argmax(axis=1) for label in corners]).reshape(-1, n).T
    distinct, which = np.unique(classes, axis=0, return_inverse=True) if corners else ([0], np.zeros(n))
    return [_part(others, np.flatnonzero(np.ravel(which) == g)) for g in range(len(distinct))], short


def _part(labels: list[Reduced], rows: np.ndarray) -> Part:
    spans, powers, tops = [], [np.zeros((rows.size, 0))], [np.zeros((rows.size, 0))]
    for label in labels:
        classes = np.flatnonzero(label.positive[rows].any(axis=0))
        if classes.size > 1:
            start = spans[-1].stop if spans else 0
            spans.append(slice(start, start + classes.size))
            powers.append(label.powers[np.ix_(rows, classes)])
            tops.append(np.array([[_top(row)] for row in powers[-1].tolist()]))
    return Part(rows, spans, np.hstack(powers), np.hstack(tops))


def _top(powers: list[float]) -> float:
    """Return an upper bound of the largest sum of b log r, which is reached at r proportional to b."""
    balls = [arb(power) for power in powers if power > 0]
    whole = total(balls)
    return min(upper(total(ball * (ball / whole).log() for ball in balls)), 0.0)


# ------------------------------------------------------------------------------------------------ columns


def price_on_axes(problem: Problem, dual: Dual) -> Any:
    """Return a ball that no price exceeds where losses are sums over the axes of a grid; None where there is none.

    Prices are sums of products over the axes, so they are one product with a small matrix after the other. From each
    table its rows' least values are taken off, exactly, and counted with u. A loss of D axes is rounded D - 1 times,
    by HALF of the sum of the sizes of its terms: of the least values, which raises the weights, and of what is above
    them, where it is counted with the roundings of the costs.
    """
    used = [loss for loss in problem.losses if loss.name in dual.multipliers]
    multipliers = [dual.multipliers[loss.name] for loss in used]
    axes: Axes = problem.losses[0].data
    shape = [table.shape[0] for table in axes.tables]
    exponents = list(dual.u)
    for loss, multiplier in zip(used, multipliers, strict=True):
        ends = [table.min(axis=1).tolist() for table in loss.data.tables]
        taken = [total(arb(x) - abs(arb(x)) * len(shape) * HALF for x in sides) for sides in itertools.product(*ends)]
        exponents = [e - multiplier * taken[i] for e, i in zip(exponents, axes.kept.tolist(), strict=True)]
    weights = np.zeros(problem.is_kept.size)
    weights[axes.kept] = _scale(problem, np.arange(axes.kept.size), exponents)
    tensor, error = weights.reshape(shape), 2.0
    for d in range(len(shape)):
        cost = np.zeros(axes.tables[d].shape)
        for loss, multiplier in zip(used, multipliers, strict=True):
            table = loss.data.tables[d]
            cost += multiplier * (table - table.min(axis=1, keepdims=True))
        factor = exp_up(-cost * (1 - (len(used) + len(shape) + 6) * HALF)) + SMALL
        # the axis that is added up is the first that is left; few terms at a time, so that roundings do not pile up
        starts = range(0, shape[d], 16)
        parts = [np.tensordot(tensor[at : at + 16], factor[at : at + 16], axes=(0, 0)) for at in starts]
        tensor = tree_sum(np.stack(parts, axis=-1))
        error += 20 + 2 * len(parts).bit_length()
    largest = float(tensor.max()) * (1 + error * HALF) + SMALL
    return arb(largest).upper() if math.isfinite(largest) else None


def amounts_of(problem: Problem, dual: Dual, part: Part, factor: Any, proof: dict[str, Any]) -> tuple[Any, Any]:
    """Return upper bounds of A, a row for each distinct column of the part, and which row belongs to which column."""
    used = [loss for loss in problem.losses if loss.kind != "label" and loss.name in dual.multipliers]
    shared = [dual.u[i] + factor + total(map(arb, part.tops[k].tolist())) for k, i in enumerate(part.rows.tolist())]
    if problem.losses[0].kind == "points":
        weights = _line_weights(problem.losses[0], dual, part, proof) if used else np.ones((1, part.rows.size))
        amounts = weights * _scale(problem, part.rows, shared) * (1 + 4 * HALF) + SMALL
        return amounts, np.arange(len(amounts))
    forbidden = problem.forbidden[part.rows]
    tables = [np.where(forbidden, 0.0, loss.data[part.rows]) for loss in used]
    numbers: dict[bytes, int] = {}
    keys = np.ascontiguousarray(np.vstack([forbidden, *tables]).T)
    columns = np.array([numbers.setdefault(key.tobytes(), len(numbers)) for key in keys])
    firsts = np.unique(columns, return_index=True)[1]
    high = low = np.zeros((part.rows.size, firsts.size))
    for loss, table in zip(used, tables, strict=True):
        multiplier = dual.multipliers[loss.name]
        sign = math.copysign(1.0, multiplier)  # under a negative multiplier losses are counted down from the largest
        table = sign * table
        least = np.where(forbidden, np.inf, table).min(axis=1)
        shared = [ball - arb(abs(multiplier)) * x for ball, x in zip(shared, least.tolist(), strict=True)]
        high, low = _added(high, low, abs(multiplier), table[:, firsts], least[:, None])
    moved = np.array([[float(ball.mid())] for ball in shared])  # where no letter is the best for all losses, it is huge
    high, low = _moved(high, low, moved, len(used))
    scale = _scale(problem, part.rows, [ball - x for ball, x in zip(shared, moved.ravel().tolist(), strict=True)])
    amounts = exp_up(-high) * (1 - low + low * low) * scale[:, None] * (1 + 8 * HALF) + SMALL
    amounts = np.where(high > -690, amounts, np.inf)
    return np.where(forbidden[:, firsts], 0.0, amounts).T, columns


def _scale(problem: Problem, rows: np.ndarray, exponents: list[Any]) -> np.ndarray:
    pairs = zip(rows.tolist(), exponents, strict=True)
    return np.array([upper(problem.masses[i] * exponent.exp()) for i, exponent in pairs])


def _moved(high: np.ndarray, low: np.ndarray, start: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two doubles whose sum is no more than high + low - start, the second a rounding of the first.

    The second double of `_added` went through 8 roundings for each of `count` losses at most, of numbers below `count`
    times 2^-50 of the sum: once start is taken off, they are not small beside what is left any more.
    """
    first, rest = _two_sum(high, -start)
    second = low + rest - (count + 1) ** 2 * 2.0**-96 * (high + np.abs(start))
    first, second = _two_sum(first, second)
    is_lost = ~(np.isfinite(first) & np.isfinite(second))  # beyond the range of floats the term is zero
    is_zero = np.isposinf(high) & np.isfinite(start)
    return np.where(is_lost, np.where(is_zero, np.inf, -np.inf), first), np.where(is_lost, 0.0, second)


def _added(high: Any, low: Any, multiplier: float, table: np.ndarray, least: np.ndarray) -> tuple[Any, Any]:
    """Return high + low + multiplier (table - least) in two doubles, by operations with their errors."""
    first, rest = _two_sum(table, -least)
    product, halves = multiplier * first, []
    for value in (np.float64(multiplier), first):  # Veltkamp's halves, for Dekker's product
        big = 134217729.0 * value
        halves.append((big - (big - value), value - (big - (big - value))))
    (a, b), (c, d) = halves
    summed, carry = _two_sum(high, product)
    low = low + (((a * c - product) + a * d + b * c) + b * d) + carry + multiplier * rest
    is_lost = ~np.isfinite(low)  # by overflow: then the ordinary allowance
    return np.where(is_lost, summed * (1 - 8 * HALF), summed), np.where(is_lost, 0.0, low)


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a sum and its rounding error, which is a double."""
    summed = a + b
    moved = summed - a
    return summed, (a - (summed - moved)) + (b - moved)


def _bernstein() -> np.ndarray:
    """Return coefficient k of t^n on [-1, 1] as entry k, n: t = x - (1 - x), and x + (1 - x) fills up the degree."""
    table = np.zeros((DEGREE + 1, DEGREE + 1))
    for k, n in itertools.product(range(DEGREE + 1), repeat=2):
        terms = (math.comb(n, a) * math.comb(DEGREE - n, k - a) * (-1) ** (n - a) for a in range(min(k, n) + 1))
        table[k, n] = sum(terms) / math.comb(DEGREE, k)
    return table


def _line_weights(loss: Loss, dual: Dual, part: Part, proof: dict[str, Any]) -> np.ndarray:
    """Return upper bounds of the weights of the eleven weightings of every cell of the line."""
    points, cells = loss.data[:, 0], _array(proof, "line", 2, Refuted)
    if cells.shape[1] != 2 or not cells.size or not np.isfinite(cells).all() or (cells[:, 0] > cells[:, 1]).any():
        raise Refuted("The cells of the line are no intervals.")
    if cells[0, 0] > points.min() or cells[-1, 1] < points.max() or (cells[1:, 0] != cells[:-1, 1]).any():
        raise Refuted("The cells of the line do not cover the points without a gap.")
    root = math.sqrt(dual.multipliers[loss.name])
    centres = cells[:, 0] / 2 + cells[:, 1] / 2  # any point will do: the half width is taken from it, rounded up
    widths = root * np.maximum(cells[:, 1] - centres, centres - cells[:, 0]) * (1 + 8 * HALF)
    return weightings(root * (points[part.rows] - centres[:, None]), widths).reshape(-1, part.rows.size)


def weightings(z: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return upper bounds of weights, (cell, weighting, symbol), given z (off by a relative 4 HALF) and half widths T.

    With h_n = H_n(z) exp(-z^2/2) / sqrt(2^n n!), at most 1.0866 in size, and s_n = (sqrt(2) T)^n / sqrt(n!), a weight
    is exp(-z^2/2) (max(0, sum of coefficients s_n h_n) + what is cut off). Errors of h_n are carried along the
    recursion, where an error of z is one of the products that it occurs in.
    """
    half = z * z / 2  # an error of z is 8 HALF of it
    h = [np.zeros(z.shape), exp_up(-half)]
    errors = [h[0], h[1] * (2.0**-48 + half * 16 * HALF) + SMALL]
    for n in range(DEGREE):
        up, down = z * math.sqrt(2 / (n + 1)) * h[-1], math.sqrt(n / (n + 1)) * h[-2]
        carried = np.abs(z) * math.sqrt(2.0001 / (n + 1)) * errors[-1] + errors[-2]
        errors.append(carried + 12 * HALF * (np.abs(up) + np.abs(down)))
        h.append(up - down)
    x = math.sqrt(2) * np.minimum(widths, 2.4)
    scale = np.cumprod([np.ones(x.shape), *(x / math.sqrt(n) for n in range(1, DEGREE + 2))], axis=0).T[:, :, None]
    scaled, lost = np.stack(h[1:], axis=1) * scale[:, :-1], np.stack(errors[1:], axis=1) * scale[:, :-1]
    table = _bernstein()
    lost = (np.abs(table) @ (lost + 100 * HALF * np.abs(scaled))) * 1.001  # a scale has 50 roundings, a sum 12
    cut = 1.0866 * scale[:, -1:] / (1 - x / math.sqrt(12))[:, None, None] * (1 + 1e-12)
    cut = np.where((widths < 2.4)[:, None, None], cut, np.inf)
    return (np.maximum(table @ scaled, 0.0) + lost + cut) * exp_up(-half * (1 - 16 * HALF))[:, None] * (1 + 8 * HALF)


# ------------------------------------------------------------------------------------------------ bounds of a part


def part_bounds(part: Part, amounts: np.ndarray, columns: np.ndarray, proof: dict[str, Any]) -> tuple[Any, Any]:
    """Return upper bounds of the prices of the distinct columns, and their totals."""
    totals = tree_sum(amounts) * (1 + (levels(amounts) + 2) * HALF) + SMALL
    totals = np.where(np.isnan(totals), np.inf, totals)
    best = totals.copy()
    for bounds_of, kind in ((_tangents, "places"), (_cells, "splits"), (_share_cells, "share_")):
        if part.spans and any(name.startswith(kind) for name in proof):
            found, bounds = bounds_of(part, amounts, columns, proof)
            np.minimum.at(best, columns[found], np.where(np.isnan(bounds), np.inf, bounds))
    return best, totals


def _tangents(part: Part, amounts: np.ndarray, columns: np.ndarray, proof: dict[str, Any]) -> tuple[Any, Any]:
    """Return the columns that have a place, and the bounds of tangents there.

    With B_i for the sum of row i, sum_s r_s G_s = sum_i g_i B_i, so the bound is sum_i g_i (1 - B_i) + sum_k max_s G_s.
    Nothing in it is negative, so roundings are relative, and g may be replaced by upper bounds.
    """
    found = _whole(proof, "places_columns", 1, 0, columns.size)
    places, sums = _array(proof, "places", 2, Refuted, found.size), part.sums
    if places.shape[1] != part.powers.shape[1] or not ((places > 0) & np.isfinite(places)).all():
        raise Refuted("A place of the proof is no decision of the part's classes.")
    if sums.max() > 2 - NEARLY_ONE:
        return found, np.full(found.size, np.inf)
    lowered = float(sums.max()) - 1 + 8 * HALF if sums.max() > 1 else 0.0  # lower powers only raise prices
    powers, sums, heights = part.powers * (1 - lowered), np.minimum(sums, 1.0) * (1 - 2 * lowered), logs(places)
    exponents = heights @ powers.T - part.tops.sum(axis=1)
    allowed = (np.abs(heights) @ powers.T - part.tops.sum(axis=1)) * (powers.shape[1] + 8 + len(part.spans)) * HALF
    terms = amounts[columns[found]] * exp_up(exponents + allowed)
    slopes = np.stack([tree_sum(terms * power) for power in powers.T], axis=1) / places
    bounds = tree_sum(terms * (1 - sums + 4 * HALF)) + sum(slopes[:, span].max(axis=1) for span in part.spans)
    return found, bounds * (1 + (levels(terms) + 10 + len(part.spans)) * HALF) + SMALL


def _cells(part: Part, amounts: np.ndarray, columns: np.ndarray, proof: dict[str, Any]) -> tuple[Any, Any]:
    """Return the columns that the tree bounds, and their bounds."""
    sizes = [span.stop - span.start for span in part.spans]
    splits = _whole(proof, "splits", 1, -1, sum(size * (size - 1) // 2 for size in sizes))
    ends = _whole(proof, "ends", 2, 0, max(splits.size, columns.size))
    if ends.shape[1] != 2:
        raise Refuted("The ends of the tree are no pairs of node and column.")
    vertices = replayed(splits, sizes)
    check_coverage(splits, ends, columns.size)
    ends = ends[np.argsort(ends[:, 0], kind="stable")]
    nodes, which = np.unique(ends[:, 0], return_inverse=True)
    bounds = np.empty(len(ends))
    size = max(1, 200_000 // (part.rows.size * max(sizes)))
    for start in range(0, nodes.size, size):
        cells = Cells(part, [np.maximum(vertex[nodes[start : start + size]], RAISED) for vertex in vertices])
        low, high = np.searchsorted(which, [start, start + size]).tolist()
        for rows in range(low, high, 4 * size):
            some = slice(rows, min(rows + 4 * size, high))
            bounds[some] = cells.bounds(which[some] - start, amounts[columns[ends[some, 1]]])
    found, inverse = np.unique(ends[:, 1], return_inverse=True)
    worst = np.full(found.size, -np.inf)
    np.maximum.at(worst, inverse, np.where(np.isnan(bounds), np.inf, bounds))
    return found, worst


# ------------------------------------------------------------------------------------------------ trees of cells


def replayed(splits: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Return the vertices of all nodes, an array (nodes, vertices, classes) for each label, or refute the tree."""
    edges = [(k, a, b) for k, size in enumerate(sizes) for b in range(size) for a in range(b)]
    parents = np.flatnonzero(splits >= 0)
    if splits.size != 2 * parents.size + 1 or (parents >= 2 * np.arange(parents.size) + 1).any():
        raise Refuted("The tree of cells has nodes that are missing, left over, or among their own descendants.")
    if splits.size * sum(size * size for size in sizes) * 8 > MOST_BYTES:
        raise Refuted("The tree of cells is too large to be looked at.")
    vertices = [np.tile(np.eye(size), (splits.size, 1, 1)) for size in sizes]
    done = 0
    while done < parents.size:  # parents number `done` and on that are known: nodes up to 2 done
        level = np.arange(done, np.searchsorted(parents, 2 * done + 1))
        for vertex in vertices:
            vertex[2 * level + 1] = vertex[2 * level + 2] = vertex[parents[level]]
        for edge in np.unique(splits[parents[level]]).tolist():
            k, a, b = edges[edge]
            cut = level[splits[parents[level]] == edge]
            middle = (vertices[k][parents[cut], a] + vertices[k][parents[cut], b]) / 2
            if (middle * 2.0**52 != np.rint(middle * 2.0**52)).any():
                raise Refuted("A cell of the tree is finer than doubles can tell.")
            vertices[k][2 * cut + 1, b] = vertices[k][2 * cut + 2, a] = middle
        done += level.size
    return vertices


def check_coverage(splits: np.ndarray, ends: np.ndarray, n_columns: int) -> None:
    """Refute unless every column of `ends` ends on all ways down from the root, and on each of them once."""
    if (ends >= [splits.size, n_columns]).any():
        raise Refuted("The ends of the tree name nodes or columns that do not exist.")
    keys = np.sort(ends[:, 0] * n_columns + ends[:, 1])  # once: a tree may have a hundred levels, and millions of ends
    number = np.cumsum(splits >= 0) - 1  # which of the parents a node is
    active, reached = np.unique(ends[:, 1]), 0
    while active.size:
        ended = keys[np.searchsorted(keys, active) % keys.size] == active
        reached += int(ended.sum())
        node, column = np.divmod(active[~ended], n_columns)
        if (splits[node] < 0).any():
            raise Refuted("A column of the proof is not covered by cells.")
        first = (2 * number[node] + 1) * n_columns + column
        active = np.concatenate([first, first + n_columns])
    if reached != len(ends):
        raise Refuted("A column of the proof ends on a cell that it does not reach, or twice on one.")


class Cells:
    """Cells of a part with what their bounds need of every row: arrays (cells, rows).

    Exponents are sums of powers times logarithms, all of one sign, less a top: `off` times the sum of sizes covers
    HALF for every class, the logarithm's 2 HALF, the product, the subtraction, and adding labels up.
    """

    def __init__(self, part: Part, vertices: list[np.ndarray]) -> None:
        self.part = part
        self.degree = max(1.0, float(part.sums.max()) * (1 + 4 * HALF))
        self.t = [vertex / (vertex.sum(axis=1) / vertex.shape[1])[:, None, :] - 1 for vertex in vertices]
        self.spread = np.max([np.abs(t).max(axis=(1, 2)) for t in self.t], axis=0)
        labels = [self._label(k, vertex) for k, vertex in enumerate(vertices)]
        self.middle, self.error, low, high, self.linear, self.sizes, self.square = map(sum, zip(*labels, strict=True))
        self._set_chords(low, np.minimum(high, 0.0))

    def _label(self, k: int, vertex: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return what a label adds: exponent at the middle, its error, least and largest one, sizes of forms in t."""
        powers, top, t = self.part.powers[:, self.part.spans[k]], self.part.tops[:, k], self.t[k]
        off = (powers.shape[1] + 6 + 2 * len(self.part.spans)) * HALF
        middle = logs(vertex.sum(axis=1) / vertex.shape[1]) @ powers.T - top
        ends = logs(vertex) @ powers.T - top
        error, ends_error = (off * (np.abs(value) - 2 * top) for value in (middle, ends))
        linear, sizes = t @ powers.T, (np.abs(t) @ powers.T).max(axis=1)
        whole = powers.sum(axis=1) * (1 + 2 * off)
        lost = 2 * off * sizes + 4 * HALF * whole  # t is off by HALF (1 + 2 |t|)
        size, square = np.abs(linear).max(axis=1) + lost, (t * t @ powers.T).max(axis=1) + lost
        if powers.shape[1] == 2:
            mode, first = powers[:, 0] / (powers[:, 0] + powers[:, 1]), vertex[:, :, :1]
            is_inside = (first.min(axis=1) - 1e-15 <= mode) & (mode <= first.max(axis=1) + 1e-15)
            high = np.where(is_inside, 0.0, (ends + ends_error).max(axis=1))
        else:  # B log(1 + y / B) grows with B and y
            y = np.maximum(linear.max(axis=1), 0.0) + lost + SMALL
            rise = whole * log1p_up(y / whole * (1 + 2 * HALF)) * (1 + 4 * HALF)
            high = np.minimum(middle + 2 * error + rise, 0.0)
        return middle, error, (ends - ends_error).min(axis=1), high, size, sizes, square

    def _set_chords(self, low: np.ndarray, high: np.ndarray) -> None:
        """Set the line above a term: exp(high) (1 + chord (x - 1)), x = (1 + fall) (1 + sum b t / degree).

        Every slope from zero to the chord's is valid, so chords are rounded down; x is rounded up.
        """
        drop = (high - low) * (1 + 4 * HALF)
        grown = expm1_up(drop / self.degree * (1 + 2 * HALF))  # 1 - exp(-x) = (exp(x) - 1) / exp(x), which grows
        chord = np.fmax(-expm1_up(-drop) / (grown / (1 + grown)) * (1 - 16 * HALF), 1.0)
        fall = expm1_up((self.middle + self.error - high) / self.degree)
        self.top, self.rise, self.slope = exp_up(high), chord * fall, chord * (1 + fall) / self.degree

    def bounds(self, cell: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return upper bounds of the sums of amounts (rows, n) times terms, each on its cell."""
        bounds = self._first(cell, amounts)
        is_small = (self.spread < 0.25) & (self.degree * self.spread**2 < 0.25)
        is_small &= math.prod(t.shape[1] for t in self.t) <= 64
        small = np.flatnonzero(is_small[cell])
        if small.size:
            bounds[small] = np.fmin(bounds[small], self._second(cell[small], amounts[small]))
        return bounds

    def _first(self, cell: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return the bounds by chords of tangents.

        A term has fewer than ten roundings, the sum `levels`, and t two that count as 1 + |t|: all of them are times
        `sizes`, the sum of the absolute values of everything that is added.
        """
        weights = amounts * self.top[cell]
        slopes = weights * self.slope[cell]
        gradient = np.stack([tree_sum(slopes * power) for power in self.part.powers.T], axis=1)
        spans = zip(self.part.spans, self.t, strict=True)
        linear = sum(np.einsum("rs,rvs->rv", gradient[:, span], t[cell]).max(axis=1) for span, t in spans)
        sizes = tree_sum(weights * (1 + np.abs(self.rise))[cell] + slopes * (self.sizes + self.degree)[cell])
        allowed = (levels(amounts) + 20 + gradient.shape[1]) * HALF * sizes
        return tree_sum(weights * (1 + self.rise)[cell]) + linear + allowed + SMALL

    def _second(self, cell: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return the bounds by expansions to second order, at pairs of corners; an error of t is 3 HALF at most.

        It changes a row's L = b.t by 3 HALF of the sum of its powers, and L^2 by 2 |L| times that: L is of the size of
        one where the bound is of use, while what it is the sum of may be as large as powers are.
        """
        powers, n_classes = self.part.powers, self.part.powers.shape[1]
        weights = amounts * exp_up((self.middle + self.error)[cell])
        constant = tree_sum(weights) + tree_sum(amounts * self._remainder(cell))
        gradient = np.stack([tree_sum(weights * power) for power in powers.T], axis=1)
        square = np.empty((cell.size, n_classes, n_classes))
        for s, z in itertools.combinations_with_replacement(range(n_classes), 2):
            square[:, s, z] = square[:, z, s] = tree_sum(weights * (powers[:, s] * powers[:, z]))
        diagonal = gradient[:, :, None] * np.eye(n_classes)
        choices = list(itertools.product(*(range(t.shape[1]) for t in self.t)))  # one vertex of every label
        chosen = [[choice[k] for choice in choices] for k in range(len(self.t))]
        corners = np.concatenate([t[cell][:, chosen[k]] for k, t in enumerate(self.t)], axis=2)
        half = np.einsum("rs,rvs->rv", gradient, corners) / 2
        forms = corners @ (square - diagonal) @ corners.swapaxes(1, 2) / 2 + half[:, :, None] + half[:, None, :]
        t = np.abs(corners).max(axis=1)
        bent = np.einsum("rsz,rz->rs", square + diagonal, t)
        sizes = constant + np.einsum("rs,rs->r", gradient + bent, t)
        changes = weights * self.part.sums * (1 + self.linear + self.spread[:, None])[cell]
        allowed = (levels(amounts) + 24 + 3 * n_classes) * HALF * sizes + 4 * HALF * tree_sum(changes)
        return constant + forms.max(axis=(1, 2)) + allowed + SMALL

    def _remainder(self, cell: np.ndarray) -> np.ndarray:
        """Return exp(mid) R of every row: at large powers mid and l are beyond exponentials where their sum is not."""
        linear, square = self.linear[cell], self.square[cell]
        spread = self.spread[cell][:, None] * (1 + 8 * HALF) + 2 * HALF
        near = 1 - spread
        first, second = linear + square / near, square / near / near
        third = first * first * first + 3 * first * second + 2 * second * spread / near
        largest = np.minimum(linear + (self.middle + self.error)[cell], 0.0)
        return exp_up(largest) * third / 6 * (1 + 1e-12)


# ------------------------------------------------------------------------------------------------ cells of shares


SHARE_NAMES = "joins columns sizes cuts at near forms slopes places letters"
LOG_OFF = 20 * HALF  # of a logarithm's size and one: what `near_logs` may be off by
LARGEST_Z = 4.0  # of a cell near a letter; proofs keep to three


def _share_cells(part: Part, amounts: np.ndarray, columns: np.ndarray, proof: dict[str, Any]) -> tuple[Any, Any]:
    """Return the columns that trees of cells of shares bound, and their bounds."""
    proof = {name.removeprefix("share_"): array for name, array in proof.items() if name.startswith("share_")}
    joined = Joined(part, _whole(proof, "joins", 2, 0, 2**31))
    found, sizes = _whole(proof, "columns", 1, 0, columns.size), _whole(proof, "sizes", 1, 1, 2**31)
    cuts, at = _whole(proof, "cuts", 1, -1, len(joined.whole)), _array(proof, "at", 1, Refuted)
    if np.unique(found).size != found.size or found.size != sizes.size or sizes.sum() != cuts.size:
        raise Refuted("The trees of shares are not one for each of their columns.")
    leaves = Leaves.of(joined, proof, int(np.count_nonzero(cuts < 0)))
    if at.size != np.count_nonzero(cuts >= 0):
        raise Refuted("The cells of shares are not cut once each.")
    bounds, ends = np.zeros(found.size), np.cumsum(sizes)
    cut_ends, leaf_ends = np.cumsum(cuts >= 0)[ends - 1], np.cumsum(cuts < 0)[ends - 1]
    for k, end in enumerate(ends.tolist()):
        own = slice(end - int(sizes[k]), end)
        lows, highs = share_intervals(cuts[own], at[int(cut_ends[k - 1]) if k else 0 : int(cut_ends[k])], joined)
        some = leaves.some(slice(int(leaf_ends[k - 1]) if k else 0, int(leaf_ends[k])))
        is_leaf = cuts[own] < 0
        with np.errstate(all="ignore"):
            bounds[k] = joined.largest(amounts[columns[found[k]]], lows[is_leaf], highs[is_leaf], some)
    return found, bounds


def share_intervals(cuts: np.ndarray, at: np.ndarray, joined: Joined) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the intervals of all cells of a tree, arrays (cells, V), or refute the tree."""
    parents, n_joins = np.flatnonzero(cuts >= 0), len(joined.whole)
    if cuts.size != 2 * parents.size + 1 or (parents >= 2 * np.arange(parents.size) + 1).any():
        raise Refuted("A tree of shares has cells that are missing, left over, or among their own descendants.")
    if cuts.size * n_joins * 16 > MOST_BYTES:
        raise Refuted("A tree of shares is too large to be looked at.")
    lows, highs = np.zeros((cuts.size, n_joins)), np.ones((cuts.size, n_joins))
    done = 0
    while done < parents.size:  # the same order as that of the other trees: nodes up to 2 done are known
        level = np.arange(done, np.searchsorted(parents, 2 * done + 1))
        parent, left, right = parents[level], 2 * level + 1, 2 * level + 2
        lows[left], highs[left] = lows[right], highs[right] = lows[parent], highs[parent]
        join, place = cuts[parent], at[level]
        if not ((lows[parent, join] < place) & (place < highs[parent, join])).all():
            raise Refuted("A cell of shares is cut at a place that is not inside of it.")
        highs[left, join] = lows[right, join] = place
        done += level.size
    return lows, highs


class Leaves(NamedTuple):
    """What the proof says of the leaves: a letter's number each, or a row of tables; and the letters."""

    near: np.ndarray
    row: np.ndarray
    forms: np.ndarray
    slopes: np.ndarray
    places: np.ndarray
    letters: np.ndarray

    @classmethod
    def of(cls, joined: Joined, proof: dict[str, Any], count: int) -> Leaves:
        """Return the leaves of all trees together, or refute."""
        n_joins, n_classes = len(joined.whole), joined.part.powers.shape[1]
        letters = _array(proof, "letters", 2, Refuted)
        near = _whole(proof, "near", 1, -1, len(letters))
        if near.size != count or letters.shape[1] != n_joins or not ((letters > 0) & (letters < 1)).all():
            raise Refuted("The leaves of the trees of shares, or their letters, are not as they should be.")
        n_tangents = int(np.count_nonzero(near < 0))
        forms = _whole(proof, "forms", 2, 0, 10)
        slopes, places = (_array(proof, name, 2, Refuted, n_tangents) for name in ("slopes", "places"))
        shapes = (forms.shape, slopes.shape, places.shape)
        if shapes != ((n_tangents, n_joins), (n_tangents, n_joins), (n_tangents, n_classes)):
            raise Refuted("The tables of shares have not one row for every tangent.")
        if not (np.isfinite(slopes).all() and ((places > 0) & np.isfinite(places)).all()):
            raise Refuted("A place of shares is not positive, or a slope is no number.")
        return cls(near, np.cumsum(near < 0) - 1, forms, slopes, places, letters)

    def some(self, chosen: slice) -> Leaves:
        """Return some of the leaves."""
        return self._replace(near=self.near[chosen], row=self.row[chosen])


def near_logs(x: np.ndarray) -> np.ndarray:
    """Return logarithms of positive numbers, off by at most LOG_OFF (1 + |log x|), not a number where that is not sure.

    NumPy's logarithm is not trusted: as log t is at most t - 1, log x is at most g + x exp(-g) - 1, whatever g is, and
    at least g + 1 - exp(g) / x. The bound of the exponential is 16 times HALF above it at most.
    """
    g = np.log(x)
    sure = np.maximum(x * exp_up(-g), exp_up(g) / x) - 1 <= (LOG_OFF - 2 * HALF) * (1 + np.abs(g))
    return np.where(sure & (np.abs(g) < 690), g, np.nan)


class Joined:
    """The classes of a part joined in a tree for each label: masses of joins and of their two children, (V, n) each.

    Masses are exact sums, rounded once. Everything that is added up in an exponent is off by a few roundings and what
    `near_logs` is, relative to its size and the mass: `off` times the sum of sizes covers that, and the additions.
    """

    def __init__(self, part: Part, joins: np.ndarray) -> None:
        self.part = part
        n = part.powers.shape[1]
        members = {s: [s] for s in range(n)}
        label = {s: k for k, span in enumerate(part.spans) for s in range(span.start, span.stop)}
        if joins.shape != (n - len(part.spans), 2):
            raise Refuted("The joins are not as many as it takes to join the classes of every label.")
        pairs = []
        for v, (a, b) in enumerate(joins.tolist()):
            if a == b or a not in members or b not in members or label[a] != label[b]:
                raise Refuted("A join is not of two things of one label that are there and not joined yet.")
            pairs.append((members.pop(a), members.pop(b)))
            members[n + v], label[n + v] = sum(pairs[-1], []), label[a]
        self.left, self.right = (np.array([self._mass(pair[k]) for pair in pairs]) for k in (0, 1))
        self.whole = np.array([self._mass(sum(pair, [])) for pair in pairs])
        with np.errstate(all="ignore"):
            self.share = self.left / self.whole
            self.inside = self._weighed(self.left, self.share) + self._weighed(self.right, self.right / self.whole)
        sums = part.sums
        self.tops, self.gamma = part.tops.sum(axis=1), 1 / max(1.0, float(sums.max()) * (1 + 4 * HALF)) * (1 - 4 * HALF)
        self.idle = np.maximum(1 - self.gamma * sums, 0.0) + 4 * HALF
        self.off = LOG_OFF + (n + 4 * len(joins) + len(part.spans) + 24) * HALF

    def _mass(self, classes: list[int]) -> np.ndarray:
        return np.array([math.fsum(row) for row in self.part.powers[:, classes].tolist()])

    @staticmethod
    def _weighed(mass: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return mass times the logarithm of its share, zero without mass; tiny shares are known as well as others."""
        return np.where(mass > 0, mass * near_logs(np.where(mass > 0, share, 1.0)), 0.0)

    def largest(self, amounts: np.ndarray, lows: np.ndarray, highs: np.ndarray, leaves: Leaves) -> float:
        """Return the largest bound of the leaves of one column with amounts (n,)."""
        bounds = np.full(len(lows), np.inf)
        tangents, size = np.flatnonzero(leaves.near < 0), max(1, 1_000_000 // (8 * amounts.size))
        for start in range(0, tangents.size, size):
            some = tangents[start : start + size]
            bounds[some] = self._by_tangents(amounts, lows[some], highs[some], leaves, leaves.row[some])
        for k in np.unique(leaves.near[leaves.near >= 0]).tolist():
            own, letter = np.flatnonzero(leaves.near == k), Letter(self, amounts, leaves.letters[k])
            for start in range(0, own.size, size):
                some = own[start : start + size]
                bounds[some] = letter.bounds(lows[some], highs[some])
        return float(np.where(np.isnan(bounds), np.inf, bounds).max())

    def _by_tangents(
        self, amounts: np.ndarray, lows: np.ndarray, highs: np.ndarray, leaves: Leaves, rows: np.ndarray
    ) -> np.ndarray:
        """Return the bounds of cells by tangents of prices with powers gamma b, at places."""
        powers, gamma = self.part.powers, self.gamma
        places, slopes, forms = leaves.places[rows], leaves.slopes[rows], leaves.forms[rows]
        heights = near_logs(places)
        exponents = gamma * (heights @ powers.T) - self.tops
        sizes = gamma * ((1 + np.abs(heights)) @ powers.T) - self.tops
        for v, whole in enumerate(self.whole):
            value, size = self._convex(v, forms[:, v], lows[:, v], highs[:, v])
            slope, end = slopes[:, v, None], np.where(slopes[:, v] > 0, lows[:, v], highs[:, v])[:, None]
            exponents += (1 - gamma) * value + slope * (self.left[v] - end * whole)
            sizes += size + np.abs(slope) * (self.left[v] + end * whole)
        exponents += self.off * sizes
        terms = np.where(exponents < 690, amounts * exp_up(exponents), np.inf)
        steep = np.stack([tree_sum(terms * power) for power in powers.T], axis=1) * gamma / places
        bounds = tree_sum(terms * self.idle) + sum(steep[:, span].max(axis=1) for span in self.part.spans)
        return bounds * (1 + (levels(terms) + 12 + len(self.part.spans)) * HALF) + SMALL

    def _convex(self, v: int, form: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return W psi(L / W) of rows (cells, n), and the sizes of what was added up.

        psi is the largest of three convex functions: -h on [a, b] with its tangents beyond, a line that is no less than
        -h on [low, a], and one on [b, high]; for form 0 a single line.
        """
        left, whole = self.left[v], self.whole[v]
        is_line = form == 0
        below, above = np.divmod(np.where(is_line, 0, form - 1), 3)
        a = np.where(is_line, high, np.minimum(low + below / 4 * (high - low), high))
        b = np.where(is_line, high, np.maximum(np.minimum(high - above / 4 * (high - low), high), a))
        value = np.where(self.share[v] < a[:, None], self._tangent(v, a), self.inside[v])
        value = np.where(self.share[v] > b[:, None], self._tangent(v, b), value)
        value = np.where((whole > 0) & ~is_line[:, None], value, np.where(whole > 0, -np.inf, 0.0))
        size = np.where(np.isinf(value), 0.0, np.abs(value)) + whole
        for begin, end in ((low, a), (b, high)):
            is_used = (begin < end)[:, None]
            slope, height = (x[:, None] for x in chord_over(begin, end))
            value = np.where(is_used, np.maximum(value, slope * left + height * whole), value)
            size += np.where(is_used, np.abs(slope) * left + np.abs(height) * whole, 0.0)
        return value, size

    def _tangent(self, v: int, at: np.ndarray) -> np.ndarray:
        ends = [near_logs(np.where(x > 0, x, 1.0))[:, None] for x in (at, 1 - at)]
        return self.left[v] * ends[0] + self.right[v] * ends[1]


def chord_over(begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and heights of lines that are no less than -h at both ends; any slope will do.

    Between ends that are close the quotient is all rounding: there the slope is that of -h halfway, and its next term.
    """
    values = []
    for x in (begin, end):
        rest = 1 - x
        values.append(sum(y * near_logs(np.where(y > 0, y, 1.0)) for y in (x, rest)))
    wide, half = np.where(end > begin, end - begin, 1.0), begin + (end - begin) / 2
    far = wide > THIN * np.fmin(begin, 1 - end)
    there = np.where(far, 0.5, half)
    bend = (2 * there - 1) / (there * (1 - there)) ** 2  # third derivative of -h
    slope = np.where(far, (values[1] - values[0]) / wide, np.log(there / (1 - there)) + wide**2 / 24 * bend)
    height = np.maximum(values[0] - slope * begin, values[1] - slope * end)
    return slope, height + (3 * LOG_OFF + 8 * HALF) * (1 + np.abs(slope))


class Letter:
    """Bounds of cells around a letter, given by its shares, for a column with amounts (n,).

    Its terms are upper bounds, and their shares in their sum are the law g0: a price with larger amounts, of which
    those terms are exact, is what is bounded. So nothing has to be allowed for in g0.
    """

    def __init__(self, joined: Joined, amounts: np.ndarray, shares: np.ndarray) -> None:
        self.joined, self.shares = joined, shares
        high, low = near_logs(shares)[:, None], near_logs(1 - shares)[:, None]
        exponents = (high * joined.left + low * joined.right).sum(axis=0) - joined.tops
        sizes = (np.abs(high) * joined.left + np.abs(low) * joined.right + joined.whole).sum(axis=0) - joined.tops
        exponents = exponents + joined.off * sizes
        terms = np.where(exponents < 690, amounts * exp_up(exponents), np.inf)
        self.round = (2 * levels(terms) + 12) * HALF
        self.price = float(tree_sum(terms))
        law = terms / self.price
        self.slants = joined.left - shares[:, None] * joined.whole  # off by 4 HALF of the whole
        self.masses = tree_sum(law * joined.whole)
        self.drifts = np.abs(tree_sum(law * self.slants)) + (self.round + 8 * HALF) * self.masses
        self.products = np.array([[tree_sum(law * (one * two)) for two in self.slants] for one in self.slants])
        self.squares = tree_sum(law * joined.whole**2)

    def bounds(self, lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
        """Return upper bounds of the prices in cells (m, V); see the page for the names."""
        whole, more = self.joined.whole, 1 + (8 + 2 * len(self.shares)) * HALF
        far = np.maximum(np.abs(lows - self.shares), np.abs(highs - self.shares)) * (1 + 2 * HALF)
        beta = np.maximum(self._steepest(lows), self._steepest(highs))
        z = 2 * ((beta * far) @ (np.abs(self.slants) + 4 * HALF * whole)).max(axis=1) * more
        widest = ((beta * far * far) @ whole).max(axis=1) * more
        psi = np.ones(z.size)
        for n in range(60, 2, -1):  # 2 sum z^n / (n + 2)!, cut off where 4^58 / 60! < 1e-46
            psi = 1 + z / n * psi
        psi *= 1 + 200 * HALF
        masses = self.masses * (1 - self.round)
        scale = np.sqrt(beta / np.maximum(masses, SMALL))
        form = scale[:, :, None] * self.products * scale[:, None, :]
        off = (self.round + 24 * HALF) * ((scale * scale) @ self.squares)  # of sums and slants, in the norm
        spread = np.sqrt(2 * psi * (largest_eigenvalues(form) + off)) + np.sqrt(psi * widest / 2)
        kappa = np.maximum(spread * spread * (1 + 4 * self.round + 32 * HALF) - 1, 0.0)
        sizes = (beta * far * far) @ self.masses * (1 + self.round)
        bounds = self.price * (1 + 2 * (beta * far) @ self.drifts * more + kappa * sizes * more)
        return np.where(z <= LARGEST_Z, bounds * (1 + self.round + 16 * HALF) + SMALL, np.inf)

    def _steepest(self, x: np.ndarray) -> np.ndarray:
        """Return bounds of kl(x || share) / (x - share)^2 = int_0^1 (1 - t) / (y (1 - y)) dt, y from share to x.

        1 / (y (1 - y)) is convex, so it is below its chord, which gives the first; the second is the quotient.
        """
        share = self.shares
        first = (1 / (3 * share * (1 - share)) + 1 / (6 * x * (1 - x))) * (1 + 16 * HALF)
        parts = [y * near_logs(np.where(y > 0, y, r) / r) for y, r in ((x, share), (1 - x, 1 - share))]
        sizes = np.abs(parts[0]) + np.abs(parts[1]) + 1
        second = (parts[0] + parts[1] + (LOG_OFF + 8 * HALF) * sizes) / (x - share) ** 2 * (1 + 16 * HALF)
        first = np.where(np.isnan(first), np.inf, first)
        return np.where(np.abs(x - share) > 1e-6, np.fmin(first, second), first)


def largest_eigenvalues(forms: np.ndarray) -> np.ndarray:
    """Return upper bounds of the largest eigenvalues of symmetric matrices (m, V, V), none below zero.

    With any Q and diagonal D, x'Sx = (Q'x)'D(Q'x) + x'(S - QDQ')x, at most max D |Q'x|^2 + |S - QDQ'| |x|^2.
    """
    n, usable = forms.shape[1], np.isfinite(forms).all(axis=(1, 2))
    forms = np.where(usable[:, None, None], forms, 0.0)
    values, vectors = np.linalg.eigh(forms)
    turned = vectors.swapaxes(1, 2)
    lost = np.sqrt(((forms - (vectors * values[:, None, :]) @ turned) ** 2).sum(axis=(1, 2)))
    skew = np.sqrt(((turned @ vectors - np.eye(n)) ** 2).sum(axis=(1, 2)))
    sizes = np.sqrt((forms**2).sum(axis=(1, 2))) + n * np.abs(values).max(axis=1)
    off = n * (n + 8) * HALF
    return np.where(usable, np.maximum(values[:, -1], 0.0) * (1 + skew + off) + lost + off * sizes, np.inf)


# ------------------------------------------------------------------------------------------------ the verdict


def check(result_path: Any, problem_path: Any) -> Report:
    """Return what is confirmed of a result file; raises `Unreadable` if one of the files is."""
    return check_arrays(read(result_path), read(problem_path))


def check_arrays(result: dict[str, Any], problem: dict[str, Any]) -> Report:
    """Return what is confirmed of a result, given the arrays of both files by name."""
    with ctx.workprec(PRECISION), np.errstate(all="ignore"):  # what overflows proves nothing, and does no harm
        examination = Examination(_header(result), problem_of(problem))
        # What the result holds is not repeated for its certificate.
        is_by_rows = "certificate_channel" in result
        is_by_masses = any(f"certificate_{name}" in result for name in SHARED[2:])
        names = SHARED[:1] if is_by_rows else SHARED[:1] + SHARED[2:] if is_by_masses else SHARED
        shared = {f"certificate_{name}": result[name] for name in names if name in result}
        try:
            _check_channels(examination.header, shared | result)
            examination.run(shared | result)
        except Refuted as refuted:
            examination.report.faults.append(str(refuted))
        examination.report.valid = not examination.report.faults
        return examination.report


def _check_channels(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Refute a file that holds a channel in two ways, or in a way that its version does not know."""
    parts = {name for name in SHARED[2:] if f"certificate_{name}" in arrays}
    if parts and (header["version"] < 4 or len(parts) == 1 or "certificate_channel" in arrays):
        raise Refuted("The channel is held by masses where it may not be, by half of them, or in two ways.")


def _header(result: dict[str, Any]) -> dict[str, Any]:
    try:
        header = json.loads(_text(result, "header"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("The result has no header that is JSON.") from error
    if (
        not isinstance(header, dict)
        or header.get("format") != "rdcsolve result"
        or header.get("version") not in (1, 2, 3, 4)
    ):
        raise Unreadable("The file is no result of rdcsolve of version 1, 2, 3 or 4.")
    return header


class Examination:
    """One result, held against what is proved."""

    def __init__(self, header: dict[str, Any], problem: Problem) -> None:
        self.header, self.problem, self.report = header, problem, Report()
        self.is_certified = header.get("proof") == "CERTIFIED"
        self.is_refutation = header.get("status") == "INFEASIBLE"  # the certificate is about the rate
        self.moved = arb(0)  # mass that is moved to meet a limit at zero on a law

    def run(self, arrays: dict[str, Any]) -> None:
        """Examine everything; what is wrong becomes a fault."""
        self._check_words()
        bound = trivial_bound(self.problem)
        self.report.lower = lower(bound)
        if self.header.get("certificate") is None:
            self._without_certificate(bound)
            return
        channel, dual = channel_of(arrays, self.problem), dual_of(arrays, self.problem)
        proofs = law_proofs(arrays, self.problem)
        priced, priced_dual, dual = with_laws(self.problem, dual, proofs)
        self.report.notes += [
            f"The limit on {name}, {self.problem.bounds[name]!r}, is below its least value by a rounding: read as that."
            for name in self.problem.least
        ]
        price = self._largest_price(priced, priced_dual, arrays)
        if self.is_refutation:
            self._check_refutation(channel, dual, price)
            return
        self._check_multipliers(dual)
        rate, attained = self._attained(channel, proofs)
        proved = None if price is None else dual_bound(self.problem, dual, price)
        if proved is not None and proved.is_finite() and proved.lower() > bound.lower():
            bound = proved
        self.report.lower = lower(bound)
        exact = [loss for loss in self.problem.losses if loss.name == self.problem.objective]
        self._check_bounds(bound, attained, lambda: exact_mean(exact[0], channel, self.problem) if exact else None)
        self._check_rates(dual, price, rate)

    def _require(self, is_right: Any, sentence: str) -> None:
        if not is_right:
            self.report.faults.append(sentence)

    def _check_words(self) -> None:
        header, names = self.header, [loss.name for loss in self.problem.losses]
        certificate = header.get("certificate")
        self._require(header.get("status") in [*STATUSES.split(), "NUMERICAL_ERROR"], "The status is unknown.")
        self._require(header.get("proof") in ("CERTIFIED", "UNVERIFIED", "NONE"), "The word for the proof is unknown.")
        if header.get("unit") not in ("nat", "bit") or not isinstance(certificate, dict | None):
            raise Refuted("The unit is unknown, or the header's certificate is malformed.")
        if header["unit"] == "bit" and header.get("information_losses", []) != self.problem.information:
            raise Refuted("The losses said to be in bits are not those of the problem that are information.")
        own = "rate" if self.is_refutation else self.problem.objective
        for given, needed in ((header, self.problem.objective), (certificate or {"objective": own}, own)):
            if given.get("objective") != needed:
                raise Refuted(f"The result is about {given.get('objective')!r}, but it has to be about {needed!r}.")
        laws = [law.name for law in self.problem.laws]
        for key, needed in (("losses", names), ("perceptions", laws), ("multipliers", names + laws)):
            values = header.get(key, {} if key == "perceptions" else None)
            kinds = {float} if needed else set()
            if not isinstance(values, dict) or list(values) != needed or {*map(type, values.values())} != kinds:
                raise Refuted(f"The header's {key} are no real numbers, one for each of the problem's.")

    def _claim(self, key: str, is_certificates: bool = False) -> Any:
        """Return a number of the header as a ball, rates in nats; the certificate's own are in nats always."""
        value = (self.header["certificate"] if is_certificates else self.header).get(key)
        if not isinstance(value, float):
            raise Refuted(f"The header's {key} is {value!r} and no real number.")
        is_rate = key.startswith("rate") and not is_certificates
        is_in_bits = is_rate or (not is_certificates and self._is_information(self.problem.objective))
        return self._in_nats(value, is_in_bits)

    def _is_information(self, name: str) -> bool:
        return name in ("rate", "lagrangian", *self.problem.information)

    def _in_nats(self, value: float, is_information: bool) -> Any:
        """Return a number of the header as a ball, in nats where it is an amount of information."""
        is_in_bits = self.header["unit"] == "bit" and is_information
        return arb(value) * arb.const_log2() if is_in_bits else arb(value)

    def _check_multipliers(self, dual: Dual) -> None:
        is_searched = self.problem.is_fixed or self.header.get("proof") == "UNVERIFIED"
        for name, value in {} if is_searched else self.header["multipliers"].items():
            own = (dual.multipliers | dual.slopes).get(name, 0.0)
            is_plain = self.header["unit"] == "nat" or self._is_information(name)  # a bit per bit is a nat per nat
            allowed = 0.0 if is_plain else 4 * HALF * abs(own)
            scaled = arb(own) if is_plain else own / arb.const_log2()
            is_equal = own == value if math.isinf(own) else abs(scaled - value) <= arb(allowed)
            self._require(is_equal, f"The header's multiplier of {name} is not the certificate's.")

    def _attained(self, channel: Channel, proofs: list[LawProof]) -> tuple[Any, Any]:
        """Check limits and reported means; return balls of the rate and the objective, None without a channel."""
        if not channel.letters.size:
            self.report.notes.append("There is no channel, so nothing is attained.")
            return None, None
        rate = rate_of(channel, self.problem)
        means = {loss.name: mean_of(loss, channel) for loss in self.problem.losses}
        distances, self.moved, more_rate = self._distances(channel, proofs)
        rate += more_rate
        for loss in self.problem.losses:
            told = self.header["losses"][loss.name]
            shown = self._in_nats(told, self._is_information(loss.name))
            is_told = abs(means[loss.name] - shown) <= self._rounding(loss, means[loss.name])
            self._require(is_told, f"The mean of {loss.name} is {upper(means[loss.name])!r}, not {told!r}.")
            if loss.name in self.problem.held:
                self._check_held(loss, means[loss.name])
                continue
            self._check_limit(
                loss.name,
                means[loss.name],
                self.problem.bounds.get(loss.name),
                lambda loss=loss: self._exact_excess(loss, channel, means[loss.name]),
                self._raise(loss) - self._remade(channel, self.problem.bounds.get(loss.name)),
            )
        self._check_limit(
            "rate", rate, self.problem.rate_bound, lambda: None, -self._remade(channel, self.problem.rate_bound)
        )
        charges = (self.problem.multipliers or {}).items()
        lagrangian = rate + total(arb(value) * (means | distances)[name] for name, value in charges if value)
        attained = {"rate": rate, "lagrangian": lagrangian, **means, **distances}[self.problem.objective]
        attained += sum(
            (self._raise(loss) for loss in self.problem.losses if loss.name == self.problem.objective), arb(0)
        )
        self.report.upper = upper(attained)
        return rate, attained

    def _distances(self, channel: Channel, proofs: list[LawProof]) -> tuple[dict[str, Any], Any, Any]:
        """Check limits on laws and reported distances; return these, what is moved to meet a zero, and its rate.

        Sending what letters show elsewhere raises neither the rate nor what is unknown of labels, and every loss by no
        more than its spread times the mass. So a law that misses its target by a little is as good as the target. Where
        pairs are forbidden mass is moved along pairs in use, which costs some rate, and so it does for laws of classes.
        """
        problem, distances, moved, more_rate = self.problem, {}, arb(0), arb(0)
        seen = [self._from_above(law, proof, channel) for law, proof in zip(problem.laws, proofs, strict=True)]
        stated, self.problem = (
            problem,
            replace(
                problem,
                laws=[law for law, _, _ in seen],
                bounds=problem.bounds | {law.name: limit for law, _, limit in seen if limit is not None},
            ),
        )
        problem = self.problem
        zeros = [law.name for law in problem.laws if problem.bounds.get(law.name) == 0]
        for law, proof, _ in seen:
            is_zero, told = law.name in zeros, self.header["perceptions"][law.name]
            distances[law.name] = found = distance(law, proof, channel, is_zero)
            is_told = found <= arb(told) + (ROUNDING if is_zero else 0)
            if law.name in stated.read:  # said to be where the limit is read
                is_told = stated.bounds[law.name] <= told <= stated.bounds[law.name] * (1 + 1e-9)
            self._require(is_told, f"The law is within {upper(found)!r} of the target of {law.name}, not {told!r}.")
        exact = [(law, distances[law.name]) for law in problem.laws if law.name in zeros]
        may_move = bool(exact) and not problem.is_fixed and problem.multipliers is None
        if may_move and all(law.can_be_exact and found <= ROUNDING for law, found in exact):
            law, moved = exact[0]
            if len(exact) > 1 or law.members is not None:
                moved, more_rate = moved_by_classes(problem, exact, channel)
            elif problem.forbidden.any():
                moved, more_rate = moved_along_pairs(problem, law, channel, moved)
        for law in problem.laws:
            limit = problem.bounds.get(law.name)
            if limit is not None:
                after = self._after_move(law, distances[law.name], moved, zeros, channel)
                self._check_limit(law.name, after, limit, lambda: None)
        self.problem = stated
        return distances, moved, more_rate

    def _from_above(self, law: Law, proof: LawProof, channel: Channel) -> tuple[Law, LawProof, float | None]:
        """Return a law, its proof and limit; at zero of another measure where a limit at the least needs mass moved."""
        limit = self.problem.bounds.get(law.name)
        read = self.problem.read.get(law.name)
        if read is None or distance(law, proof, channel, False) <= read[0]:
            return law, proof, limit
        exact = read[1]
        if exact.cost is not None and law.cost is None:  # what places have of the target stays, and more is anyone's
            law_masses = {place: upper(mass) for place, mass in shown_masses(law, channel).items()}
            whole, last = upper(exact.total), int(exact.target.size) - 1
            kept = [(j, j, min(float(exact.target[j]) / whole, mass)) for j, mass in law_masses.items()]
            more = [(last, j, max(mass - float(exact.target[j]) / whole, 0.0)) for j, mass in law_masses.items()]
            proof = proof._replace(plan=kept + more)
        return exact, proof, 0.0

    def _after_move(self, law: Law, found: Any, moved: Any, zeros: list[str], channel: Channel) -> Any:
        """Return the distance of a law once the mass is moved that makes the law what the limit at zero asks for."""
        if not moved > 0:
            return found
        if law.name in zeros:
            return arb(0)
        if law.measure not in DIVERGENCES and law.features is None:
            moved = moved / law.share(self.problem.stored)
            return found + moved * (1.0 if law.cost is None else float(law.cost.max()))
        exact = next(other for other in self.problem.laws if other.name in zeros)
        if exact.members is not None:
            return self._after_classes(law, found, moved / law.share(self.problem.stored), channel)
        places = places_under(law, exact)
        if places is None:
            return arb(math.inf)
        if law.features is not None:
            return found.max(_discrepancy(law.features, places))
        return found.max(_divergence(law, [arb(mass) / law.total for mass in law.target.tolist()], places))

    def _after_classes(self, law: Law, found: Any, moved: Any, channel: Channel) -> Any:
        """Return a divergence, or a discrepancy, once as much mass as that is moved of its law."""
        exact = [other for other in self.problem.laws if self.problem.bounds.get(other.name) == 0]
        if law.members is not None and not any((law.members * other.members).any() for other in exact):
            return found
        if law.features is not None:
            longest = max(upper(total(arb(f) * f for f in row)) for row in law.features.tolist())
            root = arb(upper(found)).sqrt() + 2 * moved * arb(longest).sqrt()
            return root * root
        if _slope(law.measure) is None and not law.target.all():
            return arb(math.inf)
        wide = {place: mass + arb(0, upper(moved)) for place, mass in shown_masses(law, channel).items()}
        new = moved * (_slope(law.measure) or 0)
        return found.max(_divergence(law, [arb(mass) / law.total for mass in law.target.tolist()], wide) + new)

    def _raise(self, loss: Loss) -> Any:
        """Return by how much moving mass may raise a loss."""
        if loss.kind != "table" or not self.moved > 0:
            return arb(0)
        return self.moved * loss.range(self.problem.forbidden)

    @staticmethod
    def _remade(channel: Channel | MadeChannel, limit: float | None) -> Any:
        """Return by how much a channel by masses may exceed a limit, because it is made anew."""
        is_made = isinstance(channel, MadeChannel) or channel.is_made
        return arb(REMADE * (1 + abs(limit))) if is_made and limit is not None else arb(0)

    def _rounding(self, loss: Loss, mean: Any) -> Any:
        """Return by how much a mean that was computed in floating point may be off: little, of the loss's spread."""
        if loss.is_linear:
            spread = loss.range(self.problem.forbidden)
        else:
            spread = (
                math.log(loss.data.shape[1]) if loss.kind == "label" else float(np.sum(np.ptp(loss.data, axis=0) ** 2))
            )
        return arb(ROUNDING * spread + (len(self.problem.masses) + 32) * HALF * abs(upper(mean)))

    def _check_held(self, loss: Loss, mean: Any) -> None:
        distance = upper(abs(mean - self.problem.limits[loss.name]) + self._raise(loss))
        is_met = distance <= HELD * loss.range(self.problem.forbidden)
        self.report.excess[loss.name] = 0.0 if is_met else distance
        self._require(is_met, f"The mean of {loss.name} is not {self.problem.bounds[loss.name]!r}, as it has to be.")

    def _check_limit(
        self, name: str, mean: Any, limit: float | None, exact: Callable[[], Fraction | None], more: Any = 0
    ) -> None:
        if limit is not None:
            excess = mean - self.problem.limits.get(name, arb(limit)) + more
            self.report.excess[name] = upper(excess)
            is_met = is_at_most(excess, arb(0), exact)
            self._require(is_met, f"The channel exceeds the limit on {name}, {limit!r}.")
            if is_met:
                self.report.excess[name] = min(upper(excess), 0.0)

    def _exact_excess(self, loss: Loss, channel: Channel, mean: Any) -> Fraction | None:
        """Return by how much a mean exceeds its limit, as it is read, where that is known exactly."""
        name = loss.name
        if loss.kind == "label":
            is_same = name in self.problem.least and abs(mean - self.problem.least[name]) < SAME
            return Fraction(0) if is_same else None
        value = exact_mean(loss, channel, self.problem)
        limit = Fraction(self.problem.bounds[name])
        if name in self.problem.least:
            least = exact_least(loss, self.problem)  # of all channels, or at rate zero of letters
            limit = least if least > limit else least_of_letters(loss, self.problem)[0]
        return None if value is None else value - limit

    def _largest_price(self, problem: Problem, dual: Dual, arrays: dict[str, Any]) -> Any:
        """Return a bound of all prices, None where there is none; what is wrong with the proof becomes a fault."""
        prefix = "certificate_proof_"
        price = None
        try:
            proof = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
            price = largest_price(problem, dual, proof)
        except Refuted as refuted:
            self.report.faults.append(str(refuted))
        if price is None or not price.is_finite():
            self.report.notes.append("No bound of the largest price is proved, so only the trivial bound is.")
            return None
        return price

    def _check_bounds(self, bound: Any, attained: Any, exact: Callable[[], Fraction | None]) -> None:
        if not self.is_certified:
            self.report.notes.append("No lower bound is claimed but the certificate's.")
        for whose, prefix, is_own in (("certificate", "", True), ("header", "objective_", False)):
            low, high = self._claim(f"{prefix}lower", is_own), self._claim(f"{prefix}upper", is_own)
            is_proved = low <= bound or not (is_own or self.is_certified)
            self._require(is_proved, f"The {whose} claims {upper(low)!r} at least, but {lower(bound)!r} is proved.")
            is_kept = high == arb(math.inf) if attained is None else is_at_most(attained, high, exact)
            self._require(is_kept, f"The {whose} claims {upper(high)!r} at most, which the channel does not attain.")

    def _check_rates(self, dual: Dual, price: Any, rate: Any) -> None:
        """Check what is said of the rate: the channel's is no higher, and with its losses none is lower."""
        low, high = self._claim("rate_lower"), self._claim("rate_upper")
        slack = 0.0 if self.problem.objective == "rate" else ROUNDING  # then they are told in floating point
        is_kept = rate is None or high.is_nan() or is_at_most(rate, high + slack, lambda: None)
        self._require(is_kept, f"The channel's rate is above what the header says, {upper(high)!r}.")
        if low > 0 and self.is_certified:
            told = self.problem.limits
            if self.problem.objective != "rate":
                means = (self.header["losses"] | self.header.get("perceptions", {})).items()
                told = {name: self._in_nats(value, self._is_information(name)) for name, value in means}
            slopes = dual.multipliers | {name: value for name, value in dual.slopes.items() if value}
            endless = {name for name, value in slopes.items() if math.isinf(value) and told.get(name) == 0}
            charged = {name: told.get(name, math.inf) for name in slopes if name not in endless}
            is_proved = price is not None and low <= plane(self.problem, dual, price, charged) + slack
            self._require(is_proved, f"The header's lower bound of the rate, {upper(low)!r}, is not proved.")

    def _check_refutation(self, channel: Channel, dual: Dual, price: Any) -> None:
        """Check that the limits on losses need a rate beyond H(X), log k for k fixed letters, or the limit on it."""
        self._require(not channel.letters.size, "No channel is said to meet the limits, but there is one.")
        loose = replace(self.problem, objective="rate", rate_bound=None)
        needed = None if price is None else dual_bound(loose, dual, price)
        needed = needed if needed is not None and needed.is_finite() else arb(0)
        entropy = -total(map(x_log_x, self.problem.masses))
        tables = [loss.data for loss in self.problem.losses if loss.is_linear]
        if self.problem.is_fixed and tables:  # I(X; A) <= H(A) <= log k
            several = arb(tables[0].shape[1]).log()
            entropy = several if several < entropy else entropy
        limit = arb(math.inf if self.problem.rate_bound is None else self.problem.rate_bound)
        largest = limit if limit < entropy else entropy
        is_refuted = needed > largest or no_map_meets(self.problem, dual)
        self._require(
            is_refuted,
            f"The limits are proved to need a rate of {lower(needed)!r}, which is not beyond {upper(largest)!r}.",
        )
        low, high = self._claim("lower", is_certificates=True), self._claim("upper", is_certificates=True)
        self._require(  # beyond H(X) every bound follows, of the rates of channels that are none
            low.is_nan() or low <= needed or needed > entropy,
            f"The certificate claims {upper(low)!r} at least, but {lower(needed)!r} is proved.",
        )
        highs = [high, self._claim("objective_upper"), self._claim("rate_upper")]
        is_silent = all(value.is_nan() or value == arb(math.inf) for value in highs)
        self._require(is_silent, "An upper bound is claimed, but no channel is said to meet the limits.")
        if needed > largest:
            self.report.notes.append(f"No channel meets the limits: they need a rate of {lower(needed)!r} at least.")
        elif is_refuted:
            self.report.notes.append(
                "No channel meets the limits: every map into its letters is beyond them, weighted."
            )
        self.report.lower = math.inf if is_refuted else self.report.lower

    def _without_certificate(self, bound: Any) -> None:
        if self.is_refutation or self.is_certified:
            for loss in self.problem.losses:
                if loss.name in self.problem.limits and least_mean(loss, self.problem) > self.problem.limits[loss.name]:
                    self.report.notes.append(f"No channel meets the limit on {loss.name}.")
                    self.report.lower = math.inf
                    return
            raise Refuted(
                "There is no certificate of what is claimed, and it does not follow from any limit by itself."
            )
        self.report.notes.append("There is no certificate, and nothing is claimed but what is trivial.")
        low, high = self._claim("objective_lower"), self._claim("objective_upper")
        self._require(low.is_nan() or low <= bound, "A lower bound is claimed without a certificate.")
        self._require(high.is_nan() or high == arb(math.inf), "An upper bound is claimed without a certificate.")


def is_at_most(ball: Any, bound: Any, exact: Callable[[], Fraction | None]) -> bool:
    """Say whether a number that a ball holds is at most the bound; balls that straddle it need the exact number."""
    if ball <= bound:
        return True
    value = exact() if ball.overlaps(bound) and bound.rad() == 0 else None
    return value is not None and value <= Fraction(float(bound))


def main(arguments: list[str]) -> int:
    """Print what is confirmed and return the exit code."""
    try:
        if len(arguments) != 2:
            raise Unreadable("Two files are needed: check_certificate.py RESULT.npz PROBLEM.npz")
        report = check(*arguments)
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{report}\n")
    return 0 if report.valid else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
