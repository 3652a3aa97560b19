"""The information bottleneck, in its own words: relevance, complexity and beta of a table p(x, s)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.problems.limits import InformationLimit, LabelEntropyLimit
from rdcsolve.problems.problem import Problem
from rdcsolve.problems.source import Source


@public_call
def information_bottleneck(
    p_xs: Any,
    *,
    relevance: float | None = None,
    complexity: float | None = None,
    beta: float | None = None,
    normalise: bool = False,
    unit: str = "nat",
) -> Problem:
    """Return an information bottleneck: compress X into T, keeping what T tells of S.

    Parameters
    ----------
    p_xs : array_like or Source
        The masses p(x, s), shape (n_x, n_s), or a source with one label.
    relevance : float, optional
        Minimise the complexity I(X; T) under I(S; T) >= relevance.
    complexity : float, optional
        Maximise the relevance I(S; T) under I(X; T) <= complexity: minimise the label's entropy H(S | T).
    beta : float, optional
        Minimise I(X; T) - beta I(S; T), which is I(X; T) + beta H(S | T) less beta H(S).
    normalise : bool, optional
        Rescale masses that are counts to sum to one.
    unit : {"nat", "bit"}, optional
        Of `relevance`, `complexity` and every answer; see `Problem`.

    Returns
    -------
    Problem
        Without a distortion; its losses are ``"distortion"``, which is zero, and ``"label_entropy"``, H(S | T). Letters
        are soft decisions, any number of them, so the problem is convex and the answers are certified.

    Raises
    ------
    InvalidInput
        If more or fewer than one of `relevance`, `complexity` and `beta` are given, or the source has not one label.

    References
    ----------
    N. Tishby, F. C. Pereira and W. Bialek, The information bottleneck method, 1999.

    Examples
    --------
    >>> from rdcsolve import solve
    >>> result = solve(information_bottleneck([[0.4, 0.1], [0.1, 0.4]], relevance=0.1))
    >>> round(result.rate_upper, 4)  # the complexity, in nats
    0.2998
    """
    given = {"relevance": relevance, "complexity": complexity, "beta": beta}
    stated = [name for name, value in given.items() if value is not None]
    if len(stated) != 1:
        have = " and ".join(stated) or "none"
        raise InvalidInput(f"an information bottleneck needs one of relevance, complexity and beta; given: {have}")
    source = p_xs if isinstance(p_xs, Source) else Source.from_joint(p_xs, normalise=normalise)
    if len(source.labels) != 1:
        raise InvalidInput(
            f"an information bottleneck keeps one label but the source has {len(source.labels)}; state a Problem with "
            "an InformationLimit for each"
        )
    limit = LabelEntropyLimit(math.inf) if relevance is None else InformationLimit(relevance)
    problem = Problem(source, distortion=np.zeros((source.n_x, 1)), limits=[limit], unit=unit)
    if complexity is not None:
        return problem.minimising("label_entropy", rate=complexity)
    return problem if beta is None else problem.at_multipliers(label_entropy=beta)
