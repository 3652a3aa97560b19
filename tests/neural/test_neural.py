"""Neural systems piece by piece: quantiser, channels, losses, training, checkpoints, measures."""

import dataclasses
import itertools
import math
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

torch = pytest.importorskip("torch")

from neural_data import LINEAR, TINY, all_bits, bits, entropy_of, passing, some_images  # noqa: E402

from rdcsolve.errors import InvalidInput, SaveFailed, SolverFailed, UnreadableFile  # noqa: E402
from rdcsolve.information import mutual_information  # noqa: E402
from rdcsolve.neural import (  # noqa: E402
    PRESETS,
    Images,
    Preset,
    Quantiser,
    System,
    Weights,
    decoded_messages,
    evaluate,
    load_images,
    load_system,
    message_channel,
    shared_dithers,
    train,
    train_classifier,
    training,
)
from rdcsolve.neural.checkpoints import load_checkpoint, save_checkpoint  # noqa: E402
from rdcsolve.neural.losses import critic_gap, cross_entropy, gradient_penalty, squared_error  # noqa: E402
from rdcsolve.neural.networks import make_classifier, make_critic, make_decoder, make_encoder  # noqa: E402
from rdcsolve.neural.system import new_system  # noqa: E402
from rdcsolve.theory.transport import sliced_squared_wasserstein, squared_wasserstein  # noqa: E402

ROUNDING = 1e-6  # of single precision, near 1
IMAGES = some_images()
COSTLY = Weights(1.0, 0.05)
WITH_CRITIC = Weights(1.0, 0.05, 0.01)


@pytest.fixture(scope="module")
def judge():
    return train_classifier(IMAGES, TINY)


@pytest.fixture(scope="module")
def base(judge):
    """A conventional system with a critic."""
    return train(IMAGES, judge, WITH_CRITIC, TINY, dimension=2, levels=3, seed=4)


def random_of(seed):
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------- quantiser

QUANTISERS = st.builds(Quantiser, st.integers(1, 4), st.integers(2, 9))
LATENTS = st.one_of(st.sampled_from([-1.0, 1.0, 0.0]), st.floats(-1, 1, width=32))
ENDS_AND_BETWEEN = [-1.0, -0.71, -0.5, 0.0, 0.33, 1.0]


def errors_at(z, levels, n=4000, seed=0):
    """Errors of the quantiser for one number, or one number per use."""
    quantiser = Quantiser(1, levels)
    latent = torch.as_tensor(z, dtype=torch.float32).expand(n)[:, None]
    dither = quantiser.dither(n, random_of(seed))
    return (quantiser(latent, dither) - latent)[:, 0].double().numpy()


@given(QUANTISERS, st.data(), st.integers(0, 2**32))
def test_the_error_is_at_most_half_a_step(quantiser, data, seed):
    z = torch.tensor(data.draw(st.lists(st.lists(LATENTS, min_size=4, max_size=4), min_size=1, max_size=20)))
    z = z[:, : quantiser.dimension]
    dither = quantiser.dither(len(z), random_of(seed))
    assert dither.abs().max() <= quantiser.step / 2
    received = quantiser(z, dither)
    assert (received - z).abs().max() <= quantiser.step / 2 + ROUNDING
    sent = quantiser.indices(z, dither)
    assert sent.dtype == torch.int64
    assert 0 <= int(sent.min()) <= int(sent.max()) < quantiser.levels
    torch.testing.assert_close(quantiser.decoded(sent, dither), received, atol=ROUNDING, rtol=0)


@given(st.integers(2, 9), st.sampled_from([-1.0, 1.0]), st.sampled_from([-0.5, 0.5]))
def test_the_largest_dither_at_the_ends_leaves_no_cell(levels, z, share):
    quantiser = Quantiser(1, levels)
    dither = torch.tensor([[share * quantiser.step]])
    received = quantiser(torch.tensor([[z]]), dither)
    assert float((received - z).abs()) <= quantiser.step / 2 + ROUNDING


@pytest.mark.parametrize("levels", [2, 3, 8])
@pytest.mark.parametrize("z", ENDS_AND_BETWEEN)
def test_the_error_is_uniform_for_every_input(levels, z):
    step = 2 / (levels - 1)
    found = errors_at(z, levels)
    assert stats.kstest(found, stats.uniform(-step / 2, step).cdf).pvalue > 0.005
    assert abs(found.var() - step**2 / 12) < 0.06 * step**2 / 12


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_the_error_is_independent_of_the_input(levels):
    n = 8000
    z = torch.rand(n, generator=random_of(1)) * 2 - 1
    found = errors_at(z, levels, n, seed=2)
    for power in (1, 2):
        assert abs(np.corrcoef(z.numpy() ** power, found)[0, 1]) < 4 / math.sqrt(n)
        assert abs(np.corrcoef(z.numpy() ** power, found**2)[0, 1]) < 4 / math.sqrt(n)
    low, high = found[z.numpy() < -0.5], found[z.numpy() > 0.5]
    assert stats.ks_2samp(low, high).pvalue > 0.005
    for one, other in itertools.pairwise(ENDS_AND_BETWEEN):
        assert stats.ks_2samp(errors_at(one, levels, seed=3), errors_at(other, levels, seed=4)).pvalue > 0.005


@pytest.mark.parametrize(("dimension", "levels"), [(1, 2), (3, 3), (2, 7)])
def test_exactly_l_symbols_occur(dimension, levels):
    quantiser = Quantiser(dimension, levels)
    z = torch.rand(4000, dimension, generator=random_of(0)) * 2 - 1
    z[:2] = torch.tensor([[-1.0], [1.0]])
    dither = quantiser.dither(len(z), random_of(1))
    sent = quantiser.indices(z, dither)
    for coordinate in sent.T:
        assert set(coordinate.tolist()) == set(range(levels))
    centres = (quantiser.decoded(sent, dither) + dither).numpy()
    assert len(np.unique(centres.round(5))) == levels
    np.testing.assert_allclose([centres.min(), centres.max()], [-1, 1], atol=ROUNDING)


@given(QUANTISERS, st.integers(0, 2**32))
def test_the_gradient_is_that_of_the_identity(quantiser, seed):
    random = random_of(seed)
    z = (torch.rand(5, quantiser.dimension, generator=random) * 2 - 1).requires_grad_()
    weights = torch.randn(5, quantiser.dimension, generator=random)
    (weights * quantiser(z, quantiser.dither(5, random))).sum().backward()
    assert torch.equal(z.grad, weights)


