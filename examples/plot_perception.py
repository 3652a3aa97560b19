"""
Distortion, perception and rate
===============================

At low rates the best reproduction is smoother than the source. Asking it to look like the source costs rate, or
distortion: how much is the rate-distortion-perception function. Every point is certified.
"""

# %%
# A bell curve on a grid, squared error, and the squared Wasserstein distance between the source's law and that of the
# reproduction. The closed form for the Gaussian is drawn beside the certified values.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

x = np.linspace(-4, 4, 61)
source = rdc.Source(x, np.exp(-(x**2) / 2), normalise=True)
problem = rdc.Problem(source, limits=[rdc.DistortionLimit(1.0), rdc.PerceptionLimit(1.0, "w2")])
D, P = np.linspace(0.1, 1.1, 9), [0.0, 0.02, 0.1, 1.0]
curves = rdc.sweep(problem, P=P, D=D, tolerance=1e-7)

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
fine = np.linspace(0.1, 1.1, 200)
for k, limit in enumerate(P):
    values = curves.rate_upper.sel(P=limit)
    ax.plot(D, values, "o", color=f"C{k}", label=f"$W_2^2 \\leq {limit:g}$")
    ax.plot(fine, rdc.theory.perception.gaussian_rate(fine, limit), color=f"C{k}", lw=1)
ax.set_xlabel("distortion")
ax.set_ylabel("rate [nat]")
ax.legend()

# %%
# At one distortion: without a limit the reproduction gathers in a few places; with one it spreads, and at a limit of
# zero its law is the source's own.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for k, limit in enumerate([1.0, 0.02, 0.0]):
    result = rdc.solve(problem.with_limits(D=0.5, P=limit), tolerance=1e-7)
    ax.plot(x, result.output_law, color=f"C{3 - k if k < 2 else 0}", label=f"$W_2^2 \\leq {limit:g}$")
    print(result, end="\n\n")
ax.plot(x, source.p_x, "k:", label="source")
ax.set_xlabel("reproduction")
ax.set_ylabel("mass")
ax.legend()
plt.show()
