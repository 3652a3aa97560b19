"""
The distortion-perception curve at a fixed rate
===============================================

How much distortion has to be given up so that reproductions look like the source, when the rate may not grow? Blau and
Michaeli drew these curves for estimators and compressors; here every point is certified, both corners included.
"""

# %%
# A bell curve on a grid, squared error, and the squared Wasserstein distance. At each rate the curve begins at
# perfect realism and ends where the limit no longer binds.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

x = np.linspace(-4, 4, 41)
source = rdc.Source(x, np.exp(-(x**2) / 2), normalise=True)
problem = rdc.Problem(source, limits=[rdc.DistortionLimit(1.0), rdc.PerceptionLimit(1.0, "w2")])

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for rate in (0.3, 0.6, 1.0):
    boundary = rdc.tradeoff(problem, rate, "P", n_points=7, tolerance=1e-7)
    rdc.plot.tradeoff(boundary, ax)
    first, last = boundary.objective_upper.values[[0, -1]]
    print(f"R = {rate}: distortion {first:.4f} at perfect realism, {last:.4f} without, {first / last:.3f} times")
ax.legend(frameon=False)

# %%
# Perfect realism never costs more than a factor of two here: adding posterior noise doubles the least squared error at
# most, and at these rates it costs much less. The laws at the middle rate:

at_rate = problem.with_limits(P=None).minimising("distortion", rate=0.6)
bounds = {"no limit": None, "$W_2^2 \\leq 0.02$": 0.02, "perfect realism": 0.0}
results = {label: rdc.solve(at_rate.with_limits(P=bound), tolerance=1e-7) for label, bound in bounds.items()}
rdc.plot.output_law(problem, results)
plt.show()