@given(QUANTISERS, st.integers(0, 2**32))
def test_messages_number_all_tuples_of_indices(quantiser, seed):
    every = quantiser.all_indices()
    tuples = itertools.product(range(quantiser.levels), repeat=quantiser.dimension)
    assert every.tolist() == [list(one) for one in tuples]
    assert quantiser.n_messages == len(every)
    assert quantiser.rate == pytest.approx(math.log(len(every)))
    random = random_of(seed)
    z = torch.rand(20, quantiser.dimension, generator=random) * 2 - 1
    dither = quantiser.dither(20, random)
    assert torch.equal(every[quantiser.messages(z, dither)], quantiser.indices(z, dither))


def test_dithers_are_fresh_and_follow_the_generator():
    quantiser = Quantiser(2, 3)
    first, again = quantiser.dither(50, random_of(5)), quantiser.dither(50, random_of(5))
    assert torch.equal(first, again)
    assert len(first.unique()) > 90
    assert not torch.equal(quantiser.dither(50), quantiser.dither(50))


@pytest.mark.parametrize(("dimension", "levels"), [(0, 3), (-1, 3), (1.5, 3), (True, 3), ("3", 3), (3, 1), (3, 2.5)])
def test_bad_quantisers_are_refused(dimension, levels):
    with pytest.raises(InvalidInput, match=r"dimension is|levels is"):
        Quantiser(dimension, levels)


# ------------------------------------------------------------------------------------------- messages


@given(st.integers(1, 3), st.integers(2, 5), st.integers(0, 2**32))
def test_the_exact_channel_is_a_channel(dimension, levels, seed):
    z = torch.rand(12, dimension, generator=random_of(seed)) * 2 - 1
    z[0], z[1] = -1.0, 1.0
    channel = message_channel(passing(dimension, levels), z)
    assert channel.shape == (12, levels**dimension)
    assert (channel >= 0).all()
    np.testing.assert_allclose(channel.sum(axis=1), 1, atol=1e-12)
    assert ((channel > 1e-7).sum(axis=1) <= 2**dimension).all()
    np.testing.assert_allclose([channel[0, 0], channel[1, -1]], 1, atol=1e-6)
    # The mean of the centres is the latent itself, whatever the dither.
    centres = passing(dimension, levels).quantiser.all_indices().double().numpy() * 2 / (levels - 1) - 1
    np.testing.assert_allclose(channel @ centres, z.numpy(), atol=1e-6)


@pytest.mark.parametrize(("dimension", "levels"), [(1, 2), (2, 3), (3, 4)])
def test_the_exact_channel_against_frequencies(dimension, levels):
    system, n = passing(dimension, levels), 20_000
    for seed in range(3):
        z = torch.rand(1, dimension, generator=random_of(seed)) * 2 - 1
        dither = system.quantiser.dither(n, random_of(seed + 10))
        sent = system.quantiser.messages(z.expand(n, -1), dither)
        expected = message_channel(system, z)[0]
        seen = np.bincount(sent.numpy(), minlength=levels**dimension) / n
        assert (np.abs(seen - expected) <= 5 * np.sqrt(expected * (1 - expected) / n) + 1e-9).all()


def test_a_channel_too_large_for_memory_is_refused():
    pixels = torch.zeros(100, 12)
    for n_dithers in (None, 3):
        with pytest.raises(InvalidInput, match="more than 1000000000 entries"):
            message_channel(passing(12, 4), pixels, n_dithers=n_dithers)


@given(st.integers(1, 3), st.integers(2, 4), st.integers(1, 5), st.integers(0, 1000))
def test_the_channel_of_a_shared_dither(dimension, levels, n_dithers, seed):
    system = passing(dimension, levels)
    quantiser = system.quantiser
    z = torch.rand(15, dimension, generator=random_of(seed)) * 2 - 1
    channel = message_channel(system, z, n_dithers=n_dithers, seed=seed)
    dithers = shared_dithers(system, n_dithers, seed)
    assert dithers.shape == (n_dithers, dimension)
    expected = np.zeros((15, n_dithers, quantiser.n_messages))
    for j, dither in enumerate(dithers):
        sent = quantiser.messages(z, dither.expand(15, -1))
        expected[np.arange(15), j, sent.numpy()] = 1 / n_dithers
    np.testing.assert_array_equal(channel, expected.reshape(15, -1))
    assert mutual_information(np.full(15, 1 / 15), channel) <= quantiser.rate + 1e-12


def test_many_shared_dithers_come_near_the_exact_channel():
    system = passing(2, 3)
    z = torch.tensor([[0.3, -0.9], [1.0, -1.0]])
    shared = message_channel(system, z, n_dithers=4000, seed=3).reshape(2, 4000, 9).sum(axis=1)
    np.testing.assert_allclose(shared, message_channel(system, z), atol=0.03)


def test_decoded_messages_are_what_the_system_shows(base):
    n_dithers, seed, n = 3, 7, base.quantiser.n_messages
    shown = decoded_messages(base, n_dithers=n_dithers, seed=seed)
    assert shown.shape == (n_dithers * n, 784)
    assert 0 <= shown.min() <= shown.max() <= 1
    pixels = IMAGES.pixels(slice(40))
    channel = message_channel(base, pixels, n_dithers=n_dithers, seed=seed)
    latent = base.latent(pixels)
    assert len({int(row.argmax()) for row in channel}) > 1
    for j, dither in enumerate(shared_dithers(base, n_dithers, seed)):
        direct = base.decode(base.quantiser(latent, dither.expand(40, -1))).numpy()
        number = channel[:, j * n : (j + 1) * n].argmax(axis=1)
        np.testing.assert_allclose(shown[j * n + number], direct, atol=1e-5)


def test_bad_numbers_of_dithers(base):
    for call in (
        lambda: decoded_messages(base, n_dithers=0),
        lambda: message_channel(base, IMAGES.pixels(), n_dithers=0),
        lambda: decoded_messages(base, n_dithers=200_000),
    ):
        with pytest.raises(InvalidInput, match="n_dithers is"):
            call()


def test_reconstructions_come_from_their_messages(base):
    pixels = IMAGES.pixels(slice(30))
    shown, messages = base.reconstruct(pixels, random_of(2))
    dither = base.quantiser.dither(30, random_of(2))
    received = base.quantiser.decoded(base.quantiser.all_indices()[messages], dither)
    assert torch.equal(shown, base.decode(received))
    assert torch.equal(messages, base.quantiser.messages(base.latent(pixels), dither))
    assert (base.latent(pixels).abs() <= 1).all()


def test_chunks_make_no_difference(base, monkeypatch):
    whole = base.latent(IMAGES.pixels())
    monkeypatch.setattr("rdcsolve.neural.system._CHUNK", 7)
    torch.testing.assert_close(base.latent(IMAGES.pixels()), whole, atol=1e-5, rtol=0)


# ------------------------------------------------------------------------------------------- losses


