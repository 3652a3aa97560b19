"""
What one encoder for two tasks costs
====================================

An encoder shall serve two decoders: one that rebuilds the source with a small squared error, one that tells its label.
If both want to know the same about the source, the second comes for free. Here the label turns away from what the
squared error asks for, and the rate penalty grows from nothing to more than half of the label's own rate.
"""

# %%
# The source is uniform on a flat patch of the plane, so squared error is about the long axis first. The label is a
# noisy sign of the position along a direction that turns from the long axis to the short one. Letters are listed, so
# that all bounds are certified.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

x, y = np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-0.5, 0.5, 6), indexing="ij")
points = np.stack([x.ravel(), y.ravel()], axis=1)
mass = np.full(len(points), 1 / len(points))
letters = points.reshape(9, 6, 2)[::2, 1::3].reshape(-1, 2)


def problem_at(angle):
    """Return the problem whose label asks for the direction at this angle to the long axis."""
    spread = np.array([np.std(points[:, 0]), np.std(points[:, 1])])
    score = points / spread @ [np.cos(angle), np.sin(angle)]
    positive = 1 / (1 + np.exp(-4 * score))
    source = rdc.Source(points, mass, labels=[np.stack([1 - positive, positive], axis=1)])
    return rdc.Problem(source, letters, limits=[rdc.LabelEntropyLimit(np.inf)])


# %%
# Two targets: a squared error of 0.5, whatever the label, and a label entropy of 0.4 nat, whatever the error. By the
# corner law the universal rate is R(0.5, 0.4), and the penalty is what that takes beyond the dearer of the two.

angles = np.linspace(0, np.pi / 2, 10)
found = [rdc.universal_rate(problem_at(angle), [{"D": 0.5}, {"C": 0.4}], tolerance=1e-5) for angle in angles]
for angle, one in zip(angles, found, strict=True):
    alone = [f"{target.rate_upper:.4f}" for target in one.results]
    print(
        f"{np.degrees(angle):4.0f} degrees: {alone[0]} and {alone[1]} nat alone, {one.rate_upper:.4f} together, "
        f"penalty {one.penalty_lower:.5f} to {one.penalty_upper:.5f}, {one.penalty_proof.name}"
    )

# %%
# The dotted line is the most it can be: two encoders side by side need no more than the sum of their rates, so the
# penalty is at most the rate of the cheaper target.

lower, upper = (np.array([getattr(one, f"penalty_{end}") for one in found]) for end in ("lower", "upper"))
rates = np.array([[target.rate_upper for target in one.results] for one in found])
degrees = np.degrees(angles)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
left.fill_between(degrees, lower, upper, alpha=0.3, linewidth=0)
left.plot(degrees, upper, "o-", markersize=3.5, label="rate penalty, certified")
left.plot(degrees, rates.min(axis=1), ":", color="0.4", label="rate of the cheaper target")
left.set_xlabel("angle between the label and the long axis [degrees]")
left.set_ylabel("rate [nat]")
left.legend(frameon=False)

turned = found[-1]
encoders = {
    "best for the error": turned.results[0],
    "best for the label": turned.results[1],
    "universal": turned,
}
regions = {name: rdc.achievable_region(one, problem_at(angles[-1])) for name, one in encoders.items()}
rdc.plot.region(regions, ax=right, units={"distortion": "squared error"})
right.plot([0.5, 0.5], [0, 1], "--", color="0.6", linewidth=0.8)
right.plot([0, 3], [0.4, 0.4], "--", color="0.6", linewidth=0.8)
right.set_title("What three encoders can be decoded to, at 90 degrees")
right.legend(loc="center", framealpha=0.9)
plt.show()

# %%
# Along the long axis, the encoder that is best for the error tells the label well enough. Across it, each encoder for
# one task is nearly blind for the other: the corners say what the best decoders get.

for name, region in regions.items():
    print(f"{name}: {region}")
