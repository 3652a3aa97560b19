"""The classifier that judges reconstructions: trained once on images, then frozen."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from rdcsolve.errors import InvalidInput
from rdcsolve.neural.checkpoints import load_checkpoint, restore, save_checkpoint
from rdcsolve.neural.devices import device_of
from rdcsolve.neural.images import Images
from rdcsolve.neural.networks import make_classifier
from rdcsolve.neural.presets import Preset, preset_of

_KIND = "rdcsolve classifier"
_METHODS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": functools.partial(torch.optim.Adam, lr=1e-3),
    "sgd": functools.partial(torch.optim.SGD, lr=1e-2),
}
_BEFORE_PRESETS_SAID = {"pools": False, "method": "adam"}
"""What classifiers were like whose files do not say it."""


def train_classifier(
    images: Images,
    preset: str | Preset = "cpu",
    *,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    device: str = "cpu",
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
    device : {"cpu", "cuda", "auto"}, optional
        Where it is trained.

    Returns
    -------
    torch.nn.Module
        From pixels (n, 784) to logits (n, 10), in the processor's memory.

    Raises
    ------
    UnreadableFile
        If the file is damaged, or holds no classifier.
    InvalidInput
        If it holds one of another preset or seed, or the device is not there.
    SaveFailed
    """
    preset, place = preset_of(preset), device_of(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = make_classifier(preset)
    key = {
        "layers": list(preset.classifier),
        "epochs": preset.classifier_epochs,
        "batch": preset.classifier_batch or preset.batch,
        "pools": preset.classifier_pools,
        "method": preset.classifier_method,
        "images": images.fingerprint,
        "seed": seed,
    }
    if path is not None and Path(path).exists():
        content = load_checkpoint(path, _KIND)
        held = content.get("key")
        held = _BEFORE_PRESETS_SAID | held if isinstance(held, dict) else held
        if held != key:
            raise InvalidInput(f"{path} holds a classifier with {held}, asked for is {key}; choose another file")
        restore(classifier, content.get("state"), path, "classifier")
    else:
        _fit(classifier.to(place), images.to(place), preset, seed)
        classifier.cpu()
        if path is not None:
            save_checkpoint(path, {"kind": _KIND, "key": key, "state": classifier.state_dict()})
    return frozen(classifier)


def frozen(network: nn.Module) -> nn.Module:
    """Return the network in evaluation mode with parameters that take no gradient."""
    return network.eval().requires_grad_(False)


def _fit(classifier: nn.Module, images: Images, preset: Preset, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimiser = _METHODS[preset.classifier_method](classifier.parameters(), fused=True)
    for _ in range(preset.classifier_epochs):
        order = torch.randperm(len(images), generator=generator).to(images.bytes.device)
        for chosen in order.split(preset.classifier_batch or preset.batch):
            loss = nn.functional.cross_entropy(classifier(images.pixels(chosen)), images.classes[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
