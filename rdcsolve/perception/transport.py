"""Plans between two laws: the north-west corner rule, best where costs are Monge, as on a line; else a programme."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdcsolve.errors import SolverFailed


class Plan(NamedTuple):
    """Which atom sends how much to which place, shape (e,) each, and what it costs."""

    rows: np.ndarray
    columns: np.ndarray
    masses: np.ndarray
    cost: float


def north_west(source: np.ndarray, sink: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the plan that sends mass in order, shape (e,) each: rows, columns, masses; at most n + m - 1 entries.

    Parameters
    ----------
    source, sink : numpy.ndarray
        Masses, shapes (n,) and (m,), of equal sums up to rounding; what is left of one in the end is not sent.
    """
    ends, starts = np.cumsum(source), np.cumsum(sink)
    cuts = np.unique(np.concatenate([ends, starts]))
    cuts = cuts[cuts <= min(ends[-1], starts[-1])]
    masses = np.diff(np.concatenate([[0.0], cuts]))
    middle = cuts - 0.5 * masses
    rows = np.minimum(np.searchsorted(ends, middle), source.size - 1)
    columns = np.minimum(np.searchsorted(starts, middle), sink.size - 1)
    some = masses > 0
    return rows[some], columns[some], masses[some]


def monotone_order(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return an order of atoms and of places in which costs are Monge, or None if none was found.

    Then c_ij + c_kl <= c_il + c_kj for i < k, j < l, and the north-west corner rule is optimal (Hoffman 1963). Points
    of a line under a convex function of their distance are so in their own order. In such an order c_i - c_k rises
    along the places, for i < k, and what it rises by adds up along the atoms: so the two atoms that differ most are the
    ends, and their difference has the places in order, but for ties, which no other two atoms tell apart either.
    """
    first = _most_different(cost, _most_different(cost, 0))
    last = _most_different(cost, first)
    places = np.argsort(cost[first] - cost[last], kind="stable")
    atoms = np.argsort(cost[:, places[0]] - cost[:, places[-1]], kind="stable")
    ordered = cost[np.ix_(atoms, places)]
    crossed = ordered[:-1, :-1] + ordered[1:, 1:] - ordered[:-1, 1:] - ordered[1:, :-1]
    return (atoms, places) if np.all(crossed <= 1e-12 * float(cost.max())) else None


def _most_different(cost: np.ndarray, atom: int) -> int:
    """Return the atom whose costs differ from an atom's by an amount that varies most from place to place."""
    return int(np.ptp(cost - cost[atom], axis=1).argmax())


def plan_between(target: np.ndarray, law: np.ndarray, cost: np.ndarray) -> Plan:
    """Return the cheapest plan between a target (T,) and a law (m,) for costs (T, m).

    Raises
    ------
    SolverFailed
        If HiGHS finds none, where costs are not Monge.
    """
    order = monotone_order(cost)
    if order is not None:
        atoms, places = order
        rows, columns, masses = north_west(target[atoms] / target.sum(), law[places] / law.sum())
        rows, columns = atoms[rows], places[columns]
        return Plan(rows, columns, masses, float(masses @ cost[rows, columns]))
    return _programme(target / target.sum(), law / law.sum(), cost)[0]


class BoundedPlan(NamedTuple):
    """A plan, as `Plan`, and a lower bound on what any plan costs."""

    rows: np.ndarray
    columns: np.ndarray
    masses: np.ndarray
    cost: float
    lower: float


def bounded_plan(target: np.ndarray, law: np.ndarray, cost: np.ndarray) -> BoundedPlan:
    """Return a plan between two laws with a bound below: its own cost where costs are Monge, else by duality.

    For any g the potential f_i = min_j (c_ij - g_j) makes p.f + q.g a lower bound.
    """
    if monotone_order(cost) is not None:
        plan = plan_between(target, law, cost)
        return BoundedPlan(*plan, plan.cost)
    target, law = target / target.sum(), law / law.sum()
    plan, potential = _programme(target, law, cost)
    lower = float(law @ potential + target @ (cost - potential).min(axis=1))
    return BoundedPlan(*plan, min(lower, plan.cost))


def _programme(target: np.ndarray, law: np.ndarray, cost: np.ndarray) -> tuple[Plan, np.ndarray]:
    """Return the plan that HiGHS finds, and the multipliers of the places, zero for those without mass."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    used, shown = np.flatnonzero(target > 0), np.flatnonzero(law > 0)
    rows, columns = (index.ravel() for index in np.meshgrid(used, shown, indexing="ij"))
    every = np.arange(rows.size)
    at = (np.repeat(np.arange(used.size), shown.size), np.tile(np.arange(shown.size), used.size) + used.size)
    sums = coo_array(
        (np.ones(2 * rows.size), (np.concatenate(at), np.concatenate([every, every]))),
        shape=(used.size + shown.size, rows.size),
    ).tocsr()
    # the last equation follows from the others, and rounding may contradict it
    answer = linprog(
        cost[rows, columns],
        A_eq=sums[:-1],
        b_eq=np.concatenate([target[used], law[shown]])[:-1],
        bounds=(0, None),
        method="highs",
    )
    if answer.status != 0:
        raise SolverFailed(f"HiGHS found no plan between the target and the law: {answer.message}")
    some = answer.x > 0
    potential = np.zeros(law.size)
    potential[shown] = np.append(answer.eqlin.marginals[used.size :], 0.0)
    return Plan(rows[some], columns[some], answer.x[some], float(answer.fun)), potential