def linear_critic(w):
    critic = torch.nn.Linear(len(w), 1).double()
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([w], dtype=torch.float64))
    return critic


VECTORS = st.lists(st.floats(-3, 3), min_size=3, max_size=3).filter(lambda w: math.hypot(*w) > 1e-2)


@given(VECTORS, st.integers(1, 6), st.integers(0, 2**32))
def test_the_penalty_of_a_linear_critic(w, n, seed):
    critic, random = linear_critic(w), random_of(seed)
    pixels, shown = torch.rand(2, n, 3, generator=random, dtype=torch.float64)
    penalty = gradient_penalty(critic, pixels, shown, torch.rand(n, 1, generator=random, dtype=torch.float64))
    norm = math.hypot(*w)
    assert float(penalty.detach()) == pytest.approx((norm - 1) ** 2, rel=1e-9, abs=1e-12)
    (slope,) = torch.autograd.grad(penalty, critic.weight)
    np.testing.assert_allclose(slope[0].numpy(), 2 * (norm - 1) * np.array(w) / norm, rtol=1e-9, atol=1e-9)


def test_the_penalty_is_taken_between_images_and_reconstructions():
    class Square(torch.nn.Module):
        def forward(self, x):
            return x.square().sum(dim=1, keepdim=True) / 2

    pixels, shown = torch.tensor([[3.0, 0.0], [0.0, 6.0]]), torch.tensor([[0.0, 4.0], [0.0, 0.0]])
    shares = torch.tensor([[0.5], [0.25]])
    slopes = [math.hypot(1.5, 2.0), 1.5]  # the gradient of |x|^2 / 2 is x
    expected = sum((slope - 1) ** 2 for slope in slopes) / 2
    assert float(gradient_penalty(Square(), pixels, shown, shares).detach()) == pytest.approx(expected)


@given(VECTORS, st.integers(1, 6), st.integers(0, 2**32))
def test_the_gap_of_a_linear_critic(w, n, seed):
    pixels, shown = torch.rand(2, n, 3, generator=random_of(seed), dtype=torch.float64)
    gap = critic_gap(linear_critic(w), pixels, shown)
    difference = (pixels.mean(dim=0) - shown.mean(dim=0)).numpy()
    assert float(gap.detach()) == pytest.approx(float(np.dot(w, difference)), rel=1e-9, abs=1e-12)


def test_losses_of_hand_made_batches():
    pixels, shown = torch.tensor([[0.0, 1.0], [0.5, 0.5]]), torch.tensor([[0.5, 0.0], [0.5, 0.5]])
    assert squared_error(pixels, shown).tolist() == [0.625, 0.0]
    logits = torch.zeros(3, 10)
    logits[1, 4], logits[2, 4] = math.log(9.0), math.log(9.0)
    found = cross_entropy(logits, torch.tensor([0, 4, 5]))
    np.testing.assert_allclose(found, [math.log(10), math.log(2), math.log(18)], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-1.0,), "lambda_d is -1"),
        ((1.0, math.nan), "lambda_c is nan"),
        ((1.0, 0.0, math.inf), "lambda_p is inf"),
        ((1.0, "a"), "lambda_c"),
        ((0.0, 0.0, 0.0), "all 0"),
    ],
)
def test_bad_weights_are_refused(arguments, words):
    with pytest.raises(InvalidInput, match=words):
        Weights(*arguments)


# ------------------------------------------------------------------------------------------- one step


class Step:
    """One step of training on one batch with networks of one layer, and all that went through them."""

    def __init__(self, monkeypatch, weights):
        self.images = some_images(LINEAR.batch, seed=3)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.classifier = torch.nn.Linear(784, 10).requires_grad_(False)
        self.losses = []
        real = torch.Tensor.backward

        def backward(loss, *arguments, **options):
            self.losses.append(float(loss.detach()))
            real(loss, *arguments, **options)

        def watched(*arguments):
            made = new_system(*arguments)
            made.encoder.register_forward_hook(lambda _, pixels, z: self.seen.update(pixels=pixels[0], z=z.detach()))
            made.decoder.register_forward_hook(lambda _, x, shown: self.seen.update(x=x[0].detach(), s=shown.detach()))
            return made

        self.seen = {}
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "backward", backward)
            patch.setattr(training, "new_system", watched)
            self.system = train(self.images, self.classifier, weights, LINEAR, dimension=2, seed=5)
        self.start = new_system(LINEAR, self.system.quantiser, weights, 5)
        self.history = self.system.history[0]

    def by_hand(self, weights):
        """The loss (16) up to the images' half of W1, and gradients of both layers, all written out."""
        pixels, s = self.seen["pixels"].double(), self.seen["s"].double()
        rows = (pixels[:, None] == self.images.pixels()[None]).all(dim=2).long().argmax(dim=1)
        classes = self.images.classes[rows]
        v = self.classifier.weight.double()
        logits = s @ v.T + self.classifier.bias.double()
        n = len(s)
        mse = (pixels - s).square().mean()
        log_shares = logits - logits.exp().sum(dim=1, keepdim=True).log()
        loss = weights.lambda_d * mse - weights.lambda_c * log_shares[range(n), classes].mean()
        slope = weights.lambda_d * 2 * (s - pixels) / (784 * n)
        slope = slope + weights.lambda_c * (log_shares.exp() - torch.eye(10)[classes]) @ v / n
        if weights.lambda_p:
            loss = loss - weights.lambda_p * self.start.critic(self.seen["s"]).mean()
            slope = slope - weights.lambda_p * self.start.critic[-1].weight.double() / n
        slope = slope * s * (1 - s)  # through the sigmoid
        back = slope @ self.start.decoder[0].weight.double() * (1 - self.seen["z"].double().square())
        gradients = [slope.T @ self.seen["x"].double(), slope.sum(dim=0), back.T @ pixels, back.sum(dim=0)]
        return float(loss.detach()), [gradient.detach() for gradient in gradients]


MIXES = [Weights(2.0), Weights(0.0, 0.7), Weights(0.0, 0.0, 0.3), Weights(0.5, 0.2), Weights(3.0, 0.4, 0.6)]


