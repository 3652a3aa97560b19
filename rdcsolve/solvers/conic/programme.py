"""The problem as conic programmes in CVXPY, and nothing else: data in, primal and dual values out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.errors import InvalidInput, MissingExtra
from rdcsolve.problems import Problem


class ConicFailure(Exception):
    """The conic solver returned no values; the message says what it reported."""


@dataclass(frozen=True, eq=False)
class Data:
    """Symbols of positive mass, and the pairs that may be used.

    Attributes
    ----------
    symbols : numpy.ndarray
        Shape (n,), indices into the problem's symbols.
    p : numpy.ndarray
        Shape (n,), their masses, summing to one.
    losses : numpy.ndarray
        Shape (M, n, m), zero at pairs that are not allowed.
    allowed : numpy.ndarray
        Shape (n, m), bool.
    """

    symbols: np.ndarray
    p: np.ndarray
    losses: np.ndarray
    allowed: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> Data:
        """Return the data of a problem."""
        symbols = np.flatnonzero(problem.p_x > 0)
        losses = np.array([loss.block(symbols) for loss in problem.linear_losses])
        allowed = np.isfinite(losses).all(axis=0)
        p = problem.p_x[symbols]
        return cls(symbols, p / p.sum(), np.where(allowed, losses, 0.0), allowed)

    def least(self, combined: np.ndarray) -> np.ndarray:
        """Return the row minima over allowed pairs of a loss (n, m), shape (n,)."""
        return np.where(self.allowed, combined, np.inf).min(axis=1)

    def kernel(self, multipliers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return exp(-lambda.L) with its rows' largest entries scaled to one, (n, m), and their exponents (n,)."""
        tilt = np.where(self.allowed, np.tensordot(multipliers, self.losses, axes=1), np.inf)
        least = tilt.min(axis=1)
        return np.exp(least[:, None] - tilt), least

    def means(self, channel: np.ndarray) -> np.ndarray:
        """Return the mean of every loss under a channel (n, m), shape (M,)."""
        return np.array([float(self.p @ np.einsum("ia,ia->i", channel, loss)) for loss in self.losses])


class Answer(NamedTuple):
    """What a programme returned.

    Attributes
    ----------
    q : numpy.ndarray
        Shape (m,), >= 0.
    channel : numpy.ndarray or None
        Shape (n, m), rows not yet normalised; None where the programme has no such variable.
    u : numpy.ndarray
        Shape (n,): the solver's own dual values, as u.
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    steps : int
    notes : tuple of str
        What the solver and CVXPY had to say.
    """

    q: np.ndarray
    channel: np.ndarray | None
    u: np.ndarray
    multipliers: np.ndarray
    steps: int
    notes: tuple[str, ...]


def cvxpy_with(solver: str) -> Any:
    """Return the module cvxpy, once it is certain that it knows the solver."""
    try:
        import cvxpy
    except ImportError as missing:
        raise MissingExtra.of("conic", "the solver Conic") from missing
    installed = cvxpy.installed_solvers()
    if solver not in installed:
        raise InvalidInput(f"solver is {solver!r}; CVXPY finds {', '.join(sorted(installed))}")
    return cvxpy


def least_lagrangian(data: Data, multipliers: np.ndarray, solver: str, tolerance: float) -> Answer:
    """Minimise I + lambda.E L through the output masses: -sum_i p_i log (K q)_i + sum_a q_a over q >= 0."""
    cp = cvxpy_with(solver)
    kernel, least = data.kernel(multipliers)
    q, t = cp.Variable(data.allowed.shape[1], nonneg=True), cp.Variable(data.p.size)
    definition = t == kernel @ q
    steps, notes = _run(cp, cp.Problem(cp.Minimize(-data.p @ cp.log(t) + cp.sum(q)), [definition]), solver, tolerance)
    # The multiplier of t = K q is p / t, that is p exp(u) for the scaled kernel.
    u = np.log(_positive(definition.dual_value / data.p)) + least
    return Answer(np.maximum(q.value, 0.0), None, u, multipliers, steps, notes)


def least_rate(data: Data, bounds: np.ndarray, solver: str, tolerance: float) -> Answer:
    """Minimise I(W) over channels with E L <= bounds, shape (M,)."""
    model = _Channel(data, cvxpy_with(solver))
    limits = model.limits(bounds)
    steps, notes = model.run(model.rate, [*limits.values()], solver, tolerance)
    multipliers = model.multipliers(limits)
    return Answer(model.q.value, model.values(), -model.row_duals(), multipliers, steps, notes)


