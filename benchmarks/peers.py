"""What others offer for min I + lambda E d at a fixed lambda: each returns output masses and says how long it took.

None of them proves its answer, apart from the textbook's own bound in Blahut-Arimoto. `evaluate` turns any answer
into a proof with rdcsolve's certificate, so that peers can be compared at equal proven accuracy.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from rdcsolve import Problem
from rdcsolve.certificates import Certificate
from rdcsolve.letters import FiniteLetters
from rdcsolve.solvers.finite.repair import repair


class Answer(NamedTuple):
    """Output masses q (m,), steps, u (n,) if the peer has duals, and (CPU seconds, best gap proved) along the way."""

    q: np.ndarray
    steps: int
    u: np.ndarray | None = None
    history: tuple[tuple[float, float], ...] = ()


def numpy_blahut_arimoto(problem: Problem, budget: float, target: float = 1e-6) -> Answer:
    """Return the textbook iteration in NumPy: two matrix-vector products a step, Csiszar's bound at every one.

    It stops at the target gap or when the budget of CPU seconds is used up. The best lower bound seen is kept.
    """
    p, kernel = problem.p_x, np.exp(-_multiplier(problem) * problem.losses[0].matrix)
    q = np.full(problem.n_letters, 1 / problem.n_letters)
    lower, began, history, steps = -np.inf, time.process_time(), [], 0
    while True:
        t = kernel @ q
        c = (p / t) @ kernel
        value = -p @ np.log(t)
        lower = max(lower, value - np.log(c.max()))
        history.append((time.process_time() - began, float(value - lower)))
        if history[-1][1] <= target or history[-1][0] > budget:
            return Answer(q, steps, None, tuple(history))
        q *= c
        steps += 1


def dit_blahut_arimoto(problem: Problem, budget: float) -> Answer:
    """Return dit's answer with one restart (its default is 100) and its own stopping rule."""
    from dit.rate_distortion.blahut_arimoto import blahut_arimoto

    matrix = problem.losses[0].matrix
    steps = 0

    def distortion(p_x: np.ndarray, channel: np.ndarray) -> np.ndarray:
        nonlocal steps
        steps += 1
        return matrix

    # Its beta goes with rates in bits.
    _, joint = blahut_arimoto(problem.p_x, _multiplier(problem) / np.log(2), distortion, max_iters=10**6, restarts=1)
    return Answer(joint.sum(axis=0), steps // 2)


def cvxpy_clarabel(problem: Problem, budget: float) -> Answer:
    """Return the answer of CVXPY with Clarabel to min -sum p log t, t = K q, over the simplex; default accuracy."""
    import cvxpy

    kernel = np.exp(-_multiplier(problem) * problem.losses[0].matrix)
    q, t = cvxpy.Variable(problem.n_letters, nonneg=True), cvxpy.Variable(problem.n_x)
    definition = t == kernel @ q
    objective = cvxpy.Minimize(-problem.p_x @ cvxpy.log(t))
    programme = cvxpy.Problem(objective, [definition, cvxpy.sum(q) == 1])
    programme.solve(solver="CLARABEL")
    u = np.log(np.maximum(definition.dual_value / problem.p_x, np.finfo(float).tiny))
    return Answer(np.maximum(q.value, 0), programme.solver_stats.num_iters, u)


PEERS = {"numpy": numpy_blahut_arimoto, "dit": dit_blahut_arimoto, "clarabel": cvxpy_clarabel}


def evaluate(problem: Problem, answer: Answer) -> dict[str, Any]:
    """Return the value of the best channel for the masses, and two proven gaps: as it stands, and repaired."""
    q = answer.q / answer.q.sum()
    kernel = np.exp(-_multiplier(problem) * problem.losses[0].matrix)
    t = kernel @ q
    duals = [-np.log(t)] if answer.u is None else [-np.log(t), answer.u]
    space = FiniteLetters(problem, [0])
    repaired = [repair(space, u, problem.multipliers, passes=20).log_v for u in duals]
    nothing, letters = float("nan"), np.arange(problem.n_letters)

    def verified(u: np.ndarray) -> Any:
        proof = Certificate(
            "lagrangian",
            u,
            problem.multipliers,
            letters,
            kernel * q / t[:, None],
            nothing,
            nothing,
            problem.fingerprint(),
        )
        return proof.verify(problem)

    plain = min((verified(u) for u in duals), key=lambda one: one.gap)
    better = min(verified(u).gap for u in repaired)
    return {"value": plain.upper, "gap": plain.gap, "repaired_gap": min(plain.gap, better)}


def _multiplier(problem: Problem) -> float:
    assert problem.multipliers is not None
    return float(problem.multipliers[0])
