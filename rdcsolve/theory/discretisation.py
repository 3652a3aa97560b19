"""From densities to the finite alphabets that solvers work on, and back.

A label with density f, replaced by a fine grid of step `delta`, has the entropy H ~ h - ln(delta), and so
does its conditional entropy given any letter: a limit C on h(S|A) becomes C - ln(delta) on H(S_delta|A).
Rates and multipliers need no shift.

Source: Cover and Thomas, Theorem 8.3.1.
"""

import numpy as np
from numpy.typing import ArrayLike

from .arguments import FloatOrArray, as_result, number, within


def discretised_entropy(h: ArrayLike, step: ArrayLike) -> FloatOrArray:
    """H ~ h - ln(step) in nats, of a variable with differential entropy `h` put on a grid of that step.

    For a normal variable with standard deviation s the error is below 1e-7 at step <= s when the masses are
    proportional to the density at the grid points, and about (step/s)^2 / 24 when they are the
    probabilities of the cells.

    Parameters
    ----------
    h : array_like
        Differential entropy, or a limit on one, in nats; `inf` (no limit) stays `inf`.
    step : array_like
        Spacing of the grid, in the unit of the variable.

    Returns
    -------
    float or ndarray
        Entropy in nats.

    Raises
    ------
    InvalidInput
        If `h` is NaN or `step` is not positive and finite.

    Examples
    --------
    >>> discretised_entropy(1.25, 1.0)
    1.25
    """
    return as_result(number("h", h) - np.log(within("step", step, 0.0, open_low=True, finite=True)))


def continuous_entropy(H: ArrayLike, step: ArrayLike) -> FloatOrArray:
    """Return h ~ H + ln(step) in nats, the inverse of `discretised_entropy`.

    Raises
    ------
    InvalidInput
        If `H` is NaN or `step` is not positive and finite.
    """
    return as_result(number("H", H) + np.log(within("step", step, 0.0, open_low=True, finite=True)))
