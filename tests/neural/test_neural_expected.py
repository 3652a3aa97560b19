"""Encoders that follow the expected loss over all messages, softly assigned and harder with every epoch."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from neural_data import LINEAR, TINY, all_bits, bits, some_images  # noqa: E402
from torch import nn  # noqa: E402

from rdcsolve.neural import Quantiser, Weights, train, train_classifier, training  # noqa: E402
from rdcsolve.neural.system import new_system  # noqa: E402

IMAGES = some_images()
EXPECTED = dataclasses.replace(TINY, softness=2.0, is_dithered=False, is_expected=True)


@pytest.fixture(scope="module")
def judge():
    return train_classifier(IMAGES, TINY)


# ------------------------------------------------------------------------------------- chances


@given(
    st.integers(1, 3), st.integers(2, 4), st.floats(0.01, 50), st.integers(0, 2**32 - 1), st.sampled_from([1.0, 0.0])
)
def test_chances_are_those_of_the_soft_assignment(dimension, levels, softness, seed, stretch):
    quantiser, random = Quantiser(dimension, levels, is_dithered=False), torch.Generator().manual_seed(seed)
    z = stretch * (torch.rand(5, dimension, generator=random, dtype=torch.float64) * 2 - 1)
    chances = quantiser.chances(z, softness)
    centres = np.linspace(-1, 1, levels)
    for image, row in zip(z.numpy(), chances.numpy(), strict=True):
        masses = [
            np.exp(-softness * sum(abs(x - c) for x, c in zip(image, message, strict=True)))
            for message in itertools.product(centres, repeat=dimension)
        ]
        np.testing.assert_allclose(row, np.array(masses) / sum(masses), rtol=1e-9, atol=1e-300)
    sent = quantiser.messages(z, torch.zeros(5, dimension))
    assert (chances[range(5), sent] >= chances.max(dim=1).values * (1 - 1e-9)).all()


@given(st.integers(1, 9), st.floats(0.1, 10), st.floats(0.1, 100))
def test_the_assignment_hardens_by_one_factor(epochs, first, last):
    preset = dataclasses.replace(TINY, epochs=epochs, softness=first, last_softness=last)
    sigmas = np.array([preset.softness_of(epoch) for epoch in range(epochs)])
    assert sigmas[0] == first
    if epochs > 1:
        assert sigmas[-1] == pytest.approx(last)
        np.testing.assert_allclose(sigmas[1:] / sigmas[:-1], (last / first) ** (1 / (epochs - 1)), rtol=1e-9)
    assert dataclasses.replace(preset, last_softness=None).softness_of(epochs - 1) == first
    assert dataclasses.replace(preset, softness=None, last_softness=None).softness_of(0) is None


def test_training_follows_the_schedule(monkeypatch, judge):
    seen, real = [], Quantiser.chances
    monkeypatch.setattr(Quantiser, "chances", lambda self, z, s: seen.append(float(s)) or real(self, z, s))
    preset = dataclasses.replace(EXPECTED, last_softness=18.0)
    train(IMAGES, judge, Weights(), preset)
    steps = len(IMAGES) // TINY.batch
    np.testing.assert_allclose(seen, np.repeat([2.0, 6.0, 18.0], steps), rtol=1e-6)


# ------------------------------------------------------------------------------------- the gradient


@pytest.mark.parametrize("weights", [Weights(2.0), Weights(0.0, 0.7), Weights(0.5, 0.2, 0.6)], ids=str)
def test_the_encoder_descends_the_expected_loss(weights):
    """One step of one dense layer each, against sums over all messages in double precision."""
    images = some_images(LINEAR.batch, seed=2)
    preset = dataclasses.replace(LINEAR, softness=1.5, is_dithered=False, is_expected=True)
    random = torch.Generator().manual_seed(0)
    classifier = nn.Linear(784, 10).requires_grad_(False)
    classifier.weight.copy_(0.1 * torch.randn(10, 784, generator=random))
    system = train(images, classifier, weights, preset, dimension=2, levels=3, seed=5)
    start = new_system(preset, system.quantiser, weights, 5)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(5))
    pixels, classes = images.pixels()[order].double(), images.classes[order]
    networks = [start.encoder, start.decoder, classifier] + ([start.critic] if start.critic is not None else [])
    encoder, decoder, judge, *critic = (network.double() for network in networks)
    z = encoder(pixels)
    loss = 0.0
    for message in itertools.product((-1.0, 0.0, 1.0), repeat=2):
        c = torch.tensor(message, dtype=torch.float64)
        masses = [torch.exp(-1.5 * (z[:, [j]] - torch.tensor([-1.0, 0.0, 1.0]).double()).abs()) for j in range(2)]
        chance = 1.0
        for j in range(2):
            chance = chance * torch.exp(-1.5 * (z[:, j] - c[j]).abs()) / masses[j].sum(dim=1)
        shown = decoder(c[None]).detach().expand(len(pixels), -1)
        cost = weights.lambda_d * (pixels - shown).square().mean(dim=1)
        cost = cost + weights.lambda_c * nn.functional.cross_entropy(judge(shown), classes, reduction="none")
        if critic:
            cost = cost - weights.lambda_p * critic[0](shown)[:, 0]
        loss = loss + (chance * cost).mean()
    expected = torch.autograd.grad(loss, list(encoder.parameters()))
    for parameter, gradient in zip(system.encoder.parameters(), expected, strict=True):
        assert gradient.abs().max() > 0
        torch.testing.assert_close(
            parameter.grad.double(), gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max())
        )


def test_what_is_told_and_what_the_decoder_learns_is_of_what_is_sent(judge):
    """The decoder's step is the one without it, and so are the losses told of an epoch of one batch."""
    one = dataclasses.replace(EXPECTED, epochs=1, milestones=(), batch=len(IMAGES))
    told = [
        train(IMAGES, judge, Weights(1.0, 0.05), preset, seed=1)
        for preset in (one, dataclasses.replace(one, is_expected=False))
    ]
    assert told[0].history == told[1].history
    assert bits(told[0].decoder) == bits(told[1].decoder)
    assert bits(told[0].encoder) != bits(told[1].encoder)


def test_a_reused_encoder_asks_for_nothing(monkeypatch, judge):
    base = train(IMAGES, judge, Weights(), EXPECTED, dimension=2, seed=1)
    monkeypatch.setattr(training._Training, "_costs", lambda *_: pytest.fail("all messages were decoded"))
    other = train(IMAGES, judge, Weights(1.0, 0.05), EXPECTED, encoder=base, seed=2)
    assert bits(other.encoder) == bits(base.encoder)
    assert not other.quantiser.is_dithered


# ------------------------------------------------------------------------------------- what comes of it


def test_an_interrupted_training_hardens_where_it_would_have(tmp_path, monkeypatch, judge):
    preset = dataclasses.replace(EXPECTED, last_softness=18.0)
    path, real, kept = tmp_path / "unfinished.pt", training.save_checkpoint, []

    def stop(*arguments):
        real(*arguments)
        kept.append(arguments)
        if len(kept) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            train(IMAGES, judge, Weights(1.0, 0.05), preset, checkpoint=path)
    resumed = train(IMAGES, judge, Weights(1.0, 0.05), preset, checkpoint=path)
    assert all_bits(resumed) == all_bits(train(IMAGES, judge, Weights(1.0, 0.05), preset))
