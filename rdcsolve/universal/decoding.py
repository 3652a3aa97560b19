"""What can be decoded from the messages of a fixed encoder: best symbols, means, posteriors, and their losses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

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
    perceptions : dict of str to float
        By name of every perception of the problem, how far the law of what the decoder shows is from its target.
    """

    letters: np.ndarray
    decisions: tuple[np.ndarray, ...]
    losses: dict[str, float]
    reproduction: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    perceptions: dict[str, float] = field(default_factory=dict)


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
    assert problem.free is not None
    means = problem.free.means(joint)  # exact where a message stands for one symbol
    decisions = tuple(posterior(label_masses(label.conditional, joint)) for label in problem.label_entropies)
    losses = {problem.free.name: float((joint * problem.free.matrix(means)).sum())} | _entropies(problem, joint)
    return Decoder(np.arange(joint.shape[1]), decisions, losses, means)


def decoder_of(problem: Problem, joint: np.ndarray, letters: np.ndarray) -> Decoder:
    """Return the decoder that shows these symbols, shape (k,).

    The label is read from the message, or from the symbol alone where the problem's letters are fixed.

    Parameters
    ----------
    problem, joint
        As of `best_decoder`; letters are listed.
    letters : numpy.ndarray
    """
    losses = {loss.name: _mean(joint, loss.block(None, letters)) for loss in problem.linear_losses}
    by_letter, place = by_symbol(problem, joint, letters)
    soft = [posterior(label_masses(label.conditional, by_letter))[place] for label in problem.label_entropies]
    return Decoder(letters, tuple(soft), losses | _entropies(problem, by_letter))


def by_symbol(problem: Problem, joint: np.ndarray, letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the masses of symbol and what the label is read from, and which of these each message is, shape (k,).

    That is the message itself, or with fixed letters the symbol shown: messages shown alike are then one.
    """
    if problem.letters != "fixed":
        return joint, np.arange(joint.shape[1])
    shown, place = np.unique(letters, return_inverse=True)
    masses = np.zeros((joint.shape[0], shown.size))
    np.add.at(masses.T, place, joint.T)
    return masses, place


def _entropies(problem: Problem, joint: np.ndarray) -> dict[str, float]:
    return {
        label.name: float(unnormalised_entropy(label_masses(label.conditional, joint)).sum())
        for label in problem.label_entropies
    }


def _mean(joint: np.ndarray, losses: np.ndarray) -> float:
    return math.fsum((joint * np.where(joint > 0, losses, 0.0)).ravel().tolist())
