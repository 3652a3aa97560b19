"""Entropy, divergence and mutual information, in nats or to another base, with exact zeros; nats and bits.

Zero masses contribute exactly nothing: no offset is added inside a logarithm. Results that rounding could
push below zero are returned as zero. Definitions follow T. M. Cover and J. A. Thomas, *Elements of
Information Theory*, chapter 2.
"""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.errors import InvalidInput
from rdcsolve.reading import as_floats, read

_SUM_TOLERANCE = 1e-6
_ENTRIES_AT_A_TIME = 1 << 16

UNITS = ("nat", "bit")
"""The units in which information can enter and leave."""


def entropy(p: ArrayLike, *, base: float = math.e) -> float:
    """Return the entropy -sum p log p.

    Parameters
    ----------
    p : array_like
        Masses of a distribution; a joint distribution may have any shape.
    base : float, optional
        Of the logarithm, > 1: e for nats, 2 for bits.

    Returns
    -------
    float
        Nats, or units of log `base`, >= 0.

    Raises
    ------
    InvalidInput
        If a mass is negative or not finite, the masses do not sum to one within 1e-6, or the base is not above 1.

    Examples
    --------
    >>> entropy([0.5, 0.5, 0.0]) == math.log(2)
    True
    >>> entropy([0.5, 0.5, 0.0], base=2)
    1.0
    """
    from scipy.special import entr

    return _to_base(max(0.0, float(entr(_distribution(p, "p")).sum())), base)


def relative_entropy(p: ArrayLike, q: ArrayLike, *, base: float = math.e) -> float:
    """Return the relative entropy D(p || q) = sum p log(p / q).

    Parameters
    ----------
    p, q : array_like
        Masses of two distributions of one shape.
    base : float, optional
        As of `entropy`.

    Returns
    -------
    float
        Nats, or units of log `base`, >= 0; inf if some p > 0 where q = 0.

    Raises
    ------
    InvalidInput
        If shapes differ, either is not a distribution, or the base is not above 1.
    """
    from scipy.special import rel_entr

    masses, others = _distribution(p, "p"), _distribution(q, "q")
    if masses.shape != others.shape:
        raise InvalidInput(f"p has shape {masses.shape} but q has {others.shape}; give both on one alphabet")
    return _to_base(max(0.0, float(rel_entr(masses, others).sum())), base)


