"""Results of problems with fixed letters that limit no label's entropy: solved with split letters, then merged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result

_ROUNDING = 1e-14


def merged(result: Result, problem: Problem) -> Result:
    """Return a result in which every symbol is one letter, whatever soft decisions it occurred with.

    Linear losses stay as they are, the rate does not grow, and label entropies may, so none of these may be limited.
    Then fixed and split letters have the same least rate: the lower bound, which holds for split letters, holds, and
    the gap does not grow.

    Parameters
    ----------
    result : Result
        Of the least rate with split letters.
    problem : Problem
        The same with fixed letters.
    """
    symbols, place = np.unique(result.letters, return_inverse=True)
    if symbols.size == result.letters.size:
        return result
    channel = np.zeros((problem.n_x, symbols.size))
    np.add.at(channel.T, place, result.channel.T)
    joint = (channel * problem.p_x[:, None]).T
    entropies = {
        label.name: conditional_entropy(problem.p_x, label.conditional, channel) for label in problem.label_entropies
    }
    rate = mutual_information(problem.p_x, channel)
    upper = rate + _ROUNDING * (1 + rate)
    certificate = result.certificate
    if certificate is not None:
        certificate = replace(certificate, letters=symbols, channel=channel, upper=upper)
    return replace(
        result,
        channel=channel,
        letters=symbols,
        q=joint.sum(axis=1),
        decisions=tuple(_posteriors(joint, label.conditional) for label in problem.label_entropies),
        losses=result.losses | entropies,
        rate_upper=upper,
        objective_upper=upper,
        certificate=certificate,
    )


def _posteriors(joint: np.ndarray, conditional: np.ndarray) -> np.ndarray:
    """Return p(s | a) from the joint masses of letters and symbols, (k, n_x), and p(s | x)."""
    both = joint @ conditional
    return np.asarray(both / both.sum(axis=1, keepdims=True))
