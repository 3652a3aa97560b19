"""
Rate-distortion curve of a Gaussian
===================================

A discretised normal density has a rate-distortion curve close to the closed form 1/2 ln(1 / D). Eight solved
points prove where the whole curve of the discretised source lies: every certificate is a line below it, and mixing
channels puts it below the chords.
"""

# %%
# State the source and sweep over the limit. Each point helps the next, and each is certified.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

source = rdc.sources.gaussian(n_x=201, var_x=1.0)
problem = rdc.Problem(source, limits=[rdc.DistortionLimit(0.5)])
curve = rdc.sweep(problem, D=np.geomspace(0.02, 0.9, 8))

print(curve[["rate_lower", "rate_upper", "gap", "status"]].to_dataframe())

# %%
# The closed form, for the density itself, stays inside the band except where the grid, of step 0.05, is coarse
# beside the distortion.

distortions = np.geomspace(0.02, 0.9, 200)

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
rdc.plot.curve(curve, ax, label="certified, 201 symbols")
ax.plot(distortions, rdc.theory.gaussian.rate_distortion(distortions), "k:", label=r"$\frac{1}{2}\ln(1/D)$")
ax.set_xscale("log")
ax.legend(frameon=False)
ax.set_title("R(D) and its certified band")

# %%
# The multiplier of the limit is minus the slope of the curve, 1 / (2 D) for a Gaussian.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
solved = curve["D"].values
ax.loglog(solved, curve["multipliers"].sel(loss="distortion"), "o", label="multiplier of the certificate")
ax.loglog(distortions, rdc.theory.gaussian.multiplier(distortions), "k:", label=r"$1 / (2 D)$")
ax.set_xlabel("distortion limit")
ax.set_ylabel("nats per unit of distortion")
ax.legend(frameon=False)
ax.set_title("What one more unit of strictness costs")
plt.show()
