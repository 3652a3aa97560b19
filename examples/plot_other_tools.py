"""
Coming from scikit-learn, xarray, POT and CVXPY
===============================================

Arrays, models and results go in and out as they are elsewhere: a fitted classifier is a limit, a sweep is a labelled
array, and the answers can be checked with the tools that were at hand before.
"""

# %%
# **scikit-learn.** Irises, measured to two millimetres, with a classifier fitted on every other one. Names of classes
# are kept.

import cvxpy
import matplotlib.pyplot as plt
import numpy as np
import ot
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import rdcsolve as rdc

iris = load_iris(as_frame=True)
measured = (5 * iris.data[["petal length (cm)", "petal width (cm)"]]).round() / 5
names = iris.target_names[iris.target]
model = LogisticRegression().fit(measured[::2].to_numpy(), names[::2])
source = rdc.Source.from_samples(measured, labels={"species": names})
limits = [rdc.DistortionLimit(np.inf), rdc.ClassifierLossLimit(0.3, model, label="species")]
problem = rdc.Problem(source, limits=limits)
print(problem, source.classes)

# %%
# **xarray.** A sweep over two limits is a dataset: select, interpolate, save and plot it as any other.

surface = rdc.sweep(problem, D=[0.1, 0.2, 0.4, 0.8], classifier_loss=[0.15, 0.3, 0.6])
print(surface.rate_upper.sel(D=0.4).round(4).to_pandas())
print((surface.status == "OPTIMAL").all().item(), float(surface.gap.max()))

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
surface.rate_upper.plot.line(x="D", marker="o", ax=ax)

# %%
# **CVXPY.** The same problem in ten lines of a modelling language, for one point: relative entropies over an
# exponential cone. It agrees, to the digits that such a solver has.

at = problem.with_limits(D=0.4, classifier_loss=0.3)
result = rdc.solve(at)
p, (distortion, loss) = at.p_x, (linear.matrix for linear in at.linear_losses)
joint = cvxpy.Variable(distortion.shape, nonneg=True)
letters = cvxpy.sum(joint, axis=0)
independent = cvxpy.vstack([mass * letters for mass in p])
mean = [cvxpy.sum(cvxpy.multiply(joint, matrix)) for matrix in (distortion, loss)]
limited = [cvxpy.sum(joint, axis=1) == p, mean[0] <= 0.4, mean[1] <= 0.3]
model_rate = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum(cvxpy.rel_entr(joint, independent))), limited)
model_rate.solve(solver=cvxpy.CLARABEL)
print(f"CVXPY {model_rate.value:.7f}, certified {result.rate_lower:.10f} to {result.rate_upper:.10f}")

# %%
# **POT.** With a limit on the squared Wasserstein distance the law of the reproductions is near that of the irises,
# by POT's measure too. Without it, one can see in the picture what is given up.

real = rdc.Problem(source, limits=[rdc.DistortionLimit(0.4), rdc.PerceptionLimit(0.01, "w2")])
near, free = rdc.solve(real), rdc.solve(real.with_limits(P=None))
cost = ot.dist(source.points, source.points)
for found, words in ((near, "limited"), (free, "not limited")):
    law = found.output_law / found.output_law.sum()
    print(f"{words}: squared Wasserstein distance {ot.emd2(source.p_x, law, cost):.6f}, {found.rate_upper:.4f} nat")
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.scatter(*source.points.T, s=1500 * source.p_x, label="irises", alpha=0.4)
ax.scatter(*source.points.T, s=1500 * free.output_law, label="not limited", facecolors="none", edgecolors="C3")
ax.scatter(*source.points.T, s=1500 * near.output_law, label="limited", facecolors="none", edgecolors="k")
ax.set(xlabel=measured.columns[0], ylabel=measured.columns[1])
ax.legend(frameon=False)
plt.show()
