"""Images as tensors."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.data.idx import image_arrays
from rdcsolve.data.items import length_of, read_items
from rdcsolve.errors import InvalidInput

SIDE = 28
"""Pixels along a side of an image."""


@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """Images and their classes, in memory.

    Attributes
    ----------
    bytes : torch.Tensor
        Shape (n, 784), uint8: pixels row by row.
    classes : torch.Tensor
        Shape (n,), int64, in 0 to 9.
    """

    bytes: torch.Tensor
    classes: torch.Tensor

    def __post_init__(self) -> None:
        n = self.classes.shape[0]
        if self.bytes.dtype != torch.uint8 or tuple(self.bytes.shape) != (n, SIDE * SIDE) or n == 0:
            raise InvalidInput(
                f"images have shape {tuple(self.bytes.shape)} and type {self.bytes.dtype} with {n} classes; give bytes "
                f"of shape (n, {SIDE * SIDE}) with n >= 1"
            )
        if not 0 <= int(self.classes.min()) <= int(self.classes.max()) <= 9:
            raise InvalidInput(f"classes reach {int(self.classes.max())}; they must lie in 0 to 9")

    def __len__(self) -> int:
        return self.classes.shape[0]

    def pixels(self, chosen: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        """Return chosen images with pixels in [0, 1], shape (m, 784)."""
        return self.bytes[chosen].float() / 255.0

    @classmethod
    @public_call
    def of(cls, dataset: Any, n: int | None = None) -> Images:
        """Return the images of a data set of pairs (image, class), such as those of torchvision.

        Parameters
        ----------
        dataset : sequence of (image, class)
            See `rdcsolve.sources.images`. Images of 28 x 28 pixels, bytes or bytes divided by 255.
        n : int, optional
            The first n only.

        Raises
        ------
        InvalidInput
            If items are not such pairs, or images are of another size or are not bytes.
        """
        n = length_of(dataset) if n is None else min(options.whole(n, "n"), length_of(dataset))
        pixels, classes = read_items(dataset, np.arange(n))
        if pixels[0].size != SIDE * SIDE:
            raise InvalidInput(
                f"images have shape {pixels.shape[1:]}; give images of {SIDE} x {SIDE}, which the networks take"
            )
        whole = np.rint(255 * pixels)
        if np.abs(255 * pixels - whole).max() > 1e-3 or whole.min() < 0 or whole.max() > 255:
            raise InvalidInput(
                f"pixels reach from {pixels.min():.4g} to {pixels.max():.4g} and are not bytes divided by 255; leave "
                "out transforms that normalise or augment images"
            )
        flat = torch.from_numpy(whole.astype(np.uint8).reshape(n, -1))
        return cls(flat, torch.from_numpy(classes))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the images and classes."""
        parts = (part.cpu().numpy().tobytes() for part in (self.bytes, self.classes))
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def to(self, device: torch.device) -> Images:
        """Return the images in the memory of a device."""
        return self if self.bytes.device == device else Images(self.bytes.to(device), self.classes.to(device))

    def first(self, n: int | None) -> Images:
        """Return the first n images; all of them for None."""
        return self if n is None else Images(self.bytes[:n], self.classes[:n])


def load_images(
    part: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    dataset: str = "mnist",
    n: int | None = None,
    download: bool = False,
) -> Images:
    """Return images of a data set in MNIST's file format.

    Parameters
    ----------
    part : {"train", "test"}
    folder : path-like, optional
        See `rdcsolve.sources.mnist`.
    dataset : {"mnist", "fashion-mnist", "any"}, optional
    n : int, optional
        The first n only.
    download : bool, optional
        Fetch what is missing.

    Returns
    -------
    Images

    Raises
    ------
    UnreadableFile
        If a file is missing, corrupt, or of another data set.
    InvalidInput
        If the images are not of 28 x 28 pixels.
    """
    pixels, classes = image_arrays(part, folder, dataset=dataset, download=download)
    if pixels.shape[1:] != (SIDE, SIDE):
        raise InvalidInput(
            f"images have {pixels.shape[1]} x {pixels.shape[2]} pixels; give images of {SIDE} x {SIDE}, which the "
            "networks take"
        )
    flat = torch.from_numpy(pixels.reshape(pixels.shape[0], -1).copy())
    return Images(flat, torch.from_numpy(classes.astype("int64"))).first(n)
