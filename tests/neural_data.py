"""Small images, networks and systems that tests of rdcsolve.neural share."""

from collections import Counter

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rdcsolve.neural import Images, Preset, Quantiser, System, Weights  # noqa: E402

torch.set_num_threads(1)

N_TRAIN, N_TEST = 320, 120
TINY = Preset(
    name="tiny",
    encoder=(16,),
    decoder=(16,),
    decoder_channels=(),
    critic=(2,),
    classifier=(4, 8, 32),
    batch=32,
    epochs=3,
    milestones=(2,),
    critic_learning_rate=1e-3,
    classifier_epochs=20,
)
"""Real layers, batch normalisation among them, but few of everything."""

LINEAR = Preset(
    name="linear",
    encoder=(),
    decoder=(),
    decoder_channels=(),
    critic=(),
    classifier=(1, 1, 4),
    batch=24,
    epochs=1,
    milestones=(),
    critic_learning_rate=0.0,
)
"""One dense layer each, so that gradients can be written down, and a critic that stays what it was."""


def drawn(n, seed):
    """Bytes (n, 28, 28) and classes (n,): a bright spot anywhere, and the class as a faint bar at one of ten places."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(n) % 10)
    y, x = np.mgrid[:28, :28]
    at_y, at_x = rng.uniform(4, 14, (n, 1, 1)), rng.uniform(4, 24, (n, 1, 1))
    images = 0.9 * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / 30)
    bar = (y >= 22) & (y < 26) & ((x - 4) // 2 == classes[:, None, None])
    images = np.where(bar, 0.6, images) + 0.02 * rng.random(images.shape)
    return np.round(255 * np.minimum(images, 1)).astype(np.uint8), classes


def some_images(n=N_TRAIN, seed=0):
    pixels, classes = drawn(n, seed)
    return Images(torch.from_numpy(pixels.reshape(n, -1)), torch.from_numpy(classes))


def lay_idx(folder, n_train=N_TRAIN, n_test=N_TEST):
    """Write the images as the four idx files."""
    for prefix, n, seed in (("train", n_train, 0), ("t10k", n_test, 1)):
        pixels, classes = drawn(n, seed)
        head = np.array([0x803, *pixels.shape], ">u4").tobytes()
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = np.array([0x801, n], ">u4").tobytes()
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(head + classes.astype(np.uint8).tobytes())
    return folder


def bits(module):
    """Everything a network remembers, as bytes by name."""
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def all_bits(system):
    networks = {"encoder": system.encoder, "decoder": system.decoder, "critic": system.critic}
    return {name: None if network is None else bits(network) for name, network in networks.items()}


def passing(dimension, levels, decoder=None):
    """A system whose pixels are its latent."""
    network = torch.nn.Identity()
    return System(network, decoder or network, None, Quantiser(dimension, levels), Weights(), None, TINY, 0)


def entropy_of(values):
    frequencies = np.array(list(Counter(values).values())) / len(values)
    return float(-(frequencies * np.log(frequencies)).sum())
