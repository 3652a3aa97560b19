"""Channels of the same source drawn together: one encoder whose message holds a letter of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.results import Result
from rdcsolve.universal.decoding import Decoder, best_decoder, decoder_of


def cells(steps: Sequence[np.ndarray], x: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what symbol x sends through several channels at once if all draw by one common random number.

    Each channel by itself stays what it is.

    Parameters
    ----------
    steps : sequence of numpy.ndarray
        Cumulative sums of the rows of the channels, shape (n_x, k_j).
    x : int

    Returns
    -------
    numpy.ndarray
        Places of letters in the channels, shape (c, J).
    numpy.ndarray
        Their masses, shape (c,).
    """
    ends = np.unique(np.concatenate([step[x] for step in steps]))
    begins = np.r_[0.0, ends[:-1]]
    middle = np.minimum((ends + begins) / 2, 1.0)
    places = [np.minimum(np.searchsorted(step[x], middle), step.shape[1] - 1) for step in steps]
    return np.stack(places, axis=1), ends - begins


def drawn_together(problem: Problem, results: Sequence[Result]) -> tuple[np.ndarray, tuple[Decoder, ...]] | None:
    """Return an encoder that sends a letter of every target's own channel, and decoders that show these.

    It serves all targets that the results meet, though not at the least rate.

    Parameters
    ----------
    problem : Problem
    results : sequence of Result
        Of the targets on their own.

    Returns
    -------
    tuple or None
        p(z | x), shape (n_x, k), and a decoder per target; None if some target has no channel.
    """
    if any(not result.letters.size for result in results):
        return None
    used = [np.flatnonzero(result.q > 0) for result in results]
    steps = [np.cumsum(result.channel[:, kept], axis=1) for result, kept in zip(results, used, strict=True)]
    symbols = np.flatnonzero(problem.p_x > 0).tolist()
    drawn = [cells(steps, x) for x in symbols]
    messages, codes = np.unique(np.concatenate([places for places, _ in drawn]), axis=0, return_inverse=True)
    encoder = np.zeros((problem.n_x, len(messages)))
    rows = np.repeat(symbols, [masses.size for _, masses in drawn])
    np.add.at(encoder, (rows, codes.ravel()), np.concatenate([masses for _, masses in drawn]))
    sent = encoder.sum(axis=0) > 0  # two ends may be so close that nothing is between them
    encoder, messages = encoder[:, sent], messages[sent]
    encoder[problem.p_x == 0, 0] = 1.0
    encoder /= encoder.sum(axis=1, keepdims=True)
    joint = encoder * problem.p_x[:, None]
    if problem.free is not None:
        return encoder, (best_decoder(problem, joint),) * len(results)
    letters = [result.letters[kept][messages[:, j]] for j, (result, kept) in enumerate(zip(results, used, strict=True))]
    return encoder, tuple(decoder_of(problem, joint, one) for one in letters)
