"""One Blahut-Arimoto step: a fused pass over the kernel matrix against two NumPy products.

python benchmarks/fused_step.py [--quick] [--save FILE.json]
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from measure import save  # noqa: E402

from rdcsolve.kernels.fused import blahut_arimoto_step  # noqa: E402


def two_products(p, matrix, q, t, c):
    """Write t = K q and c = K'(p / t) with NumPy."""
    np.dot(matrix, q, out=t)
    np.dot(p / t, matrix, out=c)


def median_seconds(n, repetitions):
    """Return the median CPU seconds of (two products, fused step) on a Gaussian kernel n x n, taken in turns."""
    x = np.linspace(-5, 5, n)
    p = np.exp(-(x**2) / 2)
    p /= p.sum()
    matrix = np.exp(-5 * (x[:, None] - x) ** 2)
    q, outputs = np.full(n, 1 / n), [(np.empty(n), np.empty(n)) for _ in range(2)]
    steps = (two_products, blahut_arimoto_step)
    for step, (t, c) in zip(steps, outputs, strict=True):  # compiles, and fills the caches
        step(p, matrix, q, t, c)
    for first, second in zip(*outputs, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-12)
    seconds = np.empty((repetitions, 2))
    for row in seconds:
        for column, step in enumerate(steps):
            began = time.perf_counter()
            step(p, matrix, q, *outputs[column])
            row[column] = time.perf_counter() - began
    return np.median(seconds, axis=0)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--save", help="write the figures to this JSON file")
    options = parser.parse_args()
    print("Blahut-Arimoto step, one thread, median wall time\n")
    print(f"{'n':>6} {'two products':>14} {'fused':>10} {'ratio':>7}")
    rows = []
    for n in (1000, 2000, 4000):
        products, fused = median_seconds(n, 25 if options.quick else 101)
        rows.append({"n": n, "two_products": products, "fused": fused, "ratio": products / fused})
        print(f"{n:6d} {1e3 * products:11.2f} ms {1e3 * fused:7.2f} ms {products / fused:7.2f}")
    save(rows, options.save)


if __name__ == "__main__":
    main()
