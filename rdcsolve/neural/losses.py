"""What the networks are trained on: the terms of the paper's (16) and the critic's own loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.validation import real_number


@dataclass(frozen=True)
class Weights:
    """The weights of (16): lambda_d MSE + lambda_c CE + lambda_p W1.

    Parameters
    ----------
    lambda_d : float, optional
        Of the squared error per pixel.
    lambda_c : float, optional
        Of the classifier's cross-entropy, in nats.
    lambda_p : float, optional
        Of the 1-Wasserstein distance between images and reconstructions under the Euclidean norm of the 784 pixels,
        as a critic estimates it; 0 trains no critic.
    """

    lambda_d: float = 1.0
    lambda_c: float = 0.0
    lambda_p: float = 0.0

    def __post_init__(self) -> None:
        for name in ("lambda_d", "lambda_c", "lambda_p"):
            value = real_number(getattr(self, name), name)
            if not 0 <= value < math.inf:
                raise InvalidInput(f"{name} is {value:.6g}; it must be finite and >= 0")
            object.__setattr__(self, name, value)
        if self.lambda_d == self.lambda_c == self.lambda_p == 0:
            raise InvalidInput("lambda_d, lambda_c and lambda_p are all 0; nothing would be trained")


def squared_error(pixels: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """Return the squared error per pixel of each image, shape (n,)."""
    return (pixels - shown).square().mean(dim=1)


def cross_entropy(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Return -log c(class | image) of each image in nats, shape (n,), from a classifier's logits, shape (n, 10)."""
    return nn.functional.cross_entropy(logits, classes, reduction="none")


def critic_gap(critic: nn.Module, pixels: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """Return E critic(X) - E critic(Xhat), which for a 1-Lipschitz critic is at most W1(p_X, p_Xhat)."""
    scores = critic(torch.cat([pixels, shown]))
    return scores[: len(pixels)].mean() - scores[len(pixels) :].mean()


def gradient_penalty(
    critic: nn.Module, pixels: torch.Tensor, shown: torch.Tensor, shares: torch.Tensor
) -> torch.Tensor:
    """Return E (|gradient of the critic| - 1)^2 at points between images and reconstructions.

    Parameters
    ----------
    critic : torch.nn.Module
    pixels, shown : torch.Tensor
        Shape (n, 784).
    shares : torch.Tensor
        Shape (n, 1), in [0, 1]: how much of the image each point has.

    Notes
    -----
    I. Gulrajani et al., Improved training of Wasserstein GANs, 2017, equation (3), without its factor.
    """
    between = (shares * pixels + (1 - shares) * shown).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.norm(dim=1) - 1.0).square().mean()
