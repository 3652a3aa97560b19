"""The classifier that judges reconstructions: trained once on images, then frozen."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn

from rdcsolve.errors import InvalidInput
from rdcsolve.neural.checkpoints import load_checkpoint, restore, save_checkpoint
from rdcsolve.neural.images import Images
from rdcsolve.neural.networks import make_classifier
from rdcsolve.neural.presets import Preset, preset_of

_KIND = "rdcsolve classifier"
_LEARNING_RATE = 1e-3


def train_classifier(
    images: Images, preset: str | Preset = "cpu", *, seed: int = 0, path: str | os.PathLike[str] | None = None
) -> nn.Module:
    """Return a classifier of ten classes, frozen and in evaluation mode.

    Parameters
    ----------
    images : Images
        For training.
    preset : str or Preset, optional
    seed : int, optional
    path : path-like, optional
        Where it is kept: loaded if the file is there, else trained and saved.

    Returns
    -------
    torch.nn.Module
        From pixels (n, 784) to logits (n, 10).

    Raises
    ------
    UnreadableFile
        If the file is damaged, or holds no classifier.
    InvalidInput
        If it holds one of another preset or seed.
    SaveFailed
    """
    preset = preset_of(preset)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = make_classifier(preset)
    key = {
        "layers": list(preset.classifier),
        "epochs": preset.classifier_epochs,
        "batch": preset.batch,
        "images": images.fingerprint,
        "seed": seed,
    }
    if path is not None and Path(path).exists():
        content = load_checkpoint(path, _KIND)
        if content.get("key") != key:
            raise InvalidInput(
                f"{path} holds a classifier with {content.get('key')}, asked for is {key}; choose another file"
            )
        restore(classifier, content.get("state"), path, "classifier")
    else:
        _fit(classifier, images, preset, seed)
        if path is not None:
            save_checkpoint(path, {"kind": _KIND, "key": key, "state": classifier.state_dict()})
    return frozen(classifier)


def frozen(network: nn.Module) -> nn.Module:
    """Return the network in evaluation mode with parameters that take no gradient."""
    return network.eval().requires_grad_(False)


def _fit(classifier: nn.Module, images: Images, preset: Preset, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=_LEARNING_RATE, fused=True)
    for _ in range(preset.classifier_epochs):
        for chosen in torch.randperm(len(images), generator=generator).split(preset.batch):
            loss = nn.functional.cross_entropy(classifier(images.pixels(chosen)), images.classes[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
