"""Problems with the same optimum as a given one: what must not matter does not."""

from __future__ import annotations

import numpy as np

from rdcsolve.problems import Problem


def equivalents(problem: Problem, *, seed: int = 0, factor: float = 8.0) -> dict[str, Problem]:
    """Return problems that say the same as `problem` in other words.

    Parameters
    ----------
    problem : Problem
    seed : int, optional
        For the permutations and the symbols and letters that are copied.
    factor : float, optional
        What losses are multiplied by, and multipliers divided by.

    Returns
    -------
    dict of str to Problem
        ``"symbols permuted"``, ``"letters permuted"``, ``"symbol split"`` (its mass shared by two),
        ``"letter duplicated"``, ``"symbol of mass zero added"``, ``"losses scaled"`` (with their limits or
        against their multipliers; a loss that is minimised is left as it is). All have the optimum of
        `problem`.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    >>> equivalents(problem)["symbol of mass zero added"]
    Problem(n_x=3, n_letters=2, minimise='rate', distortion <= 0.1)
    """
    rng = np.random.default_rng(seed)
    p, matrices = problem.p_x, {loss.name: loss.block() for loss in problem.linear_losses}
    symbols, letters = rng.permutation(problem.n_x), rng.permutation(problem.n_letters)
    i, a = int(rng.integers(problem.n_x)), int(rng.integers(problem.n_letters))
    split = np.append(p, 0.25 * p[i])
    split[i] = 0.75 * p[i]
    again = np.append(np.arange(problem.n_x), i)
    restated = {
        "symbols permuted": (p[symbols], {name: m[symbols] for name, m in matrices.items()}),
        "letters permuted": (p, {name: m[:, letters] for name, m in matrices.items()}),
        "symbol split": (split, {name: m[again] for name, m in matrices.items()}),
        "letter duplicated": (p, {name: np.hstack([m, m[:, [a]]]) for name, m in matrices.items()}),
        "symbol of mass zero added": (
            np.append(p, 0.0),
            {name: _one_more(m) for name, m in matrices.items()},
        ),
    }
    found = {what: _stated(problem, masses, losses, {}) for what, (masses, losses) in restated.items()}
    factors = {name: factor for name in matrices if name != problem.minimise}
    scaled = {name: m * factors.get(name, 1.0) for name, m in matrices.items()}
    return found | {"losses scaled": _stated(problem, p, scaled, factors)}


def _one_more(matrix: np.ndarray) -> np.ndarray:
    """Add a row like no other: the loss grows with the letter."""
    return np.vstack([matrix, np.arange(matrix.shape[1], dtype=float)])


def _stated(problem: Problem, p_x: np.ndarray, losses: dict[str, np.ndarray], factors: dict[str, float]) -> Problem:
    """Return a problem with these losses that asks what `problem` asks, its numbers scaled too."""
    others = {name: matrix for name, matrix in losses.items() if name != "distortion"}
    base = Problem.from_arrays(p_x, losses["distortion"], losses=others)
    scales = np.array([factors.get(name, 1.0) for name in problem.loss_names])
    if problem.multipliers is not None:
        return base.at_multipliers(**dict(zip(problem.loss_names, problem.multipliers / scales, strict=True)))
    limited = base.with_limits(**dict(zip(problem.loss_names, problem.bounds * scales, strict=True)))
    if problem.rate_bound is not None:
        limited = limited.with_limits(rate=problem.rate_bound)
    return limited if problem.goal.target is None else limited.minimising(problem.minimise)
