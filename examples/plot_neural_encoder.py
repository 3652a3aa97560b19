"""
What can be decoded from a neural encoder
=========================================

Two small compression systems are trained on handwritten digits: one for squared error alone, one for a classifier's
sake too. Then decoders change places: each encoder gets a new decoder that is trained for what the other one was made
for. At last the encoders are handed over as channels p(z | x), and the library says what *any* decoder could make of
their messages, and what no code of that rate can beat.

The full experiment on MNIST, with its results, is on the page *The experiment on MNIST*.
"""

# %%
# The networks take images of 28 x 28 pixels, so the 8 x 8 digits of scikit-learn are enlarged.

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import torch

import rdcsolve as rdc
from rdcsolve import neural

torch.set_num_threads(1)


def images(part):
    """Return one half of the digits, enlarged."""
    source = rdc.sources.digits(part)
    large = np.pad(np.kron(source.points.reshape(-1, 8, 8), np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))
    pixels = torch.from_numpy(np.round(255 * large).astype(np.uint8).reshape(-1, 784))
    return neural.Images(pixels, torch.from_numpy(source.labels[0].argmax(axis=1)))


training, test = images("train"), images("test")

# %%
# An encoder sends three numbers of three values each, so at most 3 ln 3 = 3.296 nats. ``lambda_c`` weighs the
# cross-entropy of a classifier that was trained before and stays as it is.

preset = dataclasses.replace(
    neural.PRESETS["smoke"],
    name="tiny",
    batch=32,
    epochs=25,
    milestones=(18,),
    classifier_epochs=15,
    learning_rate=5e-3,
)
classifier = neural.train_classifier(training, preset)
near = neural.train(training, classifier, neural.Weights(lambda_c=0.0), preset)
clear = neural.train(training, classifier, neural.Weights(lambda_c=0.02), preset)
systems = {
    "encoder for squared error": [
        near,
        neural.train(training, classifier, neural.Weights(lambda_c=0.02), preset, encoder=near, seed=1),
    ],
    "encoder for the classifier too": [
        clear,
        neural.train(training, classifier, neural.Weights(lambda_c=0.0), preset, encoder=clear, seed=1),
    ],
}

# %%
# Letters are what a decoder may show: centres of k-means, training images, and for each encoder the conditional means
# of its messages and what its trained decoders show. Encoder and decoder share a dither of eight values, so a message
# is one of 8 * 27.

n_dithers = 8
pixels = training.pixels().double().numpy()
listed = np.concatenate([rdc.sources.kmeans_codebook(pixels, 128), pixels[:300]])

figure, ax = plt.subplots(figsize=(8, 5.2), layout="constrained")
for (words, decoders), color in zip(systems.items(), ("tab:green", "tab:orange"), strict=True):
    channel = neural.message_channel(decoders[0], test.pixels(), n_dithers=n_dithers)
    used = channel[:, channel.sum(axis=0) > 0]
    means = used.T @ test.pixels().double().numpy() / used.sum(axis=0)[:, None]
    shown = [neural.decoded_messages(system, n_dithers=n_dithers) for system in decoders]
    problem = neural.limit_problem(test, classifier, np.concatenate([listed, means, *shown]))
    region = rdc.achievable_region(channel, problem, ("distortion", "cross_entropy"))
    print(f"{words}: {region.rate:.3f} nat, {region}")
    ax.plot(region.vertices[:, 1], region.vertices[:, 0], color=color, label=f"{words}: any decoder")
    for system, marker in zip(decoders, "ov", strict=True):
        measures = neural.evaluate(system, test, classifier)
        kind = "retrained decoder" if system.is_universal else "trained together"
        ax.plot(measures["cross_entropy"].value, measures["mse"].value, marker, color=color, label=f"{words}: {kind}")

# The limit is the certified trade-off of the rate 3 ln 3 with the listed letters and all that the decoders show.

every = np.concatenate([listed, *(neural.decoded_messages(system) for pair in systems.values() for system in pair)])
limit = rdc.tradeoff(
    neural.limit_problem(test, classifier, every), near.quantiser.rate, "cross_entropy", n_points=7, tolerance=1e-6
)
assert (limit.proof == "CERTIFIED").all()
ax.plot(limit.cross_entropy, limit.objective_upper, "k.-", label="limit of any code of that rate, certified")
ax.set_xlim(0, 1.5)
ax.set_xlabel("cross-entropy of the classifier, nat")
ax.set_ylabel("squared error per pixel")
ax.legend(frameon=False, fontsize="small")

# %%
# The encoder that was trained for the classifier too can be decoded to a squared error a tenth above that of the other
# one. The encoder that was trained for squared error has given classes away: not even the best decoder of its messages
# gets the cross-entropy down to where the other system is. And both leave much to a better code.
