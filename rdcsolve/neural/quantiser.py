"""A uniform quantiser, with subtractive dither or without: what makes the rate of a neural encoder finite and known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from rdcsolve.data.arguments import count


@dataclass(frozen=True)
class Quantiser:
    """h coordinates in [-1, 1], each rounded to one of L centres.

    Encoder and decoder share a dither u, uniform on [-1/(L-1), 1/(L-1)] and fresh for every use: the encoder sends the
    centre nearest to z + u, the decoder subtracts u from it. As z stays within [-1, 1], the sum never leaves the cells
    of the centres, so the error is uniform on that interval and independent of z.

    Parameters
    ----------
    dimension : int
        h >= 1.
    levels : int
        L >= 2.
    is_dithered : bool, optional
        Without dither u = 0: the message is a function of the image, and the error is not independent of it.

    Notes
    -----
    Source: Nguyen et al. (2025), section V-B; L. Schuchman, Dither signals and their effect on quantization noise,
    1964.
    """

    dimension: int
    levels: int
    is_dithered: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimension", count(self.dimension, "dimension"))
        object.__setattr__(self, "levels", count(self.levels, "levels", least=2))

    @property
    def step(self) -> float:
        """Distance between neighbouring centres."""
        return 2.0 / (self.levels - 1)

    @property
    def rate(self) -> float:
        """The limit on the rate, h log L in nats."""
        return self.dimension * math.log(self.levels)

    @property
    def n_messages(self) -> int:
        """L^h."""
        return self.levels**self.dimension

    def dither(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return n fresh dithers, shape (n, h); zeros if there is none."""
        return self.scaled(torch.rand(n, self.dimension, generator=generator))

    def scaled(self, uniform: torch.Tensor) -> torch.Tensor:
        """Return the dithers that numbers in [0, 1) stand for."""
        return (uniform - 0.5) * (self.step if self.is_dithered else 0.0)

    def indices(self, z: torch.Tensor, dither: torch.Tensor) -> torch.Tensor:
        """Return which centre each coordinate is sent as, integers in 0 to L-1, shape (n, h)."""
        # The clamp only catches the rounding of |z| = 1 with the largest dither.
        return ((z + dither + 1.0) / self.step).round().clamp(0, self.levels - 1).long()

    def messages(self, z: torch.Tensor, dither: torch.Tensor) -> torch.Tensor:
        """Return each message as one integer in 0 to L^h - 1, shape (n,): the first coordinate counts most."""
        places = self.levels ** torch.arange(self.dimension - 1, -1, -1, device=z.device)
        return (self.indices(z, dither) * places).sum(dim=1)

    def decoded(self, indices: torch.Tensor, dither: torch.Tensor) -> torch.Tensor:
        """Return what the decoder makes of indices and the dither, shape (n, h)."""
        return indices * self.step - 1.0 - dither

    def __call__(
        self, z: torch.Tensor, dither: torch.Tensor, softness: float | torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the decoder's input, shape (n, h).

        The gradient with respect to z is that of the identity; or with a softness sigma that of the mean of the centres
        c, weighted by exp(-sigma |z + u - c|), which is largest where two centres compete.
        """
        received = self.decoded(self.indices(z.detach(), dither), dither)
        smooth = z if softness is None else self._shares(z + dither, softness) @ self._centres(z)
        return smooth + (received - smooth).detach()

    def chances(self, z: torch.Tensor, softness: float | torch.Tensor) -> torch.Tensor:
        """Return the chances of every message, shape (n, L^h), with which each coordinate is assigned softly.

        Those of a coordinate's centres c are in proportion to ``exp(-softness |z - c|)``, so the message that is sent
        without dither is among the most likely ones.
        """
        return joint(self._shares(z, softness))

    def all_received(self) -> torch.Tensor:
        """Return what the decoder makes of every message without dither, in their order, shape (L^h, h)."""
        return self.decoded(self.all_indices(), torch.zeros(self.n_messages, self.dimension))

    def all_indices(self) -> torch.Tensor:
        """Return the indices of every message in their order, shape (L^h, h)."""
        return torch.cartesian_prod(*[torch.arange(self.levels)] * self.dimension).reshape(-1, self.dimension)

    def _centres(self, like: torch.Tensor) -> torch.Tensor:
        return torch.arange(self.levels, dtype=like.dtype, device=like.device) * self.step - 1.0

    def _shares(self, v: torch.Tensor, softness: float | torch.Tensor) -> torch.Tensor:
        """Return shares of the centres c in proportion to exp(-softness |v - c|), shape (n, h, L)."""
        return torch.softmax(-softness * (v[..., None] - self._centres(v)).abs(), dim=-1)


def joint(shares: torch.Tensor) -> torch.Tensor:
    """Return the chances of all messages, shape (n, L^h), from those of each coordinate's centres, shape (n, h, L)."""
    chances = torch.ones_like(shares[:, 0, :1])
    for coordinate in range(shares.shape[1]):
        chances = (chances[:, :, None] * shares[:, coordinate, None, :]).flatten(1)
    return chances
