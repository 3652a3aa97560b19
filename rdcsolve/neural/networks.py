"""The networks: encoder, decoder, critic, classifier. All take and return flat images, shape (n, 784)."""

from __future__ import annotations

from torch import nn

from rdcsolve.neural.images import SIDE
from rdcsolve.neural.presets import Preset


def make_encoder(preset: Preset, dimension: int) -> nn.Sequential:
    """Return a perceptron from pixels to the latent in [-1, 1], output shape (n, dimension)."""
    layers, width = _hidden(SIDE * SIDE, preset.encoder, preset.slope)
    normalised = [nn.BatchNorm1d(dimension)] if preset.has_normalised_latent else []
    return nn.Sequential(*layers, nn.Linear(width, dimension), *normalised, nn.Tanh())


def make_decoder(preset: Preset, dimension: int) -> nn.Sequential:
    """Return a network from the latent to pixels in [0, 1], input shape (n, dimension)."""
    layers, width = _hidden(dimension, preset.decoder, preset.slope)
    if not preset.decoder_channels:
        return nn.Sequential(*layers, nn.Linear(width, SIDE * SIDE), nn.Sigmoid())
    first, second, third = preset.decoder_channels
    return nn.Sequential(
        *layers,
        nn.Unflatten(1, (first, 4, 4)),
        nn.ConvTranspose2d(first, second, 5, stride=2),  # 11 x 11
        nn.BatchNorm2d(second),
        nn.LeakyReLU(preset.slope),
        nn.ConvTranspose2d(second, third, 5, stride=2),  # 25 x 25
        nn.BatchNorm2d(third),
        nn.LeakyReLU(preset.slope),
        nn.ConvTranspose2d(third, 1, 4),  # 28 x 28
        nn.Flatten(),
        nn.Sigmoid(),
    )


def make_critic(preset: Preset) -> nn.Sequential:
    """Return a network from pixels to one number, output shape (n, 1).

    It has no batch normalisation: the gradient penalty is on each image's own gradient.
    """
    layers, size = _convolutions(preset.critic, preset.slope)
    return nn.Sequential(*layers, nn.Linear(size, 1))


def make_classifier(preset: Preset) -> nn.Sequential:
    """Return a network from pixels to the logits of ten classes, output shape (n, 10)."""
    *channels, width = preset.classifier
    if preset.classifier_pools:
        layers, size = _pooled(tuple(channels))
        return nn.Sequential(*layers, nn.Linear(size, width), nn.ReLU(), nn.Linear(width, 10))
    layers, size = _convolutions(tuple(channels), preset.slope)
    return nn.Sequential(*layers, nn.Linear(size, width), nn.LeakyReLU(preset.slope), nn.Linear(width, 10))


def _hidden(width: int, widths: tuple[int, ...], slope: float) -> tuple[list[nn.Module], int]:
    """Return normalised dense layers and the width of the last one."""
    layers: list[nn.Module] = []
    for following in widths:
        layers += [nn.Linear(width, following), nn.BatchNorm1d(following), nn.LeakyReLU(slope)]
        width = following
    return layers, width


def _convolutions(channels: tuple[int, ...], slope: float) -> tuple[list[nn.Module], int]:
    """Return 5 x 5 convolutions of stride 2 on an image, flattened, and how many numbers they give."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, SIDE, SIDE))]
    before, side = 1, SIDE
    for after in channels:
        layers += [nn.Conv2d(before, after, 5, stride=2, padding=2), nn.LeakyReLU(slope)]
        before, side = after, (side + 1) // 2
    return [*layers, nn.Flatten()], before * side * side


def _pooled(channels: tuple[int, ...]) -> tuple[list[nn.Module], int]:
    """Return 5 x 5 convolutions without padding, each halved by maxima, flattened, and how many numbers they give."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, SIDE, SIDE))]
    before, side = 1, SIDE
    for after in channels:
        layers += [nn.Conv2d(before, after, 5), nn.ReLU(), nn.MaxPool2d(2)]
        before, side = after, (side - 4) // 2
    return [*layers, nn.Flatten()], before * side * side
