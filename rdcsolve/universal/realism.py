"""`perception_region`: what squared error and what realism can be decoded together from a fixed encoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import mutual_information
from rdcsolve.perception.transport import bounded_plan
from rdcsolve.problems import Source
from rdcsolve.problems.losses import FreeDistortion
from rdcsolve.problems.validation import freeze
from rdcsolve.universal.encoder import channel_of

_ROUNDING = 1e-12  # of the source's extent, squared


@dataclass(frozen=True, eq=False)
class PerceptionRegion:
    """The pairs (D, P) that decoders of an encoder attain: D >= mmse + (g - sqrt P)_+^2, anywhere in R^dim.

    D is the mean squared error, P the squared Wasserstein distance between the laws of source and reproduction, and g
    that between the laws of the source and of E[X | Z].

    Attributes
    ----------
    mmse : float
        E|X - E[X | Z]|^2, the least distortion.
    squared_distance : float
        g^2: how far the law of E[X | Z] is from the source's own. That of a plan, which is the best on the line.
    squared_distance_lower : float
        A proved lower bound of g^2, to rounding: equal to it on the line.
    rate : float
        I(X; Z), nats.
    points : numpy.ndarray
        E[X | z], shape (k, dim).
    q : numpy.ndarray
        Masses of the messages, shape (k,), those without mass left out.
    slack : float
        What `contains` allows for rounding.
    plan : tuple of numpy.ndarray
        Shape (e,) each: which symbol goes with which message, and the mass of the pair, in the coupling of X and
        E[X | Z] that attains g.
    source : Source
    """

    mmse: float
    squared_distance: float
    squared_distance_lower: float
    rate: float
    points: np.ndarray
    q: np.ndarray
    slack: float
    plan: tuple[np.ndarray, np.ndarray, np.ndarray]
    source: Source

    @property
    def corners(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The pairs (D, P) of the least distortion and of perfect realism."""
        return (self.mmse, self.squared_distance), (self.mmse + self.squared_distance, 0.0)

    def distortion(self, P: float) -> float:
        """Return the least mean squared error of decoders whose law is within P, in squared distance, of the source's.

        Parameters
        ----------
        P : float
            In [0, inf].
        """
        return self.mmse + max(0.0, math.sqrt(self.squared_distance) - math.sqrt(_at_least_zero(P, "P"))) ** 2

    def perception(self, D: float) -> float:
        """Return the least squared distance from the source's law at a mean squared error D; inf below the least one.

        Parameters
        ----------
        D : float
        """
        spare = _at_least_zero(D, "D") - self.mmse
        if spare < -self.slack:
            return math.inf
        return max(0.0, math.sqrt(self.squared_distance) - math.sqrt(max(spare, 0.0))) ** 2

    def contains(self, point: tuple[float, float]) -> bool:
        """Return whether some decoder attains a pair (D, P), or better, to rounding."""
        D, P = point
        return bool(D >= self.distortion(P) - self.slack)

    def decoder(self, P: float) -> tuple[np.ndarray, np.ndarray]:
        """Return a decoder of the least distortion at P: points, shape (e, dim), and p(point | z), shape (k, e).

        It goes from E[X | z] a share of the way towards a symbol that the plan draws for the message.

        Parameters
        ----------
        P : float
            In [0, inf].
        """
        g = math.sqrt(self.squared_distance)
        share = max(0.0, 1.0 - math.sqrt(_at_least_zero(P, "P")) / g) if g > 0 else 0.0
        symbols, messages, masses = self.plan
        assert self.source.points is not None
        ends = self.source.points[symbols]
        shown = self.points[messages] + share * (ends - self.points[messages])
        channel = np.zeros((self.q.size, masses.size))
        channel[messages, np.arange(masses.size)] = masses
        return shown, channel / channel.sum(axis=1, keepdims=True)

    def __repr__(self) -> str:
        (least, away), (real, _) = self.corners
        return (
            f"<PerceptionRegion: D >= {least:.6g} at W2^2 = {away:.6g}, D >= {real:.6g} with the source's law, at "
            f"{self.rate:.6g} nat>"
        )


@public_call
def perception_region(encoder: Any, source: Source, *, normalise: bool = False) -> PerceptionRegion:
    """Return the pairs of squared error and squared Wasserstein distance that decoders of a fixed encoder attain.

    Reproductions may be anywhere in R^dim, and decoders may choose at random. For a list of reproductions, other losses
    and other measures see `Problem.observed_through`.

    Parameters
    ----------
    encoder : array_like, Result, Universal or Encoder
        p(z | x), shape (n_x, k), or what holds it.
    source : Source
        With points.
    normalise : bool, optional
        Rescale the rows of p(z | x) to sum to one, as for counts of messages.

    Returns
    -------
    PerceptionRegion

    Raises
    ------
    InvalidInput
        If the source has no points, or the encoder is of another source.

    Notes
    -----
    Source: Zhang et al. (2021), Theorem 4 for the squared error; the proof is in the docs, Universal representations.

    Examples
    --------
    >>> source = Source([-1.0, 0.0, 1.0], [0.25, 0.5, 0.25])
    >>> region = perception_region([[1, 0], [0.5, 0.5], [0, 1]], source)
    >>> region.corners
    ((0.25, 0.25), (0.5, 0.0))
    >>> region.distortion(0.0625)
    0.3125
    """
    options.instance(source, Source, "source", "pass a Source")
    if source.points is None:
        raise InvalidInput("the source has no points, so there is no squared error; pass points= to Source")
    channel = channel_of(encoder, source.n_x, normalise=normalise, masses=source.p_x)
    joint = channel * source.p_x[:, None]
    joint = joint[:, joint.sum(axis=0) > 0]
    q, points = joint.sum(axis=0), source.points
    means = FreeDistortion("distortion", points).means(joint)
    squares = ((points[:, None, :] - means[None]) ** 2).sum(axis=2)
    mmse = math.fsum((joint * squares).ravel().tolist())
    used = np.flatnonzero(source.p_x > 0)
    plan = bounded_plan(source.p_x[used], q, squares[used])
    extent = float(squares.max())
    return PerceptionRegion(
        mmse=mmse,
        squared_distance=plan.cost,
        squared_distance_lower=plan.lower,
        rate=mutual_information(source.p_x, channel),
        points=freeze(means),
        q=freeze(q),
        slack=_ROUNDING * extent,
        plan=(used[plan.rows], plan.columns, plan.masses),
        source=source,
    )


def _at_least_zero(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not number >= 0:
        raise InvalidInput(f"{name} is {value!r}; give a number >= 0, or inf")
    return number
