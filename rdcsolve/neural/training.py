"""Training of a compression system: both ends together, or a new decoder for an encoder that stays as it is."""

from __future__ import annotations

import copy
import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput, RdcError, SolverFailed, UnreadableFile
from rdcsolve.neural.checkpoints import load_checkpoint, restore, save_checkpoint
from rdcsolve.neural.devices import Repeated, device_of, on_stream, repeatable
from rdcsolve.neural.images import Images
from rdcsolve.neural.losses import Weights, critic_gap, cross_entropy, gradient_penalty, squared_error
from rdcsolve.neural.presets import Preset, preset_of
from rdcsolve.neural.progress import bar
from rdcsolve.neural.quantiser import Quantiser
from rdcsolve.neural.system import System, copied, described, new_system, parts, states

_KIND = "rdcsolve unfinished training"
_BETAS = (0.5, 0.9)
_MEASURES = ("mse", "cross_entropy", "w1")


@dataclass(frozen=True)
class Task:
    """A system to be trained; see `train`."""

    weights: Weights
    preset: Preset
    dimension: int = 3
    levels: int = 3
    encoder: System | None = None
    seed: int = 0

    @property
    def quantiser(self) -> Quantiser:
        """Its own, or that of the encoder that it reuses."""
        if self.encoder is not None:
            return self.encoder.quantiser
        return Quantiser(self.dimension, self.levels, self.preset.is_dithered)


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
    device: str = "cpu",
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
    device : {"cpu", "cuda", "auto"}, optional
        Where it is trained; random numbers are the same everywhere. "auto" is a GPU where there is one.
    progress : bool, optional
        Whether a bar is shown.

    Returns
    -------
    System
        In evaluation mode, in the processor's memory.

    Raises
    ------
    InvalidInput
        If the checkpoint is of another training, or the device is not there.
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
    task = Task(weights, preset_of(preset), dimension, levels, encoder, seed)
    training = _Training(images, classifier, task, device_of(device))
    if checkpoint is not None and Path(checkpoint).exists():
        training.take_over(Path(checkpoint))
    with repeatable(), bar(progress, task.preset.epochs, "epoch", len(training.history)) as shown:
        while len(training.history) < task.preset.epochs:
            means = training.epoch()
            if checkpoint is not None:
                save_checkpoint(checkpoint, training.state())
            shown.set_postfix({name: f"{value:.4f}" for name, value in means.items()})
            shown.update()
    return training.finished()


def train_together(
    images: Images, classifier: nn.Module, tasks: Sequence[Task], *, device: str = "auto", progress: bool = False
) -> list[System]:
    """Train several systems side by side, a step of each in turn.

    A GPU works on them at the same time, as one of them hardly fills it. Each system is what `train` makes of it on
    that device.

    Parameters
    ----------
    images : Images
    classifier : torch.nn.Module
    tasks : sequence of Task
        With as many epochs each.
    device : {"cpu", "cuda", "auto"}, optional
    progress : bool, optional
        Whether a bar is shown.

    Returns
    -------
    list of System

    Raises
    ------
    InvalidInput
        If the tasks differ in their epochs, or the device is not there.
    SolverFailed
        If one of them diverged.
    """
    place = device_of(device)
    if not tasks:
        return []
    lengths = {task.preset.epochs for task in tasks}
    if len(lengths) != 1:
        raise InvalidInput(f"the tasks have {sorted(lengths)} epochs; take those together that have as many")
    held = images.to(place)
    trainings = [_Training(images, classifier, task, place, held) for task in tasks]
    with repeatable(), bar(progress, lengths.pop(), "epoch") as shown:
        while len(trainings[0].history) < tasks[0].preset.epochs:
            for _ in zip_longest(*[training.steps() for training in trainings]):
                pass
            for training in trainings:
                training.end_epoch()
            shown.update()
    return [training.finished() for training in trainings]


