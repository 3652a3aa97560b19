"""The lower left boundary of what can be decoded from given masses of symbol and message."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from rdcsolve import deadline
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.universal.attained import losses_of
from rdcsolve.universal.decoding import (
    Decoder,
    best_decoder,
    decoder_of,
    label_masses,
    symbol_losses,
    unnormalised_entropy,
)
from rdcsolve.universal.deterministic import Assignments
from rdcsolve.universal.edges import Edges, edges_of
from rdcsolve.universal.hulls import lower_left, minkowski_sum, staircase
from rdcsolve.universal.steps import Steps

_WEIGHTS = 9
_MOST_MOVES = 2**20  # of all maps: beyond, they are searched for
_BETWEEN = 128  # points of a curved boundary that are kept beside the deterministic ones
_ROUNDING = 1e-13  # of the largest weighted sums


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
    others, chances : numpy.ndarray
        Shape (v, k) and (v,): the symbols shown instead of `letters`, and with which chance; None if there are none.
    edges : Edges or None
        Of a curved boundary: all that is attained, between the vertices too.
    """

    kind: str
    vertices: np.ndarray
    outer: np.ndarray
    letters: np.ndarray
    others: np.ndarray | None = None
    chances: np.ndarray | None = None
    edges: Edges | None = None


def boundary_of(
    problem: Problem, joint: np.ndarray, names: tuple[str, str], steps: Steps, least_only: bool = False
) -> Boundary:
    """Return the boundary in the plane of two losses.

    Parameters
    ----------
    problem : Problem
    joint : numpy.ndarray
        Masses of symbol and message, shape (n_x, k), every message of positive mass.
    names : tuple of str
    steps : Steps
        Of what is searched for. Once they are over, the boundary is of what was found, within a corner that is proved.
    least_only : bool, optional
        Whether the least value of each loss is enough.
    """
    linear = [problem.loss_names.index(name) for name in names if not _is_entropy(problem, name)]
    if problem.free is not None:
        decoder = best_decoder(problem, joint)
        corner = _attained(problem, joint, decoder, names)[None]
        return Boundary("quadrant", corner, corner, np.empty((1, 0), dtype=np.intp))
    tables = [symbol_losses(problem, joint, problem.linear_losses[m].block()) for m in linear]
    _check_finite(tables or [symbol_losses(problem, joint, problem.linear_losses[0].block())])
    if len(linear) == 2 and least_only:
        x, y = (float(table.min(axis=1).sum()) for table in tables)
        ends = np.array([[x, np.inf], [np.inf, y]])
        return Boundary("polygon", ends, ends, np.empty((2, 0), dtype=np.intp))
    if len(linear) == 2:
        return _polygon(tables, steps)
    if problem.letters == "fixed" and not least_only:
        return _curved(problem, joint, names, tables, steps)
    corner = _corner(problem, joint, names, tables)
    shown = tables or [symbol_losses(problem, joint, problem.linear_losses[0].block())]
    letters = shown[0].argmin(axis=1)
    if not least_only:
        corner = _attained(problem, joint, decoder_of(problem, joint, letters), names)[None]
    return Boundary("quadrant", corner, corner, letters[None])


def _attained(problem: Problem, joint: np.ndarray, decoder: Decoder, names: tuple[str, str]) -> np.ndarray:
    """Return the two losses of a decoder, recomputed from what it shows, shape (2,)."""
    losses = losses_of(problem, decoder, joint)
    return np.array([losses[name].value for name in names])


def _polygon(tables: list[np.ndarray], steps: Steps) -> Boundary:
    """Return the boundary for two linear losses, each of whose vertices is the sum of what its symbols cost."""
    try:
        deadline.look()
        letters = minkowski_sum([np.stack(pair, axis=1) for pair in zip(*tables, strict=True)])
        is_whole = steps.taken()
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        steps.end(stop)
        allowed = np.isfinite(tables[0] + tables[1])
        letters, is_whole = np.array([np.where(allowed, table, np.inf).argmin(axis=1) for table in tables]), False
    rows = np.arange(letters.shape[1])
    vertices = np.stack([table[rows, letters].sum(axis=1) for table in tables], axis=1)
    kept = lower_left(vertices)  # edges shorter than the rounding of a sum are none
    vertices, letters = vertices[kept], letters[kept]
    try:
        outer = proved_outer(tables, vertices) if is_whole else _corner_of(tables)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        steps.end(stop)
        outer = _corner_of(tables)
    return Boundary("polygon", vertices, outer, letters)


def _corner_of(tables: list[np.ndarray]) -> np.ndarray:
    """Return the least of each loss, shape (1, 2)."""
    return np.array([[float(table.min(axis=1).sum()) for table in tables]])


def proved_outer(tables: list[np.ndarray], vertices: np.ndarray) -> np.ndarray:
    """Return these vertices if no decoder gets below the lines through them; otherwise the corner of the least values.

    A weighted sum of two linear losses is least, over all decoders, randomised ones included, where every message shows
    the symbol with the least weighted sum: which bounds the region by a line for each edge, and one beyond either end.

    Parameters
    ----------
    tables : list of numpy.ndarray
        Two of shape (k, n_letters): what each message costs as each symbol.
    vertices : numpy.ndarray
        Shape (v, 2), from the left to the lowest.
    """
    edges = np.diff(vertices, axis=0)
    weights = np.vstack([[[1.0, 0.0], [0.0, 1.0]], np.stack([-edges[:, 1], edges[:, 0]], axis=1)])
    stated = (weights * vertices[[0, -1, *range(len(edges))]]).sum(axis=1)
    least, size = np.zeros(len(weights)), np.zeros(len(weights))
    for cloud in np.stack(tables, axis=2):
        deadline.look()
        sums = weights @ cloud[np.isfinite(cloud).all(axis=1)].T
        least += sums.min(axis=1)
        size += np.abs(sums).max(axis=1)
    if (least >= stated - _ROUNDING * size).all():
        return vertices
    return _corner_of(tables)


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


