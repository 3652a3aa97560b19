"""Vector Gaussian source, several scalar Gaussian labels, squared error.

X ~ N(0, Sigma) in R^d, S_k = a_k' X + N_k with N_k ~ N(0, n_k) independent of X. One jointly Gaussian channel is best:

    R(D, C) = min 1/2 log det Sigma - 1/2 log det Delta  over  0 < Delta <= Sigma,
              trace Delta <= D,   h(S_k|A) = 1/2 log(2 pi e (a_k' Delta a_k + n_k)) <= C_k,

a max-det programme (extra `conic`) in the error covariance Delta. It is proved in docs/explanation/claims.md. All
rates and entropies are in nats; `inf` means "no limit", and limits that no finite rate meets have the rate `inf`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.errors import InvalidInput

from .arguments import Array, number, within
from .vector_gaussian_program import least_rate
from .water_filling import rate_along_axis, reverse_water_filling

__all__ = ["VectorRate", "VectorUniversal", "rate", "rate_along_axis", "reverse_water_filling", "universal_rate"]


@dataclass(frozen=True, eq=False)
class VectorRate:
    """The least rate of a vector Gaussian source under limits.

    Attributes
    ----------
    rate_lower, rate_upper : float
        In nats. The upper bound is attained by `covariance`; the lower one is that of the multipliers, whatever
        program they come from. Both are infinite if no finite rate meets the limits.
    covariance : numpy.ndarray
        Delta = cov(X|A) of a channel that meets the limits, shape (d, d); NaN if there is none.
    multipliers : numpy.ndarray
        (lambda_d, lambda_1, ..., lambda_K) = -(dR/dD, dR/dC_1, ..., dR/dC_K), shape (1 + K,); NaN if there are none.
    """

    rate_lower: float
    rate_upper: float
    covariance: Array
    multipliers: Array

    @property
    def gap(self) -> float:
        """Upper minus lower bound; zero where both are infinite."""
        return 0.0 if np.isinf(self.rate_lower) else self.rate_upper - self.rate_lower


@dataclass(frozen=True, eq=False)
class VectorUniversal:
    """The least rate of one encoder for several targets, with what each target would need alone.

    Attributes
    ----------
    together : VectorRate
        R(Theta).
    alone : tuple of VectorRate
        R(D_j, C_j), one per target.
    """

    together: VectorRate
    alone: tuple[VectorRate, ...]

    @property
    def penalty_lower(self) -> float:
        """Lower bound on A(Theta) = R(Theta) - max_j R(D_j, C_j) in nats; NaN where R(Theta) is infinite."""
        if np.isinf(self.together.rate_lower):
            return float("nan")
        return max(0.0, self.together.rate_lower - max(one.rate_upper for one in self.alone))

    @property
    def penalty_upper(self) -> float:
        """Upper bound on A(Theta) in nats; NaN where R(Theta) is infinite."""
        if np.isinf(self.together.rate_lower):
            return float("nan")
        return max(0.0, self.together.rate_upper - max(one.rate_lower for one in self.alone))


def rate(
    covariance: ArrayLike,
    D: float = np.inf,
    C: ArrayLike = (),
    directions: ArrayLike = (),
    noise: ArrayLike = 0.0,
    *,
    tolerance: float = 1e-7,
) -> VectorRate:
    """R(D, C_1, ..., C_K) in nats, by convex optimisation with a lower bound of its own.

    Parameters
    ----------
    covariance : array_like
        Sigma, shape (d, d), positive definite.
    D : float, optional
        Limit on E (X - A)^2.
    C : array_like, optional
        Limits on h(S_k|A) in nats, shape (K,); differential entropies may be negative.
    directions : array_like, optional
        The a_k, shape (K, d), none of them zero.
    noise : array_like, optional
        The variances n_k, shape (K,) or one for all.
    tolerance : float, optional
        Largest gap between the bounds, nats.

    Returns
    -------
    VectorRate

    Raises
    ------
    InvalidInput
        If `covariance` is not symmetric positive definite, shapes disagree, or a number is NaN or out of range.
    MissingExtra
        If CVXPY is not installed, unless every limit is met by rate zero.
    SolverFailed
        If the gap stays above the tolerance.

    Notes
    -----
    Extends Theorem 1 of arXiv:2504.09025 to vectors; without labels it is reverse water-filling.
    """
    Sigma, L = _root(covariance)
    limits, a, n = _labels(C, directions, noise, Sigma.shape[0])
    D = float(within("D", D, 0.0))
    room = np.exp(2.0 * limits - 1.0) / (2.0 * np.pi) - n  # the largest a' Delta a
    if D == 0.0 or (room <= 0.0).any():
        return VectorRate(np.inf, np.inf, np.full(Sigma.shape, np.nan), np.full(1 + limits.size, np.nan))
    b = a @ L
    matrices = [L.T @ L / D, *(np.outer(row, row) / c for row, c in zip(b, room, strict=True))]
    active = np.isfinite(np.r_[D, room])
    F = np.array([matrix for matrix, on in zip(matrices, active, strict=True) if on]).reshape(-1, *Sigma.shape)
    answer = least_rate(F, tolerance)
    y = np.zeros(1 + limits.size)
    y[active] = answer.y
    with np.errstate(invalid="ignore"):
        # The limit a' Delta a <= c has c = e^{2C - 1} / (2 pi) - n, so dc/dC = 2 (c + n).
        slopes = np.where(np.isfinite(room), 2.0 * y[1:] * (1.0 + n / room), 0.0)
    multipliers = np.r_[y[0] / D, slopes]
    return VectorRate(answer.lower, answer.upper, L @ answer.U @ L.T, multipliers)


def universal_rate(
    covariance: ArrayLike,
    targets: ArrayLike,
    directions: ArrayLike = (),
    noise: ArrayLike = 0.0,
    *,
    tolerance: float = 1e-7,
) -> VectorUniversal:
    """R(Theta) and the rate penalty of one encoder for several targets, by the corner law.

    Parameters
    ----------
    covariance, directions, noise, tolerance
        As in `rate`.
    targets : array_like
        One row (D_j, C_j1, ..., C_jK) per target, shape (J, 1 + K); `inf` for no limit.

    Returns
    -------
    VectorUniversal

    Raises
    ------
    InvalidInput, MissingExtra, SolverFailed
        As `rate`; InvalidInput also if `targets` has another shape.

    Notes
    -----
    Definitions 3 and 4 of arXiv:2504.09025. One encoder serves all targets if and only if it serves the least limits
    among them, so R(Theta) is the rate at those.
    """
    rows = number("targets", targets)
    count = number("directions", directions).shape[0]
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] != 1 + count:
        raise InvalidInput(f"targets has shape {rows.shape}; give one row (D, C_1, ..., C_{count}) per target")

    def at(row: Array) -> VectorRate:
        return rate(covariance, float(row[0]), row[1:], directions, noise, tolerance=tolerance)

    return VectorUniversal(at(rows.min(axis=0)), tuple(at(row) for row in rows))


def _root(covariance: ArrayLike) -> tuple[Array, Array]:
    """Return Sigma and L with Sigma = L L'."""
    Sigma = within("covariance", covariance, -np.inf, finite=True)
    if Sigma.ndim != 2 or Sigma.shape[0] != Sigma.shape[1] or not Sigma.size:
        raise InvalidInput(f"covariance has shape {Sigma.shape}; give a matrix of shape (d, d)")
    skew = float(np.abs(Sigma - Sigma.T).max())
    if skew > 1e-12 * np.abs(Sigma).max():
        raise InvalidInput(f"covariance differs from its transpose by {skew:.3g}; make it symmetric")
    least = float(np.linalg.eigvalsh(Sigma)[0])
    if least <= 0.0:
        raise InvalidInput(f"covariance has the eigenvalue {least:.3g}; drop what is a function of the rest of X")
    return Sigma, np.asarray(np.linalg.cholesky(Sigma), dtype=np.float64)


def _labels(C: ArrayLike, directions: ArrayLike, noise: ArrayLike, dim: int) -> tuple[Array, Array, Array]:
    """Return the limits (K,), the a_k (K, d) and the n_k (K,)."""
    limits = number("C", C)
    a = within("directions", directions, -np.inf, finite=True)
    if a.size == 0:
        a = a.reshape(0, dim)
    if limits.ndim != 1 or a.shape != (limits.size, dim):
        raise InvalidInput(
            f"C has shape {limits.shape} and directions {np.shape(directions)}; give one limit and one row of "
            f"{dim} numbers per label"
        )
    if (a == 0.0).all(axis=1).any():
        raise InvalidInput("a row of directions is zero: that label knows nothing of the source; leave it out")
    n = within("noise", noise, 0.0, finite=True)
    if n.ndim > 1 or n.size not in (1, limits.size):
        raise InvalidInput(f"noise has shape {n.shape}; give one variance, or one for each of the {limits.size} labels")
    return limits, a, np.broadcast_to(n, limits.shape).copy()
