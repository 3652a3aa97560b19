"""Maps from symbols to fixed letters that meet the limits: where no descent ends within them.

H(S | A) is concave in the channel, so over channels within linear limits it is least at a vertex, which maps all
symbols but a few to one letter each. Limits that hardly any channel meets are met by such maps, or by channels near
them, and not by what an alternation from elsewhere tends to.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.solvers.stationary.compiled_maps import entropy_of_joint, search_maps
from rdcsolve.solvers.stationary.starts import Arena, Candidate

_NODES = 300_000  # of the search: some tenths of a second
_ROOM = 2_000  # maps that are compared
_SLACK = 2e-15  # of the spread, or nats: rounding of the sums


def feasible_maps(arena: Arena) -> Iterator[Candidate]:
    """Yield channels that map every symbol to one letter and meet the limits on losses, the least value first.

    All of the maps if there are few; else those that a depth-first search comes to, single letters first.
    """
    order = np.argsort(-arena.p, kind="stable")
    maps = [np.full(arena.p.size, letter) for letter in np.flatnonzero((arena.mask == 0).all(axis=0))]
    seen = {one.tobytes() for one in maps}
    for one in _search(arena, order):
        if one.tobytes() not in seen:
            maps.append(one)
    judged = [_judged(arena, np.ascontiguousarray(one)) for one in maps]
    met = [(excess, value, rank) for rank, (excess, value) in enumerate(judged) if excess <= 1]
    # what exceeds a limit by a rounding comes last: a check in exact arithmetic refuses it
    for excess, value, rank in sorted(met, key=lambda each: (each[0] > 0, each[1])):
        channel = np.eye(arena.n_letters)[maps[rank]]
        q, decisions = arena.posterior(channel, arena.prior_everywhere())
        yield Candidate("map", q, decisions, value, max(excess, 0.0), 0, False, channel)


def _search(arena: Arena, order: np.ndarray) -> list[np.ndarray]:
    """Return the maps that the compiled search finds, symbols of large mass being assigned first."""
    p, mask = arena.p[order], arena.mask[order]
    losses = np.ascontiguousarray(arena.losses[: arena.n_linear, order])
    conditional = np.ascontiguousarray(arena.conditional[order])
    bounds, slack = _limits(arena)
    total = mask.copy()
    for m in range(arena.n_linear):
        if np.isfinite(bounds[m]):
            total = total - losses[m] / arena.spread[m]
    letters = np.argsort(-total, axis=1, kind="stable")
    least = np.zeros((p.size + 1, bounds.size))
    for m in range(arena.n_linear):
        least[:-1, m] = p * np.where(mask == 0, losses[m], np.inf).min(axis=1)
    for j, (a, b) in enumerate(zip(arena.ends[:-1], arena.ends[1:], strict=True)):
        for i in range(p.size):
            least[i, arena.n_linear + j] = p[i] * entropy_of_joint(conditional[i][:, None], a, b)
    rest = np.ascontiguousarray(np.cumsum(least[::-1], axis=0)[::-1])
    found = np.empty((_ROOM, p.size), dtype=np.int64)
    counts = (mask == 0).sum(axis=1)
    number, _ = search_maps(
        p, losses, letters, counts, conditional, arena.ends, bounds, slack, rest, _NODES, found
    )  # fmt: skip
    maps = np.empty((number, p.size), dtype=np.int64)
    maps[:, order] = found[:number]
    return list(maps)


def _limits(arena: Arena) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits on losses, shifted as the arena's losses are, and what rounding may exceed them by."""
    stated = arena.problem.bounds
    spread = np.where(np.arange(stated.size) < arena.n_linear, arena.spread, 1.0)
    return arena.bounds.astype(float), _SLACK * (spread + np.where(np.isfinite(stated), np.abs(stated), 0.0))


def _judged(arena: Arena, letters: np.ndarray) -> tuple[float, float]:
    """Return by how much a map exceeds its worst limit, in units of the rounding, and the value of the objective."""
    problem, rows = arena.problem, np.arange(arena.p.size)
    _, slack = _limits(arena)
    masses = np.bincount(letters, arena.p, arena.n_letters)
    joint = np.zeros((arena.conditional.shape[1], arena.n_letters))
    np.add.at(joint.T, letters, arena.p[:, None] * arena.conditional)
    pairs = zip(arena.ends[:-1], arena.ends[1:], strict=True)
    shown = [loss.block(arena.symbols)[rows, letters] for loss in problem.linear_losses]
    means = np.array([*(float(arena.p @ one) for one in shown), *(entropy_of_joint(joint, a, b) for a, b in pairs)])
    rate = entropy_of_joint(masses[:, None], 0, arena.n_letters)  # H(A): the letter is a function of the symbol
    beyond = means - problem.bounds
    for m in np.flatnonzero(np.isfinite(problem.bounds[: arena.n_linear])).tolist():
        beyond[m] = mean_excess(problem.p_x[arena.symbols], shown[m], float(problem.bounds[m]))
    beyond[problem.held] = np.abs(beyond[problem.held])
    excess = float((beyond / slack)[np.isfinite(problem.bounds)].max(initial=-np.inf))
    if problem.rate_bound is not None:
        excess = max(excess, (rate - problem.rate_bound) / (_SLACK * (1 + problem.rate_bound)))
    return excess, problem.goal.value(rate, means)
