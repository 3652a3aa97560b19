"""A trained compression system: encoder, quantiser, decoder, and the critic if there was one."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from rdcsolve.calls import public_call
from rdcsolve.errors import RdcError, UnreadableFile
from rdcsolve.neural.checkpoints import load_checkpoint, restore, save_checkpoint
from rdcsolve.neural.losses import Weights
from rdcsolve.neural.networks import make_critic, make_decoder, make_encoder
from rdcsolve.neural.presets import Preset, preset_from
from rdcsolve.neural.quantiser import Quantiser

KIND = "rdcsolve compression system"

_CHUNK = 2048
"""Images that pass the networks at once outside training: enough to be fast, little memory."""


@dataclass(frozen=True, eq=False, repr=False)
class System:
    """An encoder with its quantiser, and one decoder for it.

    Attributes
    ----------
    encoder, decoder : torch.nn.Module
    critic : torch.nn.Module or None
        None where `weights.lambda_p` is 0.
    quantiser : Quantiser
    weights : Weights
        What the decoder was trained for.
    encoder_weights : Weights or None
        Of a universal system: what its encoder was trained for, before and apart from this decoder.
    preset : Preset
    seed : int
    history : tuple of dict
        Mean losses of every epoch: ``mse``, and ``cross_entropy`` and ``w1`` where they have a weight.
    earlier : tuple of dict
        Parameters by name of the network after the epochs before the last one, as many as `preset.averaged` wants; of
        a universal system without the encoder's.
    """

    encoder: nn.Module
    decoder: nn.Module
    critic: nn.Module | None
    quantiser: Quantiser
    weights: Weights
    encoder_weights: Weights | None
    preset: Preset
    seed: int
    history: tuple[dict[str, float], ...] = field(default=())
    earlier: tuple[dict[str, Any], ...] = field(default=())

    @property
    def is_universal(self) -> bool:
        """Whether the decoder was trained for an encoder that was there before."""
        return self.encoder_weights is not None

    def last_epochs(self) -> Iterator[System]:
        """Yield the system as it was after the last epochs, this one at the end."""
        for kept in self.earlier:
            system = dataclasses.replace(copied(self, torch.device("cpu")), earlier=())
            for name, network in parts(system):
                if name in kept:
                    network.load_state_dict(kept[name])
            yield system
        yield self

    def latent(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the encoder's output before quantisation, shape (n, h), each number in [-1, 1]."""
        return in_chunks(self.encoder, pixels)

    def decode(self, received: torch.Tensor) -> torch.Tensor:
        """Return the images for what a decoder receives, shape (n, 784)."""
        return in_chunks(self.decoder, received)

    def reconstruct(
        self, pixels: torch.Tensor, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return reconstructions, shape (n, 784), and the messages they came from, shape (n,).

        Parameters
        ----------
        pixels : torch.Tensor
            Shape (n, 784), in [0, 1].
        generator : torch.Generator, optional
            Of the dither.
        """
        latent = self.latent(pixels)
        dither = self.quantiser.dither(len(pixels), generator).to(pixels.device)
        indices = self.quantiser.indices(latent, dither)
        return self.decode(self.quantiser.decoded(indices, dither)), self.quantiser.messages(latent, dither)

    @public_call
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the system as one file of tensors and numbers, whole or not at all.

        Raises
        ------
        SaveFailed
        """
        save_checkpoint(path, {"kind": KIND, **described(self), **states(self), **_record(self)})

    def __repr__(self) -> str:
        w, q = self.weights, self.quantiser
        kind = "universal" if self.is_universal else "conventional"
        return (
            f"<System {kind}, {q.dimension} x {q.levels} levels, lambda_d={w.lambda_d:g}, lambda_c={w.lambda_c:g}, "
            f"lambda_p={w.lambda_p:g}, seed {self.seed}>"
        )


def in_chunks(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return a network's outputs in evaluation mode, without gradients, a part of the inputs at a time."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(chunk) for chunk in inputs.split(_CHUNK)])


def new_system(
    preset: Preset, quantiser: Quantiser, weights: Weights, seed: int, encoder: System | None = None
) -> System:
    """Return a system of fresh networks, with the encoder of another one if given, whose critic it may start from.

    The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        own = make_encoder(preset, quantiser.dimension) if encoder is None else encoder.encoder
        decoder = make_decoder(preset, quantiser.dimension)
        critic = make_critic(preset) if weights.lambda_p > 0 else None
    base = None if encoder is None or encoder.preset.critic != preset.critic else encoder.critic
    if critic is not None and base is not None and preset.inherits_critic:
        critic.load_state_dict(base.state_dict())
    trained_for = None if encoder is None else encoder.encoder_weights or encoder.weights
    return System(own, decoder, critic, quantiser, weights, trained_for, preset, seed)


def described(system: System) -> dict[str, Any]:
    """Return all of a system but its networks, as numbers and texts."""
    return {
        "dimension": system.quantiser.dimension,
        "levels": system.quantiser.levels,
        "is_dithered": system.quantiser.is_dithered,
        "weights": dataclasses.asdict(system.weights),
        "encoder_weights": None if system.encoder_weights is None else dataclasses.asdict(system.encoder_weights),
        "preset": dataclasses.asdict(system.preset),
        "seed": system.seed,
    }


def _record(system: System) -> dict[str, Any]:
    """Return what training left beside the networks."""
    return {"history": list(system.history), "earlier": list(system.earlier)}


def copied(system: System, device: torch.device) -> System:
    """Return a system with networks of its own, in evaluation mode, in the memory of a device."""
    networks: dict[str, Any] = {name: copy.deepcopy(network).to(device).eval() for name, network in parts(system)}
    return dataclasses.replace(system, **networks)


def parts(system: System) -> Iterator[tuple[str, nn.Module]]:
    """Yield the networks of a system by name."""
    yield "encoder", system.encoder
    yield "decoder", system.decoder
    if system.critic is not None:
        yield "critic", system.critic


def states(system: System) -> dict[str, Any]:
    """Return the networks' parameters by name of the network, in the processor's memory."""
    return {name: {key: value.cpu() for key, value in network.state_dict().items()} for name, network in parts(system)}


def load_system(path: str | os.PathLike[str]) -> System:
    """Return the system that `System.save` wrote; nothing in the file is executed.

    Raises
    ------
    UnreadableFile
        If the file is missing, corrupt, or no system.
    """
    content = load_checkpoint(path, KIND)
    try:
        preset = preset_from(content["preset"])
        quantiser = Quantiser(content["dimension"], content["levels"], content.get("is_dithered", True))
        system = new_system(preset, quantiser, Weights(**content["weights"]), content["seed"])
        before = content["encoder_weights"]
        system = dataclasses.replace(
            system,
            encoder_weights=None if before is None else Weights(**before),
            history=tuple(content["history"]),
            earlier=tuple(content.get("earlier", ())),
        )
        for name, network in parts(system):
            for kept in system.earlier:
                if name != "encoder" or not system.is_universal:
                    restore(network, kept[name], path, name)
            restore(network, content[name], path, name)  # the last one stays
    except UnreadableFile:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RuntimeError, RdcError) as error:
        raise UnreadableFile(f"{path} is damaged: {type(error).__name__} {error}; train again") from error
    return system