@pytest.mark.parametrize("weights", MIXES, ids=str)
def test_one_step_descends_the_weighted_sum(monkeypatch, weights):
    step = Step(monkeypatch, weights)
    loss, gradients = step.by_hand(weights)
    assert step.losses[-1] == pytest.approx(loss, rel=1e-4, abs=1e-6)
    decoder, encoder = step.system.decoder[0], step.system.encoder[0]
    found = [decoder.weight.grad, decoder.bias.grad, encoder.weight.grad, encoder.bias.grad]
    for ours, expected in zip(found, gradients, strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(ours.double(), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    # Adam's first step is the learning rate against the gradient's sign.
    moved = decoder.bias.detach() - step.start.decoder[0].bias.detach()
    large = gradients[1].abs() > 0.1 * gradients[1].abs().max()
    torch.testing.assert_close(moved[large], -0.01 * gradients[1].sign().float()[large], rtol=1e-2, atol=0)


def test_the_critic_climbs_its_gap_under_its_penalty(monkeypatch):
    step = Step(monkeypatch, Weights(1.0, 0.0, 0.3))
    w = step.start.critic[-1].weight.detach()[0]
    gap = w @ (step.seen["pixels"].mean(dim=0) - step.seen["s"].mean(dim=0))
    assert step.history["w1"] == pytest.approx(float(gap), rel=1e-4)
    penalty = (float(w.double().norm()) - 1) ** 2
    assert step.losses[0] == pytest.approx(10 * penalty - float(gap), rel=1e-4)
    assert len(step.losses) == 2
    assert bits(step.system.critic) == bits(step.start.critic)  # its learning rate is 0


def test_histories_hold_what_was_trained_on(monkeypatch):
    step = Step(monkeypatch, Weights(1.0, 0.2))
    assert set(step.history) == {"mse", "cross_entropy"}
    assert step.history["mse"] + 0.2 * step.history["cross_entropy"] == pytest.approx(step.losses[0], rel=1e-5)
    assert step.history["mse"] == pytest.approx(step.by_hand(Weights(1.0))[0], rel=1e-5)


@pytest.mark.parametrize("weights", [Weights(1.0), Weights(1.0, 0.05)], ids=str)
def test_training_lowers_what_it_trains_on(judge, weights):
    longer = dataclasses.replace(TINY, epochs=8)
    history = train(IMAGES, judge, weights, longer, dimension=2, seed=1).history
    assert len(history) == 8
    totals = [one["mse"] + weights.lambda_c * one.get("cross_entropy", 0.0) for one in history]
    assert totals[-1] < 0.7 * totals[0]


def test_the_critic_learns_to_tell_apart(judge):
    keen = dataclasses.replace(TINY, epochs=6, critic_learning_rate=2e-3, learning_rate=1e-4)
    history = train(IMAGES, judge, Weights(1.0, 0.0, 1e-6), keen, seed=1).history
    assert history[-1]["w1"] > max(0.5, 3 * history[0]["w1"])


def test_learning_rates_fall_at_the_milestones(monkeypatch, judge):
    rates, real = [], training._Training._step

    def spy(self, *batch):
        rates.append({name: one.param_groups[0]["lr"] for name, one in self.optimisers.items()})
        return real(self, *batch)

    monkeypatch.setattr(training._Training, "_step", spy)
    train(IMAGES, judge, WITH_CRITIC, dataclasses.replace(TINY, epochs=4, milestones=(1, 3)), seed=1)
    per_epoch = rates[:: len(IMAGES) // TINY.batch]
    for name, first in (("coder", 1e-2), ("critic", 1e-3)):
        assert [one[name] for one in per_epoch] == pytest.approx([first, 0.2 * first, 0.2 * first, 0.04 * first])


def test_every_epoch_shows_whole_batches_of_different_images(monkeypatch, judge):
    seen, real = [], training._Training._step

    def spy(self, chosen, *rest):
        seen.append(chosen.tolist())
        return real(self, chosen, *rest)

    monkeypatch.setattr(training._Training, "_step", spy)
    train(some_images(90), judge, COSTLY, TINY, seed=1)
    assert [len(chosen) for chosen in seen] == [32, 32] * TINY.epochs
    epochs = [seen[k] + seen[k + 1] for k in range(0, 2 * TINY.epochs, 2)]
    assert all(len(set(epoch)) == 64 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_the_seed_is_of_the_order_and_the_dither_too(monkeypatch, judge, base):
    seen, real = [], Quantiser.scaled
    monkeypatch.setattr(training._Training, "_step", lambda self, chosen, *_: seen.append(chosen) or torch.zeros(3))
    for seed in (1, 1, 2):
        train(IMAGES, judge, COSTLY, TINY, encoder=base, seed=seed)
    first, again, other = (torch.cat(seen[k : k + 30]) for k in (0, 30, 60))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    monkeypatch.undo()
    drawn = []

    def scaled(self, uniform):
        drawn.append(real(self, uniform))
        return drawn[-1]

    monkeypatch.setattr(Quantiser, "scaled", scaled)
    for seed in (1, 1, 2):
        train(IMAGES, judge, COSTLY, TINY, encoder=base, seed=seed)
    first, again, other = (torch.cat(drawn[k : k + 30]) for k in (0, 30, 60))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(first.unique()) > 0.9 * first.numel()


def test_divergence_is_told(judge):
    # Squares of the activations overflow; whether the losses do as well depends on how the processor adds them up.
    with pytest.raises(SolverFailed, match=r"diverged in epoch 1 .*not finite: .*encoder 1\.running_var"):
        train(IMAGES, judge, COSTLY, dataclasses.replace(TINY, learning_rate=1e30))


def test_losses_that_are_not_finite_are_told():
    class Broken(torch.nn.Module):
        def forward(self, pixels):
            return torch.full((len(pixels), 10), torch.nan) * pixels.sum()

    with pytest.raises(SolverFailed, match="diverged in epoch 1 .*'cross_entropy': nan"):
        train(IMAGES, Broken(), COSTLY, TINY)


def test_fewer_images_than_a_batch(judge):
    with pytest.raises(InvalidInput, match="31 images but a batch takes 32"):
        train(some_images(31), judge, COSTLY, TINY)


# ------------------------------------------------------------------------------------------- frozen encoders


@pytest.mark.parametrize("weights", [Weights(1.0), WITH_CRITIC], ids=str)
def test_a_reused_encoder_stays_what_it_was(judge, base, weights):
    assert any(isinstance(layer, torch.nn.BatchNorm1d) for layer in base.encoder)
    before, latent = bits(base.encoder), base.latent(IMAGES.pixels())
    decoder_before = bits(base.decoder)
    universal = train(IMAGES, judge, weights, TINY, dimension=9, levels=9, encoder=base, seed=11)
    assert bits(base.encoder) == before
    assert bits(universal.encoder) == before
    assert bits(base.decoder) == decoder_before
    assert torch.equal(universal.latent(IMAGES.pixels()), latent)
    assert not any(module.training for module in universal.encoder.modules())
    assert universal.is_universal
    assert universal.quantiser == base.quantiser
    assert universal.encoder_weights == base.weights
    assert universal.weights == weights
    assert bits(universal.decoder) != decoder_before


def test_a_reused_encoder_that_was_left_training_is_put_to_rest(judge, base):
    latent = base.latent(IMAGES.pixels())
    base.encoder.train()
    universal = train(IMAGES, judge, Weights(1.0), TINY, encoder=base, seed=11)
    assert torch.equal(universal.latent(IMAGES.pixels()), latent)


def test_a_new_decoder_starts_elsewhere(base):
    fresh = new_system(TINY, base.quantiser, WITH_CRITIC, 1004, base)
    first = new_system(TINY, base.quantiser, WITH_CRITIC, 4)
    assert bits(fresh.decoder) not in (bits(base.decoder), bits(first.decoder))
    assert bits(fresh.critic) not in (bits(base.critic), bits(first.critic))


def test_an_encoder_that_is_trained_changes(base):
    start = new_system(TINY, base.quantiser, WITH_CRITIC, 4)
    before, after = bits(start.encoder), bits(base.encoder)
    assert all(before[name] != after[name] for name in before)  # the normalisation's statistics too
    assert not base.is_universal
    assert base.encoder_weights is None


def test_a_third_decoder_knows_what_the_encoder_was_trained_for(judge, base):
    second = train(IMAGES, judge, Weights(1.0), TINY, encoder=base, seed=11)
    third = train(IMAGES, judge, Weights(2.0), TINY, encoder=second, seed=12)
    assert third.encoder_weights == base.weights


def test_the_classifier_is_used_and_not_trained(judge):
    before = bits(judge)
    train(IMAGES, judge, WITH_CRITIC, TINY)
    assert bits(judge) == before
    assert not any(parameter.requires_grad for parameter in judge.parameters())


def test_the_classifier_is_worth_asking(judge):
    with torch.no_grad():
        accuracy = (judge(IMAGES.pixels()).argmax(dim=1) == IMAGES.classes).float().mean()
    assert accuracy > 0.8


# ------------------------------------------------------------------------------------------- checkpoints


def kinds(judge, base):
    """A way to train each kind of system."""
    return {
        "conventional": lambda **options: train(IMAGES, judge, COSTLY, TINY, seed=2, **options),
        "conventional with critic": lambda **options: train(IMAGES, judge, WITH_CRITIC, TINY, seed=2, **options),
        "universal": lambda **options: train(IMAGES, judge, COSTLY, TINY, encoder=base, seed=2, **options),
        "universal with critic": lambda **options: train(
            IMAGES, judge, WITH_CRITIC, TINY, encoder=base, seed=2, **options
        ),
    }


KINDS = ["conventional", "conventional with critic", "universal", "universal with critic"]


@pytest.mark.parametrize("kind", KINDS)
def test_systems_survive_their_files(tmp_path, judge, base, kind):
    system = kinds(judge, base)[kind]()
    system.save(tmp_path / "a.pt")
    again = load_system(tmp_path / "a.pt")
    assert all_bits(again) == all_bits(system)
    for name in ("quantiser", "weights", "encoder_weights", "preset", "seed", "history"):
        assert getattr(again, name) == getattr(system, name), name
    assert repr(again) == repr(system)
    shown, sent = system.reconstruct(IMAGES.pixels(), random_of(0))
    shown_again, sent_again = again.reconstruct(IMAGES.pixels(), random_of(0))
    assert torch.equal(shown, shown_again)
    assert torch.equal(sent, sent_again)
    assert [one.name for one in tmp_path.iterdir()] == ["a.pt"]


def interrupted(monkeypatch, make, path, epochs):
    """Train, and be interrupted when so many epochs are kept."""
    real, kept = training.save_checkpoint, []

    def stop(*arguments):
        real(*arguments)
        kept.append(arguments)
        if len(kept) == epochs:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint=path)


@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_ends_where_it_would_have_ended(tmp_path, monkeypatch, judge, base, kind, epochs):
    make, path = kinds(judge, base)[kind], tmp_path / "unfinished.pt"
    whole = make()
    interrupted(monkeypatch, make, path, epochs)
    steps, real = [], training._Training.epoch
    monkeypatch.setattr(training._Training, "epoch", lambda self: steps.append(1) or real(self))
    torch.rand(7)  # the global random state is somewhere else by now
    resumed = make(checkpoint=path)
    assert len(steps) == TINY.epochs - epochs
    assert all_bits(resumed) == all_bits(whole)
    assert resumed.history == whole.history
    assert path.exists()
    assert all_bits(make(checkpoint=path)) == all_bits(whole)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 3}, "seed is 2 there and 3 here"),
        ({"dimension": 2}, "dimension is 3 there and 2 here"),
        ({"levels": 4}, "levels is 3 there and 4 here"),
        ({"weights": Weights(1.0, 0.06)}, "weights is"),
        ({"preset": dataclasses.replace(TINY, epochs=4)}, "preset is"),
        ({"images": some_images(300)}, "n_images is 320 there and 300 here"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, monkeypatch, judge, options, words):
    settings = {"images": IMAGES, "weights": COSTLY, "preset": TINY, "seed": 2, "dimension": 3, "levels": 3}

    def make(images, weights, preset, **rest):
        return train(images, judge, weights, preset, **rest)

    path = tmp_path / "unfinished.pt"
    interrupted(monkeypatch, lambda checkpoint: make(**settings, checkpoint=checkpoint), path, 1)
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match=words):
        make(**{**settings, **options}, checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_kind_of_training_is_refused(tmp_path, monkeypatch, judge, base):
    path = tmp_path / "unfinished.pt"
    make = kinds(judge, base)
    interrupted(monkeypatch, make["universal"], path, 1)
    with pytest.raises(InvalidInput, match="of another training"):
        train(IMAGES, judge, COSTLY, TINY, dimension=2, seed=2, checkpoint=path)


def test_a_checkpoint_of_another_encoder_is_refused(tmp_path, monkeypatch, judge, base):
    path = tmp_path / "unfinished.pt"
    interrupted(monkeypatch, kinds(judge, base)["universal"], path, 1)
    other = train(IMAGES, judge, WITH_CRITIC, TINY, dimension=2, levels=3, seed=5)
    with pytest.raises(InvalidInput, match="encoder"):
        train(IMAGES, judge, COSTLY, TINY, encoder=other, seed=2, checkpoint=path)


def test_a_checkpoint_of_other_images_is_refused(tmp_path, monkeypatch, judge, base):
    path = tmp_path / "unfinished.pt"
    interrupted(monkeypatch, kinds(judge, base)["conventional"], path, 1)
    with pytest.raises(InvalidInput, match="images"):
        train(some_images(seed=1), judge, COSTLY, TINY, seed=2, checkpoint=path)


@pytest.mark.parametrize("number", [np.int64(3), np.int32(3)])
def test_numbers_of_numpy_are_as_good_as_any(tmp_path, judge, number):
    made = train(IMAGES, judge, COSTLY, TINY, dimension=number, levels=number, seed=number)
    made.save(tmp_path / "a.pt")
    again = load_system(tmp_path / "a.pt")
    assert again.quantiser == Quantiser(3, 3)
    assert all_bits(again) == all_bits(train(IMAGES, judge, COSTLY, TINY, seed=3))


@pytest.fixture(scope="module")
def saved(tmp_path_factory, judge, base):
    """The bytes of a system's file, of an unfinished training, and a place for damaged ones."""
    folder = tmp_path_factory.mktemp("damaged")
    base.save(folder / "system.pt")
    train(IMAGES, judge, COSTLY, TINY, checkpoint=folder / "training.pt")
    train_classifier(IMAGES, TINY, path=folder / "classifier.pt")
    return folder


def readers(judge):
    return {
        "system": load_system,
        "training": lambda path: train(IMAGES, judge, COSTLY, TINY, checkpoint=path),
        "classifier": lambda path: train_classifier(IMAGES, TINY, path=path),
    }


READERS = ["system", "training", "classifier"]


@pytest.mark.parametrize("kind", READERS)
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_files_are_refused(saved, judge, kind, share):
    content = (saved / f"{kind}.pt").read_bytes()
    (saved / "x.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(UnreadableFile, match="x.pt"):
        readers(judge)[kind](saved / "x.pt")


STARTS = [b"", b"\x80\x02", b"\x80\x04\x95", b"PK\x03\x04", b"\x80\x02}q\x00(X\x04\x00\x00\x00kind"]


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=80))
def test_random_bytes_are_refused(saved, start, rest):
    (saved / "x.pt").write_bytes(start + rest)
    with pytest.raises(UnreadableFile, match="x.pt"):
        load_system(saved / "x.pt")


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_does_no_harm(saved, base, place, bit):
    content = bytearray((saved / "system.pt").read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (saved / "x.pt").write_bytes(content)
    try:
        again = load_system(saved / "x.pt")
    except UnreadableFile as error:
        assert "x.pt" in str(error)  # noqa: PT017
    else:
        assert all_bits(again) == all_bits(base)


@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_file_of_ours_is_refused(saved, tmp_path, judge, kind):
    read = readers(judge)[kind]
    (tmp_path / "empty.pt").touch()
    (tmp_path / "folder.pt").mkdir()
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"kind": 5}, tmp_path / "other.pt")
    save_checkpoint(tmp_path / "unkind.pt", {"numbers": torch.zeros(3)})
    for other in READERS:
        if other != kind:
            (tmp_path / f"{other}.pt").write_bytes((saved / f"{other}.pt").read_bytes())
    for path in tmp_path.iterdir():
        with pytest.raises(UnreadableFile, match=path.name):
            read(path)


