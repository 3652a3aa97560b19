"""
How fast the proof closes
=========================

Blahut-Arimoto brings the value down quickly at first and then ever more slowly; the interior point
method and column generation reach a gap near rounding in a few steps. What is drawn is what counts: how far the best
lower bound *proved so far* lies below the final upper bound.
"""

# %%
# One problem, at a fixed multiplier, which is the classical task of Blahut-Arimoto. Its lower bound is examined after
# every step here, usually after fifty. The first call compiles its kernel.

import matplotlib.pyplot as plt

import rdcsolve as rdc

problem = rdc.Problem(rdc.sources.gaussian(n_x=151, var_x=1.0)).at_multipliers(distortion=5.0)
rdc.solve(problem, rdc.BlahutArimoto(), max_steps=1)
results = {
    "Blahut-Arimoto": rdc.solve(problem, rdc.BlahutArimoto(check_every=1), max_steps=300),
    "interior point": rdc.solve(problem, rdc.InteriorPoint()),
    "column generation": rdc.solve(problem, rdc.ColumnGeneration()),
}
for result in results.values():
    print(result, end="\n\n")

# %%
# Steps differ in cost, so the right picture is over wall time.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
rdc.plot.convergence(results, left)
left.set_xscale("log")
rdc.plot.convergence(results, right, seconds=True)
right.set_xscale("log")
right.set_ylabel("")
plt.show()
