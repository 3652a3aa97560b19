"""Confirm or refute a saved result of rdcsolve from its files alone: ``check_certificate.py RESULT.npz PROBLEM.npz``.

It follows the page "The certificate file" and shares no line with the library. It needs NumPy and python-flint. The exit
code is 0 if the result is confirmed, 1 if it is refuted, with a sentence for every fault, and 2 if a file cannot be read.

How it stays rigorous. Stored doubles are exact. Everything else is a ball of python-flint, which holds the exact number,
or, where there are very many terms, a double that is an upper bound: IEEE operations (+ - * / and what is exact, such as
ldexp) are off by at most half a unit in the last place, `HALF` of the result, and every allowance below counts them.
Powers of a label are rounded down, which only raises prices, since no entry of a decision exceeds one.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from flint import arb, ctx

PRECISION = 128  # bits of the balls
MOST_BYTES = 2**30  # a file may not unpack to more
HALF = 2.0**-53  # largest relative error of one operation
SMALL = 1e-290  # more than all that is lost to underflow, and less than anything that matters
RAISED = 1e-40  # entries of decisions are raised to this
ROUNDING = 1e-12  # what counts as equal where the library decides between two ways of proving
STATUSES = (
    "OPTIMAL ALMOST_OPTIMAL STATIONARY INFEASIBLE STEP_LIMIT TIME_LIMIT STALLED STOPPED_BY_CALLBACK INTERRUPTED "
    "NUMERICAL_ERROR"
).split()
PROOFS = ("CERTIFIED", "UNVERIFIED", "NONE")
DEGREE = 10  # of the polynomials on the line


class Unreadable(ValueError):
    """A file is not what it should be, so nothing can be said."""


class Refuted(ValueError):
    """The result is wrong in a way that ends its examination."""


@dataclass
class Report:
    """What is proved, in nats where it is a rate; `faults` says in sentences why a result is refuted."""

    valid: bool = False
    lower: float = -math.inf
    upper: float = math.inf
    excess: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"the objective is at least {self.lower!r}", f"the objective is at most {self.upper!r}"]
        lines += [f"{name} exceeds its limit by at most {value:.3g}" for name, value in self.excess.items()]
        lines += [f"note: {note}" for note in self.notes] + [f"fault: {fault}" for fault in self.faults]
        return "\n".join([*lines, "confirmed" if self.valid else "refuted"])


# ------------------------------------------------------------------------------------------------ reading


def read(path: Any) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file in its order; no pickles, and nothing is unpacked before its size is known."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise Unreadable(f"{path} would unpack to more than {MOST_BYTES} bytes.")
            if len({member.filename for member in members}) < len(members):
                raise Unreadable(f"{path} holds two arrays of one name.")
            return {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
    except Unreadable:
        raise
    except Exception as error:  # damage makes zipfile, zlib and NumPy raise nearly anything
        raise Unreadable(f"{path} cannot be read as an npz file ({error or type(error).__name__}).") from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:  # gives no more bytes than the archive declares
        major, _ = np.lib.format.read_magic(stream)
        heads = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        if major not in heads:
            raise Unreadable(f"{member.filename} is of an unknown version of NumPy's format.")
        shape, _, dtype = heads[major](stream)
        if dtype.hasobject or dtype.kind not in "fiubU" or math.prod(shape) * dtype.itemsize > member.file_size:
            raise Unreadable(f"{member.filename} declares {shape} of {dtype}, which it cannot hold.")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _numbers(arrays: dict[str, Any], name: str, ndim: int, error: type[ValueError], rows: int | None = None) -> Any:
    """Return doubles of these dimensions, or raise the error."""
    if name not in arrays:
        raise error(f"The array {name} is missing.")
    values = np.asarray(arrays[name])
    if values.dtype.kind not in "fiub" or values.dtype.itemsize > 8:
        raise error(f"{name} holds {values.dtype} and not doubles.")
    if values.ndim != ndim or (rows is not None and values.shape[0] != rows):
        raise error(f"{name} has the wrong shape {values.shape}.")
    doubles = values.astype(np.float64)
    if values.dtype.kind in "iu" and values.size and int(np.abs(doubles).max()) > 2**53:
        raise error(f"{name} holds integers that are no doubles.")
    return doubles


def _integers(arrays: dict[str, Any], name: str, ndim: int) -> np.ndarray:
    """Return whole numbers of these dimensions, or refute."""
    values = np.asarray(arrays.get(name, np.zeros(())))
    if values.ndim != ndim or values.dtype.kind not in "iu":
        raise Refuted(f"{name} is missing or is no array of whole numbers in {ndim} dimensions.")
    if values.size and (values.min() < -1 or values.max() >= 2**40):
        raise Refuted(f"{name} holds numbers out of range.")
    return values.astype(np.int64)


# ------------------------------------------------------------------------------------------------ the problem


class Loss(NamedTuple):
    """A loss by name: kind "table" with (n, n_y) losses, "points" with (n, dim) places, "label" with (n, n_s)."""

    name: str
    kind: str
    data: np.ndarray


@dataclass
class Problem:
    """A problem, reduced to its symbols of positive mass."""

    stored: np.ndarray  # masses as stored
    masses: list[Any]  # balls of the masses divided by their sum
    is_kept: np.ndarray
    losses: list[Loss]
    scale: float  # what a squared distance counts
    bounds: dict[str, float]
    rate_bound: float | None
    objective: str
    multipliers: dict[str, float] | None
    is_fixed: bool

    @property
    def tables(self) -> list[np.ndarray]:
        """The linear losses."""
        return [loss.data for loss in self.losses if loss.kind == "table"]

    @property
    def forbidden(self) -> np.ndarray:
        """Pairs that some linear loss forbids."""
        return np.any([np.isinf(table) for table in self.tables], axis=0)


def problem_of(arrays: dict[str, Any]) -> Problem:
    """Return the problem that arrays state, or raise `Unreadable`."""
    stored = _numbers(arrays, "p_x", 1, Unreadable)
    if not (np.isfinite(stored).all() and (stored >= 0).all() and _is_near_one(stored)):
        raise Unreadable("p_x is no vector of masses that sum to one.")
    is_kept = stored > 0
    total = _sum(stored)
    losses = _losses_of(arrays, is_kept)
    names = [loss.name for loss in losses]
    multipliers = {name: _scalar(arrays, f"multiplier_{name}") for name in names if f"multiplier_{name}" in arrays}
    minimise = _text(arrays, "minimise", "rate")
    if minimise not in ("rate", *names) or len(set(names)) < len(names):
        raise Unreadable(f"The problem minimises {minimise!r}, or two of its losses have one name.")
    bounds = {name: _scalar(arrays, f"bound_{name}") for name in names if f"bound_{name}" in arrays}
    rate_bound = _scalar(arrays, "rate_bound") if "rate_bound" in arrays else None
    letters = _text(arrays, "letters", "split")
    if letters not in ("split", "fixed"):
        raise Unreadable(f"The problem has letters {letters!r}, which is neither 'split' nor 'fixed'.")
    if minimise != "rate" and (rate_bound is None or multipliers):
        raise Unreadable(f"The problem minimises {minimise} without a limit on the rate, or with multipliers.")
    problem = Problem(
        stored[is_kept],
        [arb(mass) / total for mass in stored[is_kept].tolist()],
        is_kept,
        losses,
        1.0,
        {} if multipliers else {name: bound for name, bound in bounds.items() if bound < math.inf and name != minimise},
        None if multipliers else rate_bound,
        "lagrangian" if multipliers else minimise,
        {name: multipliers.get(name, 0.0) for name in names} if multipliers else None,
        letters == "fixed",
    )
    if losses[0].kind == "points" and _text(arrays, "distortion", "") == "mean_squared_error":
        problem.scale = float(losses[0].data.shape[1])
    if problem.tables and problem.forbidden.all(axis=1).any():
        raise Unreadable("Every letter is forbidden to some symbol.")
    return problem


def _losses_of(arrays: dict[str, Any], is_kept: np.ndarray) -> list[Loss]:
    n_x = is_kept.size
    if np.asarray(arrays.get("distortion")).dtype.kind == "U":
        if _text(arrays, "distortion", "") not in ("squared_error", "mean_squared_error"):
            raise Unreadable("The distortion has an unknown name.")
        if _text(arrays, "reproduction", "") != "free" or any(name.startswith("loss_") for name in arrays):
            raise Unreadable("The distortion is a name, but letters are not points, or there are tables beside it.")
        points = _numbers(arrays, "points", 2, Unreadable, n_x)
        if not np.isfinite(points).all():
            raise Unreadable("points are not finite.")
        losses = [Loss("distortion", "points", points[is_kept])]
    else:
        named = {"distortion": "distortion"} | {k.removeprefix("loss_"): k for k in arrays if k.startswith("loss_")}
        losses = [Loss(name, "table", _numbers(arrays, key, 2, Unreadable, n_x)) for name, key in named.items()]
        if len({loss.data.shape for loss in losses}) > 1 or not losses[0].data.size:
            raise Unreadable("The losses have different shapes, or there are no letters.")
        if not all((loss.data >= 0).all() for loss in losses):
            raise Unreadable("A loss is negative or not a number.")
        losses = [loss._replace(data=loss.data[is_kept]) for loss in losses]
    for key in arrays:
        if key.startswith("entropy_"):
            label = _numbers(arrays, f"labels_{int(_scalar(arrays, key))}", 2, Unreadable, n_x)[is_kept]
            if not (np.isfinite(label).all() and (label >= 0).all() and all(map(_is_near_one, label))):
                raise Unreadable(f"{key} names a label whose rows are no masses that sum to one.")
            losses.append(Loss(key.removeprefix("entropy_"), "label", label))
    return losses


def _scalar(arrays: dict[str, Any], name: str) -> float:
    number = float(_numbers({name: np.asarray(arrays[name]).reshape(-1)}, name, 1, Unreadable, 1)[0])
    if not number >= 0:
        raise Unreadable(f"{name} is {number}, but has to be a number that is not negative.")
    return number


def _text(arrays: dict[str, Any], name: str, default: str) -> str:
    value = np.asarray(arrays.get(name, default))
    return str(value) if value.dtype.kind == "U" and value.ndim == 0 else ""


def _excess(values: np.ndarray) -> float:
    """Return the exact sum less one, rounded once; so it is zero only if the sum is exactly one."""
    return math.fsum([*values.tolist(), -1.0])


def _is_near_one(values: np.ndarray) -> bool:
    return abs(_excess(values)) <= 1e-9


def _sum(values: np.ndarray) -> Any:
    """Return a ball of the sum of numbers that sum to nearly one."""
    excess = _excess(values)
    return 1 + arb(excess, abs(excess) * 2 * HALF)


# ------------------------------------------------------------------------------------------------ floats


def upper(ball: Any) -> float:
    """Return a double that is no less than the ball; infinite if the ball is no number."""
    end = ball.upper()
    value = float(end)
    if math.isnan(value):
        return math.inf
    return value if arb(value) >= end else math.nextafter(value, math.inf)


def lower(ball: Any) -> float:
    """Return a double that is no more than the ball."""
    return -upper(-ball)


with ctx.workprec(PRECISION):
    _STEP = arb.const_log2() / 64
    _STEP_HIGH = math.ldexp(math.floor(float(_STEP) * 2**36), -36)  # 30 bits, so that 17 bits times it are exact
    _STEP_LOW = float(_STEP - _STEP_HIGH)
    _POWERS = np.array([float((arb(j) / 64 * arb.const_log2()).exp()) for j in range(64)])


def exp_up(x: np.ndarray) -> np.ndarray:
    """Return upper bounds of exp(x) for x < 700, above it by a relative 2^-49 at most; below exp(-690) they are that.

    With n the integer next to 64 x / log 2, exp(x) = 2^(n/64) exp(r), |r| < 0.0055. The products with n are exact for
    the high part, and the low one leaves |n| 2^-38 HALF of error, so r is off by less than 2^-60. The table, the last
    addition and the polynomial (whose remainder r^6/720 is below 2^-54) are off by less than four times HALF, relatively.
    """
    x = np.clip(x, -690.0, 700.0)
    n = np.rint(x * (64 / math.log(2)))
    r = (x - n * _STEP_HIGH) - n * _STEP_LOW
    polynomial = r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120)))))
    index = n.astype(np.int64)
    power = _POWERS[index & 63]
    return np.ldexp(power + power * polynomial, (index >> 6).astype(np.int32)) * (1 + 2.0**-50)


def tree_sum(x: np.ndarray) -> np.ndarray:
    """Return sums along the last axis, off by at most `_levels(n)` times HALF times the sums of absolute values."""
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        folded = x[..., :half] + x[..., half : 2 * half]
        if x.shape[-1] % 2:
            folded[..., 0] += x[..., -1]
        x = folded
    return x[..., 0] if x.shape[-1] else np.zeros(x.shape[:-1])


def _levels(n: int) -> int:
    return 2 * n.bit_length()  # at most two additions at each halving


def logs(x: np.ndarray) -> np.ndarray:
    """Return logarithms, off by less than twice HALF, relatively."""
    distinct, inverse = np.unique(x, return_inverse=True)
    return np.array([float(arb(value).log()) for value in distinct.tolist()])[inverse].reshape(x.shape)


# ------------------------------------------------------------------------------------------------ the channel


@dataclass
class Channel:
    """A channel, with balls of its rate and its mean losses."""

    rows: np.ndarray
    letters: np.ndarray
    rate: Any = None
    means: dict[str, Any] = field(default_factory=dict)


def channel_of(arrays: dict[str, Any], problem: Problem) -> Channel:
    """Return the certificate's channel with its means, or refute."""
    rows = _numbers(arrays, "certificate_channel", 2, Refuted, problem.is_kept.size)[problem.is_kept]
    letters = _integers(arrays, "certificate_letters", 1)
    if letters.size != rows.shape[1]:
        raise Refuted(f"The channel has {rows.shape[1]} columns for {letters.size} letters.")
    if not letters.size:
        return Channel(rows, letters)
    if not (np.isfinite(rows).all() and (rows >= 0).all() and all(map(_is_near_one, rows))):
        raise Refuted("A row of the channel is negative, not finite, or does not sum to one.")
    if problem.tables:
        if letters.min() < 0 or letters.max() >= problem.tables[0].shape[1]:
            raise Refuted("The channel has a letter that the problem does not have.")
        if (problem.forbidden[:, letters] & (rows > 0)).any():
            raise Refuted("The channel uses a forbidden pair.")
    elif not np.array_equal(letters, np.arange(letters.size)):
        raise Refuted("Letters that are points have to be numbered 0, 1, ...")
    if problem.is_fixed and any(loss.kind == "label" for loss in problem.losses) and _has_repeats(letters):
        raise Refuted("A symbol occurs twice among letters that are fixed.")
    return _evaluated(Channel(rows, letters), problem)


