"""The least entropy of a label that any letters leave, in floating point."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.rounding import ELEMENTARY, row_sums, sum_units, units


def least_entropy(label: np.ndarray, masses: np.ndarray, total: float) -> float:
    """Return a lower bound of H(S | X) = sum_i p_i (log S_i - sum_s w_is log w_is / S_i), S_i the sum of row i.

    With w <= 1 every term is non-negative, so all errors are relative.

    Parameters
    ----------
    label : numpy.ndarray
        Shape (n, n_s): w.
    masses : numpy.ndarray
        Shape (n,): p before it is divided by its sum.
    total : float
        That sum.
    """
    if not ((label > 0) & (label < 1)).any():
        return 0.0
    sums = row_sums(label)
    shares = label / sums[:, None]
    terms = -shares * np.log(np.where(shares > 0, shares, 1.0))
    least = math.fsum(masses * row_sums(np.maximum(terms, 0.0))) / total
    # a share errs by d relatively, so that -w log w errs by d w (1 - log w): d adds up to d (H + 1)
    share = units(sum_units(label.shape[1]) + 2)
    return max(least - (ELEMENTARY + share + units(sum_units(label.shape[1]) + 4)) * least - 2 * share, 0.0)
