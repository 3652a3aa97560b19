"""What can be decoded from the messages of a fixed encoder: best symbols, means, posteriors, and their losses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from rdcsolve.letters.space import space_of
from rdcsolve.problems import Problem


@dataclass(frozen=True, eq=False)
class Decoder:
    """How one target is met from an encoder's messages.

    Attributes
    ----------
    letters : numpy.ndarray
        Shape (k,): the reproduction symbol for every message; where letters are free, indices into `reproduction`.
    reproduction : numpy.ndarray
        Where letters are free: E[X | z], shape (k, dim). Otherwise empty.
    decisions : tuple of numpy.ndarray
        Per label entropy of the problem the soft decision for every message, shape (k, n_s).
    losses : dict of str to float
        What the decoder attains.
    """

    letters: np.ndarray
    decisions: tuple[np.ndarray, ...]
    losses: dict[str, float]
    reproduction: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


def symbol_losses(problem: Problem, joint: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return E[L(X, a); Z = z] for every message and symbol, shape (k, n_letters); inf where a symbol is forbidden.

    Parameters
    ----------
    problem : Problem
        With listed letters.
    joint : numpy.ndarray
        Masses of symbol and message, shape (n_x, k).
    matrix : numpy.ndarray
        The loss, shape (n_x, n_letters).
    """
    infinite = np.isinf(matrix)
    sums = joint.T @ np.where(infinite, 0.0, matrix)
    forbidden = problem.forbidden if problem.forbidden is not None else infinite
    if forbidden.any():
        sums[(joint > 0).T.astype(float) @ forbidden.astype(float) > 0] = math.inf
    return sums


def label_masses(conditional: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Return the masses of message and class, shape (k, n_s)."""
    return joint.T @ conditional


def unnormalised_entropy(masses: np.ndarray) -> np.ndarray:
    """Return -sum_s m_s log(m_s / sum m) along the last axis: a message's share of H(S | Z)."""
    total = masses.sum(axis=-1, keepdims=True)
    ratio = np.divide(masses, total, out=np.ones_like(masses), where=masses > 0)
    return np.maximum(-(masses * np.log(ratio)).sum(axis=-1), 0.0)


def posterior(masses: np.ndarray) -> np.ndarray:
    """Return p(s | z) from the masses of message and class; the first class for a message without mass."""
    total = masses.sum(axis=1, keepdims=True)
    certain = np.zeros_like(masses)
    certain[:, 0] = 1.0
    return np.divide(masses, total, out=certain, where=total > 0)


def best_decoder(problem: Problem, joint: np.ndarray, linear: int = 0) -> Decoder:
    """Return the decoder that is best at the squared error, or at one linear loss, and at every label entropy.

    Parameters
    ----------
    problem : Problem
    joint : numpy.ndarray
        Masses of symbol and message, shape (n_x, k), every message of positive mass.
    linear : int, optional
        Which linear loss decides the symbols where letters are listed.
    """
    if problem.linear_losses:
        letters = symbol_losses(problem, joint, problem.linear_losses[linear].block()).argmin(axis=1)
        return decoder_of(problem, joint, letters)
    space = space_of(problem)
    shown = space.posterior(space.anchors().take(np.zeros(joint.shape[1], dtype=np.intp)), joint)
    means = [float((joint * loss).sum()) for loss in space.place_losses(shown.places)]
    losses = dict(zip(problem.loss_names, means, strict=False)) | _entropies(problem, joint)
    return Decoder(np.arange(joint.shape[1]), shown.decisions, losses, shown.places)


def decoder_of(problem: Problem, joint: np.ndarray, letters: np.ndarray, *, merged: bool = False) -> Decoder:
    """Return the decoder that shows these symbols, shape (k,), with the label read from the message.

    Parameters
    ----------
    problem, joint
        As of `best_decoder`; letters are listed.
    letters : numpy.ndarray
    merged : bool, optional
        Whether the label is read from the symbol alone, as with fixed letters.
    """
    losses = {loss.name: _mean(joint, loss.block(None, letters)) for loss in problem.linear_losses}
    if merged:
        shown, place = np.unique(letters, return_inverse=True)
        by_symbol = np.zeros((joint.shape[0], shown.size))
        np.add.at(by_symbol.T, place, joint.T)
        soft = [posterior(label_masses(label.conditional, by_symbol))[place] for label in problem.label_entropies]
        return Decoder(letters, tuple(soft), losses | _entropies(problem, by_symbol))
    decisions = tuple(posterior(label_masses(label.conditional, joint)) for label in problem.label_entropies)
    return Decoder(letters, decisions, losses | _entropies(problem, joint))


def _entropies(problem: Problem, joint: np.ndarray) -> dict[str, float]:
    return {
        label.name: float(unnormalised_entropy(label_masses(label.conditional, joint)).sum())
        for label in problem.label_entropies
    }


def _mean(joint: np.ndarray, losses: np.ndarray) -> float:
    return float(np.where(joint > 0, joint * np.where(joint > 0, losses, 0.0), 0.0).sum())
