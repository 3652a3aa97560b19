"""What the user states: sources, distortions, limits and problems, checked before any work."""

from rdcsolve.problems.bottleneck import information_bottleneck
from rdcsolve.problems.columns import Columns
from rdcsolve.problems.distortions import distortion_matrix
from rdcsolve.problems.limits import (
    ClassifierLossLimit,
    DistortionLimit,
    InformationLimit,
    LabelEntropyLimit,
    LossLimit,
    RateLimit,
)
from rdcsolve.problems.line import LineLoss
from rdcsolve.problems.losses import LabelEntropy, Loss
from rdcsolve.problems.objective import Lagrangian, LossAtRate, Objective, PerceptionAtRate, Rate
from rdcsolve.problems.perception import Perception, PerceptionLimit
from rdcsolve.problems.problem import Problem
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.problems.source import Source
from rdcsolve.problems.structures import BlockLoss, LossStructure

__all__ = [
    "BlockLoss",
    "ClassifierLossLimit",
    "Columns",
    "DistortionLimit",
    "InformationLimit",
    "LabelEntropy",
    "LabelEntropyLimit",
    "Lagrangian",
    "LineLoss",
    "Loss",
    "LossAtRate",
    "LossLimit",
    "LossStructure",
    "Objective",
    "Perception",
    "PerceptionAtRate",
    "PerceptionLimit",
    "Problem",
    "Rate",
    "RateLimit",
    "SeparableLoss",
    "Source",
    "distortion_matrix",
    "information_bottleneck",
]
