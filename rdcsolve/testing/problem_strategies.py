"""Hypothesis strategies for whole problems: at targets, at multipliers, with the rate limited, infeasible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.problems import ClassifierLossLimit, LossLimit, Problem, Source
from rdcsolve.testing.evaluation import least_losses
from rdcsolve.testing.printing import as_code
from rdcsolve.testing.strategies import channels, distortions, forbidden_masks, labels, multipliers, pmfs, st

KINDS = ("targets", "multipliers", "loss")
"""What `problems` draws by default; ``"infeasible"`` is the fourth kind."""

_TIGHTNESS = (0.5, 1.0, 0.1, 0.01, 1e-4)


@st.composite
def problems(
    draw: Any,
    kinds: str | Sequence[str] = KINDS,
    *,
    max_symbols: int = 5,
    max_letters: int = 5,
    max_losses: int = 3,
    forbidden: bool = True,
    at_minimum: bool = False,
    largest_multiplier: float = 1e9,
) -> Problem:
    """Draw a problem with all corner cases of `pmfs`, `distortions`, `labels` and `multipliers`.

    Parameters
    ----------
    kinds : str or sequence of str, optional
        ``"targets"`` minimises the rate under limits on the losses, ``"multipliers"`` the Lagrangian,
        ``"loss"`` minimises one loss under a limit on the rate; all of these are feasible by construction.
        ``"infeasible"`` limits the distortion to less than its minimum.
    max_symbols, max_letters, max_losses : int, optional
        The largest sizes.
    forbidden : bool, optional
        Whether pairs may be forbidden by infinite losses.
    at_minimum : bool, optional
        Whether a problem at targets may have a limit exactly at its attainable minimum, where no channel has
        slack and rounding decides about feasibility.
    largest_multiplier : float, optional
        The largest multiplier, per largest finite entry of its loss.

    Returns
    -------
    Problem
        Each loss but the first may be limited tightly, loosely (the limit is not active), or not at all. One
        of the losses may be a classifier's. When a test fails on it, its code is printed, see `as_code`.
    """
    kind = draw(st.sampled_from([kinds] if isinstance(kinds, str) else list(kinds)))
    base = draw(unlimited_problems(max_symbols, max_letters, max_losses, forbidden=forbidden))
    if kind == "multipliers":
        sizes = {name: _scale(base, name) for name in base.loss_names}
        drawn = {name: draw(multipliers(scale=sizes[name], largest=largest_multiplier)) for name in sizes}
        problem = base.at_multipliers(**drawn)
    else:
        problem = _limited(draw, base, kind, at_minimum)
    from hypothesis import currently_in_test_context, note

    if currently_in_test_context():
        note(f"the problem as code: {as_code(problem)}")
    return problem


def _limited(draw: Any, base: Problem, kind: str, at_minimum: bool) -> Problem:
    """Draw limits on the losses, and on the rate, of `base`."""
    if kind == "infeasible":
        base = _with_positive_minimum(base)
        return base.with_limits(D=draw(st.sampled_from([0.0, 0.5, 0.999])) * least_losses(base)["distortion"])
    reference = draw(_reference_channels(base, at_minimum=at_minimum and kind == "targets"))
    if kind == "targets":
        return base.with_limits(**_bounds(draw, base, reference, base.loss_names))
    minimised = draw(st.sampled_from(base.loss_names))
    others = [name for name in base.loss_names if name != minimised]
    bounds = _bounds(draw, base, reference, others)
    unconstrained = base.forbidden is None and not any(map(math.isfinite, bounds.values()))
    least = 0.0 if unconstrained else mutual_information(base.p_x, reference)
    extra = draw(st.sampled_from([0.1, 0.5, 1e-3, 2.0] + ([0.0] if least == 0.0 else [])))
    return base.with_limits(**bounds).minimising(minimised, rate=least + extra)


@st.composite
def unlimited_problems(
    draw: Any, max_symbols: int = 5, max_letters: int = 5, max_losses: int = 3, *, forbidden: bool = True
) -> Problem:
    """Draw masses and losses without limits, to be limited with `Problem.with_limits`.

    Parameters
    ----------
    max_symbols, max_letters, max_losses : int, optional
        The largest sizes.
    forbidden : bool, optional
        Whether pairs may be forbidden by infinite losses.
    """
    n_x, n_letters = draw(st.integers(1, max_symbols)), draw(st.integers(1, max_letters))
    n_losses = draw(st.integers(1, max_losses))
    p_x = draw(pmfs(n_x))
    mask = np.zeros((n_x, n_letters), dtype=bool)
    if forbidden and draw(st.booleans()):
        mask = draw(forbidden_masks(n_x, n_letters))
    matrices = [draw(distortions(n_x, n_letters, forbidden=False)) for _ in range(n_losses)]
    matrices[0] = np.where(mask, np.inf, matrices[0])
    if n_losses == 1 or not draw(st.booleans()):
        extra = {f"loss_{m}": matrix for m, matrix in enumerate(matrices[1:], 1)}
        return Problem.from_arrays(p_x, matrices[0], losses=extra)
    n_s = draw(st.integers(1, 3))
    label, classifier = draw(labels(n_x, n_s)), draw(labels(n_letters, n_s))
    if _strands_a_symbol(mask, label, classifier) or not forbidden:
        classifier = 0.9 * classifier + 0.1 / n_s
    limits: list[Any] = [
        ClassifierLossLimit(math.inf, classifier, loss=draw(st.sampled_from(["cross_entropy", "error_rate"])))
    ]
    limits += [LossLimit(math.inf, matrix, f"loss_{m}") for m, matrix in enumerate(matrices[2:], 2)]
    return Problem(Source(None, p_x, labels=[label]), distortion=matrices[0], limits=limits)


def _strands_a_symbol(mask: np.ndarray, label: np.ndarray, classifier: np.ndarray) -> bool:
    excluded = (label > 0).astype(float) @ (classifier == 0).T.astype(float) > 0
    return bool((mask | excluded).all(axis=1).any())


def _scale(problem: Problem, name: str) -> float:
    matrix = problem.linear_losses[problem.loss_names.index(name)].block()
    finite = matrix[np.isfinite(matrix)]
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _with_positive_minimum(problem: Problem) -> Problem:
    """Return the problem with one added to its distortion, whose least mean is then at least one."""
    matrices = {loss.name: loss.block() for loss in problem.linear_losses}
    return Problem.from_arrays(problem.p_x, matrices.pop("distortion") + 1.0, losses=matrices)


@st.composite
def _reference_channels(draw: Any, problem: Problem, *, at_minimum: bool) -> np.ndarray:
    """Draw a channel without forbidden pairs, between a greedy and a random one; its losses are targets."""
    allowed = np.ones((problem.n_x, problem.n_letters))
    if problem.forbidden is not None:
        allowed = (~problem.forbidden).astype(float)
        allowed[~allowed.any(axis=1)] = 1.0  # symbols of mass zero may have no letter
    random = allowed * (draw(channels(problem.n_x, problem.n_letters)) + 1e-3)
    random /= random.sum(axis=1, keepdims=True)
    weights = [draw(st.integers(0, 3)) for _ in problem.losses]
    weights[0] += not any(weights)
    combined = np.zeros_like(allowed)
    for weight, loss in zip(weights, problem.linear_losses, strict=True):
        combined += weight * np.where(allowed > 0, loss.block(), 0.0)
    combined[allowed == 0] = np.inf
    greedy = np.eye(problem.n_letters)[combined.argmin(axis=1)]
    share = draw(st.sampled_from([*_TIGHTNESS, 0.0] if at_minimum else list(_TIGHTNESS)))
    return (1 - share) * greedy + share * random


def _bounds(draw: Any, problem: Problem, channel: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Draw bounds that the channel meets, the first with equality unless it is loosened too."""
    bounds = {}
    for name in names:
        matrix = problem.linear_losses[problem.loss_names.index(name)].block()
        with_mass = problem.p_x[:, None] * channel
        mean = float((with_mass * np.where(with_mass > 0, matrix, 0.0)).sum())
        loosened = [mean, mean, 1.25 * mean + 0.01, 10.0 * mean + 10.0, math.inf]
        bounds[name] = draw(st.sampled_from(loosened))
    return bounds


