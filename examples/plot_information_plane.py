"""
The information plane of a bottleneck
=====================================

Handwritten digits, described so briefly that only their class matters: how much of it can be told for how many bits?
Each point is an information bottleneck with a certificate, not the end of an iteration that depends on its start.
"""

# %%
# The symbols are clusters of digits, the label is whether a digit has a closed loop (0, 6, 8 or 9). A table of counts
# is all that a bottleneck needs.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

import rdcsolve as rdc

images, digits = load_digits(return_X_y=True)
cluster = KMeans(40, n_init=1, random_state=0).fit_predict(images)
counts = np.zeros((40, 2))
np.add.at(counts, (cluster, np.isin(digits, [0, 6, 8, 9]).astype(int)), 1)

# %%
# Along a sweep in beta, the price of what is told, the bottleneck widens. Dotted: no description tells more of the
# label than it costs, nor more than the clusters do.

problem = rdc.information_bottleneck(counts, beta=1.0, normalise=True)
sweep = rdc.sweep(problem, C=np.geomspace(1.02, 30, 14), tolerance=1e-7)
plane = rdc.explore.information_plane(problem, sweep)
print(plane.to_dataframe().drop(columns=["status"]).round(4).to_string())

rdc.plot.information_plane(problem, sweep, bits=True)

# %%
# What the letters say at a complexity of 0.6 nat. A letter is a soft decision and nothing else, so letters that say
# nearly the same count as one: here there are two, and clusters between them use both. Nobody had to say how many.

result = rdc.solve(rdc.information_bottleneck(counts, complexity=0.6, normalise=True), tolerance=1e-7)
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
bins = np.linspace(0, 1, 41)
ax.hist(result.decisions[0][:, 1], bins, weights=result.q, label="letters")
ax.hist(problem.source.labels[0][:, 1], bins, weights=problem.p_x, histtype="step", label="clusters")
ax.set_xlabel("probability of a loop")
ax.set_ylabel("mass")
ax.legend(frameon=False)
plt.show()
