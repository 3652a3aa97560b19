"""Entropies of a label in floating point: the least that any letters leave, and at most what given ones leave."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.rounding import ELEMENTARY, TINY, UNIT, row_sums, sum_units, units, up

_ROUNDED = 1e-15  # nats: of an entropy that was computed in floats


def entropy_rounding(n_symbols: int, n_classes: int) -> float:
    """Return what H(S | X) of a label, at most log n_classes, errs by when it is computed in floats, nats."""
    return float(_ROUNDED + UNIT * (n_symbols + n_classes + 8) * math.log(n_classes))


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


def largest_entropy(joint: np.ndarray, relative: float, sums: int) -> float:
    """Return an upper bound of H(S | A) = -sum_a sum_s P(s, a) log P(s | a), nats.

    The cross entropy with any other law in place of P(s | a) is no smaller (Gibbs): with the computed posteriors,
    which sum to one within a rounding or two for each class, only the joint masses' own relative errors count.

    Parameters
    ----------
    joint : numpy.ndarray
        Shape (k, n_s): P(s, a) as computed.
    relative : float
        How far the channel's rows may be off, as a share.
    sums : int
        Roundings in a sum over symbols.
    """
    q = row_sums(joint)[:, None]
    some = (joint > 0) & (joint < q)  # a letter with one class leaves nothing unknown, exactly
    if not some.any():
        return 0.0
    ratios = np.divide(q, joint, out=np.ones(joint.shape), where=some)
    total = math.fsum(row_sums(joint * np.log(ratios)))
    classes = sum_units(joint.shape[1])
    count = relative + ELEMENTARY + units(sums + 2 * classes + 10)
    rest = float(joint[some.any(axis=1)].sum()) * units(classes + 6)
    return up(total * (1 + count) + rest * (1 + 1e-9) + TINY)
