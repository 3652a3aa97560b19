"""Closed forms of rate-distortion and rate-distortion-classification functions, to test solvers against.

One module per source. All rates and entropies are in nats, every function broadcasts over array arguments,
`inf` means "no limit", and an unattainable target is answered with `inf` instead of an exception.

The same names mean the same things in every module:

``rate_distortion(D, ...)``
    R(D), the rate under a distortion limit alone.
``distortion_rate(R, ...)``
    D(R), its inverse.
``multiplier(D, ...)``
    lambda_d = -dR/dD, what a certificate at D reports.
``d_tilted_information(x, D, ...)``
    j(x, D) of Kostina and Verdu (2012), whose mean is R(D).
``rate(D, C, ...)``, ``distortion(R, C, ...)``, ``multipliers(D, C, ...)``
    the same with a limit C on the label entropy H(S|A) beside the one on the distortion.

Limits on the law of the reproduction are in `perception`. Vector Gaussian sources are a convex programme, in
`vector_gaussian`. For general sources, `theorem_4` and `theorem_5` evaluate two theorems of Nguyen et al. (2025), whose
Wasserstein distances are in `transport`.
"""

from . import (
    binary,
    discretisation,
    distortion_gap,
    erasure,
    gaussian,
    general,
    laplace,
    perception,
    transport,
    uniform_hamming,
    vector_gaussian,
)
from .distortion_gap import theorem_5
from .general import theorem_4

__all__ = [
    "binary",
    "discretisation",
    "distortion_gap",
    "erasure",
    "gaussian",
    "general",
    "laplace",
    "perception",
    "theorem_4",
    "theorem_5",
    "transport",
    "uniform_hamming",
    "vector_gaussian",
]