class Trap:
    """Its unpickling makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("write", ["torch", "old torch", "pickle"])
def test_nothing_in_a_file_is_executed(tmp_path, judge, kind, write):
    mark, path = tmp_path / "mark", tmp_path / "trap.pt"
    names = {"system": "system", "training": "unfinished training", "classifier": "classifier"}
    content = {"kind": f"rdcsolve {names[kind]}", "key": Trap(mark)}
    if write == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=write == "torch")
    with pytest.raises(UnreadableFile, match="trap.pt"):
        readers(judge)[kind](path)
    assert not mark.exists()
    if write == "pickle":
        pickle.loads(path.read_bytes())
        assert mark.exists()  # where nobody looks out, the trap works


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UnreadableFile, match="none.pt does not exist"):
        load_system(tmp_path / "none.pt")


SENSELESS = {
    "dimension": [None, -1, 1.5, "a", [], torch.zeros(2)],
    "weights": [None, -1, [1, 2], "a", {"lambda_d": -1}, {"lambda_x": 1}, torch.zeros(2)],
    "encoder_weights": [-1, "a", [1, 2], {"lambda_d": -1}],
    "preset": [None, -1, [], {}, "a", torch.zeros(2)],
    "encoder": [None, -1, "a", [], {}, torch.zeros(2)],
    "decoder": [None, {"0.weight": torch.zeros(2)}],
    "critic": [None, {}],
    "seed": [None, "a", [], torch.zeros(2)],
    "history": [None, -1],
}


@pytest.mark.parametrize(("key", "junk"), [(key, junk) for key, all_junk in SENSELESS.items() for junk in all_junk])
def test_systems_with_a_senseless_part_are_refused(saved, tmp_path, key, junk):
    content = load_checkpoint(saved / "system.pt", "rdcsolve compression system")
    save_checkpoint(tmp_path / "a.pt", content | {key: junk})
    with pytest.raises(UnreadableFile, match="a.pt"):
        load_system(tmp_path / "a.pt")


@pytest.mark.parametrize("key", SENSELESS)
def test_systems_without_a_part_are_refused(saved, tmp_path, key):
    content = load_checkpoint(saved / "system.pt", "rdcsolve compression system")
    del content[key]
    save_checkpoint(tmp_path / "a.pt", content)
    with pytest.raises(UnreadableFile, match="a.pt"):
        load_system(tmp_path / "a.pt")


@pytest.mark.parametrize("junk", [None, "a", [], {}, torch.zeros(2)], ids=str)
@pytest.mark.parametrize("key", ["key", "networks", "optimisers", "generator"])
def test_unfinished_trainings_with_a_senseless_part_are_refused(saved, tmp_path, judge, key, junk):
    content = load_checkpoint(saved / "training.pt", "rdcsolve unfinished training")
    save_checkpoint(tmp_path / "a.pt", content | {key: junk})
    with pytest.raises(InvalidInput, match="a.pt"):
        readers(judge)["training"](tmp_path / "a.pt")


def test_a_system_of_another_size_is_told_in_one_line(saved, tmp_path):
    content = load_checkpoint(saved / "system.pt", "rdcsolve compression system")
    save_checkpoint(tmp_path / "a.pt", content | {"dimension": 3})
    with pytest.raises(UnreadableFile, match="does not fit") as refusal:
        load_system(tmp_path / "a.pt")
    assert len(str(refusal.value).splitlines()) == 1


def test_a_target_that_cannot_be_written(tmp_path, base, judge):
    with pytest.raises(SaveFailed, match="a.pt was not written"):
        base.save(tmp_path / "none" / "a.pt")
    with pytest.raises(SaveFailed, match="a.pt was not written"):
        train(IMAGES, judge, COSTLY, TINY, checkpoint=tmp_path / "none" / "a.pt")
    with pytest.raises(SaveFailed, match="a.pt was not written"):
        train_classifier(IMAGES, TINY, path=tmp_path / "none" / "a.pt")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, base):
    path = tmp_path / "a.pt"
    base.save(path)
    before = path.read_bytes()

    def full(content, stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(SaveFailed, match="No space left"):
        base.save(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.pt"]


def test_the_classifier_is_kept_and_taken_from_its_file(tmp_path, monkeypatch):
    made = train_classifier(IMAGES, TINY, path=tmp_path / "c.pt")
    monkeypatch.setattr("rdcsolve.neural.classifier._fit", lambda *_: pytest.fail("it is there already"))
    again = train_classifier(IMAGES, TINY, path=tmp_path / "c.pt")
    assert bits(again) == bits(made)
    assert not again.training
    with pytest.raises(InvalidInput, match="choose another file"):
        train_classifier(IMAGES, TINY, seed=1, path=tmp_path / "c.pt")
    with pytest.raises(InvalidInput, match="choose another file"):
        train_classifier(IMAGES, dataclasses.replace(TINY, classifier=(4, 8, 16)), path=tmp_path / "c.pt")


def test_the_classifier_of_other_images_is_refused(tmp_path):
    train_classifier(IMAGES, TINY, path=tmp_path / "c.pt")
    with pytest.raises(InvalidInput, match="choose another file"):
        train_classifier(some_images(seed=1), TINY, path=tmp_path / "c.pt")


# ------------------------------------------------------------------------------------------- seeds


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_system(judge, base, kind):
    make = kinds(judge, base)[kind]
    torch.manual_seed(0)
    first = make()
    torch.manual_seed(1)
    again = make()
    assert all_bits(first) == all_bits(again)
    assert first.history == again.history


def test_another_seed_gives_another_system(judge, base):
    first, other = (train(IMAGES, judge, WITH_CRITIC, TINY, seed=seed) for seed in (0, 1))
    for name, state in all_bits(first).items():
        assert state != all_bits(other)[name]
    assert bits(train_classifier(IMAGES, TINY, seed=1)) != bits(judge)
    assert bits(train_classifier(IMAGES, TINY, seed=0)) == bits(judge)


def test_the_global_random_state_is_left_alone(tmp_path, judge, base):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.random.get_rng_state(), np.random.get_state()  # noqa: NPY002
    train(IMAGES, judge, WITH_CRITIC, TINY)
    train(IMAGES, judge, WITH_CRITIC, TINY, encoder=base)
    train_classifier(some_images(64), TINY)
    evaluate(base, some_images(20), judge, n_bootstrap=2, n_projections=2)
    base.save(tmp_path / "a.pt")
    load_system(tmp_path / "a.pt")
    decoded_messages(base)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(one, other) for one, other in zip(after, before[1], strict=True))


# ------------------------------------------------------------------------------------------- evaluation

MEASURES = {"mse", "cross_entropy", "accuracy", "w1", "sliced_w2", "message_entropy", "coded_rate"}


def test_measures_by_hand(judge, base):
    images = some_images(50, seed=8)
    found = evaluate(base, images, judge, seed=3, n_projections=20)
    assert set(found) == MEASURES
    pixels = images.pixels().numpy().astype(float)
    shown, messages = base.reconstruct(images.pixels(), random_of(3))
    with torch.no_grad():
        logits = judge(shown).numpy().astype(float)
        critic = [base.critic(one).numpy().mean() for one in (images.pixels(), shown)]
    classes = images.classes.numpy()
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = {
        "mse": ((pixels - shown.numpy()) ** 2).mean(),
        "cross_entropy": -np.log(shares[np.arange(50), classes]).mean(),
        "accuracy": (shares.argmax(axis=1) == classes).mean(),
        "w1": critic[0] - critic[1],
        "sliced_w2": sliced_squared_wasserstein(pixels, shown.numpy(), n_projections=20, rng=3),
        "message_entropy": entropy_of(messages.tolist()),
        "coded_rate": mutual_information(
            np.full(50, 0.02), message_channel(base, images.pixels(), n_dithers=8, seed=3)
        ),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-4, abs=1e-6), name
        assert found[name].low < found[name].high, name
        assert found[name].low - 0.5 * (found[name].high - found[name].low) < value, name
        assert found[name].high + 0.5 * (found[name].high - found[name].low) > value, name
    assert found["message_entropy"].value <= base.quantiser.rate
    again = evaluate(base, images, judge, seed=3, n_projections=20)
    assert again == found
    assert evaluate(base, images, judge, seed=4, n_projections=20)["mse"] != found["mse"]


def test_without_a_critic_there_is_no_w1(judge):
    system = new_system(TINY, Quantiser(1, 2), Weights(), 0)
    found = evaluate(system, some_images(20), judge, n_bootstrap=2, n_projections=2)
    assert all(math.isnan(number) for number in found["w1"])
    assert all(math.isfinite(number) for name in MEASURES - {"w1"} for number in found[name])
    assert found["message_entropy"].value <= math.log(2) + 1e-12


@pytest.fixture(scope="module")
def pool():
    return some_images(4000, seed=9)


def test_intervals_narrow_with_more_images_and_widen_with_the_level(judge, base, pool):
    few, many, wide = (
        evaluate(base, pool.first(n), judge, n_projections=5, level=level)
        for n, level in ((40, 0.9), (4000, 0.9), (40, 0.99))
    )
    for name in MEASURES:
        width = {key: found[name].high - found[name].low for key, found in enumerate((few, many, wide))}
        assert width[1] < 0.3 * width[0], name
        assert width[2] > width[0], name


def test_intervals_cover_what_they_should(judge, base, pool):
    truth = evaluate(base, pool, judge, n_bootstrap=2, n_projections=1)
    covered = dict.fromkeys(("mse", "cross_entropy", "w1"), 0)
    for seed in range(60):
        chosen = slice(60 * seed, 60 * (seed + 1))
        sample = Images(pool.bytes[chosen], pool.classes[chosen])
        found = evaluate(base, sample, judge, n_projections=1, seed=seed + 1, level=0.9)
        for name in covered:
            covered[name] += found[name].low <= truth[name].value <= found[name].high
    assert all(45 <= number for number in covered.values()), covered
    assert min(covered.values()) < 60


def test_many_messages_need_little_memory(judge):
    system = new_system(TINY, Quantiser(12, 4), Weights(), 0)
    found = evaluate(system, some_images(20), judge, n_bootstrap=10, n_projections=2)
    assert found["message_entropy"].value <= math.log(20) + 1e-12


@pytest.mark.parametrize("options", [{"n_bootstrap": 1}, {"level": 1.0}, {"level": 95}, {"n_projections": 0}])
def test_bad_options_of_evaluate(judge, base, options):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        evaluate(base, some_images(20), judge, **options)


# ------------------------------------------------------------------------------------------- sliced distance

SAMPLES = st.integers(0, 2**32).map(np.random.default_rng)


@given(SAMPLES, st.integers(1, 9), st.integers(1, 9))
def test_on_the_line_it_is_the_distance_itself(rng, n, m):
    x, y = rng.normal(size=(n, 1)), rng.normal(size=(m, 1))
    exact = squared_wasserstein(x, np.full(n, 1 / n), y, np.full(m, 1 / m))
    assert sliced_squared_wasserstein(x, y, n_projections=3) == pytest.approx(exact, rel=1e-9, abs=1e-12)


@given(SAMPLES, st.integers(2, 5), st.integers(1, 8))
def test_it_is_at_most_the_distance(rng, d, n):
    x, y = rng.normal(size=(n, d)), rng.normal(1.0, 2.0, size=(n, d))
    masses = np.full(n, 1 / n)
    sliced = sliced_squared_wasserstein(x, y, rng=int(rng.integers(100)))
    assert 0 <= sliced <= squared_wasserstein(x, masses, y, masses) + 1e-9


@given(SAMPLES, st.integers(2, 5), st.integers(1, 8))
def test_a_shift_is_seen_in_its_projections(rng, d, n):
    x, t = rng.normal(size=(n, d)), rng.normal(size=d)
    seed = int(rng.integers(100))
    shifted = sliced_squared_wasserstein(x, x + t, rng=seed)
    # Two single points on the same directions have the mean of (theta . t)^2 between them.
    assert shifted == pytest.approx(sliced_squared_wasserstein(np.zeros((1, d)), t[None], rng=seed), rel=1e-9)
    assert shifted <= t @ t + 1e-12


def test_a_shift_counts_by_its_share_of_the_dimensions():
    x = np.random.default_rng(0).normal(size=(5, 4))
    t = np.array([1.0, -2.0, 0.5, 3.0])
    found = sliced_squared_wasserstein(x, x + t, n_projections=20_000)
    assert found == pytest.approx(t @ t / 4, rel=0.03)


@given(SAMPLES, st.integers(1, 5), st.integers(1, 8))
def test_the_order_of_a_sample_does_not_matter(rng, d, n):
    x = rng.normal(size=(n, d))
    assert sliced_squared_wasserstein(x, rng.permutation(x)) < 1e-12


def test_a_seed_gives_the_same_directions_again():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    found = [sliced_squared_wasserstein(x, y, rng=seed) for seed in (1, 1, 2, np.random.default_rng(1))]
    assert found[0] == found[1] == found[3]
    assert found[0] != found[2]


@pytest.mark.parametrize(
    "arguments",
    [
        {"points": np.zeros((3, 2)), "others": np.zeros((3, 3))},
        {"points": np.zeros((0, 2)), "others": np.zeros((3, 2))},
        {"points": [[math.nan]], "others": [[0.0]]},
        {"points": [[1.0]], "others": [[0.0]], "n_projections": 0},
    ],
    ids=["dimensions", "empty", "nan", "projections"],
)
def test_bad_samples_are_refused(arguments):
    with pytest.raises(InvalidInput):
        sliced_squared_wasserstein(**arguments)


# ------------------------------------------------------------------------------------------- images, networks


def test_images_are_bytes_and_classes():
    images = some_images(10)
    assert len(images) == 10
    assert images.pixels().dtype == torch.float32
    assert torch.equal(images.pixels(torch.tensor([3, 1])) * 255, images.bytes[[3, 1]].float())
    assert images.first(None) is images
    assert len(images.first(4)) == 4
    assert torch.equal(images.first(4).bytes, images.bytes[:4])


@pytest.mark.parametrize(
    ("pixels", "classes"),
    [
        (torch.zeros(3, 784), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(3, 783, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(3, 784, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(0, 784, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)),
        (torch.zeros(1, 784, dtype=torch.uint8), torch.tensor([10])),
        (torch.zeros(1, 784, dtype=torch.uint8), torch.tensor([-1])),
    ],
    ids=["floats", "pixels", "classes", "none", "class 10", "class -1"],
)
def test_bad_images_are_refused(pixels, classes):
    with pytest.raises(InvalidInput):
        Images(pixels, classes)


def test_images_are_read_from_idx_files(tmp_path):
    from neural_data import N_TEST, drawn, lay_idx

    lay_idx(tmp_path)
    images = load_images("test", tmp_path, dataset="any")
    pixels, classes = drawn(N_TEST, 1)
    assert images.bytes.numpy().reshape(-1, 28, 28).tolist() == pixels.tolist()
    assert images.classes.tolist() == classes.tolist()
    assert len(load_images("train", tmp_path, dataset="any", n=7)) == 7
    with pytest.raises(UnreadableFile):
        load_images("test", tmp_path / "none", dataset="any")


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_networks_of_every_preset(preset):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = [make_encoder(preset, 3), make_decoder(preset, 3), make_critic(preset), make_classifier(preset)]
    pixels = IMAGES.pixels(slice(4))
    with torch.no_grad():
        latent = networks[0](pixels)
        shown = networks[1](latent)
        scores, logits = networks[2](shown), networks[3](shown)
    assert [tuple(one.shape) for one in (latent, shown, scores, logits)] == [(4, 3), (4, 784), (4, 1), (4, 10)]
    assert latent.abs().max() <= 1
    assert 0 <= shown.min() <= shown.max() <= 1
    assert not [layer for layer in networks[2] if "BatchNorm" in type(layer).__name__]


def test_a_system_with_convolutions_trains(judge):
    convolving = dataclasses.replace(TINY, decoder=(32,), decoder_channels=(2, 3, 2), epochs=2)
    system = train(IMAGES.first(64), judge, WITH_CRITIC, convolving)
    assert isinstance(system, System)
    assert all(math.isfinite(value) for epoch in system.history for value in epoch.values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"decoder": (100,), "decoder_channels": (32, 64, 32)}, "make it 512"),
        ({"batch": 0}, "batch"),
        ({"batch": 1}, "batch"),
        ({"epochs": 0}, "epochs"),
        ({"classifier_epochs": 0}, "classifier_epochs"),
    ],
)
def test_bad_presets_are_refused(changes, words):
    with pytest.raises(InvalidInput, match=words):
        dataclasses.replace(TINY, **changes)


def test_presets_go_by_name(judge):
    with pytest.raises(InvalidInput, match="preset"):
        train(IMAGES, judge, COSTLY, "huge")
    assert isinstance(PRESETS["paper"], Preset)
    assert (PRESETS["paper"].batch, PRESETS["paper"].epochs, PRESETS["paper"].penalty) == (64, 30, 10.0)
