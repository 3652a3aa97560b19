"""The lower left boundary of what can be decoded from given masses of symbol and message."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.universal.decoding import best_decoder, label_masses, symbol_losses, unnormalised_entropy
from rdcsolve.universal.deterministic import Assignments
from rdcsolve.universal.hulls import minkowski_sum, staircase

_WEIGHTS = 9


@dataclass(frozen=True, eq=False)
class Boundary:
    """Where a region ends.

    Parameters
    ----------
    kind : str
        As of `Region`.
    vertices, outer : numpy.ndarray
        Shape (v, 2) and (w, 2).
    letters : numpy.ndarray
        Shape (v, k).
    """

    kind: str
    vertices: np.ndarray
    outer: np.ndarray
    letters: np.ndarray


def boundary_of(problem: Problem, joint: np.ndarray, names: tuple[str, str], least_only: bool = False) -> Boundary:
    """Return the boundary in the plane of two losses.

    Parameters
    ----------
    problem : Problem
    joint : numpy.ndarray
        Masses of symbol and message, shape (n_x, k), every message of positive mass.
    names : tuple of str
    least_only : bool, optional
        Whether the least value of each loss is enough.
    """
    linear = [problem.loss_names.index(name) for name in names if not _is_entropy(problem, name)]
    if not problem.linear_losses:
        losses = best_decoder(problem, joint).losses
        corner = np.array([[losses[name] for name in names]])
        return Boundary("quadrant", corner, corner, np.empty((1, 0), dtype=np.intp))
    tables = [symbol_losses(problem, joint, problem.linear_losses[m].block()) for m in linear]
    _check_finite(tables or [symbol_losses(problem, joint, problem.linear_losses[0].block())])
    if len(linear) == 2 and least_only:
        x, y = (float(table.min(axis=1).sum()) for table in tables)
        ends = np.array([[x, np.inf], [np.inf, y]])
        return Boundary("polygon", ends, ends, np.empty((2, 0), dtype=np.intp))
    if len(linear) == 2:
        vertices, letters = minkowski_sum([np.stack(pair, axis=1) for pair in zip(*tables, strict=True)])
        return Boundary("polygon", vertices, vertices, letters)
    if problem.letters == "fixed" and not least_only:
        return _searched(problem, joint, names, tables)
    corner = _corner(problem, joint, names, tables)
    shown = tables or [symbol_losses(problem, joint, problem.linear_losses[0].block())]
    return Boundary("quadrant", corner, corner, shown[0].argmin(axis=1)[None])


def _is_entropy(problem: Problem, name: str) -> bool:
    return name in [label.name for label in problem.label_entropies]


def _corner(problem: Problem, joint: np.ndarray, names: tuple[str, str], tables: list[np.ndarray]) -> np.ndarray:
    """Return the least of each loss, shape (1, 2)."""
    entropies = {
        label.name: float(unnormalised_entropy(label_masses(label.conditional, joint)).sum())
        for label in problem.label_entropies
    }
    best = [float(table.min(axis=1).sum()) for table in tables]
    return np.array([[entropies[name] if name in entropies else best[0] for name in names]])


def _searched(problem: Problem, joint: np.ndarray, names: tuple[str, str], tables: list[np.ndarray]) -> Boundary:
    """Return what deterministic decoders were found to attain with fixed letters, inside of the corner."""
    corner = _corner(problem, joint, names, tables)
    wanted = [label for name in names for label in problem.label_entropies if label.name == name]
    masses = tuple(label_masses(label.conditional, joint) for label in wanted)
    assignments = Assignments(tuple(tables), masses, problem.n_letters)
    places = {label.name: len(tables) + k for k, label in enumerate(wanted)}
    order = [places.get(name, 0) for name in names]
    sizes = np.maximum(np.abs(corner[0]), 1e-12)
    weightings = []
    for share in np.linspace(1e-3, 1 - 1e-3, _WEIGHTS):
        weights = np.zeros(2)
        weights[order] = np.array([1 - share, share]) / sizes
        weightings.append(weights)
    maps = assignments.search(weightings)
    points = np.array([assignments.losses(g) for g in maps])[:, order]
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not finite.size:
        raise InvalidInput("no deterministic decoder with finite losses was found; allow more pairs")
    kept = finite[staircase(points[finite])]
    return Boundary("staircase", points[kept], corner, maps[kept])


def _check_finite(tables: list[np.ndarray]) -> None:
    stranded = ~np.isfinite(sum(tables)).any(axis=1)  # type: ignore[arg-type]
    if stranded.any():
        z = int(np.flatnonzero(stranded)[0])
        raise InvalidInput(
            f"message {z} stands for symbols to which every letter is forbidden by +inf losses (messages so affected: "
            f"{int(stranded.sum())}); no decoder has finite losses: use another encoder, or allow more pairs"
        )