def _has_repeats(values: np.ndarray) -> bool:
    return np.unique(values).size < values.size


def _evaluated(channel: Channel, problem: Problem) -> Channel:
    """Fill in the balls; I(W) is the sum of m log W, m being the joint masses, less that of q log q for the letters."""
    joint: list[list[tuple[int, Any]]] = []  # for every symbol the letters it uses and the masses of the pairs
    q = [arb(0)] * channel.letters.size
    rate = arb(0)
    for mass, row in zip(problem.masses, channel.rows, strict=True):
        total = _sum(row)
        share = mass / total
        entries = [(a, float(row[a])) for a in np.flatnonzero(row)]
        joint.append([(a, share * entry) for a, entry in entries])
        for a, m in joint[-1]:
            q[a] += m
        # Below 1e-40, 0 > x log x > -1e-37: no logarithm is needed.
        information = sum(
            (entry * arb(entry).log() if entry >= RAISED else arb(0, 1e-37) for _, entry in entries), arb(0)
        )
        rate += share * information - mass * total.log()
    is_constant = bool((channel.rows == channel.rows[0]).all())  # then the rate is zero, and not nearly zero
    channel.rate = arb(0) if is_constant else rate - sum(map(_x_log_x, q), arb(0))
    for loss in problem.losses:
        mean = {"table": _table_mean, "points": _points_mean, "label": _label_mean}[loss.kind]
        channel.means[loss.name] = mean(loss.data, joint, channel)
        if loss.kind == "points":
            channel.means[loss.name] /= problem.scale
    return channel


