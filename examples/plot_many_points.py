"""
Twenty thousand points
======================

A cloud of 20,000 samples with a class is a source of 20,000 symbols. Nothing is binned: a few hundred letters are
enough for reproductions, and every number is still proved for the sample as it is.
"""

# %%
# Samples in the plane, two moons with noise, and a classifier that was trained on others.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import SplineTransformer

import rdcsolve as rdc

points, moon = make_moons(20_000, noise=0.2, random_state=0)
train, train_moon = make_moons(4_000, noise=0.2, random_state=1)
features = SplineTransformer(n_knots=6).fit(train)
model = LogisticRegression(max_iter=500).fit(features.transform(train), train_moon)


def classifier(letters):
    """Return p(moon | letter)."""
    return model.predict_proba(features.transform(np.clip(letters, train.min(axis=0), train.max(axis=0))))


source = rdc.Source.from_samples(points, labels=moon)
letters = rdc.sources.kmeans_codebook(source, 200, rng=0)
limits = [rdc.DistortionLimit(0.08), rdc.ClassifierLossLimit(np.inf, classifier)]
problem = rdc.Problem(source, letters, limits=limits)
print(problem)

# %%
# The squared error alone, then with the class: how many nats more until the classifier reads it off the reproduction
# as well as it reads the samples?

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharex=True, sharey=True)
for limit, ax in zip((None, 0.12), axes, strict=True):
    started = time.process_time()
    result = rdc.solve(problem.with_limits(classifier_loss=limit), tolerance=1e-6)
    seconds = time.process_time() - started
    print(result)
    assert result.certificate.verify(problem.with_limits(classifier_loss=limit)).valid
    print(f"{seconds:.1f} CPU seconds\n")
    used = letters[result.letters]
    ax.scatter(*points[::20].T, c=moon[::20], s=1, cmap="coolwarm", alpha=0.4)
    ax.scatter(*used.T, s=2000 * result.q, facecolors="none", edgecolors="k")
    loss = result.losses["classifier_loss"]
    ax.set_title(f"{result.rate_upper:.3f} nat, cross-entropy {loss:.3f}")
    ax.set_xlabel("x")
axes[0].set_ylabel("y")
plt.show()
