"""A problem as code, so that a failing example can be pasted and run."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.problems import Problem


def as_code(problem: Problem) -> str:
    """Return an expression that rebuilds the problem's masses, losses and question.

    Points and classifiers are left out: the losses that come of them are given as matrices.

    Parameters
    ----------
    problem : Problem
        A small one: all numbers are written out.

    Returns
    -------
    str
        Python code, in which ``Problem`` and ``inf`` stand for `rdcsolve.Problem` and `math.inf`.

    Examples
    --------
    >>> as_code(Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], D=0.1))
    "Problem.from_arrays([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], limits={'distortion': 0.1})"
    """
    losses = {loss.name: loss.block().tolist() for loss in problem.linear_losses}
    bounds = zip(problem.loss_names, problem.bounds.tolist(), strict=True)
    options = {
        "p_s_given_x": [label.conditional.tolist() for label in problem.label_entropies] or None,
        "C": math.inf if problem.label_entropies else None,
        "losses": {name: matrix for name, matrix in losses.items() if name != "distortion"},
        "limits": {name: bound for name, bound in bounds if math.isfinite(bound)},
        "rate": problem.rate_bound,
        "minimise": problem.minimise if problem.goal.target is not None else None,
    }
    given = [repr(problem.p_x.tolist()), repr(losses["distortion"])]
    given += [f"{name}={value!r}" for name, value in options.items() if value not in (None, {})]
    code = f"Problem.from_arrays({', '.join(given)})"
    if problem.multipliers is None:
        return code
    pairs = zip(problem.loss_names, np.asarray(problem.multipliers).tolist(), strict=True)
    return f"{code}.at_multipliers({', '.join(f'{name}={value!r}' for name, value in pairs)})"