def _x_log_x(x: Any) -> Any:
    return x * x.log() if x > 0 else arb(0)


def _table_mean(table: np.ndarray, joint: list[Any], channel: Channel) -> Any:
    used = table[:, channel.letters].tolist()
    return sum((m * used[i][a] for i, terms in enumerate(joint) for a, m in terms), arb(0))


def _points_mean(points: np.ndarray, joint: list[Any], channel: Channel) -> Any:
    """Return E |X - E[X | A]|^2; a letter of a single point adds nothing, exactly."""
    total = arb(0)
    for terms in _by_letter(joint, channel.letters.size):
        used = points[[i for i, _ in terms]]
        if not terms or (used == used[0]).all():
            continue
        q = sum((m for _, m in terms), arb(0))
        for coordinate in used.T.tolist():
            deviations = [arb(value) - coordinate[0] for value in coordinate]
            first = sum((m * x for (_, m), x in zip(terms, deviations, strict=True)), arb(0))
            total += sum((m * x * x for (_, m), x in zip(terms, deviations, strict=True)), arb(0)) - first * first / q
    return total


def _label_mean(label: np.ndarray, joint: list[Any], channel: Channel) -> Any:
    """Return H(S | A); a letter with a single class adds nothing, exactly."""
    shares = _shares(label)
    total = arb(0)
    for terms in _by_letter(joint, channel.letters.size):
        masses: dict[int, Any] = {}
        for i, m in terms:
            for s, w in shares[i]:
                masses[s] = masses.get(s, 0) + m * w
        if len(masses) > 1:
            total += _x_log_x(sum(masses.values(), arb(0))) - sum(map(_x_log_x, masses.values()), arb(0))
    return total


def _shares(label: np.ndarray) -> list[list[tuple[int, Any]]]:
    """Return for every symbol its classes with their probabilities."""
    return [[(s, arb(row[s]) / _sum(row)) for s in np.flatnonzero(row).tolist()] for row in label]


def _by_letter(joint: list[Any], n_letters: int) -> list[list[tuple[int, Any]]]:
    letters: list[list[tuple[int, Any]]] = [[] for _ in range(n_letters)]
    for i, terms in enumerate(joint):
        for a, m in terms:
            letters[a].append((i, m))
    return letters


def exact_mean(loss: Loss, channel: Channel, problem: Problem) -> Fraction | None:
    """Return the mean of a loss as a fraction where it is one: for limits that are met without any room."""
    if loss.kind == "label":
        return None
    rows = [[Fraction(entry) for entry in row] for row in channel.rows.tolist()]
    masses = list(map(Fraction, problem.stored.tolist()))
    total = sum(masses)
    if loss.kind == "table":
        used = loss.data[:, channel.letters].tolist()
        means: dict[Fraction, Fraction] = {}  # rows of equal sums are added first: a denominator for each is expensive
        for mass, row, losses in zip(masses, rows, used, strict=True):
            mean = sum((w * Fraction(x) for w, x in zip(row, losses, strict=True) if w), Fraction(0))
            means[sum(row)] = means.get(sum(row), Fraction(0)) + mass * mean
        return sum((mean / row for row, mean in means.items()), Fraction(0)) / total
    mean = Fraction(0)
    for a in range(channel.letters.size):
        joint = [mass * row[a] / sum(row) / total for mass, row in zip(masses, rows, strict=True)]
        for coordinate in loss.data.T.tolist() if any(joint) else []:
            first = sum(m * Fraction(x) for m, x in zip(joint, coordinate, strict=True))
            mean += sum(m * Fraction(x) ** 2 for m, x in zip(joint, coordinate, strict=True)) - first**2 / sum(joint)
    return mean / Fraction(problem.scale)


def is_at_most(ball: Any, bound: float, exact: Callable[[], Fraction | None]) -> bool:
    """Say whether a number that a ball holds is at most the bound; balls that straddle it need the exact number."""
    if bound == math.inf or ball <= bound:
        return True
    if not ball.contains(arb(bound)):
        return False
    value = exact()
    return value is not None and value <= Fraction(bound)


# ------------------------------------------------------------------------------------------------ the dual bound


@dataclass
class Dual:
    """The certificate's multipliers, by name and of positive ones only, and u as balls."""

    multipliers: dict[str, float]
    u: list[Any]


def dual_of(arrays: dict[str, Any], problem: Problem) -> Dual:
    """Return the dual point, or refute."""
    n_x = problem.is_kept.size
    multipliers = _numbers(arrays, "certificate_multipliers", 1, Refuted, len(problem.losses)).tolist()
    if not all(0 <= value < math.inf for value in multipliers):
        raise Refuted("A multiplier of the certificate is negative or not finite.")
    u = _numbers(arrays, "certificate_u", 1, Refuted, n_x)[problem.is_kept]
    rest = np.zeros(u.size)
    if "certificate_u_rest" in arrays:
        rest = _numbers(arrays, "certificate_u_rest", 1, Refuted, n_x)[problem.is_kept]
    if not (np.isfinite(u).all() and np.isfinite(rest).all()):
        raise Refuted("The certificate's u is not finite.")
    names = [loss.name for loss in problem.losses]
    used = {name: value for name, value in zip(names, multipliers, strict=True) if value > 0}
    return Dual(used, [arb(a) + arb(b) for a, b in zip(u.tolist(), rest.tolist(), strict=True)])


def least_mean(loss: Loss, problem: Problem) -> Any:
    """Return a ball of the least mean that any channel has, or of a bound on it from below."""
    if loss.kind == "points":
        return arb(0)
    if loss.kind == "table":
        least = np.where(problem.forbidden, np.inf, loss.data).min(axis=1).tolist()
        return sum((mass * value for mass, value in zip(problem.masses, least, strict=True)), arb(0))
    shares = zip(problem.masses, _shares(loss.data), strict=True)
    return sum((-mass * _x_log_x(w) for mass, row in shares if len(row) > 1 for _, w in row), arb(0))


def trivial_bound(problem: Problem) -> Any:
    """Return the bound that needs no certificate."""
    if problem.objective == "rate":
        return arb(0)
    least = {loss.name: least_mean(loss, problem) for loss in problem.losses}
    if problem.multipliers is None:
        return least[problem.objective]
    return sum((problem.multipliers[name] * value for name, value in least.items()), arb(0))


def plane(problem: Problem, dual: Dual, price: Any, losses: dict[str, float]) -> Any:
    """Return p.u - log C less multipliers times losses: no channel with these means has a lower rate."""
    value = sum((mass * u for mass, u in zip(problem.masses, dual.u, strict=True)), arb(0)) - price.log()
    return value - sum((arb(dual.multipliers[name]) * loss for name, loss in losses.items()), arb(0))


