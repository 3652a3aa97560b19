"""
How long must blocks be?
========================

A code for blocks of n symbols may exceed its limits now and then. The certificate of the rate-distortion function says
how low its rate can be, for any number of losses at once; random coding says what some code attains.
"""

# %%
# Three symbols, the third of which is an alarm. A quarter of the symbols may be wrong, and alarms may be confused with
# anything else in one symbol of twenty. One block in ten may exceed these limits.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

alarm = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]], dtype=float)
problem = rdc.Problem.from_arrays([0.5, 0.3, 0.2], 1 - np.eye(3), losses={"alarm": alarm})
problem = problem.with_limits(D=0.25, alarm=0.05)
result = rdc.solve(problem)

lengths = [4, 8, 12, 16, 20, 28, 40, 60]
found = [rdc.codes.finite_blocklength(result, problem, n, eps=0.1) for n in lengths]
print(found[-1])

# %%
# The answer for every length lies between the two curves. The normal approximation is between them here;
# it is no bound.

figure, axis = plt.subplots(figsize=(7, 4.4), layout="constrained")
axis.fill_between(
    lengths, [one.converse for one in found], [one.achievable for one in found], alpha=0.2, linewidth=0, label="between"
)
axis.plot(lengths, [one.achievable for one in found], "s-", markersize=3.5, label="random codes attain this")
axis.plot(lengths, [one.normal_approximation for one in found], ":", color="0.4", label="normal approximation")
axis.plot(lengths, [one.converse for one in found], "o-", markersize=3.5, label="no code is below, certified")
axis.axhline(result.rate_upper, linestyle="--", color="0.6", linewidth=0.8, label="long blocks")
axis.set_xlabel("symbols in a block")
axis.set_ylabel("rate [nat per symbol]")
axis.set_ylim(0, None)
axis.legend(frameon=False)
plt.show()