def least_loss(data: Data, target: int, bounds: np.ndarray, rate: float, solver: str, tolerance: float) -> Answer:
    """Minimise the loss of index `target` over channels with E L <= bounds and I(W) <= rate."""
    model = _Channel(data, cvxpy_with(solver))
    limits = model.limits(bounds)
    budget = model.rate <= rate
    objective = model.mean(target) / model.scales[target]
    steps, notes = model.run(objective, [budget, *limits.values()], solver, tolerance)
    # In units of the rate: one nat is worth `price` of the scaled loss. A budget that does not bind is worth
    # nothing; then multipliers so large that what they lose is below the solver's accuracy take its place.
    price = max(float(budget.dual_value), 1e-11)
    multipliers = model.multipliers(limits) / price
    multipliers[target] = 1 / (price * model.scales[target])
    return Answer(model.q.value, model.values(), -model.row_duals() / price, multipliers, steps, notes)


def most_slack(data: Data, bounds: np.ndarray, solver: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a channel (n, m) of least max_m (E L_m - b_m) / scale_m, and weights (M,) that prove it."""
    cp = cvxpy_with(solver)
    model = _Channel(data, cp)
    worst = cp.Variable()
    limits = model.limits(bounds, worst)
    model.run(worst, [*limits.values()], solver, 1e-9)
    return model.values(), model.multipliers(limits)


class _Channel:
    """The channel as a variable, one entry per allowed pair."""

    def __init__(self, data: Data, cp: Any) -> None:
        from scipy.sparse import csr_array

        self.data, self.cp = data, cp
        self.i, self.a = np.nonzero(data.allowed)
        count = self.i.size
        n, m = data.allowed.shape
        at = np.arange(count)
        self.mass = data.p[self.i]
        self.entries = cp.Variable(count, nonneg=True)
        # As a variable of its own, q keeps the factorisation sparse: many times faster than the bare expression.
        self.q = cp.Variable(m)
        self.output = self.q == csr_array((self.mass, (self.a, at)), shape=(m, count)) @ self.entries
        self.rows = csr_array((np.ones(count), (self.i, at)), shape=(n, count)) @ self.entries == np.ones(n)
        largest = data.losses.max(axis=(1, 2))
        self.scales = np.where(largest > 0, largest, 1.0)

    @property
    def rate(self) -> Any:
        """I(W) as an expression."""
        return self.mass @ self.cp.rel_entr(self.entries, self.q[self.a])

    def mean(self, index: int) -> Any:
        """E L of a loss as an expression."""
        return (self.mass * self.data.losses[index][self.i, self.a]) @ self.entries

    def limits(self, bounds: np.ndarray, excess: Any = 0.0) -> dict[int, Any]:
        """Return the constraints (E L_m - b_m) / scale_m <= excess by the index of their loss."""
        return {
            m: (self.mean(m) - bounds[m]) / self.scales[m] <= excess
            for m in np.flatnonzero(np.isfinite(bounds)).tolist()
        }

    def run(self, objective: Any, constraints: list[Any], solver: str, tolerance: float) -> tuple[int, tuple[str, ...]]:
        """Minimise the objective over the channels that meet the constraints."""
        programme = self.cp.Problem(self.cp.Minimize(objective), [self.rows, self.output, *constraints])
        return _run(self.cp, programme, solver, tolerance)

    def values(self) -> np.ndarray:
        """Return the channel found, shape (n, m)."""
        channel = np.zeros(self.data.allowed.shape)
        channel[self.i, self.a] = np.maximum(self.entries.value, 0.0)
        return channel

    def multipliers(self, limits: dict[int, Any]) -> np.ndarray:
        """Return the limits' multipliers in the losses' own units, shape (M,), zero without a limit."""
        found = np.zeros(len(self.data.losses))
        for m, constraint in limits.items():
            found[m] = max(float(constraint.dual_value), 0.0) / self.scales[m]
        return found

    def row_duals(self) -> np.ndarray:
        """Return the multipliers of the rows' sums per unit of mass, shape (n,)."""
        return np.asarray(self.rows.dual_value) / self.data.p


def _run(cp: Any, programme: Any, solver: str, tolerance: float) -> tuple[int, tuple[str, ...]]:
    """Solve, or raise `ConicFailure`; return the number of steps and what there was to say."""
    try:
        programme.get_problem_data(solver)
    except cp.error.SolverError as unable:
        raise InvalidInput(f"the solver {solver!r} does not take exponential cones; use CLARABEL or SCS") from unable
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            programme.solve(solver=solver, **_accuracy(solver, tolerance))
        except cp.error.SolverError as failure:
            raise ConicFailure(f"{solver} failed: {failure}") from failure
    notes = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    if programme.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise ConicFailure(f"{solver} reports {programme.status}")
    return int(programme.solver_stats.num_iters or 0), notes


def _accuracy(solver: str, tolerance: float) -> dict[str, float]:
    """Return the options that ask for a tenth of the tolerance; other solvers keep their defaults."""
    asked = max(min(0.1 * tolerance, 1e-8), 1e-12)
    if solver == "CLARABEL":
        return {"tol_gap_abs": asked, "tol_gap_rel": asked, "tol_feas": asked}
    if solver == "SCS":
        return {"eps_abs": max(asked, 1e-9), "eps_rel": max(asked, 1e-9)}
    return {}


def _positive(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, np.finfo(float).tiny)