def dual_bound(problem: Problem, dual: Dual, price: Any) -> Any:
    """Return the bound that a dual point proves, given the largest price."""
    if problem.multipliers is not None:
        if any(value > problem.multipliers[name] for name, value in dual.multipliers.items()):
            raise Refuted("A multiplier of the certificate exceeds the problem's own.")
        return plane(problem, dual, price, {})
    charged = {name: problem.bounds.get(name, math.inf) for name in dual.multipliers if name != problem.objective}
    if math.inf in charged.values():
        raise Refuted("A multiplier of the certificate is positive, but its loss is not limited.")
    value = plane(problem, dual, price, charged)
    if problem.objective == "rate":
        return value
    if problem.objective not in dual.multipliers:
        raise Refuted(f"The multiplier of {problem.objective}, which is minimised, is zero.")
    return (value - problem.rate_bound) / dual.multipliers[problem.objective]


# ------------------------------------------------------------------------------------------------ the largest price


def largest_price(problem: Problem, dual: Dual, proof: dict[str, Any]) -> Any:
    """Return a number, as an exact ball, that no letter's price exceeds; None where nothing can be proved."""
    labels = [loss for loss in problem.losses if loss.kind == "label" and loss.name in dual.multipliers]
    first = problem.losses[0]
    if first.kind == "table":
        if not labels:
            return _largest_listed(problem, dual)
        amounts: Callable[..., Any] = _listed_amounts
    elif first.name not in dual.multipliers:
        amounts = _single_amounts
    elif first.data.shape[1] > 1:
        return None
    else:
        amounts = _line_amounts
    reduced = [_reduced(label.data, dual.multipliers[label.name]) for label in labels]
    factor = sum((label.factor for label in reduced), arb(0))
    parts, excess = _parts(reduced, len(problem.masses))
    largest, totals = 0.0, np.zeros(1)
    known = {"line"} if amounts is _line_amounts else set()
    for g, part in enumerate(parts):
        values, columns = amounts(problem, dual, part, factor, proof)
        names = ("places_columns", "places", "splits", "ends")
        bounds, total = _part_bounds(part, values, columns, {name: proof.get(f"{g}_{name}") for name in names})
        largest = max(largest, float(bounds.max()))
        totals = totals + total[columns]
        known |= {f"{g}_{name}" for name in names}
    if not proof.keys() <= known:
        raise Refuted(f"The proof has {min(proof.keys() - known)!r}, which this problem has no use for.")
    return arb(upper(arb(largest) + excess * 2 * arb(float(totals.max()))))


def _weights(problem: Problem, dual: Dual) -> tuple[list[float], list[list[list[float]]]]:
    """Return the multipliers of linear losses that count, and these losses."""
    used = [loss for loss in problem.losses if loss.kind == "table" and loss.name in dual.multipliers]
    return [dual.multipliers[loss.name] for loss in used], [loss.data for loss in used]


def _largest_listed(problem: Problem, dual: Dual) -> Any:
    """Return the largest price of letters that are listed: bounds of all in floating point, balls of the dearest."""
    multipliers, tables = _weights(problem, dual)
    forbidden = problem.forbidden
    least = [np.where(forbidden, np.inf, table).min(axis=1) for table in tables]
    shifted = list(dual.u)
    exponent = np.where(forbidden, -np.inf, 0.0)
    for multiplier, table, low in zip(multipliers, tables, least, strict=True):
        shifted = [v - arb(multiplier) * x for v, x in zip(shifted, low.tolist(), strict=True)]
        exponent[~forbidden] -= (multiplier * (table - low[:, None]))[~forbidden]
    # All terms of an exponent have one sign, so it is off by a relative (M + 2) HALF at most.
    exponent = exponent * (1 - (len(tables) + 4) * HALF)
    top = arb(max(map(upper, shifted)))
    scale = np.array([upper(m * (v - top).exp()) for m, v in zip(problem.masses, shifted, strict=True)])
    terms = np.where(forbidden, 0.0, exp_up(exponent)) * scale[:, None]
    bounds = tree_sum(terms.T) * (1 + 2.0**-46) + SMALL  # of which _levels(n) + 2 times HALF is needed
    largest = arb(0)
    for j in np.argsort(-bounds).tolist():
        if arb(float(bounds[j])) * top.exp() < largest:
            break
        price = _price(problem, dual, multipliers, [table[:, j].tolist() for table in tables], ~forbidden[:, j]).upper()
        largest = price if price > largest else largest
    return largest


def _price(problem: Problem, dual: Dual, multipliers: list[float], columns: list[Any], allowed: np.ndarray) -> Any:
    total = arb(0)
    for i in np.flatnonzero(allowed).tolist():
        exponent = dual.u[i]
        for multiplier, column in zip(multipliers, columns, strict=True):
            exponent -= arb(multiplier) * column[i]
        total += problem.masses[i] * exponent.exp()
    return total


# ------------------------------------------------------------------------------------------------ reductions


class Reduced(NamedTuple):
    """A label after reduction (a): its powers rounded down, where they are positive, the factor, the least row sum."""

    powers: np.ndarray
    positive: np.ndarray
    factor: Any
    least: Any


def _reduced(table: np.ndarray, multiplier: float) -> Reduced:
    """Split off the constant classes. Rows are divided by their sums here: what then depends on i is bounded.

    With x for the mass of r on E, and r = x e there, (1 - x) rho elsewhere, a term has the factor x^a (1 - x)^b times powers
    of e. All are at most one, so the least exponents of all rows bound it, and these have the maximum `factor`.
    """
    excess = np.array([_excess(row) for row in table])
    present = (table > 0).any(axis=0)
    constant = present & (table == table[0]).all(axis=0)
    if not (present & ~constant).any():
        constant[:] = False
    powers = multiplier * table / (1 + excess)[:, None] * (1 - 2.0**-50)  # four roundings, 2^-51 together
    powers[powers < SMALL] = 0.0
    powers[:, constant] = 0.0
    ends = [1 + arb(float(end), abs(float(end)) * 2 * HALF) for end in (excess.min(), excess.max())]
    entries = [arb(value) for value in table[0, constant].tolist()]
    exponents = [multiplier * entry / ends[1] for entry in entries]
    least = (multiplier * (1 - sum(entries, arb(0)) / ends[0])).lower() if entries else arb(multiplier)
    exponents.append(least if least > 0 else arb(0))
    total = sum(exponents, arb(0))
    factor = sum((exponent * (exponent / total).log() for exponent in exponents if exponent > 0), arb(0))
    return Reduced(powers, (table > 0) & ~constant, factor, exponents[-1])


@dataclass
class Part:
    """Symbols whose terms are bounded together: `tops` are upper bounds of the largest exponent, for every label."""

    rows: np.ndarray
    spans: list[slice]
    powers: np.ndarray
    tops: np.ndarray

    @property
    def row_sums(self) -> np.ndarray:
        """Sums of powers, each rounded once."""
        return np.array([math.fsum(row) for row in self.powers.tolist()])


def _parts(labels: list[Reduced], n: int) -> tuple[list[Part], Any]:
    """Return the parts, and by how much powers of corners may fall short of one: r^(1 - d) <= r + d for 0 <= r <= 1."""
    corners = [label for label in labels if (label.positive.sum(axis=1) == 1).all() and label.least >= 1 - ROUNDING]
    others = [label for label in labels if not any(label is corner for corner in corners)]
    short = sum((1 - label.least for label in corners if label.least < 1), arb(0))
    if not corners:
        return [_part(others, np.arange(n))], short
    classes = np.stack([label.positive.argmax(axis=1) for label in corners], axis=1)
    distinct, which = np.unique(classes, axis=0, return_inverse=True)  # in lexicographical order
    return [_part(others, np.flatnonzero(which.ravel() == g)) for g in range(len(distinct))], short


