"""Results without letters that carry next to nothing, which interior points leave behind at every idle letter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.information import conditional_entropy
from rdcsolve.letters.choice import space_of
from rdcsolve.problems import Problem
from rdcsolve.results.confirmation import confirmed
from rdcsolve.results.result import Result
from rdcsolve.solvers.finite import recovery
from rdcsolve.solvers.finite.best_channel import best_channel
from rdcsolve.solvers.finite.entropy_limits import aimed_limits
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.reduction import ReducedProblem

_SHARES = tuple(10.0**-k for k in range(2, 13))  # of the largest output mass: the first at which nothing is lost
_SPARED = 0.01  # of the tolerance: what the rate may grow by
_ROUNDING = 1e-14


def pruned(result: Result, problem: Problem, tolerance: float) -> Result:
    """Return a result whose channel does without letters of little mass, at a rate that is hardly larger, if at all.

    The letters that stay get the channel that is best at their masses and meets the limits (Theorem 4 of the page on
    certificates); its rate and losses are computed anew. Where no letter can be spared so, the result is returned as it
    is. The lower bound and what proves it stay.

    Parameters
    ----------
    result : Result
        Of the least rate.
    problem : Problem
        The problem solved.
    tolerance : float
        The gap that was asked for, nats. The rate may grow by a hundredth of it, as long as a gap within the tolerance
        stays there.
    """
    if result.certificate is None or result.letters.size < 2 or not result.q.max() > 0:
        return result
    space = space_of(problem)
    listed = problem if problem.is_finite else space.listed(space.letters_of(result))
    allowance = _SPARED * tolerance
    if result.gap <= tolerance:
        allowance = min(allowance, tolerance - result.gap)
    aimed = listed.with_limits(rate=None, **aimed_limits(problem))
    task = limited_task(aimed, aimed.bounds)
    if task is None:
        return result
    letters = result.letters if problem.is_finite else np.arange(result.letters.size)
    multipliers = np.array([result.multipliers[problem.loss_names[m]] for m in task.relevant])
    # a bound at the least value of its loss is met to rounding, before and after
    allowed = np.maximum(problem.bounds, [result.losses[name] for name in problem.loss_names])
    share, last = result.q / result.q.max(), None
    for smallest in _SHARES:
        deadline.look()
        kept = np.flatnonzero(share > smallest)
        if kept.size == letters.size:
            break
        if kept.size == last:
            continue
        last = kept.size
        made = _remade(task, letters[kept], result.q[kept], multipliers)
        if made is not None and (made.means <= allowed).all() and made.rate <= result.rate_upper + allowance:
            made_smaller = _with(result, problem, made, kept[np.searchsorted(letters[kept], made.letters)])
            checked = confirmed(made_smaller, problem, tolerance)
            if (
                checked.proof is result.proof
            ):  # a channel at a limit may miss it by a rounding that the whole one has not
                return checked
    return result


def _remade(
    task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray
) -> recovery.Primal | None:
    """Return the best channel into these letters at these masses that meets the limits, or None if there is none."""
    forbidden = task.letters.forbidden_of(letters)
    if forbidden is not None and forbidden.all(axis=1).any():
        return None
    tilted = best_channel(task, letters, q / q.sum(), multipliers, recovery.inside(task))
    if not tilted.met:
        return None
    channel = recovery.on_bounds(task, letters, tilted.channel)
    return recovery.complete(task.problem, letters, channel, task.letters.symbols)


def _with(result: Result, problem: Problem, made: recovery.Primal, kept: np.ndarray) -> Result:
    """Return the result with another channel, into those of its letters that are kept."""
    channel = made.channel
    space = space_of(problem)
    letters = space.posterior(space.letters_of(result).take(kept), channel * problem.p_x[:, None])
    shown = space.shown(letters, channel)
    losses = dict(zip(problem.loss_names, made.means.tolist(), strict=True)) | shown.losses
    losses |= {
        label.name: conditional_entropy(problem.p_x, label.conditional, channel) for label in problem.label_entropies
    }
    upper = made.rate + _ROUNDING * (1 + made.rate)
    assert result.certificate is not None
    return replace(
        result,
        channel=channel,
        letters=shown.indices,
        q=made.q,
        decisions=letters.decisions,
        reproduction=shown.reproduction,
        losses=losses,
        rate_upper=upper,
        objective_upper=upper,
        certificate=replace(result.certificate, channel=channel, letters=shown.indices, upper=upper),
    )
