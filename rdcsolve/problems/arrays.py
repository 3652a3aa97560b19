"""`Problem.from_arrays`: a problem from matrices alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rdcsolve.problems.limits import LabelEntropyLimit, Limit, LossLimit
from rdcsolve.problems.resolution import named_bounds, spelled_out
from rdcsolve.problems.source import Source

if TYPE_CHECKING:
    from rdcsolve.problems.problem import Problem


def from_arrays(
    cls: type[Problem],
    p_x: Any,
    d: Any,
    p_s_given_x: Any = None,
    *,
    D: float | None = None,
    C: float | Sequence[float] | None = None,
    losses: Mapping[str, Any] | None = None,
    limits: Mapping[str, float] | None = None,
    rate: float | None = None,
    minimise: str = "rate",
    letters: str = "split",
    normalise: bool = False,
) -> Problem:
    """Return the problem stated by matrices alone.

    Parameters
    ----------
    p_x : array_like
        Masses, shape (n_x,).
    d : array_like
        Distortions, shape (n_x, n_y), entries in [0, inf]; ``+inf`` forbids the pair.
    p_s_given_x : array_like or sequence of array_like, optional
        Conditionals of the label, or of each label, shape (n_x, n_s).
    D : float, optional
        Limit on the distortion.
    C : float or sequence of float, optional
        Limit on the entropy H(S | A) of the label, or of each label, nats; inf declares it without limiting it.
    losses : mapping of str to array_like, optional
        Further losses by name, shape (n_x, n_y).
    limits : mapping of str to float, optional
        Bounds on the losses by name; a loss without one is not limited.
    rate : float, optional
        Limit on the rate, nats.
    minimise : str, optional
        ``"rate"`` or the name of a loss.
    letters : {"split", "fixed"}, optional
        See `Problem`.
    normalise : bool, optional
        Rescale `p_x` and the rows of `p_s_given_x` to sum to one.

    Returns
    -------
    Problem

    Examples
    --------
    >>> from rdcsolve import Problem
    >>> Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    Problem(n_x=2, n_letters=2, minimise='rate', distortion <= 0.1)
    """
    source = Source(None, p_x, labels=() if p_s_given_x is None else p_s_given_x, normalise=normalise)
    extra: list[Limit] = [LossLimit(math.inf, matrix, name) for name, matrix in (losses or {}).items()]
    if C is not None:
        extra += [LabelEntropyLimit(math.inf, k) for k in range(len(source.labels))]
    problem = cls(source, distortion=d, limits=extra, letters=letters)
    stated = [*(limits or {}).items(), ("D", D), ("C", None if C == math.inf else C), ("rate", rate)]
    label_names = tuple(label.name for label in problem.label_entropies)
    bounds = named_bounds(((name, bound) for name, bound in stated if bound is not None), label_names)
    return problem.with_limits(**bounds)._variant(minimise=spelled_out(minimise))
