"""What a trained encoder sends, as a channel p(z | x) that the rest of the library understands."""

from __future__ import annotations

import numpy as np
import torch

from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput
from rdcsolve.neural.quantiser import joint
from rdcsolve.neural.system import System

_MOST_ENTRIES = 10**9
"""Of a channel as a dense matrix: eight gigabytes."""


def message_channel(system: System, pixels: torch.Tensor, *, n_dithers: int | None = None, seed: int = 0) -> np.ndarray:
    """Return p(z | x) of a trained encoder, one symbol per image.

    Parameters
    ----------
    system : System
    pixels : torch.Tensor
        Shape (n, 784), in [0, 1].
    n_dithers : int, optional
        By default the dither stays with the encoder, and a message is one of the L^h tuples of centres. Otherwise
        encoder and decoder share a dither that takes this many values, with equal probability, and a message is a tuple
        together with the dither's number: what a decoder that knows the dither can work with.
    seed : int, optional
        Of the values of the dither.

    Returns
    -------
    numpy.ndarray
        Shape (n, L^h) or (n, n_dithers L^h), rows summing to one. In the second case the message of dither j and tuple
        m is number ``j * L**h + m``, and I(X;Z) is the rate given the dither, as the dither is independent of X.

    Raises
    ------
    InvalidInput
        If the channel would have more than a thousand million entries.

    Notes
    -----
    z + u with u uniform over one step falls into the cells of the two centres beside z, with probabilities that
    interpolate linearly between them: the first channel is exact. Without dither it is the message itself.
    """
    quantiser = system.quantiser
    n_messages = quantiser.n_messages * (1 if n_dithers is None else count(n_dithers, "n_dithers"))
    if len(pixels) * n_messages > _MOST_ENTRIES:
        raise InvalidInput(
            f"{len(pixels)} images with {n_messages} messages each make a matrix of more than {_MOST_ENTRIES} entries; "
            "take fewer images or dithers"
        )
    latent = system.latent(pixels)
    if n_dithers is None:
        centres = torch.arange(quantiser.levels) * quantiser.step - 1.0
        sent = latent.double()
        if not quantiser.is_dithered:
            sent = quantiser.indices(sent, torch.zeros(())) * quantiser.step - 1.0
        shares = (1.0 - (sent[:, :, None] - centres).abs() / quantiser.step).clamp(min=0.0)
        channel = joint(shares)
        return (channel / channel.sum(dim=1, keepdim=True)).numpy()
    channel = torch.zeros(len(pixels), n_messages, dtype=torch.float64)
    rows = torch.arange(len(pixels))
    for j, dither in enumerate(shared_dithers(system, n_dithers, seed)):
        channel[rows, j * quantiser.n_messages + quantiser.messages(latent, dither)] = 1.0 / n_dithers
    return channel.numpy()


def shared_dithers(system: System, n_dithers: int, seed: int = 0) -> torch.Tensor:
    """Return the values of a shared dither, shape (n_dithers, h)."""
    return system.quantiser.dither(n_dithers, torch.Generator().manual_seed(seed))


def decoded_messages(system: System, *, n_dithers: int = 1, seed: int = 0) -> np.ndarray:
    """Return the images that a system shows, for every message of `message_channel` with a shared dither.

    Returns
    -------
    numpy.ndarray
        Shape (n_dithers L^h, 784), in [0, 1].

    Raises
    ------
    InvalidInput
        If there are more than a million of them.
    """
    if count(n_dithers, "n_dithers") * system.quantiser.n_messages > 1_000_000:
        raise InvalidInput(f"n_dithers is {n_dithers}, with {system.quantiser.n_messages} messages each; take fewer")
    indices = system.quantiser.all_indices()
    received = [system.quantiser.decoded(indices, dither) for dither in shared_dithers(system, n_dithers, seed)]
    return system.decode(torch.cat(received)).double().numpy()
