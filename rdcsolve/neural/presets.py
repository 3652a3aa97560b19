"""Sizes and schedules of the networks, as named settings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.validation import one_of


@dataclass(frozen=True)
class Preset:
    """How large the networks are and how long they train.

    Attributes
    ----------
    name : str
    encoder : tuple of int
        Widths of the encoder's hidden layers.
    decoder : tuple of int
        Widths of the decoder's dense hidden layers.
    decoder_channels : tuple of int
        Channels before each of three transposed convolutions that follow, from 4 x 4 over 11 x 11 and 25 x 25 to
        28 x 28 pixels, so that the last dense width is 16 times the first entry; empty for a dense layer to the pixels.
    critic : tuple of int
        Channels of the critic's 5 x 5 convolutions of stride 2.
    classifier : tuple of int
        Channels of the classifier's two 5 x 5 convolutions, then the width of its dense layer.
    batch : int
    epochs : int
    milestones : tuple of int
        Epochs after which all learning rates are multiplied by `decay`.
    decay : float
    learning_rate : float
        Of encoder and decoder; Adam with betas (0.5, 0.9).
    critic_learning_rate : float
    penalty : float
        Weight of the gradient penalty.
    slope : float
        Of the leaky units below zero.
    has_normalised_latent : bool
        Whether the encoder's last layer is normalised by batches before its tanh.
    is_dithered : bool
        Whether encoder and decoder share a dither; see `Quantiser`.
    softness : float or None
        Sigma of the soft assignment that gradients pass through, see `Quantiser`; None for that of the identity.
    last_softness : float or None
        Sigma of the last epoch, up to which it grows by the same factor with every epoch; None where it stays.
    is_expected : bool
        Whether an encoder follows the gradient of the expected loss, were its message drawn by the chances of the soft
        assignment, for which all L^h messages are decoded in every step; else the one through what is received. Needs
        `softness`, and no dither.
    is_alternating : bool
        Whether the batches with even numbers in an epoch, the first one included, train the critic and the others
        encoder and decoder, which so see half of them also where there is no critic; else every batch trains both.
    inherits_critic : bool
        Whether the critic of a universal system starts from that of the system whose encoder it reuses.
    averaged : int
        How many of the last epochs are kept, over which measures on test images are averaged.
    classifier_epochs : int
    classifier_batch : int or None
        None for `batch`.
    classifier_pools : bool
        Whether the classifier has convolutions of stride 1 without padding, each with a maximum over 2 x 2 pixels,
        and units that are zero below zero; else convolutions of stride 2 and leaky units.
    classifier_method : {"adam", "sgd"}
        How it is trained: Adam at a learning rate of 0.001, or plain stochastic gradients at 0.01.
    n_train, n_test : int or None
        How many images of each part are used, the first ones; None for all.
    """

    name: str
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    decoder_channels: tuple[int, ...]
    critic: tuple[int, ...]
    classifier: tuple[int, int, int]
    batch: int
    epochs: int
    milestones: tuple[int, ...]
    decay: float = 0.2
    learning_rate: float = 1e-2
    critic_learning_rate: float = 2e-4
    penalty: float = 10.0
    slope: float = 0.2
    has_normalised_latent: bool = False
    is_dithered: bool = True
    softness: float | None = None
    last_softness: float | None = None
    is_expected: bool = False
    is_alternating: bool = False
    inherits_critic: bool = False
    averaged: int = 1
    classifier_epochs: int = 3
    classifier_batch: int | None = None
    classifier_pools: bool = False
    classifier_method: str = "adam"
    n_train: int | None = None
    n_test: int | None = None

    def __post_init__(self) -> None:
        if self.decoder_channels and self.decoder[-1] != 16 * self.decoder_channels[0]:
            raise InvalidInput(
                f"the decoder's last dense width is {self.decoder[-1]} but its convolutions start with "
                f"{self.decoder_channels[0]} channels of 4 x 4 pixels; make it {16 * self.decoder_channels[0]}"
            )
        if self.decoder_channels and len(self.decoder_channels) != 3:
            raise InvalidInput(f"decoder_channels is {self.decoder_channels}; give three numbers, or none")
        numbers = (self.learning_rate, self.critic_learning_rate, self.decay, self.penalty, self.slope)
        if not all(0 <= number < math.inf for number in numbers):
            raise InvalidInput("learning rates, decay, penalty and slope must be finite and >= 0; one of them is not")
        for name in ("softness", "last_softness"):
            sigma = getattr(self, name)
            if sigma is not None and not 0 < sigma < math.inf:
                raise InvalidInput(f"{name} is {sigma}; it must be finite and > 0, or None")
        if self.softness is None and (self.is_expected or self.last_softness is not None):
            raise InvalidInput("softness is None but is_expected or last_softness is given; give softness, such as 1")
        if self.is_expected and self.is_dithered:
            raise InvalidInput("is_expected is for messages without dither; pass is_dithered=False, or leave it out")
        one_of(self.classifier_method, ("adam", "sgd"), "classifier_method")
        if any(n is not None and n < 1 for n in (self.n_train, self.n_test)):
            raise InvalidInput(f"n_train is {self.n_train} and n_test {self.n_test}; take at least 1, or None for all")
        if self.batch < 2 or min(self.epochs, self.classifier_epochs, self.classifier_batch or 1) < 1:
            raise InvalidInput(
                f"batch, epochs, classifier_epochs and classifier_batch are {self.batch}, {self.epochs}, "
                f"{self.classifier_epochs} and {self.classifier_batch}; take at least 2, 1, 1 and 1"
            )
        if not 1 <= self.averaged <= self.epochs:
            raise InvalidInput(f"averaged is {self.averaged}; take from 1 to {self.epochs}, the number of epochs")

    def softness_of(self, epoch: int) -> float | None:
        """Return sigma in an epoch, counted from 0."""
        if self.softness is None or self.last_softness is None or self.epochs == 1:
            return self.softness
        return self.softness * (self.last_softness / self.softness) ** (epoch / (self.epochs - 1))


_PAPER = Preset(
    name="paper",
    encoder=(512, 256, 128, 128),
    decoder=(128, 512),
    decoder_channels=(32, 64, 128),
    critic=(64, 128, 256),
    classifier=(10, 10, 100),
    batch=64,
    epochs=30,
    milestones=(20,),
    slope=0.01,
    has_normalised_latent=True,
    softness=1.0,
    is_alternating=True,
    inherits_critic=True,
    averaged=3,
    classifier_epochs=10,
    classifier_batch=100,
    classifier_pools=True,
    classifier_method="sgd",
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "paper": _PAPER,
        "expected": dataclasses.replace(
            _PAPER,
            name="expected",
            batch=256,
            epochs=40,
            milestones=(20, 35),
            learning_rate=3e-3,
            is_dithered=False,
            softness=3.0,
            last_softness=6.0,
            is_expected=True,
            is_alternating=False,
        ),
        "cpu": Preset(
            name="cpu",
            encoder=(256, 128),
            decoder=(128, 256),
            decoder_channels=(),
            critic=(8, 16, 32),
            classifier=(8, 16, 64),
            batch=128,
            epochs=10,
            milestones=(6, 9),
            learning_rate=3e-3,
        ),
        "smoke": Preset(
            name="smoke",
            encoder=(64,),
            decoder=(64,),
            decoder_channels=(),
            critic=(4, 8),
            classifier=(4, 8, 32),
            batch=64,
            epochs=4,
            milestones=(3,),
            classifier_epochs=2,
            n_train=6000,
            n_test=1000,
        ),
    }
)
"""The published network and schedule, the same network without dither trained by the expected loss over all messages,
one for two CPU cores, and one for tests."""


def preset_of(preset: str | Preset) -> Preset:
    """Return a preset by name, or the one in hand."""
    return preset if isinstance(preset, Preset) else PRESETS[one_of(preset, tuple(PRESETS), "preset")]


def preset_from(fields: Mapping[str, Any]) -> Preset:
    """Return the preset with these fields, whose tuples may have become lists in a file."""
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return Preset(**plain)
