"""
A first lesson: the alternation, and why it is not enough
=========================================================

For a class on rate-distortion theory: the classical algorithm in ten lines, what it leaves open, and the certificate
that closes it. Download this page as a notebook to run it cell by cell.
"""

# %%
# A loaded die is described with mistakes: a wrong face costs one, so a distortion of 0.1 is one wrong face in ten.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

p = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
d = 1.0 - np.eye(6)

# %%
# Blahut and Arimoto's alternation at a slope: given the masses of the letters, take the best channel; given the
# channel, take its own masses. It never gets worse, and it never says how far it is from the end.

slope = 2.7
kernel = np.exp(-slope * d)
q = np.full(6, 1 / 6)
rates, distortions = [], []
for _ in range(1000):
    channel = q * kernel
    channel /= channel.sum(axis=1, keepdims=True)
    q = p @ channel
    rates.append(rdc.information.mutual_information(p, channel))
    distortions.append(float(p @ (channel * d).sum(axis=1)))
values = np.array(rates) + slope * np.array(distortions)  # what the alternation makes small

# %%
# A lower bound for *every* code comes from any numbers u: the mean of u, less the logarithm of the largest price. At
# the solution it touches the upper one. These two numbers, and not the end of an iteration, are an answer.

problem = rdc.Problem.from_arrays(p, d).at_multipliers(distortion=slope)
result = rdc.solve(problem, tolerance=1e-12)
u = result.certificate.u
prices = (p * np.exp(u)) @ kernel
print(f"by hand: at least {p @ u - np.log(prices.max()):.9f}; solved: {result.objective_lower:.9f}")
print(f"attained: {result.objective_upper:.9f}; the alternation after 20 steps: {values[19]:.9f}")
print(result.certificate.verify(problem, arithmetic="float"))

# %%
# The alternation's distance from the truth falls fast at first and then ever more slowly: at this slope the rarest
# face is about to be given up, which it takes a long time to find out. Without the certificate nobody would know
# where on this curve it stands.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
steps = np.arange(1, values.size + 1)
ax.loglog(steps, values - result.objective_lower, label="alternation")
ax.set_xlabel("step")
ax.set_ylabel("above the proved bound [nat]")
ax.legend(frameon=False)

# %%
# The whole curve, every point certified, and what the Shannon lower bound would have said. Faces of small mass are
# given up first: each drop of the number of letters is a bend of the curve.

D = np.linspace(0.01, 0.75, 25)
curve = rdc.sweep(rdc.Problem.from_arrays(p, d, D=1.0), D=D)
ax = rdc.plot.curve(curve, label="rate-distortion function")
shannon = rdc.information.entropy(p) - rdc.information.binary_entropy(D) - D * np.log(5)
ax.plot(D, np.maximum(shannon, 0), "k:", linewidth=1, label="Shannon's lower bound")
ax.legend(frameon=False)
plt.show()
