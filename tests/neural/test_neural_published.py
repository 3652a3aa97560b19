"""Preset `paper` is the published network and schedule, fact by fact."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from neural_data import TINY, all_bits, bits, some_images  # noqa: E402
from torch import nn  # noqa: E402

from rdcsolve.errors import InvalidInput  # noqa: E402
from rdcsolve.neural import (  # noqa: E402
    PRESETS,
    Quantiser,
    Weights,
    evaluate,
    load_system,
    train,
    train_classifier,
    training,
)
from rdcsolve.neural.networks import make_classifier, make_critic, make_decoder, make_encoder  # noqa: E402
from rdcsolve.neural.system import new_system  # noqa: E402

PAPER = PRESETS["paper"]
IMAGES = some_images()
SMALL = dataclasses.replace(
    TINY, softness=1.0, has_normalised_latent=True, is_alternating=True, inherits_critic=True, averaged=3, epochs=4
)
"""The published schedule with few of everything."""


@pytest.fixture(scope="module")
def judge():
    return train_classifier(IMAGES, TINY)


@pytest.fixture(scope="module")
def base(judge):
    return train(IMAGES, judge, Weights(1.0, 0.05, 0.01), SMALL, dimension=2, levels=3, seed=4)


def told(network):
    """The layers of a network, each in a few words."""
    words = {
        nn.Linear: lambda one: f"linear {one.in_features} {one.out_features}",
        nn.BatchNorm1d: lambda one: f"norm {one.num_features}",
        nn.BatchNorm2d: lambda one: f"norm {one.num_features}",
        nn.LeakyReLU: lambda one: f"leaky {one.negative_slope}",
        nn.MaxPool2d: lambda one: f"pool {one.kernel_size}",
        nn.Unflatten: lambda one: "view " + " ".join(map(str, one.unflattened_size)),
        nn.Conv2d: lambda one: "conv " + convolution(one),
        nn.ConvTranspose2d: lambda one: "up " + convolution(one),
    }
    return [words.get(type(one), lambda one: type(one).__name__.lower())(one) for one in network]


def convolution(one):
    (size, _), (stride, _), (padding, _) = one.kernel_size, one.stride, one.padding
    return f"{one.in_channels} {one.out_channels} {size} stride {stride} padding {padding}"


# ------------------------------------------------------------------------------------------- networks


def test_the_encoder():
    widths = [784, 512, 256, 128, 128]
    hidden = [
        word
        for n, m in zip(widths, widths[1:], strict=False)
        for word in (f"linear {n} {m}", f"norm {m}", "leaky 0.01")
    ]
    assert told(make_encoder(PAPER, 3)) == [*hidden, "linear 128 3", "norm 3", "tanh"]


def test_the_decoder():
    assert told(make_decoder(PAPER, 3)) == [
        *("linear 3 128", "norm 128", "leaky 0.01", "linear 128 512", "norm 512", "leaky 0.01", "view 32 4 4"),
        *("up 32 64 5 stride 2 padding 0", "norm 64", "leaky 0.01"),
        *("up 64 128 5 stride 2 padding 0", "norm 128", "leaky 0.01"),
        *("up 128 1 4 stride 1 padding 0", "flatten", "sigmoid"),
    ]
    sides, shown = [], torch.zeros(2, 3)
    for layer in make_decoder(PAPER, 3).eval():
        shown = layer(shown)
        if shown.ndim == 4:
            sides.append(shown.shape[-1])
    assert sorted(set(sides)) == [4, 11, 25, 28]


def test_the_critic():
    assert told(make_critic(PAPER)) == [
        *("view 1 28 28", "conv 1 64 5 stride 2 padding 2", "leaky 0.01", "conv 64 128 5 stride 2 padding 2"),
        *("leaky 0.01", "conv 128 256 5 stride 2 padding 2", "leaky 0.01", "flatten", "linear 4096 1"),
    ]


def test_the_classifier():
    assert told(make_classifier(PAPER)) == [
        *("view 1 28 28", "conv 1 10 5 stride 1 padding 0", "relu", "pool 2"),
        *("conv 10 10 5 stride 1 padding 0", "relu", "pool 2", "flatten"),
        *("linear 160 100", "relu", "linear 100 10"),
    ]


def test_the_classifier_descends_plainly():
    few = dataclasses.replace(PAPER, classifier_epochs=2)
    ours = train_classifier(IMAGES, few, seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        ours_by_hand = make_classifier(PAPER)
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        for chosen in torch.randperm(len(IMAGES), generator=generator).split(100):
            loss = nn.functional.cross_entropy(ours_by_hand(IMAGES.pixels(chosen)), IMAGES.classes[chosen])
            gradients = torch.autograd.grad(loss, list(ours_by_hand.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(ours_by_hand.parameters(), gradients, strict=True):
                    parameter -= 0.01 * gradient
    for one, other in zip(ours.parameters(), ours_by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------------------- the quantiser's gradient


@given(st.integers(1, 4), st.integers(2, 9), st.floats(0.1, 9), st.integers(0, 2**32))
def test_gradients_pass_through_the_soft_assignment(dimension, levels, softness, seed):
    quantiser, random = Quantiser(dimension, levels), torch.Generator().manual_seed(seed)
    z = (torch.rand(6, dimension, generator=random, dtype=torch.float64) * 2 - 1).requires_grad_()
    dither = quantiser.dither(6, random).double()
    weights = torch.randn(6, dimension, generator=random, dtype=torch.float64)
    received = quantiser(z, dither, softness)
    torch.testing.assert_close(received, quantiser(z, dither))  # what is received is hard
    (weights * received).sum().backward()
    v, c = (z + dither).detach().numpy()[..., None], np.linspace(-1, 1, levels)
    shares = np.exp(-softness * np.abs(v - c))
    shares /= shares.sum(axis=-1, keepdims=True)
    slopes = -softness * np.sign(v - c)
    # The derivative of a softmax's mean is the covariance of its values and its exponents' slopes.
    expected = (shares * slopes * c).sum(-1) - (shares * slopes).sum(-1) * (shares * c).sum(-1)
    np.testing.assert_allclose(z.grad.numpy(), weights.numpy() * expected, rtol=1e-5, atol=1e-6)


def test_training_uses_it(monkeypatch, judge):
    seen, real = set(), Quantiser.__call__
    monkeypatch.setattr(
        Quantiser, "__call__", lambda self, z, u, softness=None: seen.add(float(softness)) or real(self, z, u, softness)
    )
    train(IMAGES, judge, Weights(), dataclasses.replace(SMALL, epochs=3, softness=0.7))
    assert seen == {np.float32(0.7)}
    assert PAPER.softness == 1.0


# ------------------------------------------------------------------------------------------- the schedule


def test_rates_and_numbers():
    assert (PAPER.epochs, PAPER.batch, PAPER.penalty, PAPER.averaged) == (30, 64, 10.0, 3)
    assert (PAPER.learning_rate, PAPER.critic_learning_rate, PAPER.milestones, PAPER.decay) == (1e-2, 2e-4, (20,), 0.2)
    assert (PAPER.classifier_epochs, PAPER.classifier_batch, PAPER.n_train, PAPER.n_test) == (10, 100, None, None)
    assert training._BETAS == (0.5, 0.9)
    assert PAPER.is_alternating
    assert PAPER.inherits_critic


def spied(monkeypatch):
    """What every step trains, which images it takes, and which networks it changes."""
    seen, real = [], training._Training._step

    def spy(self, chosen, uniform, trained):
        before = all_bits(self.system)
        found = real(self, chosen, uniform, trained)
        after = all_bits(self.system)
        moved = {part for part in before if before[part] != after[part]}
        learned = {
            name
            for name, network in training.parts(self.system)
            if any(p.grad is not None for p in network.parameters())
        }
        seen.append((trained, chosen.tolist(), moved, learned))
        return found

    monkeypatch.setattr(training._Training, "_step", spy)
    return seen


def test_even_batches_train_the_critic_and_odd_ones_the_coder(monkeypatch, judge):
    seen = spied(monkeypatch)
    train(IMAGES, judge, Weights(1.0, 0.05, 0.01), dataclasses.replace(SMALL, epochs=3))
    n = len(IMAGES) // SMALL.batch
    assert [trained for trained, *_ in seen] == ["critic" if k % n % 2 == 0 else "coder" for k in range(3 * n)]
    for trained, _, moved, _ in seen:
        assert ("critic" in moved) == (trained == "critic")
        assert {"encoder", "decoder"} <= moved  # by the normalisation's statistics, where not by a gradient
    assert seen[0][3] == {"critic"}
    assert all(
        len({image for _, chosen, *_ in seen[k * n : (k + 1) * n] for image in chosen}) == n * SMALL.batch
        for k in range(3)
    )


def test_without_a_critic_the_coder_sees_the_odd_batches(monkeypatch, judge):
    seen = spied(monkeypatch)
    train(IMAGES, judge, Weights(1.0, 0.05), dataclasses.replace(SMALL, epochs=3), seed=6)
    random, n, expected = torch.Generator().manual_seed(6), len(IMAGES) // SMALL.batch, []
    for _ in range(3):
        batches = torch.randperm(len(IMAGES), generator=random)[: n * SMALL.batch].view(n, -1)
        torch.rand(n, SMALL.batch * 3, generator=random)
        expected += [(batch.tolist()) for batch in batches[1::2]]
    assert [chosen for _, chosen, *_ in seen] == expected
    assert {trained for trained, *_ in seen} == {"coder"}


def test_means_of_an_epoch_are_over_its_own_batches(monkeypatch, judge):
    monkeypatch.setattr(
        training._Training,
        "_step",
        lambda self, chosen, uniform, trained: torch.tensor(
            [0.0, 0.0, 3.0] if trained == "critic" else [1.0, 2.0, 0.0]
        ),
    )
    history = train(IMAGES.first(11 * 32), judge, Weights(1, 1, 1), dataclasses.replace(SMALL, batch=32)).history
    assert history[0] == {"mse": 1.0, "cross_entropy": 2.0, "w1": 3.0}


def test_alternating_takes_two_batches(judge):
    with pytest.raises(InvalidInput, match="40 images but a batch takes 32, and batches alternate"):
        train(IMAGES.first(40), judge, Weights(), SMALL)


def test_a_universal_critic_starts_from_that_of_the_encoder(base):
    weights = Weights(1.0, 0.0, 0.02)
    assert bits(new_system(SMALL, base.quantiser, weights, 1004, base).critic) == bits(base.critic)
    for preset in (TINY, dataclasses.replace(SMALL, critic=(3,))):
        assert bits(new_system(preset, base.quantiser, weights, 1004, base).critic) != bits(base.critic)
    alone = dataclasses.replace(base, critic=None)
    assert new_system(SMALL, base.quantiser, weights, 1004, alone).critic is not None


# ------------------------------------------------------------------------------------------- the last three epochs


def test_the_last_epochs_are_those_of_shorter_trainings(tmp_path, judge, base):
    whole = [
        train(IMAGES, judge, base.weights, dataclasses.replace(SMALL, epochs=n), dimension=2, seed=4) for n in (3, 4)
    ]
    kept = list(base.last_epochs())
    assert len(kept) == 3
    assert [all_bits(one) for one in kept[1:]] == [all_bits(one) for one in whole]
    base.save(tmp_path / "a.pt")
    again = load_system(tmp_path / "a.pt")
    assert [all_bits(one) for one in again.last_epochs()] == [all_bits(one) for one in kept]


def test_measures_are_means_over_the_last_epochs(base, judge):
    images = some_images(120, seed=1)
    found = evaluate(base, images, judge, n_bootstrap=20, n_projections=None)
    random, errors = torch.Generator().manual_seed(0), []
    for one in base.last_epochs():
        shown, _ = one.reconstruct(images.pixels(), random)
        errors.append(float((images.pixels() - shown).square().mean()))
    assert len(set(errors)) == 3
    assert found["mse"].value == pytest.approx(np.mean(errors), rel=1e-5)
    assert found["mse"].low < found["mse"].value < found["mse"].high
    assert np.isnan(found["sliced_w2"].value)


def test_an_interrupted_training_keeps_the_same_epochs(tmp_path, monkeypatch, judge, base):
    path, real, kept = tmp_path / "unfinished.pt", training.save_checkpoint, []

    def stop(*arguments):
        real(*arguments)
        kept.append(arguments)
        if len(kept) == 3:
            raise KeyboardInterrupt

    def make():
        return train(IMAGES, judge, Weights(1.0, 0.0, 0.02), SMALL, encoder=base, seed=9, checkpoint=path)

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            make()
    resumed = make()
    path.unlink()
    whole = make()
    assert [all_bits(one) for one in resumed.last_epochs()] == [all_bits(one) for one in whole.last_epochs()]
    assert all("encoder" not in epoch for epoch in whole.earlier)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"averaged": 0}, "averaged is 0; take from 1 to 3"),
        ({"averaged": 4}, "averaged is 4"),
        ({"softness": 0.0}, "softness"),
        ({"last_softness": 2.0}, "softness is None but is_expected or last_softness is given"),
        ({"softness": 1.0, "last_softness": np.inf}, "last_softness is inf"),
        ({"is_expected": True, "is_dithered": False}, "softness is None but is_expected"),
        ({"softness": 1.0, "is_expected": True}, "is_expected is for messages without dither"),
        ({"slope": -0.1}, "slope"),
        ({"classifier_batch": -1}, "classifier_batch"),
        ({"classifier_method": "newton"}, "classifier_method"),
    ],
)
def test_bad_schedules_are_refused(changes, words):
    with pytest.raises(InvalidInput, match=words):
        dataclasses.replace(TINY, **changes)
