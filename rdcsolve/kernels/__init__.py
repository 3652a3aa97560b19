"""The kernel exp(-lambda.L) as a linear operator."""

from rdcsolve.kernels.backends import Backend
from rdcsolve.kernels.blocks import BlockKernel
from rdcsolve.kernels.dense import DenseKernel
from rdcsolve.kernels.device import DeviceColumns, DeviceKernel
from rdcsolve.kernels.grid import GridKernel
from rdcsolve.kernels.kernel import Kernel
from rdcsolve.kernels.letters import SomeLetters
from rdcsolve.kernels.line import LineKernel
from rdcsolve.kernels.low_rank import LowRankKernel
from rdcsolve.kernels.maker import make_kernel
from rdcsolve.kernels.reference import ReferenceKernel
from rdcsolve.kernels.sharded import ShardedKernel, Workers

__all__ = [
    "Backend",
    "BlockKernel",
    "DenseKernel",
    "DeviceColumns",
    "DeviceKernel",
    "GridKernel",
    "Kernel",
    "LineKernel",
    "LowRankKernel",
    "SomeLetters",
    "ReferenceKernel",
    "ShardedKernel",
    "Workers",
    "make_kernel",
]