class _Training:
    """Networks, optimisers and random numbers on their way."""

    def __init__(
        self, images: Images, classifier: nn.Module, task: Task, device: torch.device, held: Images | None = None
    ) -> None:
        self.images, self.task, self.preset, self.weights = images, task, task.preset, task.weights
        self.n_batches = len(images) // self.preset.batch
        if self.n_batches < 1 + self.preset.is_alternating:
            alternate = ", and batches alternate" if self.preset.is_alternating else ""
            raise InvalidInput(
                f"there are {len(images)} images but a batch takes {self.preset.batch}{alternate}; give more images"
            )
        seed = count(task.seed, "seed", least=0)
        self.device, self.stream = device, torch.cuda.Stream() if device.type == "cuda" else None
        self.system = new_system(self.preset, task.quantiser, task.weights, seed, task.encoder)
        self.generator = torch.Generator().manual_seed(seed)
        self.history: list[dict[str, float]] = []
        self.kept: list[dict[str, Any]] = []
        with on_stream(self.stream):
            self._settle(classifier, images.to(device) if held is None else held)
            self.softness = torch.zeros((), device=device)  # a tensor that recorded steps read
            # All that the decoder may receive, where the encoder asks for it.
            self.centres: torch.Tensor | None = None
            if self.preset.is_expected and self.latents is None:
                self.centres = task.quantiser.all_received().to(device)

    def _settle(self, classifier: nn.Module, held: Images) -> None:
        """Bring to the device what steps read and write; it stays in its place there, as recordings need."""
        encoder, system, device = self.task.encoder, self.system, self.device
        self.held = held
        self.classifier = classifier if self.stream is None else copy.deepcopy(classifier).to(device)
        # A frozen encoder in evaluation mode is a function of the image alone, so its outputs are computed once.
        self.latents: torch.Tensor | None = None
        if encoder is not None:
            self.latents = (encoder if self.stream is None else copied(encoder, device)).latent(held.pixels())
        trained = [system.decoder] if encoder is not None else [system.encoder, system.decoder]
        self.optimisers = {"coder": _adam(trained, self.preset.learning_rate, device)}
        turns = ["coder"]
        if system.critic is not None:
            self.optimisers["critic"] = _adam([system.critic], self.preset.critic_learning_rate, device)
            turns = ["critic", "coder"] if self.preset.is_alternating else ["critic and coder"]
        self.turns = [Repeated(self._next_step(turn), self.stream) for turn in turns]
        # Where batches alternate, and no critic takes the even ones, they are left out.
        self.batches = slice(1, None, 2) if self.preset.is_alternating and system.critic is None else slice(None)
        rows = len(range(self.n_batches)[self.batches])
        self.order = torch.zeros(rows, self.preset.batch, dtype=torch.int64, device=device)
        self.uniform = torch.zeros(rows, self._n_uniform, device=device)
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        self.sums = torch.zeros(len(_MEASURES), dtype=torch.float64, device=device)

    @property
    def _n_uniform(self) -> int:
        """How many random numbers a batch takes: for the dither, and where the critic's slope is looked at."""
        return self.preset.batch * (self.task.quantiser.dimension + (self.system.critic is not None))

    def epoch(self) -> dict[str, float]:
        """Pass once over the images; return the mean losses."""
        for _ in self.steps():
            pass
        return self.end_epoch()

    def steps(self) -> Iterator[None]:
        """Begin an epoch and go through it, one batch at a time; a GPU may still be at work on them afterwards."""
        with on_stream(self.stream):
            self._begin_epoch()
        for _, turn in zip(range(len(self.order)), cycle(self.turns), strict=False):
            with on_stream(self.stream):
                turn()
            yield

    def _begin_epoch(self) -> None:
        passed = sum(len(self.history) >= milestone for milestone in self.preset.milestones)
        for optimiser in self.optimisers.values():
            _set_rate(optimiser, self.preset.decay**passed, self.device)
        sigma = self.preset.softness_of(len(self.history))
        if sigma is not None:
            self.softness.fill_(sigma)
        if self.latents is None:
            self.system.encoder.train()
        self.system.decoder.train()
        # Batches are full: statistics of a last small one would disturb the normalisation.
        shuffled = torch.randperm(len(self.images), generator=self.generator)[: self.n_batches * self.preset.batch]
        uniform = torch.rand(self.n_batches, self._n_uniform, generator=self.generator)
        self.order.copy_(shuffled.view(self.n_batches, -1)[self.batches])
        self.uniform.copy_(uniform[self.batches])
        self.row.zero_()
        self.sums.zero_()

    def end_epoch(self) -> dict[str, float]:
        """Wait for the epoch's end; return the mean losses."""
        with on_stream(self.stream):
            sums = self.sums.tolist()
        rows = len(self.order)
        n_coder = rows // 2 if len(self.turns) == 2 else rows
        counts = (n_coder, n_coder, rows - n_coder or rows)
        means = {name: total / n for name, total, n in zip(_MEASURES, sums, counts, strict=True)}
        if self.weights.lambda_c == 0:
            del means["cross_entropy"]
        broken = self._not_finite()
        if not all(map(math.isfinite, sums)) or broken:
            told = f"{means}; not finite: {', '.join(broken)}" if broken else f"{means}"
            raise SolverFailed(
                f"training diverged in epoch {len(self.history) + 1} ({told}); lower the learning rate of the preset"
            )
        if self.system.critic is None:
            del means["w1"]
        self.history.append(means)
        if self.preset.epochs - self.preset.averaged < len(self.history) < self.preset.epochs:
            self.kept.append(self._copy())
        return means

    def _copy(self) -> dict[str, Any]:
        """Return what the networks are now, but an encoder that stays what it is."""
        return {
            network: {name: value.clone() for name, value in state.items()}
            for network, state in states(self.system).items()
            if network != "encoder" or self.latents is None
        }

    def _not_finite(self) -> list[str]:
        """Return what is infinite or NaN in the networks; squashed outputs keep losses finite beside it."""
        return [
            f"{network} {name}"
            for network, state in states(self.system).items()
            for name, value in state.items()
            if not torch.isfinite(value).all()
        ]

    def _next_step(self, trained: str) -> Callable[[], None]:
        """Return a step without arguments that takes the epoch's next batch and goes on to the one after it."""

        def step() -> None:
            chosen, uniform = (drawn.index_select(0, self.row)[0] for drawn in (self.order, self.uniform))
            self.sums += self._step(chosen, uniform, trained)
            self.row += 1

        return step

    def _step(self, chosen: torch.Tensor, uniform: torch.Tensor, trained: str) -> torch.Tensor:
        """Train on a batch; return the squared error, the cross-entropy and the critic's gap there, zero if unknown."""
        pixels, system = self.held.pixels(chosen), self.system
        h, n = system.quantiser.dimension, len(chosen)
        with torch.set_grad_enabled(trained != "critic"):
            latent = system.encoder(pixels) if self.latents is None else self.latents[chosen]
            dither = system.quantiser.scaled(uniform[: n * h].view(n, h))
            sent = latent if self.centres is None else latent.detach()
            softness = None if self.preset.softness is None else self.softness
            shown = system.decoder(system.quantiser(sent, dither, softness))
        gap = error = entropy = torch.zeros((), device=pixels.device)
        if system.critic is not None and trained != "coder":
            gap = self._critic_step(system.critic, pixels, shown.detach(), uniform[n * h :].view(n, 1))
        if trained != "critic":
            expected = self._expected(latent, pixels, self.held.classes[chosen])
            error, entropy = self._coder_step(pixels, shown, self.held.classes[chosen], expected)
        return torch.stack([error, entropy, gap])

    def _expected(self, latent: torch.Tensor, pixels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Return the expected loss over messages that are assigned softly, whose gradient is the encoder's alone."""
        if self.centres is None:
            return torch.zeros((), device=pixels.device)
        chances = self.system.quantiser.chances(latent, self.softness)
        return (chances * self._costs(self.centres, pixels, classes)).sum(dim=1).mean()

    @torch.no_grad()
    def _costs(self, centres: torch.Tensor, pixels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Return the loss of each image under each message, shape (n, L^h), as the decoder is when it is used."""
        words = self.system.decoder.eval()(centres)
        self.system.decoder.train()
        # |x - w|^2 less |x|^2, which is the same for all messages.
        costs = self.weights.lambda_d * (words.square().sum(dim=1) - 2.0 * pixels @ words.T) / words.shape[1]
        if self.weights.lambda_c > 0:
            costs = costs - self.weights.lambda_c * torch.log_softmax(self.classifier(words), dim=1)[:, classes].T
        if self.system.critic is not None:
            costs = costs - self.weights.lambda_p * self.system.critic(words)[:, 0]
        return costs

    def _coder_step(
        self, pixels: torch.Tensor, shown: torch.Tensor, classes: torch.Tensor, expected: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        error = squared_error(pixels, shown).mean()
        entropy = torch.zeros_like(error)
        loss = self.weights.lambda_d * error + expected
        if self.weights.lambda_c > 0:
            entropy = cross_entropy(self.classifier(shown), classes).mean()
            loss = loss + self.weights.lambda_c * entropy
        critic = self.system.critic
        if critic is not None:
            # Only the reconstructions' half of the gap moves with the decoder.
            critic.requires_grad_(False)
            loss = loss - self.weights.lambda_p * critic(shown).mean()
            critic.requires_grad_(True)
        _descend(self.optimisers["coder"], loss)
        return error.detach(), entropy.detach()

    def _critic_step(
        self, critic: nn.Module, pixels: torch.Tensor, shown: torch.Tensor, shares: torch.Tensor
    ) -> torch.Tensor:
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
            "kept": self.kept,
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
            self.kept = list(content["kept"])
        except RdcError:
            raise
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise UnreadableFile(f"{path} is damaged: {type(error).__name__} {error}; remove it") from error

    def finished(self) -> System:
        """Return the system, in evaluation mode."""
        for _, network in parts(self.system):
            network.cpu().eval()
        return dataclasses.replace(self.system, history=tuple(self.history), earlier=tuple(self.kept))


def _same(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in state)


def _adam(networks: list[nn.Module], learning_rate: float, device: torch.device) -> torch.optim.Adam:
    parameters = [parameter for network in networks for parameter in network.to(device).parameters()]
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=_BETAS, fused=True)
    for group in optimiser.param_groups:
        group["initial_lr"] = learning_rate
    return optimiser


def _set_rate(optimiser: torch.optim.Optimizer, share: float, device: torch.device) -> None:
    """Set the learning rate to a share of the first one, on a GPU in a tensor that recorded steps read."""
    for group in optimiser.param_groups:
        rate = group["initial_lr"] * share
        group["capturable"] = device.type == "cuda"
        if device.type == "cpu":
            group["lr"] = rate
        elif isinstance(group["lr"], torch.Tensor) and group["lr"].device.type == "cuda":
            group["lr"].fill_(rate)
        else:
            group["lr"] = torch.tensor(rate, device=device)


def _descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
