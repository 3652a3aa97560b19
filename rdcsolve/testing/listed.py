"""Problems with label entropies seen through letters that are written down: finite and linear, as the checks need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve.letters.choice import space_of
from rdcsolve.letters.letters import Letters
from rdcsolve.letters.space import LetterSpace
from rdcsolve.problems import Problem

_RANDOM_DECISIONS = 24
_PLACES = 40  # tried where letters are not listed


def listed(result: Any, problem: Problem) -> tuple[Any, Problem]:
    """Return result and problem over the result's own letters; both as they are if no label entropy counts.

    The log-loss of a letter's decision is no smaller than what the label's entropy owes to the letter, and equal at
    the posterior: a channel that passes over the listed letters is one for the problem.
    """
    if problem.is_finite:
        return result, problem
    space = space_of(problem)
    finite = space.listed(space.letters_of(result))
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
    space = space_of(problem)
    places = space.anchors().places if problem.linear_losses else _tried(space, rng)
    decisions = tuple(
        np.tile(options[chosen], (len(places), 1)) for options, chosen in zip(per_label, order, strict=True)
    )
    many = Letters(np.repeat(places, count, axis=0), decisions)
    return space.listed(space.letters_of(result).joined(many))


def _tried(space: LetterSpace, rng: np.random.Generator) -> np.ndarray:
    """Return places to try where they are not listed: those that some source symbols like, and between them."""
    used = np.flatnonzero(space.problem.p_x > 0)
    anchors = space.anchors()
    shares = rng.dirichlet(np.full(used.size, 0.3), _PLACES)
    joint = np.zeros((space.problem.n_x, _PLACES))
    joint[used] = shares.T
    between = space.posterior(anchors.take(rng.integers(len(anchors), size=_PLACES)), joint)
    return np.concatenate([anchors.places[: _PLACES // 2], between.places])[:_PLACES]
