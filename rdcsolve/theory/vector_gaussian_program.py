"""The max-det programme behind `rdcsolve.theory.vector_gaussian`, in coordinates in which the source is white.

With Sigma = L L' and Delta = L U L', the rate is -1/2 log det U over 0 < U <= I under limits tr(F_m U) <= 1, one
matrix F_m >= 0 per limit. For multipliers y >= 0 and the eigenvalues g of 2 sum_m y_m F_m the least Lagrangian is

    sum_i [ 1/2 log g_i + 1/2 if g_i >= 1, g_i / 2 otherwise ] - sum_m y_m,

attained by U with the same eigenvectors and eigenvalues min(1, 1/g_i). So y alone proves a lower bound.

Source: L. Vandenberghe, S. Boyd and S.-P. Wu, "Determinant maximization with linear matrix inequality constraints",
SIAM J. Matrix Anal. Appl. 19 (1998).
"""

import warnings
from typing import NamedTuple

import numpy as np

from rdcsolve.errors import MissingExtra, SolverFailed

from .arguments import Array


class Answer(NamedTuple):
    """Bounds with what proves them: `U` (d, d) meets every limit, `y` (M,) is the dual point. Rates in nats."""

    lower: float
    upper: float
    U: Array
    y: Array


def least_rate(F: Array, tolerance: float) -> Answer:
    """Minimise -1/2 log det U over 0 < U <= I with tr(F_m U) <= 1, F of shape (M, d, d).

    Raises
    ------
    MissingExtra
        If CVXPY is not installed.
    SolverFailed
        If the gap between the bounds stays above `tolerance`.
    """
    n_limits, dim = F.shape[:2]
    if not n_limits or (np.trace(F, axis1=1, axis2=2) <= 1.0).all():
        return Answer(0.0, 0.0, np.eye(dim), np.zeros(n_limits))
    best = _climbed(F, _with_cvxpy(F))
    if not best.upper - best.lower <= tolerance:
        raise SolverFailed(
            f"the gap between the bounds is {best.upper - best.lower:.3g} nat, above the tolerance {tolerance:.3g}; "
            "raise the tolerance, or rescale so that Sigma is better conditioned",
            best,
        )
    return best


def _with_cvxpy(F: Array) -> Answer:
    """Return the conic solver's answer, made feasible."""
    try:
        import cvxpy as cp
    except ImportError as missing:
        raise MissingExtra.of("conic", "the rate of a vector Gaussian source") from missing
    dim = F.shape[1]
    U = cp.Variable((dim, dim), PSD=True)
    limits = [cp.trace(matrix @ U) <= 1.0 for matrix in F]
    programme = cp.Problem(cp.Minimize(-0.5 * cp.log_det(U)), [np.eye(dim) - U >> 0, *limits])
    with warnings.catch_warnings():
        # What the solver thinks of its accuracy does not matter: the bounds are computed from what it returns.
        warnings.simplefilter("ignore")
        try:
            programme.solve(solver="CLARABEL")
        except cp.SolverError as error:
            raise SolverFailed(f"CVXPY gave up ({error}); rescale so that Sigma is better conditioned") from error
    if U.value is None:
        raise SolverFailed(f"CVXPY ended with {programme.status}; rescale so that Sigma is better conditioned")
    y = np.array([max(0.0, float(np.squeeze(limit.dual_value))) for limit in limits])
    upper, found = _feasible(F, U.value)
    return Answer(dual_value(F, y), upper, found, y)


def _climbed(F: Array, start: Answer) -> Answer:
    """Improve both bounds by ascending in y, a smooth concave matter of M numbers."""
    from scipy.optimize import minimize

    def falling(y: Array) -> tuple[float, Array]:
        gradient = np.einsum("mij,ij->m", F, minimiser(F, y)) - 1.0
        return -dual_value(F, y), -gradient

    options = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 500}
    y = minimize(falling, start.y, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * F.shape[0], options=options).x
    upper, U = _feasible(F, minimiser(F, y))
    lower, y = max(((start.lower, start.y), (dual_value(F, y), y)), key=lambda pair: pair[0])
    upper, U = min(((start.upper, start.U), (upper, U)), key=lambda pair: pair[0])
    # Where the two agree to rounding, the sums may cross by a few units in the last place.
    return Answer(min(max(0.0, lower), upper), upper, U, y)


def dual_value(F: Array, y: Array) -> float:
    """Return the least Lagrangian at multipliers y >= 0, which no feasible U falls below."""
    g = np.linalg.eigvalsh(2.0 * np.einsum("m,mij->ij", y, F))
    large = np.maximum(g, 1.0)
    return float((0.5 * np.log(large) + 0.5 * np.clip(g, 0.0, 1.0)).sum() - y.sum())


def minimiser(F: Array, y: Array) -> Array:
    """Return the U that attains `dual_value`."""
    g, Q = np.linalg.eigh(2.0 * np.einsum("m,mij->ij", y, F))
    return (Q / np.maximum(g, 1.0)) @ Q.T


def _feasible(F: Array, U: Array) -> tuple[float, Array]:
    """Return the rate of, and, the multiple of U (eigenvalues clipped to at most one) that meets every limit."""
    eigenvalues, Q = np.linalg.eigh(0.5 * (U + U.T))
    eigenvalues = np.clip(eigenvalues, np.finfo(float).tiny, 1.0)
    used = np.einsum("mij,ij->m", F, (Q * eigenvalues) @ Q.T)
    eigenvalues = eigenvalues / max(1.0, float(used.max()))
    return float(-0.5 * np.log(eigenvalues).sum()), (Q * eigenvalues) @ Q.T