@st.composite
def label_problems(
    draw: Any,
    kinds: str | Sequence[str] = KINDS,
    *,
    max_symbols: int = 4,
    max_letters: int = 3,
    max_classes: int = 3,
    max_labels: int = 1,
    largest_multiplier: float = 1e3,
) -> Problem:
    """Draw a problem with one distortion, perhaps another loss, and label entropies, all corner cases included.

    Parameters
    ----------
    kinds : str or sequence of str, optional
        As of `problems`, without ``"infeasible"``; the label's entropy may be what is minimised.
    max_symbols, max_letters, max_classes, max_labels : int, optional
        The largest sizes.
    largest_multiplier : float, optional
        The largest multiplier of a label's entropy, and of a loss per largest finite entry.

    Returns
    -------
    Problem
        Feasible by construction, with split letters.
    """
    kind = draw(st.sampled_from([kinds] if isinstance(kinds, str) else list(kinds)))
    base = draw(unlimited_problems(max_symbols, max_letters, 2))
    sizes = draw(st.lists(st.integers(1, max_classes), min_size=1, max_size=max_labels))
    tables = [draw(labels(base.n_x, n_s)) for n_s in sizes]
    matrices = {loss.name: loss.block() for loss in base.linear_losses}
    distortion = matrices.pop("distortion")
    problem = Problem.from_arrays(base.p_x, distortion, tables, C=math.inf, losses=matrices)
    names = [label.name for label in problem.label_entropies]
    if kind == "multipliers":
        scales = {name: _scale(problem, name) for name in base.loss_names} | dict.fromkeys(names, 1.0)
        drawn = {name: draw(multipliers(scale=scale, largest=largest_multiplier)) for name, scale in scales.items()}
        problem = problem.at_multipliers(**drawn)
    else:
        channel = draw(_reference_channels(base, at_minimum=False))
        entropies = {
            label.name: conditional_entropy(base.p_x, label.conditional, channel) for label in problem.label_entropies
        }
        minimised = "rate" if kind == "targets" else draw(st.sampled_from(problem.loss_names))
        bounds = _bounds(draw, problem, channel, [name for name in base.loss_names if name != minimised])
        for name, entropy in entropies.items():
            if name != minimised:
                bounds[name] = draw(st.sampled_from([entropy, entropy + 1e-3, 1.25 * entropy + 0.01, math.inf]))
        problem = problem.with_limits(**bounds)
        if minimised != "rate":
            extra = draw(st.sampled_from([0.1, 0.5, 1e-3, 2.0]))
            problem = problem.minimising(minimised, rate=mutual_information(base.p_x, channel) + extra)
    from hypothesis import currently_in_test_context, note

    if currently_in_test_context():
        note(f"the problem as code: {as_code(problem)}")
    return problem
