"""`solve_many`: many small problems at once, and `solve_arrays`: the same from arrays of any library to such arrays."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdcsolve import deadline, options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.kernels import Backend, backends
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.problems.validation import float_array, loss_matrix, mass_rows, real_numbers
from rdcsolve.reading import read
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status, uninterrupted
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.least_rate import empty
from rdcsolve.solvers.loop import Limits, Settings
from rdcsolve.solvers.small import is_small, side_by_side
from rdcsolve.solvers.solve import solve
from rdcsolve.solvers.threads import one_thread_each

_MOST_AT_ONCE = 2**24  # entries of the kernels that lie side by side
_NOT_DOUBLE = ("float32", "float16", "bfloat16")
PRECISIONS = ("float64", "float32")
"""What steps may be made in."""


@public_call
def solve_many(
    problems: Sequence[Problem],
    *,
    tolerance: float = 1e-9,
    backend: Any = "numpy",
    precision: str = "float64",
    time_limit: float = math.inf,
) -> list[Result]:
    """Solve many problems, the small ones of one shape side by side; every answer is proved and checked by itself.

    Small finite problems, of at most 16384 pairs of symbol and letter, with one limited loss or at given multipliers,
    take their Newton steps together: one call of the array library does a step of all. Each gets a certificate of its
    own, in double precision, that the check confirms. What is not of this kind, or does not come to the tolerance in
    this way, is solved by `solve`.

    Parameters
    ----------
    problems : sequence of Problem
    tolerance : float, optional
        The gap asked for, as of `solve`.
    backend : {"numpy", "cupy", "torch", "auto", "dask"}, Backend or distributed.Client, optional
        Where the steps are made; ``"auto"`` is NumPy here, and so is Dask for problems solved together.
    precision : {"float64", "float32"}, optional
        With ``"float32"`` steps are made in single precision, and those that leave a gap above the tolerance are
        followed by some in double precision. A tolerance of 1e-5 or more is mostly met without. The certificate is in
        double precision in any case.
    time_limit : float, optional
        Wall seconds for all problems together. What is not solved by then has the status ``TIME_LIMIT`` and bounds
        that hold, or no channel at all, with the proof ``NONE``, where it was not begun.

    Returns
    -------
    list of Result
        In the order of the problems.

    Raises
    ------
    InvalidInput
        If an option is out of range, or something else than a problem is among them.
    BackendUnavailable
        If the backend's library is not installed or finds no device that works.
    MissingExtra
        If a backend other than NumPy is asked for without the extra ``gpu``.
    KeyboardInterrupt
        When interrupted: that ends the work on all problems.

    Examples
    --------
    >>> coins = [Problem.from_arrays([1 - p, p], [[0, 1], [1, 0]], D=0.1) for p in (0.3, 0.4, 0.5)]
    >>> [round(result.rate_upper, 6) for result in solve_many(coins)]
    [0.285781, 0.347929, 0.368064]
    """
    tolerance = options.tolerance(tolerance)
    if isinstance(problems, Problem) or not isinstance(problems, Sequence):
        raise InvalidInput(f"problems is {options.shown(problems)}; give a list of Problem")
    for number, problem in enumerate(problems):
        options.instance(problem, Problem, f"problems[{number}]", "pass a list of Problem")
    if precision not in PRECISIONS:
        raise InvalidInput(f"precision is {options.shown(precision)}; give one of {', '.join(map(repr, PRECISIONS))}")
    end = time.perf_counter() + options.seconds(time_limit)
    asked = None if isinstance(backend, str) and backend == "auto" else backends.find(backend)
    place = asked if isinstance(asked, Backend) else None  # small problems are no work for a cluster
    found: list[Result | None] = [None] * len(problems)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, problem in enumerate(problems):
        if is_small(problem):
            kind = (problem.n_x, problem.n_letters, problem.multipliers is None)
            groups.setdefault(kind, []).append(number)
    on_time = contextlib.suppress(deadline.TimeIsUp)  # what is not done by then is not begun below
    with on_time, deadline.within(end - time.perf_counter()), one_thread_each(), backends.using(place):
        for (n, k, _), numbers in groups.items():
            width = max(_MOST_AT_ONCE // (n * k), 1)
            for start in range(0, len(numbers), width):
                some = numbers[start : start + width]
                answers = side_by_side([problems[number] for number in some], tolerance, place, precision)
                for number, answer in zip(some, answers, strict=True):
                    found[number] = answer
    return [
        _alone(problem, tolerance, backend, end) if one is None else one
        for problem, one in zip(problems, found, strict=True)
    ]


def _not_begun(problem: Problem, tolerance: float) -> Result:
    """Return the result of a problem for which there was no time: trivial bounds, and no channel."""
    nats = problem.in_unit("nat")
    settings = Settings(InteriorPoint(), tolerance, Limits(1), time.perf_counter())
    lower = 0.0 if is_rate(problem.objective) else math.nan
    message = "the time was up before this problem was begun"
    result = empty(nats, settings, Status.TIME_LIMIT, Proof.NONE, message, lower, {})
    result = replace(result, information_losses=problem.information_losses)
    return result if problem.unit == "nat" else result.in_bits()


def _alone(problem: Problem, tolerance: float, backend: Any, end: float) -> Result:
    """Return the answer of `solve` by that time.

    Raises
    ------
    KeyboardInterrupt
        If there was an interrupt, even where the problem was solved all the same: it meant all of the work.
    """
    left = end - time.perf_counter()
    if left <= 0:
        return _not_begun(problem, tolerance)
    with deadline.within(left):
        result = solve(problem, tolerance=tolerance, backend=backend, time_limit=left)
        if deadline.was_interrupted():
            raise KeyboardInterrupt
    return uninterrupted(result)


# ------------------------------------------------------------------------------------------------- arrays


@dataclass(frozen=True, eq=False)
class Solved:
    """Answers to B problems, as arrays of the library, on the device and in the precision that the masses came in.

    Attributes
    ----------
    rate_lower, rate_upper : array
        Shape (B,), nats: proved bounds. In arrays of single precision they are rounded down and up.
    distortion : array
        Shape (B,): the channels' mean distortions.
    multiplier : array
        Shape (B,): minus the slope of the least rate in the distortion, nats per unit.
    channel : array
        Shape (B, n, k): W(a | x), zero at letters that are not used. In single precision its entries are rounded: the
        bounds hold for the channels in `results`.
    q : array
        Shape (B, k): the channels' output masses.
    d_tilted : array
        Shape (B, n), nats.
    results : tuple of Result
        The same, in NumPy, with certificates and statuses.
    """

    rate_lower: Any
    rate_upper: Any
    distortion: Any
    multiplier: Any
    channel: Any
    q: Any
    d_tilted: Any
    results: tuple[Result, ...]

    def __repr__(self) -> str:
        counts = Counter(result.status.name for result in self.results)
        ended = ", ".join(f"{count} {status}" for status, count in counts.items()) or "none"
        arrays = f"{type(self.rate_lower).__module__.partition('.')[0]} arrays, {self.rate_lower.dtype}"
        return f"<Solved, {len(self.results)} problems ({ended}), {arrays}>"


@public_call
def solve_arrays(
    p_x: Any,
    distortion: Any,
    *,
    D: Any = None,
    multiplier: Any = None,
    tolerance: float = 1e-9,
    precision: str = "float64",
    time_limit: float = math.inf,
) -> Solved:
    """Solve many problems that are stated as arrays: of NumPy, PyTorch, CuPy or another library of the array API.

    Steps are made where `p_x` lies, by its library, and answers come back as its arrays, in single precision if `p_x`
    is in single or half precision, else in double. Whatever is proved, is proved in NumPy, in double precision; see
    `solve_many`. Gradients do not pass.

    Parameters
    ----------
    p_x : array
        Shape (B, n): masses of the symbols, row by row. B may be zero.
    distortion : array_like
        Shape (n, k), or (B, n, k) for one table each.
    D : float or array_like, optional
        Limit on the mean distortion, or shape (B,): one each.
    multiplier : float or array_like, optional
        In place of `D`: the Lagrangian I + multiplier E d is minimised.
    tolerance : float, optional
        The gap asked for, as of `solve`.
    precision : {"float64", "float32"}, optional
        Of the steps, as of `solve_many`.
    time_limit : float, optional
        Wall seconds for all problems together, as of `solve_many`.

    Returns
    -------
    Solved

    Raises
    ------
    InvalidInput
        If shapes do not fit, both or none of `D` and `multiplier` are given, or a problem is not one.
    MissingExtra
        If the arrays are not NumPy's and the extra ``gpu`` is not installed.

    Examples
    --------
    >>> solution = solve_arrays(np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([[0.0, 1.0], [1.0, 0.0]]), D=0.1)
    >>> solution.rate_upper.round(6).tolist()
    [0.285781, 0.347929]
    """
    if (D is None) == (multiplier is None):
        raise InvalidInput("give one of D= and multiplier=, the limit on the distortion or its price")
    place = backends.of_array(p_x, "p_x")
    own = place.get if place is not None and place.name not in backends.NAMES else None
    came = p_x
    p_x, distortion, D, multiplier = (_at_host(one, came, own) for one in (p_x, distortion, D, multiplier))
    p_x = _batch(p_x)
    count, n = tuple(p_x.shape)
    tables = _tables(distortion, count, n)
    name = "D" if multiplier is None else "multiplier"
    stated = real_numbers(D if multiplier is None else multiplier, name)
    if stated.shape not in ((), (count,)):
        raise InvalidInput(f"{name} has shape {stated.shape}; give a number, or one for each problem, ({count},)")
    problems = []
    for row, value in enumerate(np.broadcast_to(stated, (count,)).tolist()):
        try:  # masses as they are: what they may sum to depends on their precision
            problem = Problem.from_arrays(p_x[row], tables if tables.ndim == 2 else tables[row], D=math.inf)
            is_limit = multiplier is None
            problems.append(problem.with_limits(D=value) if is_limit else problem.at_multipliers(distortion=value))
        except InvalidInput as error:
            raise InvalidInput(f"in row {row} of the batch: {error}") from None
    results = solve_many(
        problems, tolerance=tolerance, backend=place or "numpy", precision=precision, time_limit=time_limit
    )
    return _as_they_came(results, tables.shape[-2:], came, place)


def _batch(p_x: Any) -> Any:
    """Return checked masses of every problem, an array of NumPy or of the library that they came in."""
    reading = read(p_x, "p_x")
    shape = reading.entries.shape
    if len(shape) != 2 or shape[1] == 0:
        raise InvalidInput(f"p_x has shape {shape}; give one row of masses for every problem, (B, n)")
    if reading.entries.dtype.kind == "b":
        raise InvalidInput("p_x holds booleans; give masses, each row with the sum one")
    if shape[0]:
        mass_rows(p_x, "p_x", shape[0], cure="divide each row by its sum")
    return np.asarray(p_x) if isinstance(p_x, np.ndarray) else p_x


def _tables(distortion: Any, count: int, n: int) -> np.ndarray:
    """Return the table of all problems, (n, k), or those of each, (count, n, k)."""
    tables = float_array(distortion, "distortion")
    if tables.ndim not in (2, 3) or (tables.ndim == 3 and tables.shape[0] != count):
        raise InvalidInput(f"distortion has shape {tables.shape}; give ({n}, k), or ({count}, {n}, k)")
    if tables.shape[-2] != n:
        raise InvalidInput(
            f"distortion has {tables.shape[-2]} rows but p_x has masses of {n} symbols; give one row each, ({n}, k), "
            f"or ({count}, {n}, k)"
        )
    return loss_matrix(distortion, "distortion") if tables.ndim == 2 else tables


def _at_host(value: Any, like: Any, own: Any) -> Any:
    """Return an array of a library that only it can read as NumPy's, anything else as it is."""
    return own(value) if own is not None and type(value) is type(like) else value


