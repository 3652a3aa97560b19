"""Training of a compression system: both ends together, or a new decoder for an encoder that stays as it is."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput, RdcError, SolverFailed, UnreadableFile
from rdcsolve.neural.checkpoints import load_checkpoint, restore, save_checkpoint
from rdcsolve.neural.images import Images
from rdcsolve.neural.losses import Weights, critic_gap, cross_entropy, gradient_penalty, squared_error
from rdcsolve.neural.presets import Preset, preset_of
from rdcsolve.neural.progress import bar
from rdcsolve.neural.quantiser import Quantiser
from rdcsolve.neural.system import System, described, new_system, parts, states

_KIND = "rdcsolve unfinished training"
_BETAS = (0.5, 0.9)


def train(  # noqa: PLR0913 - options, by keyword
    images: Images,
    classifier: nn.Module,
    weights: Weights,
    preset: str | Preset = "cpu",
    *,
    dimension: int = 3,
    levels: int = 3,
    encoder: System | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> System:
    """Train a conventional system, or a new decoder (and critic) for the encoder of another system.

    Parameters
    ----------
    images : Images
        For training.
    classifier : torch.nn.Module
        From pixels to logits; it is used as it is and not trained.
    weights : Weights
        Of the loss.
    preset : str or Preset, optional
    dimension, levels : int, optional
        h and L; with `encoder` its own count.
    encoder : System, optional
        Whose encoder is reused, in evaluation mode and unchanged to the last bit.
    seed : int, optional
        Of the first parameters, the order of images, and the dither.
    checkpoint : path-like, optional
        Written after every epoch. If the file is there, training goes on from it and ends where it would have ended
        without a break. It is removed by nobody.
    progress : bool, optional
        Whether a bar is shown.

    Returns
    -------
    System
        In evaluation mode.

    Raises
    ------
    InvalidInput
        If the checkpoint is of another training.
    UnreadableFile
        If it is damaged.
    SaveFailed
        If it cannot be written.
    SolverFailed
        If the losses, or numbers in the networks, are no longer finite.

    Notes
    -----
    Source: Nguyen et al. (2025), equations (16) and (17). The critic is the one of Wasserstein GANs with gradient
    penalty (Gulrajani et al., 2017), one step of it for each of the decoder.
    """
    preset, seed = preset_of(preset), count(seed, "seed", least=0)
    if encoder is not None:
        dimension, levels = encoder.quantiser.dimension, encoder.quantiser.levels
    training = _Training(images, classifier, weights, preset, Quantiser(dimension, levels), seed, encoder)
    if checkpoint is not None and Path(checkpoint).exists():
        training.take_over(Path(checkpoint))
    with bar(progress, preset.epochs, "epoch", len(training.history)) as shown:
        while len(training.history) < preset.epochs:
            means = training.epoch()
            if checkpoint is not None:
                save_checkpoint(checkpoint, training.state())
            shown.set_postfix({name: f"{value:.4f}" for name, value in means.items()})
            shown.update()
    return training.finished()


class _Training:
    """Networks, optimisers and random numbers on their way."""

    def __init__(
        self,
        images: Images,
        classifier: nn.Module,
        weights: Weights,
        preset: Preset,
        quantiser: Quantiser,
        seed: int,
        encoder: System | None,
    ) -> None:
        self.images, self.classifier, self.weights, self.preset = images, classifier, weights, preset
        if len(images) < preset.batch:
            raise InvalidInput(f"there are {len(images)} images but a batch takes {preset.batch}; give more images")
        self.system = new_system(preset, quantiser, weights, seed, encoder)
        self.generator = torch.Generator().manual_seed(seed)
        self.history: list[dict[str, float]] = []
        # A frozen encoder in evaluation mode is a function of the image alone, so its outputs are computed once.
        self.latents = None if encoder is None else encoder.latent(images.pixels())
        trained = [self.system.decoder] if encoder is not None else [self.system.encoder, self.system.decoder]
        self.optimisers = {"coder": _adam(trained, preset.learning_rate)}
        if self.system.critic is not None:
            self.optimisers["critic"] = _adam([self.system.critic], preset.critic_learning_rate)

    def epoch(self) -> dict[str, float]:
        """Pass once over the images; return the mean losses."""
        passed = sum(len(self.history) >= milestone for milestone in self.preset.milestones)
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * self.preset.decay**passed
        if self.latents is None:
            self.system.encoder.train()
        self.system.decoder.train()
        # Batches are full: statistics of a last small one would disturb the normalisation.
        batches = torch.randperm(len(self.images), generator=self.generator).split(self.preset.batch)
        batches = batches[: len(self.images) // self.preset.batch]
        sums = torch.stack([self._step(chosen) for chosen in batches]).sum(dim=0) / len(batches)
        means = dict(zip(("mse", "cross_entropy", "w1"), sums.tolist(), strict=True))
        if self.weights.lambda_c == 0:
            del means["cross_entropy"]
        broken = self._not_finite()
        if not torch.isfinite(sums).all() or broken:
            told = f"{means}; not finite: {', '.join(broken)}" if broken else f"{means}"
            raise SolverFailed(
                f"training diverged in epoch {len(self.history) + 1} ({told}); lower the learning rate of the preset"
            )
        if self.system.critic is None:
            del means["w1"]
        self.history.append(means)
        return means

    def _not_finite(self) -> list[str]:
        """Return what is infinite or NaN in the networks; squashed outputs keep losses finite beside it."""
        return [
            f"{network} {name}"
            for network, state in states(self.system).items()
            for name, value in state.items()
            if not torch.isfinite(value).all()
        ]

    def _step(self, chosen: torch.Tensor) -> torch.Tensor:
        """Train on one batch; return the squared error, the cross-entropy and the critic's gap there."""
        pixels, system = self.images.pixels(chosen), self.system
        latent = system.encoder(pixels) if self.latents is None else self.latents[chosen]
        shown = system.decoder(system.quantiser(latent, system.quantiser.dither(len(chosen), self.generator)))
        error = squared_error(pixels, shown).mean()
        entropy = torch.zeros(())
        loss = self.weights.lambda_d * error
        if self.weights.lambda_c > 0:
            entropy = cross_entropy(self.classifier(shown), self.images.classes[chosen]).mean()
            loss = loss + self.weights.lambda_c * entropy
        gap = torch.zeros(())
        if system.critic is not None:
            gap = self._critic_step(system.critic, pixels, shown.detach())
            # Only the reconstructions' half of the gap moves with the decoder.
            system.critic.requires_grad_(False)
            loss = loss - self.weights.lambda_p * system.critic(shown).mean()
            system.critic.requires_grad_(True)
        _descend(self.optimisers["coder"], loss)
        return torch.stack([error.detach(), entropy.detach(), gap])

    def _critic_step(self, critic: nn.Module, pixels: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        shares = torch.rand(len(pixels), 1, generator=self.generator)
        gap = critic_gap(critic, pixels, shown)
        penalty = self.preset.penalty * gradient_penalty(critic, pixels, shown, shares)
        _descend(self.optimisers["critic"], penalty - gap)
        return gap.detach()

    def state(self) -> dict[str, Any]:
        """Return all that a continuation needs, as tensors, numbers and texts."""
        return {
            "kind": _KIND,
            "key": self._key(),
            "networks": states(self.system),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "generator": self.generator.get_state(),
            "history": self.history,
        }

    def _key(self) -> dict[str, Any]:
        return described(self.system) | {"n_images": len(self.images), "images": self.images.fingerprint}

    def take_over(self, path: Path) -> None:
        """Go on from a checkpoint."""
        content = load_checkpoint(path, _KIND)
        try:
            differing = [key for key, value in self._key().items() if content["key"].get(key) != value]
            if differing:
                raise InvalidInput(
                    f"{path} is of another training: {differing[0]} is {content['key'].get(differing[0])} there and "
                    f"{self._key()[differing[0]]} here; choose another file, or remove it"
                )
            if self.latents is not None and not _same(self.system.encoder.state_dict(), content["networks"]["encoder"]):
                raise InvalidInput(f"{path} is of a training with another encoder; choose another file, or remove it")
            for name, network in parts(self.system):
                if name != "encoder" or self.latents is None:
                    restore(network, content["networks"][name], path, name)
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(content["optimisers"][name])
            self.generator.set_state(content["generator"])
            self.history = list(content["history"])
        except RdcError:
            raise
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise UnreadableFile(f"{path} is damaged: {type(error).__name__} {error}; remove it") from error

    def finished(self) -> System:
        """Return the system, in evaluation mode."""
        for _, network in parts(self.system):
            network.eval()
        return dataclasses.replace(self.system, history=tuple(self.history))


def _same(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in state)


def _adam(networks: list[nn.Module], learning_rate: float) -> torch.optim.Adam:
    parameters = [parameter for network in networks for parameter in network.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=_BETAS, fused=True)
    for group in optimiser.param_groups:
        group["initial_lr"] = learning_rate
    return optimiser


def _descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
