"""
One symbol at a time, beside long blocks
========================================

The rate-distortion-classification function is about codes that wait for many symbols. How much of it do codes keep
that encode every symbol on its own? For small sources the answer is exact.
"""

# %%
# Eight points of the line carry a noisy label. Every way to put them into cells is a code: it has a rate, a squared
# error, and it leaves something of the label unknown. There are 4140.

import matplotlib.pyplot as plt
import numpy as np

import rdcsolve as rdc

x = np.array([-2.1, -1.3, -0.8, -0.2, 0.3, 0.9, 1.6, 2.4])
p = np.array([0.08, 0.12, 0.16, 0.17, 0.16, 0.14, 0.11, 0.06])
positive = 1 / (1 + np.exp(-4 * np.sin(2 * x)))
source = rdc.Source(x, p, [np.stack([1 - positive, positive], axis=1)])
problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(0.45)])


def partitions(messages=()):
    """Yield every partition of the points, as the message of each."""
    if len(messages) == x.size:
        yield np.array(messages)
        return
    for z in range(max(messages, default=-1) + 2):
        yield from partitions((*messages, z))


def measured(messages):
    """Return rate, squared error and the label's entropy of a code."""
    inside = messages == np.arange(messages.max() + 1)[:, None]
    masses = inside @ p
    means = inside @ (p * x) / masses
    joint = (inside * p) @ source.labels[0]
    rate = rdc.information.entropy(masses)
    return rate, p @ (x - means[messages]) ** 2, rdc.information.entropy(joint.ravel()) - rate


codes = np.array([measured(messages) for messages in partitions()])
print(f"{len(codes)} codes")

# %%
# With shared randomness codes can be mixed, so the lower hull of the points is attained too. It is found without
# looking at all of them, and its dual numbers prove it. Long blocks do better still, and no code of
# any kind does better than that.

distortions = np.linspace(0.02, 1.1, 12)
shared = [rdc.codes.one_shot(problem.with_limits(D=d)) for d in distortions]
long = [rdc.solve(problem.with_limits(D=d), tolerance=1e-6) for d in distortions]
for d, one, limit in zip(distortions, shared, long, strict=True):
    print(f"D = {d:.2f}: long blocks {limit.rate_upper:.4f}, one shot {one.objective_upper:.4f} nat")

figure, axis = plt.subplots(figsize=(7, 4.6), layout="constrained")
is_met = codes[:, 2] <= 0.45
axis.plot(codes[is_met, 1], codes[is_met, 0], ".", color="0.75", markersize=3, label="single codes")
axis.plot(
    distortions, [one.objective_upper for one in shared], "o-", markersize=3.5, label="one shot, shared randomness"
)
axis.plot(distortions, [limit.rate_upper for limit in long], "s-", markersize=3.5, label="long blocks")
axis.set_xlim(0, 1.15)
axis.set_ylim(0, None)
axis.set_xlabel("squared error")
axis.set_ylabel("rate [nat]")
axis.set_title("Codes that leave at most 0.45 nat of the label unknown")
axis.legend(frameon=False)
plt.show()

# %%
# At one distortion: the codes that are mixed, and how often each is used.

best = rdc.codes.one_shot(problem.with_limits(D=0.4))
print(best)
for code in best.codes:
    print(f"share {code.weight:.3f}: messages {code.messages.tolist()}, {code.losses}")