def _curved(
    problem: Problem, joint: np.ndarray, names: tuple[str, str], tables: list[np.ndarray], steps: Steps
) -> Boundary:
    """Return what decoders attain with fixed letters: all of them, or those that a search found and the corner."""
    corner = _corner(problem, joint, names, tables)
    wanted = [label for name in names for label in problem.label_entropies if label.name == name]
    masses = tuple(label_masses(label.conditional, joint) for label in wanted)
    if not tables:  # two labels: what is forbidden stays so
        costs = symbol_losses(problem, joint, problem.linear_losses[0].block())
        tables = [np.where(np.isinf(costs), np.inf, 0.0)]
    assignments = Assignments(tuple(tables), masses, problem.n_letters)
    places = {label.name: len(tables) + k for k, label in enumerate(wanted)}
    order = (places.get(names[0], 0), places.get(names[1], 0))
    k, n = tables[0].shape
    complete = k * math.log(n) + math.log(k * n) <= math.log(_MOST_MOVES)
    if complete:
        maps = np.array(list(itertools.product(range(n), repeat=k)), dtype=np.intp)
    else:
        found = steps.collected(assignments.searched(_weightings(assignments, order, corner[0])))
        cheapest = np.sum(tables, axis=0).argmin(axis=1)
        maps = np.unique(np.concatenate(found or [cheapest[None]]), axis=0)
    try:
        edges = edges_of(assignments, order, maps, complete, steps)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        steps.end(stop)
        edges = edges_of(assignments, order, maps, complete, steps)
    if edges is None:
        raise InvalidInput("no deterministic decoder with finite losses was found; allow more pairs")
    return _drawn(problem, joint, names, edges, corner, complete, steps)


def _drawn(
    problem: Problem,
    joint: np.ndarray,
    names: tuple[str, str],
    edges: Edges,
    corner: np.ndarray,
    complete: bool,
    steps: Steps,
) -> Boundary:
    """Return points of a curved boundary: its two ends, all its deterministic decoders, and some between these."""
    stairs = edges.points[staircase(edges.points), 0]
    widths = np.diff(stairs)
    counts = np.ceil(_BETWEEN * widths / max(widths.sum(), np.finfo(float).tiny)).astype(int)
    firsts = [stairs, *(np.linspace(a, b, n + 2)[1:-1] for a, b, n in zip(stairs, stairs[1:], counts, strict=False))]
    places = np.concatenate([stairs[[0, -1]], *firsts])

    def drawn(first: float) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        _, place, chance = edges.lowest(first)
        letters, others = edges.decoder(place, chance)
        return letters, others, chance, _attained_at_random(problem, joint, names, letters, others, chance)

    found = steps.collected(drawn(float(first)) for first in places)
    found += [drawn(float(first)) for first in places[len(found) : 2]]  # both ends in any case
    vertices = np.array([one[3] for one in found])
    kept = staircase(vertices)
    vertices = vertices[kept]
    letters, others = (np.array([found[v][part] for v in kept]) for part in (0, 1))
    is_whole = complete and steps.ended is None
    outer = vertices if is_whole else np.minimum(corner, vertices.min(axis=0))
    return Boundary("curve", vertices, outer, letters, others, np.array([found[v][2] for v in kept]), edges)


def _weightings(assignments: Assignments, order: tuple[int, int], corner: np.ndarray) -> list[np.ndarray]:
    """Return weights of the losses at which decoders are searched for."""
    sizes = np.maximum(np.abs(corner), 1e-12)
    weightings = []
    for share in np.linspace(1e-3, 1 - 1e-3, _WEIGHTS):
        weights = np.zeros(len(assignments.linear) + len(assignments.labels))
        weights[list(order)] = np.array([1 - share, share]) / sizes
        weightings.append(weights)
    return weightings


def _attained_at_random(
    problem: Problem, joint: np.ndarray, names: tuple[str, str], letters: np.ndarray, others: np.ndarray, chance: float
) -> np.ndarray:
    """Return the two losses of a decoder that shows other symbols with a chance, shape (2,)."""
    mixed = np.flatnonzero(letters != others)
    joint = np.hstack([joint, chance * joint[:, mixed]])
    joint[:, mixed] *= 1 - chance
    return _attained(problem, joint, decoder_of(problem, joint, np.concatenate([letters, others[mixed]])), names)


def _check_finite(tables: list[np.ndarray]) -> None:
    stranded = ~np.isfinite(sum(tables)).any(axis=1)  # type: ignore[arg-type]
    if stranded.any():
        z = int(np.flatnonzero(stranded)[0])
        raise InvalidInput(
            f"message {z} stands for symbols to which every letter is forbidden by +inf losses (messages so affected: "
            f"{int(stranded.sum())}); no decoder has finite losses: use another encoder, or allow more pairs"
        )