def _part(labels: list[Reduced], rows: np.ndarray) -> Part:
    spans, powers, tops, start = [], [np.zeros((rows.size, 0))], [np.zeros((rows.size, 0))], 0
    for label in labels:
        classes = np.flatnonzero(label.positive[rows].any(axis=0))
        if classes.size > 1:
            powers.append(label.powers[np.ix_(rows, classes)])
            tops.append(np.array([[_top(row)] for row in powers[-1].tolist()]))
            spans.append(slice(start, start + classes.size))
            start += classes.size
    return Part(rows, spans, np.hstack(powers), np.hstack(tops))


def _top(powers: list[float]) -> float:
    """Return an upper bound of the largest sum of b log r, which is reached at r proportional to b."""
    balls = [arb(power) for power in powers if power > 0]
    total = sum(balls, arb(0))
    return min(upper(sum((ball * (ball / total).log() for ball in balls), arb(0))), 0.0)


# ------------------------------------------------------------------------------------------------ columns


def _exponents(dual: Dual, part: Part, factor: Any) -> list[Any]:
    """Return the balls of what all columns of a part have in common: u, the factor, and the largest exponents."""
    return [
        dual.u[i] + factor + sum(map(arb, top), arb(0))
        for i, top in zip(part.rows.tolist(), part.tops.tolist(), strict=True)
    ]


