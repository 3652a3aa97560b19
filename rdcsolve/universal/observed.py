"""`restoration`: decoders that see the source through a channel, without a limit on the rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.problems import LabelEntropyLimit, LossLimit, Problem, Source
from rdcsolve.problems.perception import KnownPerceptionLimit
from rdcsolve.problems.statement import spelled_out
from rdcsolve.problems.validation import one_of
from rdcsolve.universal.decoding import label_masses, posterior, symbol_losses
from rdcsolve.universal.encoder import channel_of
from rdcsolve.universal.targets import with_bounds

_SPARE = 1e-6  # nats: the rate's limit is so much above the entropy of what is observed


@public_call
def restoration(
    problem: Problem, observation: Any, *, minimise: str = "distortion", normalise: bool = False
) -> Problem:
    """Return the problem of a decoder that sees Y, drawn by p(y | x), in place of the source: with all limits kept.

    Its symbols are the observations, its losses those expected given them, its labels p(s | y); perceptions compare the
    reproduction with the source's own law, as before. `solve`, `sweep` and `tradeoff` take it like any other problem.

    Parameters
    ----------
    problem : Problem
        With listed letters. What it minimises, and a limit on the rate, do not matter.
    observation : array_like, Result, Universal or Encoder
        p(y | x), shape (n_x, k): a noisy channel, or an encoder whose messages are to be decoded.
    minimise : str, optional
        The name of a loss, by default the first one, whose own limit is dropped; of a perception; or ``"rate"``, for
        codes of what is observed. Losses and perceptions are minimised at a rate that limits nothing.
    normalise : bool, optional
        Rescale the rows of p(y | x) to sum to one.

    Returns
    -------
    Problem

    Raises
    ------
    InvalidInput
        If letters are not listed, a loss is held at a value, or the observation is of another source.

    Notes
    -----
    Without a limit on the rate that is the classification-distortion-perception function: the least distortion of a
    restored image, say, under limits on the error of a classifier that looks at it and on how far its law is from that
    of clean images. Source: Liu et al. (2019); the proof is in the docs, Perception.

    Examples
    --------
    >>> from rdcsolve import solve
    >>> coin = Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], P=0.0, perception="tv")
    >>> flipped = [[0.8, 0.2], [0.2, 0.8]]
    >>> round(solve(restoration(coin.with_limits(P=None), flipped)).objective_upper, 6)
    0.2
    >>> round(solve(restoration(coin, flipped)).objective_upper, 6)
    0.221053
    """
    options.instance(problem, Problem, "problem", "pass a Problem")
    if not problem.linear_losses:
        raise InvalidInput(
            "the problem lists no letters, so losses of observations cannot be listed; give reproduction="
        )
    if problem.equal.any():
        name = problem.loss_names[int(problem.equal.argmax())]
        raise InvalidInput(f"{name} is held at its bound (equal=True); restoration takes limits from above")
    stated, problem = problem, problem.in_unit("nat")
    names = [label.name for label in problem.label_entropies]
    minimise = one_of(spelled_out(minimise, names), ("rate", *problem.limit_names), "objective")
    channel = channel_of(observation, problem.n_x, normalise=normalise, masses=problem.p_x, name="observation")
    joint = channel * problem.p_x[:, None]
    joint = joint[:, joint.sum(axis=0) > 0]
    masses = joint.sum(axis=0)
    labels = [posterior(label_masses(label.conditional, joint)) for label in problem.label_entropies]
    source = Source(None, masses, labels, problem.source.name, normalise=True)
    tables = [symbol_losses(problem, joint, loss.block()) / masses[:, None] for loss in problem.linear_losses]
    limits: list[Any] = [
        LossLimit(math.inf, table, loss.name, loss.is_information)
        for table, loss in zip(tables[1:], problem.linear_losses[1:], strict=True)
    ]
    limits += [LabelEntropyLimit(math.inf, k, label.name) for k, label in enumerate(problem.label_entropies)]
    symbols = (joint / masses).T  # p(x | y), with which the observations belong to classes
    limits += [KnownPerceptionLimit(math.inf, one.seen_by(symbols)) for one in problem.perceptions]
    seen = Problem(source, problem.reproduction, tables[0], limits, letters=problem.letters)
    bounds = np.concatenate([problem.bounds, problem.perception_bounds])
    seen = with_bounds(seen, bounds)
    if minimise != "rate":
        seen = seen.minimising(minimise, rate=entropy(source.p_x) + _SPARE)
    return seen.in_unit(stated.unit)
