"""Problems with label entropies seen through letters that are written down: finite and linear, as the checks need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve.problems import Problem

_RANDOM_DECISIONS = 24
_PLACES = 40  # tried where letters are free: points of the source, and mixtures of them


def listed(result: Any, problem: Problem) -> tuple[Any, Problem]:
    """Return result and problem over the result's own letters; both as they are if no label entropy counts.

    The log-loss of a letter's decision is no smaller than what the label's entropy owes to the letter, and equal at
    the posterior: a channel that passes over the listed letters is one for the problem.
    """
    if problem.is_finite:
        return result, problem
    finite = problem.listed(result.letters if problem.free is None else result.reproduction, result.decisions)
    letters = np.arange(result.letters.size)
    certificate = result.certificate and replace(result.certificate, letters=letters)
    return replace(result, letters=letters, certificate=certificate), finite


def with_many_letters(result: Any, problem: Problem) -> Problem:
    """Return the problem over the result's letters and many more of every symbol, to try a dual point on."""
    if problem.is_finite:
        return problem
    rng = np.random.default_rng(0)
    used = problem.p_x > 0
    per_label = []
    for label in problem.label_entropies:
        n_s = label.conditional.shape[1]
        mean = problem.p_x @ label.conditional
        rows = label.conditional[used][:20]
        drawn = rng.dirichlet(np.full(n_s, 0.5), _RANDOM_DECISIONS)
        per_label.append(np.vstack([mean / mean.sum(), np.full(n_s, 1 / n_s), np.eye(n_s), rows, drawn]))
    count = max((options.shape[0] for options in per_label), default=0) + _RANDOM_DECISIONS
    order = [rng.permutation(np.resize(np.arange(options.shape[0]), count)) for options in per_label]
    pairs = zip(per_label, order, strict=True)
    n_places = problem.n_letters if problem.free is None else _PLACES
    decisions = [np.tile(options[chosen], (n_places, 1)) for options, chosen in pairs]
    which = np.repeat(np.arange(n_places), count)
    own = zip(result.decisions, decisions, strict=True)
    if problem.free is None:
        letters = np.r_[result.letters, which]
    else:
        points = problem.free.points[used]
        shares = np.vstack([np.eye(len(points))[:_PLACES], rng.dirichlet(np.full(len(points), 0.3), _PLACES)])[:_PLACES]
        letters = np.vstack([result.reproduction, (shares @ points)[which % len(shares)]])
    return problem.listed(letters, [np.vstack(pair) for pair in own])
