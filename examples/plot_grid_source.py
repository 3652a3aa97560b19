"""
A source on a grid of 16,384 points
===================================

A density on a plane, sampled on a 128 x 128 grid, with squared error between all of its points: a table of losses
would have 268 million entries. On a grid it is a sum over the two axes, the kernel is a Kronecker product, and
nothing larger than a vector is stored. The answer is certified like any other.
"""

# %%
# The masses are an array with one axis per coordinate; the axes say where its points are.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

axis = np.linspace(-4, 4, 128)
x, y = np.meshgrid(axis, axis, indexing="ij")
density = np.exp(-((x - 1) ** 2) - (y - 1) ** 2 / 0.5) + np.exp(-((x + 1.5) ** 2) / 0.3 - (y + 0.5 * x) ** 2 / 0.4)
source = rdc.sources.grid(density, [axis, axis])
problem = rdc.Problem(source).at_multipliers(distortion=3.0)
result = rdc.solve(problem, tolerance=1e-6)
print(f"{result.status.name}, {result.proof.name}: rate {result.rate_upper:.6f} nat at {result.distortion:.6f}")
print(f"gap {result.gap:.1e}, {result.letters.size} of {problem.n_letters} letters")

# %%
# Few letters carry mass. They stand about a kernel's width apart where the density is large.

points = source.points[result.letters]
figure, axes = plt.subplots(figsize=(5.5, 5), layout="constrained")
axes.contourf(x, y, source.p_x.reshape(128, 128), levels=20, cmap="Greys")
axes.scatter(points[:, 0], points[:, 1], s=400 * result.q / result.q.max(), alpha=0.7)
axes.set(xlabel="x", ylabel="y", title="output masses of the letters")
plt.show()
