"""Hypothesis strategies for masses, channels, losses and labels, corner cases included.

Zero and tiny masses, ties, duplicated rows and columns, forbidden pairs and multipliers over many decades are
drawn often, because that is where solvers break. Everything shrinks towards small whole numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.errors import MissingExtra

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover - the tests run with hypothesis
    raise MissingExtra.of("testing", "rdcsolve.testing.strategies") from error

TINY_MASS = 1e-30
"""The smallest positive weight that `pmfs` draws, before normalisation."""


def _integer(draw: Any, size: int | st.SearchStrategy[int]) -> int:
    return size if isinstance(size, int) else draw(size)


def _numbers(draw: Any, count: int) -> np.ndarray:
    """Draw `count` whole numbers below 65536; as one string of bytes, which is fast and shrinks to zeros."""
    return np.frombuffer(draw(st.binary(min_size=2 * count, max_size=2 * count)), dtype="<u2").astype(int)


def _weights(draw: Any, count: int, zeros: bool) -> np.ndarray:
    """Draw weights: 1 to 4, zero, tiny, or anything in (0, 1]."""
    kind, value = np.divmod(_numbers(draw, count), 8192)
    small, tiny = 1.0 + value % 4, np.array([1e-6, 1e-12, TINY_MASS])[value % 3]
    ordinary = (value + 1) / 8192
    nothing = np.zeros(count) if zeros else ordinary
    return np.choose(kind, [small, small, nothing, nothing, tiny, ordinary, ordinary, ordinary])


@st.composite
def pmfs(draw: Any, size: int | st.SearchStrategy[int] = 4, *, zeros: bool = True) -> np.ndarray:
    """Draw masses of a distribution.

    Parameters
    ----------
    size : int or strategy
        Number of symbols.
    zeros : bool, optional
        Whether masses may be exactly zero, up to all but one of them.

    Returns
    -------
    numpy.ndarray
        Shape (size,), summing to one to rounding. Equal masses, masses down to about 1e-30, zeros and single
        points occur.
    """
    n = _integer(draw, size)
    weights = _weights(draw, n, zeros)
    if not weights.any():
        weights[draw(st.integers(0, n - 1))] = 1.0
    return weights / weights.sum()


@st.composite
def channels(draw: Any, n_x: int = 4, n_letters: int = 3, *, zeros: bool = True) -> np.ndarray:
    """Draw a channel W(a | x): rows that are distributions, deterministic or alike ones among them.

    Parameters
    ----------
    n_x, n_letters : int
        Number of symbols and of letters.
    zeros : bool, optional
        Whether transitions may have probability zero.

    Returns
    -------
    numpy.ndarray
        Shape (n_x, n_letters).
    """
    rows = _weights(draw, n_x * n_letters, zeros).reshape(n_x, n_letters)
    rows[~rows.any(axis=1), draw(st.integers(0, n_letters - 1))] = 1.0
    return _with_copies(draw, rows / rows.sum(axis=1, keepdims=True))


@st.composite
def forbidden_masks(draw: Any, n_x: int = 4, n_letters: int = 3) -> np.ndarray:
    """Draw which pairs are forbidden, such that each symbol keeps a letter.

    Returns
    -------
    numpy.ndarray of bool
        Shape (n_x, n_letters), no row all True.
    """
    mask = (_numbers(draw, n_x * n_letters) % 2 == 1).reshape(n_x, n_letters)
    mask[mask.all(axis=1), draw(st.integers(0, n_letters - 1))] = False
    return mask


@st.composite
def distortions(
    draw: Any,
    n_x: int = 4,
    n_letters: int = 3,
    *,
    forbidden: bool = True,
    duplicates: bool = True,
    largest: float = 4.0,
) -> np.ndarray:
    """Draw a loss matrix.

    Parameters
    ----------
    n_x, n_letters : int
        Number of symbols and of letters.
    forbidden : bool, optional
        Whether entries may be +inf; each symbol keeps a letter.
    duplicates : bool, optional
        Whether rows and columns are copied onto others now and then.
    largest : float, optional
        The largest finite entry.

    Returns
    -------
    numpy.ndarray
        Shape (n_x, n_letters), entries in [0, largest] or +inf. Zeros and ties occur.
    """
    numbers = _numbers(draw, n_x * n_letters).reshape(n_x, n_letters)
    kinds = {"two values": numbers % 2, "five values": numbers % 5 / 4, "many values": numbers / 65535}
    matrix = largest * kinds[draw(st.sampled_from(sorted(kinds, reverse=True)))]
    if forbidden and draw(st.booleans()):
        matrix[draw(forbidden_masks(n_x, n_letters))] = np.inf
    if not duplicates:
        return matrix
    matrix = _with_copies(draw, matrix)
    copied = _with_copies(draw, matrix.T).T
    # Copying a column may overwrite the only letter that a symbol was allowed.
    return matrix if np.isinf(copied).all(axis=1).any() else copied


def _with_copies(draw: Any, rows: np.ndarray) -> np.ndarray:
    """Copy one row onto another now and then."""
    n = rows.shape[0]
    if n < 2 or not draw(st.booleans()):
        return rows
    source, target = draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))
    rows = rows.copy()
    rows[target] = rows[source]
    return rows


@st.composite
def labels(draw: Any, n_x: int = 4, n_s: int = 2) -> np.ndarray:
    """Draw a label's conditionals p(s | x), or a classifier's decisions c(s | letter).

    Parameters
    ----------
    n_x : int
        Number of symbols (of letters, for a classifier).
    n_s : int
        Number of classes.

    Returns
    -------
    numpy.ndarray
        Shape (n_x, n_s), rows summing to one. Deterministic labels, labels that tell nothing and classes of
        probability zero occur.
    """
    kind = draw(st.sampled_from(["soft", "deterministic", "independent", "empty class"]))
    if kind == "deterministic":
        return np.eye(n_s)[draw(st.lists(st.integers(0, n_s - 1), min_size=n_x, max_size=n_x))]
    if kind == "independent":
        return np.tile(draw(pmfs(n_s)), (n_x, 1))
    table = draw(channels(n_x, n_s))
    if kind == "empty class" and n_s > 1:
        rest = draw(channels(n_x, n_s - 1))
        table = np.insert(rest, draw(st.integers(0, n_s - 1)), 0.0, axis=1)
    return table


@st.composite
def multipliers(draw: Any, *, scale: float = 1.0, zero: bool = True, largest: float = 1e9) -> float:
    """Draw a multiplier from 1e-9 to 1e9 per `scale`, even on a logarithmic scale.

    Parameters
    ----------
    scale : float, optional
        A typical size of the loss; the multiplier is divided by it.
    zero : bool, optional
        Whether zero may be drawn too.
    largest : float, optional
        The largest multiplier, before the division; at least 1.
    """
    top = math.log10(largest)
    usual = [exponent for exponent in (0.0, -9.0, 9.0, 1.0, -1.0, 3.0, -3.0) if exponent <= top]
    exponent = draw(st.sampled_from(usual) | st.floats(-9, top, allow_subnormal=False))
    if zero and draw(st.integers(0, 9)) == 9:
        return 0.0
    return float(10.0**exponent / scale)
