"""
Nothing to trade
================

Figure 4 of `Nguyen et al. (2025) <https://arxiv.org/abs/2504.09025>`_ shows distortion against label entropy for a
Gaussian source and a Gaussian label at five rates, as curves that fall to zero. Here is what it draws, and what the
rates attain.
"""

# %%
# Source and label have unit variance and the correlation coefficient 0.7. At each rate the solver minimises the squared
# error on a discretised pair, and then, separately, the label entropy. Its label entropies are shifted by the logarithm
# of the grid's step, to be compared with differential entropies.

import matplotlib.pyplot as plt

from rdcsolve.explore.figures import figure_4, figure_4_corners

corners = figure_4_corners(rho=0.7)
for corner in corners:
    print(
        f"R = {corner.rate:6.4f} nat: closed form ({corner.D:.5f}, {corner.C:.5f}), least distortion at "
        f"({corner.D_upper:.5f}, {corner.C_there:.5f}), least label entropy at ({corner.D_there:.5f}, "
        f"{corner.C_upper:.5f})"
    )

# %%
# Both searches end in the same corner, which is that of the closed form: one channel is best for both tasks. So the
# pairs that a rate attains fill a quadrant, one encoder serves all of them, and the rate penalty is zero.
#
# On the left, the printed formula. All five curves run along one line and leave it at different places. The line is
# the dashed one on the right: the corners of *all* rates. To follow it to the left of its corner a curve would need the
# rates that belong there, so it dips below the dotted Shannon bound of its own. And an encoder of the largest rate,
# which the paper draws beside the smaller ones, is no test of a zero penalty: that is about encoders of one rate.

_, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained", sharex=True, sharey=True)
figure_4(corners, axes)
plt.show()

# %%
# The gap between the bounds on the least distortion proves the point on the grid: no channel of rate R goes lower.

for corner in corners:
    print(f"R = {corner.rate:6.4f} nat: at least {corner.D_lower:.6f}, {corner.D_proof.name}")
