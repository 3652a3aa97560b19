"""
One encoder, faithful or realistic
==================================

The same bits can be decoded to what is nearest on average, or to something that looks like the source. What a fixed
encoder allows between the two has a closed form, and realism never costs more than a factor of two in the error.
"""

# %%
# Three encoders of a bell curve at about the same rate: three cells, the best encoder for the error, and the best one
# for perfect realism.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

x = np.linspace(-4, 4, 81)
source = rdc.Source(x, np.exp(-(x**2) / 2), normalise=True)
cells = np.digitize(x, [-0.65, 0.65])
rate = rdc.information.mutual_information(source.p_x, np.eye(3)[cells])
problem = rdc.Problem(source, limits=[rdc.DistortionLimit(1.0), rdc.PerceptionLimit(np.inf, "w2")])
at_rate = problem.minimising("distortion", rate=rate)
encoders = {
    "three cells": np.eye(3)[cells],
    "best for the error": rdc.solve(at_rate, tolerance=1e-7),
    "best for perfect realism": rdc.solve(at_rate.with_limits(P=0), tolerance=1e-7),
}
regions = {name: rdc.perception_region(encoder, source) for name, encoder in encoders.items()}
for name, region in regions.items():
    print(f"{name}: {region}")

# %%
# Left, the least error of every encoder at each Wasserstein distance from the law of the source. No encoder of
# this rate has a boundary below the dotted one, which is the Gaussian's own: one encoder attains all of it. Right, what
# the best decoders of the three cells show, from the three means to the law of the source.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
distances = np.linspace(0, 0.5, 201)
P = distances**2
for name, region in regions.items():
    left.plot(distances, [region.distortion(one) for one in P], label=name)
s, kept = float(np.sqrt(source.p_x @ x**2)), np.sqrt(1 - np.exp(-2 * rate))
t = s - np.sqrt(np.minimum(P, (s - s * kept) ** 2))
left.plot(distances, s**2 + t**2 - 2 * s * t * kept, ":", color="0.3", label="Gaussian, any encoder")
left.set_xlabel(r"Wasserstein distance $\sqrt{P}$")
left.set_ylabel("squared error $D$")
left.legend(frameon=False)

region = regions["three cells"]
bins = np.linspace(-4, 4, 41)
for share in (1.0, 0.25, 0.0):
    bound = share * region.squared_distance
    points, decoder = region.decoder(bound)
    masses = region.q @ decoder
    right.hist(points[:, 0], bins, weights=masses, histtype="step", label=f"$P = {bound:.3f}$")
right.set_xlabel("reproduction")
right.set_ylabel("mass")
right.legend(frameon=False)
plt.show()
