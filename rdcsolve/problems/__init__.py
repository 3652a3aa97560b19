"""What the user states: sources, distortions, limits and problems, checked before any work."""

from rdcsolve.problems.distortions import distortion_matrix
from rdcsolve.problems.limits import ClassifierLossLimit, DistortionLimit, LossLimit, RateLimit
from rdcsolve.problems.losses import Loss
from rdcsolve.problems.problem import Problem
from rdcsolve.problems.source import Source

__all__ = [
    "ClassifierLossLimit",
    "DistortionLimit",
    "Loss",
    "LossLimit",
    "Problem",
    "RateLimit",
    "Source",
    "distortion_matrix",
]
