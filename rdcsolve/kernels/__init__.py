"""The kernel exp(-lambda.L) as a linear operator."""

from rdcsolve.kernels.dense import DenseKernel
from rdcsolve.kernels.low_rank import LowRankKernel

__all__ = ["DenseKernel", "LowRankKernel"]