def _single_amounts(problem: Problem, dual: Dual, part: Part, factor: Any, _: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the amounts A where letters are points whose place does not matter, and the only column."""
    exponents = zip(part.rows.tolist(), _exponents(dual, part, factor), strict=True)
    return np.array([[upper(problem.masses[i] * exponent.exp()) for i, exponent in exponents]]), np.zeros(1, dtype=int)


def _listed_amounts(problem: Problem, dual: Dual, part: Part, factor: Any, _: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return upper bounds of A, a row for each distinct column of the part, and which row belongs to which column."""
    multipliers, tables = _weights(problem, dual)
    forbidden = problem.forbidden[part.rows]
    tables = [np.where(forbidden, np.inf, table[part.rows]) for table in [np.zeros(problem.forbidden.shape), *tables]]
    numbers: dict[bytes, int] = {}
    columns = np.array([numbers.setdefault(column.tobytes(), len(numbers)) for column in np.vstack(tables).T])
    firsts = np.unique(columns, return_index=True)[1]
    amounts = np.zeros((len(numbers), part.rows.size))
    shared = _exponents(dual, part, factor)
    for i, common in enumerate(shared):
        mass = problem.masses[part.rows[i]]
        losses = [table[i, firsts].tolist() for table in tables[1:]]
        for row in np.flatnonzero(~forbidden[i, firsts]).tolist():
            exponent = common
            for multiplier, loss in zip(multipliers, losses, strict=True):
                exponent -= arb(multiplier) * loss[row]
            amounts[row, i] = upper(mass * exponent.exp())
    return amounts, columns


def _bernstein() -> np.ndarray:
    """Return coefficient k of t^n on [-1, 1], as element k, n: t = x - (1 - x), and 1 = x + (1 - x) fills up the degree."""
    table = np.zeros((DEGREE + 1, DEGREE + 1))
    for k, n in itertools.product(range(DEGREE + 1), repeat=2):
        terms = (math.comb(n, a) * math.comb(DEGREE - n, k - a) * (-1) ** (n - a) for a in range(min(k, n) + 1))
        table[k, n] = Fraction(sum(terms), math.comb(DEGREE, k))
    return table


def _line_amounts(problem: Problem, dual: Dual, part: Part, factor: Any, proof: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return upper bounds of A for the eleven weightings of every cell of the line."""
    points = problem.losses[0].data[:, 0]
    cells = _line_cells(proof, points)
    root = math.sqrt(dual.multipliers[problem.losses[0].name])
    centres = cells.mean(axis=1)  # any point will do: the half width is taken from it, rounded up
    widths = root * np.maximum(cells[:, 1] - centres, centres - cells[:, 0]) * (1 + 8 * HALF)
    z = root * (points[part.rows] - centres[:, None])  # off by a relative 4 HALF
    weights = _weightings(z, widths)
    common = zip(part.rows.tolist(), _exponents(dual, part, factor), strict=True)
    scale = np.array([upper(problem.masses[i] * exponent.exp()) for i, exponent in common])
    amounts = weights.reshape(-1, part.rows.size) * scale * (1 + 4 * HALF) + SMALL
    return amounts, np.arange(amounts.shape[0])


def _line_cells(proof: dict[str, Any], points: np.ndarray) -> np.ndarray:
    cells = _numbers(proof, "line", 2, Refuted)
    if cells.shape[1] != 2 or not cells.size or not np.isfinite(cells).all() or (cells[:, 0] > cells[:, 1]).any():
        raise Refuted("The cells of the line are no intervals.")
    if cells[0, 0] > points.min() or cells[-1, 1] < points.max() or (cells[1:, 0] != cells[:-1, 1]).any():
        raise Refuted("The cells of the line do not cover the points without a gap.")
    return cells


def _weightings(z: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return upper bounds of the weights of (cell, weighting, symbol).

    With h_n = H_n(z) exp(-z^2/2) / sqrt(2^n n!), which stays below 1.0866, and scale s_n = (sqrt(2) T)^n / sqrt(n!), a weight is
    exp(-z^2/2) (max(0, sum of coefficients s_n h_n) + what is cut off). Errors of h_n are carried along the recursion; an
    error of z counts as one of the products that it occurs in, and once in exp(-z^2/2).
    """
    half = z * z / 2
    h = [exp_up(-half)]
    errors = [h[0] * (2.0**-48 + half * 16 * HALF) + SMALL]
    h.append(z * math.sqrt(2) * h[0])
    errors.append(np.abs(z) * 1.4143 * errors[0] + 10 * HALF * np.abs(h[1]))
    for n in range(1, DEGREE):
        up, down = z * math.sqrt(2 / (n + 1)) * h[n], math.sqrt(n / (n + 1)) * h[n - 1]
        error = np.abs(z) * math.sqrt(2.0001 / (n + 1)) * errors[n] + errors[n - 1]
        errors.append(error + 12 * HALF * (np.abs(up) + np.abs(down)))
        h.append(up - down)
    powers = np.arange(DEGREE + 1)
    factorials = np.array([math.factorial(n) for n in powers], dtype=float)
    scale = (math.sqrt(2) * widths[:, None, None]) ** powers[:, None] / np.sqrt(factorials)[:, None]
    scaled, errors = np.stack(h, axis=1) * scale, np.stack(errors, axis=1) * scale
    table = _bernstein()
    allowed = (np.abs(table) @ (errors + 200 * HALF * np.abs(scaled))) * 1.001  # powers: 30 roundings, sums: 11
    with np.errstate(all="ignore"):
        cut = 1.0866 * (math.sqrt(2) * widths) ** 11 / math.sqrt(math.factorial(11)) / (1 - math.sqrt(1 / 6) * widths)
    cut = np.where(widths < 2.4, cut * (1 + 1e-13), np.inf)
    values = np.maximum(table @ scaled, 0.0) + allowed + cut[:, None, None]
    return values * (exp_up(-half * (1 - 16 * HALF)) * (1 + 8 * HALF))[:, None, :]


# ------------------------------------------------------------------------------------------------ bounds of a part


def _part_bounds(
    part: Part, amounts: np.ndarray, columns: np.ndarray, proof: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return upper bounds of the prices of the distinct columns, and their totals."""
    totals = tree_sum(amounts) * (1 + (_levels(amounts.shape[1]) + 2) * HALF) + SMALL
    totals = np.where(np.isnan(totals), np.inf, totals)
    best = totals.copy()
    if not part.spans:
        return best, totals
    with np.errstate(all="ignore"):  # what overflows is no number, and then the total stands
        for found, bounds in (_tangents(part, amounts, columns, proof), _cells(part, amounts, columns, proof)):
            bounds = np.where(np.isnan(bounds), np.inf, bounds)
            np.minimum.at(best, columns[found], bounds)
    return best, totals


def _columns(values: Any, name: str, n_columns: int) -> np.ndarray:
    numbers = _integers({name: values}, name, 1)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= n_columns):
        raise Refuted(f"{name} names a column that does not exist.")
    return numbers


def _tangents(
    part: Part, amounts: np.ndarray, columns: np.ndarray, proof: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns that have a place, and the bounds of tangents there.

    With B_i for the sum of powers of row i, sum_s r_s G_s = sum_i g_i B_i, so the bound is sum_i g_i (1 - B_i) + sum_k max_s G_s.
    Nothing in it is negative, so roundings are relative, and g may be replaced by upper bounds.
    """
    none = np.zeros(0, dtype=int), np.zeros(0)
    if proof["places"] is None:
        return none
    found = _columns(proof["places_columns"], "places_columns", columns.size)
    places = _numbers(proof, "places", 2, Refuted, found.size)
    if places.shape[1] != part.powers.shape[1] or not ((places > 0) & np.isfinite(places)).all():
        raise Refuted("A place of the proof is no decision of the part's classes.")
    powers, sums = part.powers, part.row_sums
    if sums.max() > 1 + ROUNDING:
        return none
    if sums.max() > 1:  # lower powers only raise prices
        powers, sums = powers * (1 - 2 * ROUNDING), sums * (1 - ROUNDING)
    heights = logs(places)
    allowed = (np.abs(heights) @ powers.T - part.tops.sum(axis=1)) * (powers.shape[1] + 8) * HALF
    terms = amounts[columns[found]] * exp_up(heights @ powers.T - part.tops.sum(axis=1) + allowed)
    slopes = np.stack([tree_sum(terms * power) for power in powers.T], axis=1) / places
    steepest = sum(slopes[:, span].max(axis=1) for span in part.spans)
    rest = tree_sum(terms * (np.maximum(1 - sums, 0.0) + 2 * HALF))
    return found, (rest + steepest) * (1 + (_levels(terms.shape[1]) + 10 + len(part.spans)) * HALF) + SMALL


def _cells(
    part: Part, amounts: np.ndarray, columns: np.ndarray, proof: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns that the tree bounds, and their bounds."""
    if proof["splits"] is None:
        return np.zeros(0, dtype=int), np.zeros(0)
    ends = _integers(proof, "ends", 2)
    if ends.shape[1] != 2:
        raise Refuted("The ends of the tree are no pairs of node and column.")
    splits = _integers(proof, "splits", 1)
    _columns(ends[:, 1], "ends", columns.size)
    vertices = replayed(splits, [span.stop - span.start for span in part.spans])
    check_coverage(splits, ends, columns.size)
    ends = ends[np.argsort(ends[:, 0], kind="stable")]
    nodes, which = np.unique(ends[:, 0], return_inverse=True)
    bounds = np.empty(len(ends))
    size = max(1, 200_000 // (part.rows.size * max(map(len, vertices[0]))))
    for start in range(0, nodes.size, size):
        chosen = nodes[start : start + size]
        cells = Cells(part, [np.maximum(vertex[chosen], RAISED) for vertex in vertices])
        low, high = np.searchsorted(which, [start, start + size])
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
    if splits.size != 2 * parents.size + 1 or (splits >= len(edges)).any() or (splits < -1).any():
        raise Refuted("The tree of cells has edges that do not exist, or nodes that are missing or left over.")
    if (parents >= 2 * np.arange(parents.size) + 1).any():
        raise Refuted("A cell of the tree is among its own descendants.")
    if splits.size * sum(size * size for size in sizes) * 8 > MOST_BYTES:
        raise Refuted("The tree of cells is too large to be looked at.")
    vertices = [np.zeros((splits.size, size, size)) for size in sizes]
    for vertex, size in zip(vertices, sizes, strict=True):
        vertex[0] = np.eye(size)
    stop = done = 0
    while done < parents.size:
        stop = 2 * done + 1  # nodes below are known
        level = np.arange(done, np.searchsorted(parents, stop))
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
    if ends.size and (ends[:, 0].min() < 0 or ends[:, 0].max() >= splits.size):
        raise Refuted("The ends of the tree name nodes that do not exist.")
    keys = np.unique(ends[:, 0] * n_columns + ends[:, 1])
    number = np.cumsum(splits >= 0) - 1  # which of the parents a node is
    active = np.unique(ends[:, 1])
    reached = 0
    while active.size:
        ended = np.isin(active, keys)
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

    Exponents are sums of powers times logarithms, all of one sign, less a top: `off` times the sum of their sizes covers a
    relative HALF for every class and label, the logarithm (2 HALF), the subtraction, and adding labels up.
    """

    def __init__(self, part: Part, vertices: list[np.ndarray]) -> None:
        n_cells, n = vertices[0].shape[0], part.rows.size
        self.part = part
        self.degree = max(1.0, float(part.row_sums.max()) * (1 + 4 * HALF))
        self.t = [vertex / (vertex.sum(axis=1) / vertex.shape[1])[:, None, :] - 1 for vertex in vertices]
        names = ("middle", "error", "low", "high", "linear", "sizes", "square")
        sums = {name: np.zeros((n_cells, n)) for name in names}
        for k, vertex in enumerate(vertices):
            for name, value in self._label_terms(k, vertex).items():
                sums[name] += value
        self.middle, self.error, self.linear, self.sizes, self.square = (
            sums[name] for name in ("middle", "error", "linear", "sizes", "square")
        )
        self.spread = np.max([np.abs(t).max(axis=(1, 2)) for t in self.t], axis=0)
        self._chords(sums["low"], np.minimum(sums["high"], 0.0))

    def _label_terms(self, k: int, vertex: np.ndarray) -> dict[str, np.ndarray]:
        """Return what a label contributes: bounds of its exponent, and sizes of its linear and quadratic forms."""
        powers, top, t = self.part.powers[:, self.part.spans[k]], self.part.tops[:, k], self.t[k]
        off = (powers.shape[1] + 6 + 2 * len(self.part.spans)) * HALF
        at_middle = logs(vertex.sum(axis=1) / vertex.shape[1]) @ powers.T
        at_vertex = logs(vertex) @ powers.T
        error = off * (np.abs(at_vertex) - top)
        low, ends = at_vertex - top - error, at_vertex - top + error
        linear, sizes = t @ powers.T, np.abs(t) @ powers.T
        found = {
            "middle": at_middle - top,
            "error": off * (np.abs(at_middle) - top),
            "low": low.min(axis=1),
            "linear": np.abs(linear).max(axis=1) * (1 + 8 * HALF) + 2 * off * sizes.max(axis=1),
            "sizes": sizes.max(axis=1),
            "square": (t * t @ powers.T).max(axis=1) * (1 + 4 * off),
        }
        if powers.shape[1] == 2:
            mode = powers[:, 0] / (powers[:, 0] + powers[:, 1])
            first = vertex[:, :, :1]
            inside = (first.min(axis=1) - 1e-15 <= mode) & (mode <= first.max(axis=1) + 1e-15)
            found["high"] = np.where(inside, 0.0, ends.max(axis=1))
        else:
            # B log(1 + y / B) <= y (6 B + y) / (6 B + 4 y) for y >= 0, and it grows with B.
            total = powers.sum(axis=1) * (1 + 2 * off)
            y = np.maximum(linear.max(axis=1) + 2 * off * sizes.max(axis=1), SMALL)
            rise = y * (6 * total + y) / (6 * total + 4 * y) * (1 + 16 * HALF)
            found["high"] = np.minimum(found["middle"] + 2 * found["error"] + rise * (1 + 4 * HALF), 0.0)
        return found

    def _chords(self, low: np.ndarray, high: np.ndarray) -> None:
        """Set the line above a term: exp(high) (1 + chord (x - 1)), x = (1 + fall) (1 + sum b t / degree).

        Every slope from zero to the chord's is valid, so chords are rounded down; x is rounded up.
        """
        drop = (high - low) * (1 + 4 * HALF)
        part = drop / self.degree
        near = self.degree * (1 - drop / 2 * (1 - drop / 3 * (1 - drop / 4))) / (1 - part / 2 * (1 - part / 3))
        smallest = np.where(part < 16, exp_up(-part) * (1 - 2.0**-47), 0.0)
        far = (1 - exp_up(-drop)) / (1 - smallest)
        self.chord = np.maximum(np.where(drop < 0.1, near, far) * (1 - 1e-14), 1.0)
        self.fall = _expm1_up((self.middle + self.error - high) / self.degree)
        self.top = exp_up(high)
        self.slope = self.chord * (1 + self.fall) / self.degree

    def bounds(self, cell: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return upper bounds of the sums of amounts (rows, n) times terms, each on its cell."""
        bounds = self._first(cell, amounts)
        corners = math.prod(t.shape[1] for t in self.t)
        is_small = (self.spread < 0.25) & (self.degree * self.spread**2 < 0.25)
        small = np.flatnonzero(is_small[cell]) if corners <= 64 else np.zeros(0, dtype=int)
        if small.size:
            bounds[small] = np.fmin(bounds[small], self._second(cell[small], amounts[small]))
        return bounds

    def _first(self, cell: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return the bounds by chords of tangents.

        Terms have fewer than ten roundings, their sum `_levels`, t two that count as 1 + |t|: all are times `sizes`, the sum
        of the absolute values of everything that is added.
        """
        powers = self.part.powers
        weights = amounts * self.top[cell]
        slopes = weights * self.slope[cell]
        rise = self.chord * self.fall
        constant = tree_sum(weights * (1 + rise)[cell])
        gradient = np.stack([tree_sum(slopes * power) for power in powers.T], axis=1)
        steepest = sum(
            np.einsum("rs,rvs->rv", gradient[:, span], t[cell]).max(axis=1)
            for span, t in zip(self.part.spans, self.t, strict=True)
        )
        sizes = tree_sum(weights * (1 + np.abs(rise))[cell] + slopes * (self.sizes + self.degree)[cell])
        return constant + steepest + (_levels(amounts.shape[1]) + 20 + powers.shape[1]) * HALF * sizes + SMALL

    def _second(self, cell: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return the bounds by expansions to second order, at pairs of corners."""
        powers, n_classes = self.part.powers, self.part.powers.shape[1]
        remainder = self._remainder(cell)
        weights = amounts * exp_up((self.middle + self.error)[cell])
        constant = tree_sum(weights * (1 + remainder))
        gradient = np.stack([tree_sum(weights * power) for power in powers.T], axis=1)
        square = np.empty((cell.size, n_classes, n_classes))
        for s, z in itertools.combinations_with_replacement(range(n_classes), 2):
            square[:, s, z] = square[:, z, s] = tree_sum(weights * (powers[:, s] * powers[:, z]))
        diagonal = np.arange(n_classes)
        sizes = square.copy()
        sizes[:, diagonal, diagonal] += gradient
        square[:, diagonal, diagonal] -= gradient
        corners = self._corners(cell)
        half = np.einsum("rs,rvs->rv", gradient, corners) / 2
        forms = corners @ square @ corners.swapaxes(1, 2) / 2 + half[:, :, None] + half[:, None, :]
        t = np.abs(corners).max(axis=1)
        bent = np.einsum("rsz,rz->rs", sizes, t)
        moved = gradient.sum(axis=1) + bent.sum(axis=1)  # how much an error of t counts, which is 3 HALF at most
        everything = constant + np.einsum("rs,rs->r", gradient + bent, t)
        allowed = (_levels(amounts.shape[1]) + 24 + 3 * n_classes) * HALF * everything + 4 * HALF * moved
        return constant + forms.max(axis=(1, 2)) + allowed + SMALL

    def _remainder(self, cell: np.ndarray) -> np.ndarray:
        linear, square, spread = (
            self.linear[cell],
            self.square[cell],
            self.spread[cell][:, None] * (1 + 8 * HALF) + 2 * HALF,
        )
        near = 1 - spread
        first, second = linear + square / near, square / near**2
        third = first**3 + 3 * first * second + 2 * square * spread / near**3
        return exp_up(np.minimum(linear, (self.error - self.middle)[cell])) * third / 6 * (1 + 64 * HALF)

    def _corners(self, cell: np.ndarray) -> np.ndarray:
        """Return one vertex of every label, in all ways: an array (rows, corners, classes)."""
        choices = list(itertools.product(*(range(t.shape[1]) for t in self.t)))
        return np.concatenate([t[cell][:, [choice[k] for choice in choices]] for k, t in enumerate(self.t)], axis=2)


def _expm1_up(x: np.ndarray) -> np.ndarray:
    """Return upper bounds of exp(x) - 1, sharp for small x; x is allowed to be off by a relative 2^-51."""
    x = x + 4 * HALF * np.abs(x)
    series = x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6)))))
    return np.where(np.abs(x) < 2.0**-7, series + np.abs(x) * 2.0**-50, exp_up(x) - 1 + 2 * HALF)


# ------------------------------------------------------------------------------------------------ the verdict


def check(result_path: Any, problem_path: Any) -> Report:
    """Return what is confirmed of a result file; raises `Unreadable` if one of the files is."""
    return check_arrays(read(result_path), read(problem_path))


def check_arrays(result: dict[str, Any], problem: dict[str, Any]) -> Report:
    """Return what is confirmed of a result, given the arrays of both files by name."""
    with ctx.workprec(PRECISION):
        header = _header(result)
        stated = problem_of(problem)
        examined = Examination(header, stated)
        try:
            examined.run(_with_shared(result))
        except Refuted as refuted:
            examined.report.faults.append(str(refuted))
        examined.report.valid = not examined.report.faults
        return examined.report


def _header(result: dict[str, Any]) -> dict[str, Any]:
    text = _text(result, "header", "")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("The result has no header that is JSON.") from error
    if not isinstance(header, dict) or header.get("format") != "rdcsolve result":
        raise Unreadable("The file is no result of rdcsolve.")
    if header.get("version") not in (1, 2):
        raise Unreadable(f"The result is of version {header.get('version')!r}, which is unknown here.")
    return header


def _with_shared(result: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays with those of the certificate that are not repeated because the result holds them."""
    shared = {f"certificate_{name}": result[name] for name in ("letters", "channel") if name in result}
    return shared | result


class Examination:
    """One result, held against what is proved."""

    def __init__(self, header: dict[str, Any], problem: Problem) -> None:
        self.header, self.problem = header, problem
        self.report = Report()

    def run(self, arrays: dict[str, Any]) -> None:
        """Examine everything; what is wrong becomes a fault."""
        self._words()
        lower_bound = trivial_bound(self.problem)
        self.report.lower = lower(lower_bound)
        if self.header.get("certificate") is None:
            self._without_certificate(lower_bound)
            return
        channel, dual = channel_of(arrays, self.problem), dual_of(arrays, self.problem)
        self._multipliers(dual)
        attained = self._attained(channel)
        proof = {
            k.removeprefix("certificate_proof_"): v for k, v in arrays.items() if k.startswith("certificate_proof_")
        }
        price = self._proved(dual, proof)
        if price is not None:
            proved = dual_bound(self.problem, dual, price)
            lower_bound = proved if proved.lower() > lower_bound.lower() else lower_bound
            self.report.lower = lower(lower_bound)
        self._bounds(lower_bound, attained)
        self._rates(dual, price, channel)

    def _fault(self, is_right: bool, sentence: str) -> None:
        if not is_right:
            self.report.faults.append(sentence)

    def _words(self) -> None:
        header, names = self.header, [loss.name for loss in self.problem.losses]
        certificate = header.get("certificate")
        self._fault(header.get("status") in STATUSES, f"The status {header.get('status')!r} is unknown.")
        self._fault(header.get("proof") in PROOFS, f"The proof {header.get('proof')!r} is unknown.")
        if header.get("unit") not in ("nat", "bit"):
            raise Refuted(f"The unit {header.get('unit')!r} is unknown.")
        if certificate is not None and not isinstance(certificate, dict):
            raise Refuted("The header's certificate is malformed.")
        for objective in (header.get("objective"), (certificate or header).get("objective")):
            if objective != self.problem.objective:
                raise Refuted(f"The result is about {objective!r}, the problem about {self.problem.objective!r}.")
        for key in ("losses", "multipliers"):
            values = header.get(key)
            if not isinstance(values, dict) or list(values) != names:
                raise Refuted(f"The header's {key} are not those of the problem's losses.")

    def _claim(self, key: str, described: dict[str, Any] | None = None) -> Any:
        """Return a number of the header in nats; in bits the certificate's own are in nats nevertheless."""
        value = (described or self.header).get(key)
        if not isinstance(value, float):
            raise Refuted(f"The header's {key} is {value!r} and no real number.")
        is_rate = key.startswith("rate") or self.problem.objective in ("rate", "lagrangian")
        return (
            arb(value) * arb.const_log2() if self.header["unit"] == "bit" and is_rate and not described else arb(value)
        )

    def _multipliers(self, dual: Dual) -> None:
        if self.problem.is_fixed:
            return  # they are then those of the stationary point, and prove nothing
        for name, value in self.header["multipliers"].items():
            own = arb(dual.multipliers.get(name, 0.0))
            if self.header["unit"] == "bit":
                own /= arb.const_log2()
            is_equal = isinstance(value, float) and abs(own - value) <= (abs(value) * 1e-15 if own.rad() > 0 else 0)
            self._fault(is_equal, f"The header's multiplier of {name} is not the certificate's.")

    def _attained(self, channel: Channel) -> Any:
        """Check limits and reported means; return a ball of the objective at the channel, None without a channel."""
        if not channel.letters.size:
            self.report.notes.append("There is no channel, so nothing is attained.")
            return None
        for loss in self.problem.losses:
            self._mean(loss, channel)
        limit = self.problem.rate_bound
        if limit is not None:
            self.report.excess["rate"] = upper(channel.rate - limit)
            self._fault(is_at_most(channel.rate, limit, lambda: None), f"The channel's rate exceeds its limit {limit}.")
        attained = {**channel.means, "rate": channel.rate}.get(self.problem.objective)
        if attained is None:
            charges = (arb(value) * channel.means[name] for name, value in self.problem.multipliers.items())
            attained = channel.rate + sum(charges, arb(0))
        self.report.upper = upper(attained)
        self.exact = {
            loss.name: lambda loss=loss: exact_mean(loss, channel, self.problem) for loss in self.problem.losses
        }
        return attained

    def _mean(self, loss: Loss, channel: Channel) -> None:
        mean, told = channel.means[loss.name], self.header["losses"][loss.name]
        # The header tells means as they were computed, in floating point: that may differ by roundings of the spread.
        spread = {
            "table": lambda: np.ptp(np.where(self.problem.forbidden, loss.data.min(), loss.data)),
            "points": lambda: np.ptp(loss.data, axis=0) @ np.ptp(loss.data, axis=0),
            "label": lambda: math.log(loss.data.shape[1]),
        }[loss.kind]()
        rounding = ROUNDING * float(spread) + 8 * HALF * abs(upper(mean))
        is_told = isinstance(told, float) and math.isfinite(told) and abs(mean - told) <= rounding
        self._fault(is_told, f"The header's mean of {loss.name}, {told!r}, is not the channel's, {upper(mean)!r}.")
        limit = self.problem.bounds.get(loss.name)
        if limit is not None:
            self.report.excess[loss.name] = upper(mean - limit)
            is_met = is_at_most(mean, limit, lambda: exact_mean(loss, channel, self.problem))
            self._fault(is_met, f"The channel's mean of {loss.name} exceeds its limit {limit!r}.")

    def _proved(self, dual: Dual, proof: dict[str, Any]) -> Any:
        """Return a bound of all prices, None where there is none; what is wrong with the proof becomes a fault."""
        try:
            if self.header["version"] == 1 and self._needs_proof(dual):
                self.report.notes.append("A file of version 1 holds no proof of the largest price.")
            price = largest_price(self.problem, dual, proof)
        except Refuted as refuted:
            self._fault(False, str(refuted))
            return None
        if price is None or not price.is_finite():
            self.report.notes.append("No bound of the largest price is proved, so only the trivial bound is.")
            return None
        return price

    def _needs_proof(self, dual: Dual) -> bool:
        return any(loss.name in dual.multipliers for loss in self.problem.losses if loss.kind != "table")

    def _bounds(self, lower_bound: Any, attained: Any) -> None:
        described = self.header["certificate"]
        claims = [("the certificate's", self._claim("lower", described), self._claim("upper", described), True)]
        is_certified = self.header["proof"] == "CERTIFIED"
        claims.append(("the header's", self._claim("objective_lower"), self._claim("objective_upper"), is_certified))
        if not is_certified:
            self.report.notes.append(
                f"No lower bound is claimed but the certificate's: proof is {self.header['proof']!r}."
            )
        exact = getattr(self, "exact", {}).get(self.problem.objective, lambda: None)
        for whose, low, high, is_claimed in claims:
            is_proved = low <= lower_bound or not is_claimed
            self._fault(is_proved, f"Of {whose} lower bound {upper(low)!r} only {lower(lower_bound)!r} is proved.")
            is_kept = (
                high == math.inf if attained is None else not high.is_nan() and is_at_most(attained, float(high), exact)
            )
            self._fault(is_kept, f"The channel does not attain {whose} upper bound {upper(high)!r}.")

    def _rates(self, dual: Dual, price: Any, channel: Channel) -> None:
        """Check the claims on the rate: that the channel has no higher one, and that its losses allow no lower one."""
        low, high = self._claim("rate_lower"), self._claim("rate_upper")
        if channel.letters.size and not high.is_nan():
            self._fault(channel.rate <= high, f"The channel's rate is above the header's upper bound {upper(high)!r}.")
        if self.header["proof"] != "CERTIFIED" or low.is_nan() or low <= 0 or self.problem.objective == "rate":
            return
        told = {name: self.header["losses"][name] for name in dual.multipliers}
        is_proved = price is not None and low <= plane(self.problem, dual, price, told)
        self._fault(is_proved, f"The header's lower bound of the rate, {upper(low)!r}, is not proved.")

    def _without_certificate(self, lower_bound: Any) -> None:
        header = self.header
        if header.get("status") == "INFEASIBLE" or header.get("proof") == "CERTIFIED":
            for loss in self.problem.losses:
                bound = self.problem.bounds.get(loss.name)
                if bound is not None and least_mean(loss, self.problem) > bound:
                    self.report.notes.append(f"No channel meets the limit on {loss.name}, {bound!r}.")
                    self.report.lower = math.inf
                    return
            raise Refuted("The file has no certificate of what it claims, which does not follow from any single limit.")
        self.report.notes.append("There is no certificate, and nothing is claimed but what is trivial.")
        low, high = self._claim("objective_lower"), self._claim("objective_upper")
        self._fault(low.is_nan() or low <= lower_bound, "A lower bound is claimed without a certificate.")
        self._fault(high.is_nan() or high == math.inf, "An upper bound is claimed without a certificate.")


def main(arguments: list[str]) -> int:
    """Print what is confirmed and return the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: check_certificate.py RESULT.npz PROBLEM.npz\n")
        return 2
    try:
        report = check(*arguments)
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{report}\n")
    return 0 if report.valid else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