def mutual_information(p_x: ArrayLike, channel: ArrayLike, *, base: float = math.e) -> float:
    """Return I(X; A) of an input distribution and a channel.

    Parameters
    ----------
    p_x : array_like
        Masses, shape (n_x,).
    channel : array_like
        W(a | x), shape (n_x, k); rows of zero mass are not looked at.
    base : float, optional
        As of `entropy`.

    Returns
    -------
    float
        Nats, or units of log `base`, >= 0.

    Raises
    ------
    InvalidInput
        If shapes disagree, masses or a row of positive mass are not a distribution, or the base is not above 1.

    Examples
    --------
    >>> mutual_information([0.5, 0.5], [[1.0, 0.0], [0.0, 1.0]]) == math.log(2)
    True
    """
    masses, rows = _channel(p_x, channel, "channel")
    step = max(1, _ENTRIES_AT_A_TIME // max(1, rows.shape[1]))  # what is made of the channel then stays in cache
    joints = [masses[start : start + step, None] * rows[start : start + step] for start in range(0, masses.size, step)]
    output = np.sum([joint.sum(axis=0) for joint in joints], axis=0)
    log_output, total = _log(output, output), 0.0
    for number, joint in enumerate(joints):
        # sum p W (log W - log q); a joint mass that underflows to zero contributes nothing
        terms = _log(rows[number * step : (number + 1) * step], joint)
        terms -= log_output
        terms *= joint
        total += float(terms.sum())
    return _to_base(max(0.0, total), base)


def conditional_entropy(p_x: ArrayLike, p_s_given_x: ArrayLike, channel: ArrayLike, *, base: float = math.e) -> float:
    """Return H(S | A) for S - X - A: what the letter leaves unknown about the label.

    Parameters
    ----------
    p_x : array_like
        Masses, shape (n_x,).
    p_s_given_x : array_like
        Conditionals of the label, shape (n_x, n_s).
    channel : array_like
        W(a | x), shape (n_x, k).
    base : float, optional
        As of `entropy`.

    Returns
    -------
    float
        Nats, or units of log `base`, >= 0.

    Raises
    ------
    InvalidInput
        If shapes disagree, masses or a row of positive mass are not a distribution, or the base is not above 1.
    """
    masses, rows = _channel(p_x, channel, "channel")
    _, label_rows = _channel(p_x, p_s_given_x, "p_s_given_x")
    joint = (masses[:, None] * label_rows).T @ rows  # (n_s, k): p(s, a)
    terms = joint * (_log(joint.sum(axis=0), joint) - _log(joint, joint))
    return _to_base(max(0.0, float(terms.sum())), base)


@overload
def binary_entropy(p: float) -> float: ...
@overload
def binary_entropy(p: np.ndarray) -> np.ndarray: ...
def binary_entropy(p: Any) -> Any:
    """Return -p log p - (1 - p) log(1 - p), elementwise.

    Parameters
    ----------
    p : float or array_like
        In [0, 1].

    Returns
    -------
    float or numpy.ndarray
        Nats, in [0, log 2].

    Raises
    ------
    InvalidInput
        If an entry lies outside [0, 1].
    """
    from scipy.special import entr, xlog1py

    p = _within(p, 1.0, "p")
    return _like_input(entr(p) - xlog1py(1.0 - p, -p))


@overload
def inverse_binary_entropy(h: float) -> float: ...
@overload
def inverse_binary_entropy(h: np.ndarray) -> np.ndarray: ...
def inverse_binary_entropy(h: Any) -> Any:
    """Return the p in [0, 1/2] with `binary_entropy(p)` equal to `h`, elementwise.

    Parameters
    ----------
    h : float or array_like
        Nats, in [0, log 2]; one part in 1e12 above log 2 is taken for rounding.

    Returns
    -------
    float or numpy.ndarray
        Accurate to rounding relative to p, except near 1/2, where the entropy is flat and the error is about
        1e-8.

    Raises
    ------
    InvalidInput
        If an entry lies outside [0, log 2].

    Examples
    --------
    >>> round(inverse_binary_entropy(binary_entropy(0.1)), 12)
    0.1
    """
    h = _within(h, math.log(2) * (1 + 1e-12), "h")
    low, high = np.full(h.shape, -745.0), np.full(h.shape, math.log(0.5))  # bisection on log p
    for _ in range(64):
        middle = 0.5 * (low + high)
        too_small = binary_entropy(np.exp(middle)) < h
        low, high = np.where(too_small, middle, low), np.where(too_small, high, middle)
    p = np.where(h >= math.log(2), 0.5, np.exp(high))
    return _like_input(np.where(h == 0, 0.0, p))


@overload
def nats_to_bits(x: float) -> float: ...
@overload
def nats_to_bits(x: np.ndarray) -> np.ndarray: ...
def nats_to_bits(x: Any) -> Any:
    """Return an amount of information in bits instead of nats: `x` / log 2."""
    return _like_input(_floats(x, "x") / math.log(2))


def _floats(values: Any, name: str) -> np.ndarray:
    if type(values) is np.ndarray and values.dtype == np.float64:
        return values
    return as_floats(read(values, name), name)


@overload
def bits_to_nats(x: float) -> float: ...
@overload
def bits_to_nats(x: np.ndarray) -> np.ndarray: ...
def bits_to_nats(x: Any) -> Any:
    """Return an amount of information in nats instead of bits: `x` log 2."""
    return _like_input(_floats(x, "x") * math.log(2))


def bound_in_nats(bound: float, unit: str) -> float:
    """Return a bound on an amount of information in nats: what keeps it keeps the bound in its own unit, in floats.

    The product with log 2 is rounded, and so is the quotient of what is attained by log 2; rounded down far enough, the
    first makes the second no larger than `bound`.
    """
    if unit == "nat" or not 0 < bound < math.inf:
        return bound
    nats = bits_to_nats(bound)
    while nats_to_bits(nats) > bound:
        nats = math.nextafter(nats, 0.0)
    return nats


def _to_base(nats: float, base: float) -> float:
    if not base > 1:
        raise InvalidInput(f"base is {base!r}; give a number above 1: 2 for bits, math.e for nats")
    return nats if base == math.e else nats / math.log(base)


def _like_input(values: Any) -> Any:
    """Return a float for a scalar, the array otherwise."""
    return float(values) if np.ndim(values) == 0 else values


def _log(values: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Return log `values`, broadcast to `joint`, and zero where `joint` is zero."""
    if joint.size and joint.min() > 0:  # without a mask the logarithms come several at a time
        return np.log(np.broadcast_to(values, joint.shape))
    return np.log(np.broadcast_to(values, joint.shape), out=np.zeros(joint.shape), where=joint > 0)


def _within(values: Any, top: float, name: str) -> np.ndarray:
    array = _floats(values, name)
    bad = ~((array >= 0) & (array <= top))
    if bad.any():
        raise InvalidInput(f"{name} is {array[bad].flat[0]:.6g}; it must lie in [0, {top:.6g}]")
    return array


def _check_masses(masses: np.ndarray, name: str) -> None:
    bad = ~(np.isfinite(masses) & (masses >= 0))
    if bad.any():
        raise InvalidInput(f"{name} holds {masses[bad][0]:.6g}; masses must be finite and non-negative")


def _distribution(p: ArrayLike, name: str) -> np.ndarray:
    masses = _floats(p, name)
    _check_masses(masses, name)
    if abs(masses.sum() - 1.0) > _SUM_TOLERANCE:
        raise InvalidInput(f"{name} sums to {masses.sum():.9g}; divide it by its sum")
    return masses


def _channel(p_x: ArrayLike, channel: ArrayLike, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the positive masses and their rows of the channel."""
    masses, rows = _distribution(p_x, "p_x"), _floats(channel, name)
    if masses.ndim != 1 or rows.ndim != 2 or rows.shape[0] != masses.size:
        raise InvalidInput(f"{name} has shape {rows.shape} and p_x {masses.shape}; give one row per mass")
    used = np.flatnonzero(masses > 0)
    rows = rows[used]
    _check_masses(rows, name)
    error = np.abs(rows.sum(axis=1) - 1.0)
    if error.max() > _SUM_TOLERANCE:
        i = int(error.argmax())
        raise InvalidInput(f"row {used[i]} of {name} sums to {rows[i].sum():.9g}; divide it by its sum")
    return masses[used], rows
