"""`finite_blocklength`: what codes for n symbols can do that may miss the limits with a small probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.codes.hypothesis_test import log_size_by_testing
from rdcsolve.codes.random_coding import CannotBeSummed, least_log_words
from rdcsolve.codes.tails import upper_tail
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results import Result, Status

_SAME_RATE = 1e-9  # of the rate: by how much two machines may differ on what a certificate proves


@dataclass(frozen=True, eq=False)
class FiniteBlocklength:
    """Rates of codes for blocks of n symbols whose mean losses over the block exceed a limit at most rarely.

    Attributes
    ----------
    n : int
        Symbols in a block.
    eps : float
        The probability with which a block may exceed its limits.
    converse : float
        No code has a lower rate log(M) / n: certified, for any number of losses.
    testing_converse : float
        Likewise certified, by hypothesis testing: mostly higher, and NaN where it would have too many terms.
    achievable : float
        Some code of M words, the whole number above exp(n * achievable), keeps the limits that often, by random coding.
        NaN where that cannot be summed, see `reason`.
    normal_approximation : float
        R + sqrt(V / n) Qinv(eps): an approximation and no bound.
    rate : float
        R, the lower bound of the certificate; long blocks need no more than the result's `rate_upper`.
    dispersion : float
        V, the variance of the d-tilted information, in squared units.
    reason : str
        Why random coding was not summed; empty if it was.
    unit : {"nat", "bit"}
        Of the rates, per symbol.
    """

    n: int
    eps: float
    converse: float
    achievable: float
    normal_approximation: float
    rate: float
    dispersion: float
    reason: str = ""
    testing_converse: float = math.nan
    unit: str = "nat"

    def __str__(self) -> str:
        above = f"not summed: {self.reason}" if self.reason else f"{self.achievable:.9f} {self.unit}"
        testing = self.testing_converse
        tested = (
            [] if math.isnan(testing) else [f"  nor below           {testing:.9f} {self.unit} (certified, testing)"]
        )
        return "\n".join(
            [
                f"blocks of {self.n} symbols that exceed a limit with probability {self.eps:.6g} at most:",
                f"  no code below       {self.converse:.9f} {self.unit} (certified)",
                *tested,
                f"  random codes attain {above}",
                f"  normal approximation {self.normal_approximation:.9f} {self.unit} (no bound)",
                f"  long blocks need    {self.rate:.9f} {self.unit}, dispersion {self.dispersion:.9f}",
            ]
        )


@public_call
def finite_blocklength(result: Result, problem: Problem, n: int, eps: float) -> FiniteBlocklength:
    """Return how low the rate of a code for n symbols can be that exceeds the limits with probability eps at most.

    A code has M words, and its rate is log(M) / n. For each block it may choose the word freely; the block is lost if
    the mean of any limited loss over its n symbols is above its bound.

    Parameters
    ----------
    result : Result
        Of the least rate under limits, with its certificate.
    problem : Problem
        The problem solved. Any number of limits on losses; none on the law of the reproduction, none as an equality.
    n : int
        Symbols in a block.
    eps : float
        In (0, 1).

    Returns
    -------
    FiniteBlocklength
        In the unit of the problem.

    Raises
    ------
    InvalidInput
        If the result has no certificate that proves a rate, or belongs to another problem or objective.

    Notes
    -----
    The converses are those of Kostina and Verdu (2012) for one loss, and hold for any number; proofs are in the docs,
    Codes. It rests on the certificate's numbers as the check confirms them, and probabilities are counted down by what
    their roundings can be. Random coding is the exact mean over codes of M words drawn from the result's output masses;
    it is summed for losses on a lattice, such as Hamming's, and few symbols.

    Examples
    --------
    >>> import rdcsolve as rdc
    >>> coin = rdc.Problem(rdc.Source([0.0, 1.0], [0.6, 0.4]), distortion="hamming", unit="bit").with_limits(D=0.11)
    >>> found = finite_blocklength(rdc.solve(coin), coin, n=100, eps=0.01)
    >>> print(f"{found.rate:.4f} <= {found.converse:.4f} <= {found.achievable:.4f} bit per symbol")
    0.4710 <= 0.4761 <= 0.5682 bit per symbol
    """
    n = options.whole(n, "n")
    eps = options.real(eps, "eps", "give a probability between 0 and 1, such as 0.01")
    if not 0 < eps < 1:
        raise InvalidInput(f"eps is {eps:.6g}; give a probability between 0 and 1, such as 0.01")
    tilted, point = _tilted_information(result, problem)
    p = problem.p_x
    rate = float(p @ tilted)
    dispersion = float(p @ (tilted - rate) ** 2)
    reason, achievable = "", math.nan
    try:
        achievable = least_log_words(result, problem, n, eps) / n
    except CannotBeSummed as error:
        reason = str(error)
    from scipy.special import ndtri

    found = FiniteBlocklength(
        n=n,
        eps=eps,
        converse=least_log_size(p, tilted, n, eps) / n,
        achievable=achievable,
        normal_approximation=rate - math.sqrt(dispersion / n) * float(ndtri(eps)),
        rate=rate,
        dispersion=dispersion,
        reason=reason,
        testing_converse=log_size_by_testing(problem, point.u, point.multipliers, n, eps) / n,
    )
    return _in_bits(found) if problem.unit == "bit" else found


def least_log_size(p: np.ndarray, tilted: np.ndarray, n: int, eps: float) -> float:
    """Return log M below which no code has an excess probability of eps, nats: the largest t + log(P[J >= t] - eps).

    By the theorem eps >= P[J >= t] - M exp(-t) for every t, where J is the sum of the tilted information of n symbols.
    """
    values, tails = upper_tail(p, tilted, n)
    is_above = tails > eps
    if not is_above.any():
        return 0.0
    return max(0.0, float((values[is_above] + np.log(tails[is_above] - eps)).max()))


def _tilted_information(result: Any, problem: Any) -> tuple[np.ndarray, DualPoint]:
    """Return u - lambda.b less the logarithm of the largest price, shape (n_x,), nats, from what the check confirms.

    With the dual point that it is made of.
    """
    options.instance(result, Result, "result", "pass what solve() returned")
    options.instance(problem, Problem, "problem", "pass the Problem that was solved")
    if problem.perceptions:
        raise InvalidInput("the problem limits the law of the reproduction; blocks are about losses, state it without")
    if not is_rate(problem.objective) or not is_rate(result.objective):
        raise InvalidInput(
            f"the objective is {problem.objective!r}, of the result {result.objective!r}; blocks are about the least "
            "rate under limits: solve problem.minimising('rate') with limits on the losses"
        )
    if problem.held.any():
        raise InvalidInput("a loss is held at its bound; blocks keep upper limits, state it without equal=True")
    if result.certificate is None or result.status is Status.INFEASIBLE:
        raise InvalidInput(
            f"the result has no certificate of a least rate ({result.status.name}), so nothing is known of blocks; "
            "pass one that was solved"
        )
    found = result.certificate.verify(problem)
    point = result.certificate.point
    if not found.proved or not math.isfinite(found.log_max_price) or not math.isfinite(found.lower):
        raise InvalidInput(
            "the certificate proves no largest price, so it bounds no code; list letters (reproduction=), or use fewer "
            "classes or smaller multipliers"
        )
    claimed = result.proved_lower * (math.log(2) if result.unit == "bit" else 1.0)
    if abs(found.lower - claimed) > _SAME_RATE * max(1.0, abs(claimed)):
        raise InvalidInput(
            f"the result proves a rate of {claimed:.9g} nat, but with the limits of this problem its certificate "
            f"proves {found.lower:.9g}; pass the problem solved, or solve this one"
        )
    charged = np.flatnonzero(point.multipliers)
    cost = math.fsum((point.multipliers[charged] * problem.bounds[charged]).tolist())
    used = problem.p_x > 0
    return np.where(used, point.u + point.rest - (found.log_max_price + cost), 0.0), point


def _in_bits(found: FiniteBlocklength) -> FiniteBlocklength:
    bit = math.log(2)
    return FiniteBlocklength(
        n=found.n,
        eps=found.eps,
        converse=found.converse / bit,
        achievable=found.achievable / bit,
        normal_approximation=found.normal_approximation / bit,
        rate=found.rate / bit,
        dispersion=found.dispersion / bit**2,
        reason=found.reason,
        testing_converse=found.testing_converse / bit,
        unit="bit",
    )
