"""
What a label costs
==================

A letter may have to say where the source is, and which class it came from. For two Gaussian classes this is the
surface of the least rate R(D, C) under limits on the squared error and on the label's entropy H(S | A), and what one
costs in the other once the rate is given.
"""

# %%
# Two classes with means -1 and 1 and standard deviation 0.7, on a grid; the label is the class. A limit of infinity
# declares the label's entropy without limiting it.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

source = rdc.sources.mixture([-1, 1], 0.7, n_x=51, low=-3.2, high=3.2)
problem = rdc.Problem(source, np.linspace(-2.4, 2.4, 13), limits=[rdc.LabelEntropyLimit(np.inf)])
print(problem)

# %%
# The surface. No letter can say more about the class than the symbol itself does, so the limit cannot go below
# H(S | X): the crosses. Where one limit is met for free, contours run straight.

surface = rdc.sweep(
    problem,
    D=[0.15, 0.25, 0.4, 0.6, 0.9, 1.3],
    C=[0.15, 0.18, 0.2, 0.24, 0.3, 0.4, 0.5, 0.6],
    tolerance=1e-6,
)
certified, impossible = surface.proof == "CERTIFIED", surface.status == "INFEASIBLE"
print(f"{int(certified.sum())} of {certified.size} points certified; no channel meets {int(impossible.sum())} of them")
print(f"least label entropy, H(S | X): {float(surface.minimum.sel(limit='label_entropy').min()):.6f} nat")

# %%
# Omega(R), the pairs of label entropy and distortion that channels of rate R attain, lies above these boundaries.

boundaries = [rdc.tradeoff(problem, rate, n_points=6, tolerance=1e-6) for rate in (0.3, 0.6, 1.0)]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
units = {"distortion": "squared error"}
rdc.plot.surface(surface, left, levels=np.arange(0, 1.61, 0.1), units=units)
left.set_title("Least rate R(D, C)")
for boundary in boundaries:
    rdc.plot.tradeoff(boundary, right, units=units)
right.legend(frameon=False)
right.set_title(r"Boundary of $\Omega(R)$")
plt.show()

# %%
# The two are nearly at peace at low rates, where telling left from right serves both. At higher rates they part:
# details of the position say little about the class.

for boundary in boundaries:
    distortions = boundary.objective_upper.values
    saved = float(boundary.label_entropy[-1] - boundary.label_entropy[0])
    cost = distortions[0] / distortions[-1] - 1
    rate = boundary.attrs["rate"]
    print(f"R = {rate:g} nat: the last {saved:.4f} nat of label entropy cost {cost:.1%} more distortion")