def _as_they_came(results: list[Result], shape: tuple[int, ...], like: Any, place: Backend | None) -> Solved:
    """Return the answers as arrays of the library that the masses came from."""
    n, k = shape
    channel, q, d_tilted = np.zeros((len(results), n, k)), np.zeros((len(results), k)), np.zeros((len(results), n))
    for row, result in enumerate(results):
        if result.letters.size:
            channel[row][:, result.letters], q[row][result.letters] = np.asarray(result.channel), result.q
        else:
            channel[row], q[row] = np.nan, np.nan
        d_tilted[row] = result.d_tilted
    lower, upper = np.array([one.rate_lower for one in results]), np.array([one.rate_upper for one in results])
    kind = getattr(like.dtype, "name", None) or str(like.dtype).rsplit(".", maxsplit=1)[-1]  # torch's have no name
    dtype = np.dtype(np.float32 if kind in _NOT_DOUBLE else np.float64)
    if dtype != np.float64:
        lower, upper = _outwards(lower, -np.inf, dtype), _outwards(upper, np.inf, dtype)
    names = ("distortion", "multiplier")
    values = ([one.losses["distortion"] for one in results], [one.multipliers["distortion"] for one in results])
    arrays = {"rate_lower": lower, "rate_upper": upper, "channel": channel, "q": q, "d_tilted": d_tilted}
    arrays |= dict(zip(names, map(np.array, values), strict=True))
    put = (lambda array: array) if place is None else place.put
    return Solved(**{name: put(array.astype(dtype)) for name, array in arrays.items()}, results=tuple(results))


def _outwards(values: np.ndarray, towards: float, dtype: np.dtype[Any]) -> np.ndarray:
    """Return numbers of this type that are not on the inner side of the values."""
    rounded = values.astype(dtype)
    is_inside = rounded > values if towards < 0 else rounded < values
    return np.where(is_inside, np.nextafter(rounded, dtype.type(towards)), rounded)
