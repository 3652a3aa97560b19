"""
Digits that look right, digits that are read right
==================================================

At a fixed rate, images can be rebuilt with small squared error, or so that a classifier reads them well, but not
both at once. ``rdcsolve demo`` does this at full size; here is a small version to play with.
"""

# %%
# The training half of scikit-learn's handwritten digits gives 32 letters and a classifier; 200 images of the other
# half are the source.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

import rdcsolve as rdc

training, held_out = rdc.sources.digits("train"), rdc.sources.digits("test")
source = rdc.Source(held_out.points[:200], held_out.p_x[:200], [held_out.labels[0][:200]], normalise=True)
letters = rdc.sources.kmeans_codebook(training, 32)
classifier = LogisticRegression(max_iter=1000).fit(training.points, training.labels[0].argmax(axis=1))

problem = rdc.Problem(
    source,
    letters,
    "mean_squared_error",
    [rdc.ClassifierLossLimit(np.inf, classifier.predict_proba, name="cross_entropy")],
)
print(problem)

# %%
# The boundary of what channels of 1 and 1.5 nat can do. The band is certified at and between the points.

boundaries = {rate: rdc.tradeoff(problem, rate, n_points=6, tolerance=1e-7) for rate in (1.0, 1.5)}

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
units = {"cross_entropy": "nat", "distortion": "mean squared error per pixel"}
for boundary in boundaries.values():
    rdc.plot.tradeoff(boundary, ax, units=units)
ax.legend(frameon=False)
ax.set_title("Distortion against cross-entropy")

# %%
# What becomes of six images at 1.5 nat, as the classifier's limit tightens from none to the strictest: the mean
# of the letter given the image.

limits = boundaries[1.5]["cross_entropy"].values[[-1, 2, 0]]
question = problem.minimising("distortion", rate=1.5)
rebuilt = [source.points]
for limit in limits:
    result = rdc.solve(question.with_limits(cross_entropy=limit), tolerance=1e-7)
    rebuilt.append(result.channel @ letters[result.letters])

shown = [np.flatnonzero(source.labels[0][:, digit])[0] for digit in (0, 2, 3, 4, 6, 7)]
figure, axes = plt.subplots(len(rebuilt), len(shown), figsize=(7, 4.8), layout="constrained")
names = ["original", *(f"CE <= {limit:.2f}" for limit in limits)]
for row, images, name in zip(axes, rebuilt, names, strict=True):
    for ax, image in zip(row, shown, strict=True):
        ax.imshow(images[image].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_xticks([])
        ax.set_yticks([])
    row[0].set_ylabel(name, fontsize=8)
plt.show()
