"""Public as ``rdcsolve.sources``: densities on a grid, samples, files, images, and scikit-learn's digits."""

from rdcsolve.data.digits import digits
from rdcsolve.data.files import from_csv, from_npz
from rdcsolve.data.items import images
from rdcsolve.data.kmeans import kmeans_codebook
from rdcsolve.data.mnist import mnist
from rdcsolve.data.synthetic import (
    bernoulli,
    binary_pair,
    empirical,
    gaussian,
    gaussian_pair,
    grid,
    laplace,
    mixture,
    uniform,
)

__all__ = [
    "bernoulli",
    "binary_pair",
    "digits",
    "empirical",
    "from_csv",
    "from_npz",
    "gaussian",
    "gaussian_pair",
    "grid",
    "images",
    "kmeans_codebook",
    "laplace",
    "mixture",
    "mnist",
    "uniform",
]
