"""Theorem 5 of arXiv:2504.09025: how far one encoder falls short of another at the least label entropy.

The encoder of the least distortion D1 at some rate is to serve the task of the least label entropy C_min at that rate,
for which an encoder of its own would need the distortion D3. The theorem bounds D3 - D(b) and D3 / D(b) from below,
where D(b) is what a decoder of the first encoder attains. Proofs, and what D(b) may mean: docs/explanation/claims.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.errors import InvalidInput
from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.problems import Problem, Source
from rdcsolve.problems.validation import mass_rows, point_array

from .arguments import Array
from .general import estimates, mean_square, parts_of
from .transport import squared_wasserstein

_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Theorem5:
    """Both sides of (12) to (15) for one source and two channels; see `theorem_5`.

    Attributes
    ----------
    rates : tuple of float
        Of the first and the third channel, nats.
    variance : float
        sigma_X^2 = E (X - E X)^2.
    D1, C1, D3, C3 : float
        Squared errors and label entropies (nats) of the two channels.
    variance_third : float
        sigma_3^2, the variance of the third channel's reproduction.
    mmse_third : float
        E (X - E[X|Xhat_3])^2.
    transport : float
        W_2^2(p_X, p_Xhat3), which the theorem assumes to be zero.
    D_b : dict of str to float
        D(b) under its readings: ``"decoded"``, the best that a decoder of Xhat_1 does at its least label entropy,
        which is D1; ``"law_of_source"`` and ``"law_of_third"``, mmse + W_2^2(p_Xtilde, p) as Theorem 4 prints it, with
        the law p of X or of Xhat_3 for the minimiser of (11).
    """

    rates: tuple[float, float]
    variance: float
    D1: float
    C1: float
    D3: float
    C3: float
    variance_third: float
    mmse_third: float
    transport: float
    D_b: dict[str, float]

    @property
    def assumption_holds(self) -> bool:
        """Whether W_2(p_X, p_Xhat3) = 0, to 1e-9 of sigma_X^2."""
        return self.transport <= _SAME * self.variance

    @property
    def premise_holds(self) -> bool:
        """Whether D1 <= E (X - E[X|Xhat_3])^2, which the proof needs: true if D1 is least over free reproductions."""
        return self.D1 <= self.mmse_third + _SAME * self.variance

    @property
    def least_D3(self) -> float:
        """sigma_X^2 + sigma_3^2 - 2 sigma_3 sqrt(sigma_X^2 - D1), the numerator of (13); NaN if D1 > sigma_X^2."""
        return self.variance + self.variance_third - 2.0 * _root(self.variance_third) * _root(self.variance - self.D1)

    @property
    def bound_12(self) -> float:
        """Right side of (12) with the last term outside the root, as the proof has it."""
        return self.least_D3 - 2.0 * self.D1

    @property
    def bound_12_as_printed(self) -> float:
        """Right side of (12) with the last term under the root; NaN where the radicand is negative."""
        root = _root(self.variance - 3.0 * self.D1)
        return self.variance + self.variance_third - 2.0 * _root(self.variance_third) * root

    @property
    def sharper_bound_12(self) -> float:
        """`bound_12` plus D1: what D3 - D1 is at least."""
        return self.least_D3 - self.D1

    @property
    def bound_13(self) -> float:
        """Right side of (13)."""
        return _ratio(self.least_D3, 2.0 * self.D1)

    @property
    def sharper_bound_13(self) -> float:
        """Twice `bound_13`: what D3 / D1 is at least."""
        return _ratio(self.least_D3, self.D1)

    @property
    def bounds_under_assumption(self) -> tuple[float, float]:
        """Right sides of (12) and (13) for sigma_3 = sigma_X; as (14) and (15) say, they go to 0 and 1 as D1 does."""
        numerator = 2.0 * (self.variance - np.sqrt(self.variance) * _root(self.variance - self.D1))
        return numerator - 2.0 * self.D1, _ratio(numerator, 2.0 * self.D1)

    @property
    def gap(self) -> dict[str, float]:
        """D3 - D(b), by the reading of D(b)."""
        return {reading: self.D3 - D for reading, D in self.D_b.items()}

    @property
    def ratio(self) -> dict[str, float]:
        """D3 / D(b), by the reading of D(b)."""
        return {reading: _ratio(self.D3, D) for reading, D in self.D_b.items()}

    def holds_12(self, slack: float = _SAME) -> dict[str, bool]:
        """Whether (12) holds, to `slack` times sigma_X^2, by the reading of D(b); not where its right side is NaN."""
        return {reading: gap >= self.bound_12 - slack * self.variance for reading, gap in self.gap.items()}

    def holds_13(self, slack: float = _SAME) -> dict[str, bool]:
        """Whether (13) holds, with both sides multiplied by 2 D1 D(b), to `slack` times sigma_X^4."""
        enough = slack * self.variance**2
        return {key: 2.0 * self.D1 * self.D3 >= D * self.least_D3 - enough for key, D in self.D_b.items()}


def theorem_5(
    source: Source | Problem,
    first: ArrayLike,
    third: ArrayLike,
    *,
    label: int = 0,
    first_points: ArrayLike | None = None,
    third_points: ArrayLike | None = None,
) -> Theorem5:
    """Evaluate Theorem 5 for the channels of the least distortion and of the least label entropy at one rate.

    Parameters
    ----------
    source : Source or Problem
        With points and a label.
    first : array_like
        The channel of X to Xhat_1, of the least distortion D1 at its rate, shape (n_x, k_1).
    third : array_like
        The channel of X to Xhat_3, of the least label entropy at that rate and, among those, of the least distortion,
        shape (n_x, k_3).
    label : int, optional
        Which label of the source is S.
    first_points, third_points : array_like, optional
        The reproductions, shapes (k_1, dim) and (k_3, dim); by default the conditional means of X, which are best.

    Returns
    -------
    Theorem5

    Raises
    ------
    InvalidInput
        If the source has no points or no such label, a channel is none of its symbols, or points have another shape.
    MissingExtra
        If POT is not installed.

    Notes
    -----
    Theorem 5 of arXiv:2504.09025. That the channels are optimal is for the caller to see to.

    Examples
    --------
    >>> source = Source([-1.0, 1.0], [0.5, 0.5], labels=[[[1, 0], [0, 1]]])
    >>> channel = [[0.9, 0.1], [0.1, 0.9]]
    >>> found = theorem_5(source, channel, channel)
    >>> round(found.gap["decoded"], 4), round(found.bound_12, 4), found.assumption_holds
    (0.0, -0.36, False)
    """
    source, points, conditionals = parts_of(source, label)
    mean = source.p_x @ points
    variance = float(source.p_x @ ((points - mean) ** 2).sum(axis=1))
    one = _Channel.of(source, first, "first", first_points)
    three = _Channel.of(source, third, "third", third_points)
    laws = {"law_of_source": (points, source.p_x), "law_of_third": (three.points, three.masses)}
    printed = {name: one.mmse + squared_wasserstein(one.means, one.masses, *law) for name, law in laws.items()}
    centre = three.masses @ three.points
    return Theorem5(
        rates=(mutual_information(source.p_x, one.channel), mutual_information(source.p_x, three.channel)),
        variance=variance,
        D1=one.distortion,
        C1=conditional_entropy(source.p_x, conditionals, one.channel),
        D3=three.distortion,
        C3=conditional_entropy(source.p_x, conditionals, three.channel),
        variance_third=float(three.masses @ ((three.points - centre) ** 2).sum(axis=1)),
        mmse_third=three.mmse,
        transport=squared_wasserstein(points, source.p_x, three.points, three.masses),
        D_b={"decoded": one.distortion, **printed},
    )


@dataclass(frozen=True, eq=False)
class _Channel:
    """A channel without letters of mass zero: where its letters sit, their masses, their conditional means."""

    channel: Array
    points: Array
    masses: Array
    means: Array
    distortion: float
    mmse: float

    @classmethod
    def of(cls, source: Source, channel: ArrayLike, name: str, points: ArrayLike | None) -> "_Channel":
        rows = mass_rows(channel, name, source.n_x)
        q, means = estimates(rows, source)
        used = q > 0
        if points is None:
            places = means
        else:
            places = point_array(points, f"{name}_points")
            if places.shape != (rows.shape[1], means.shape[1]):
                raise InvalidInput(
                    f"{name}_points has shape {places.shape}; give one point of dimension {means.shape[1]} for each "
                    f"of the {rows.shape[1]} columns of {name}"
                )
            places = places[used]
        rows = rows[:, used]
        distances = (mean_square(source.points, source.p_x, rows, to) for to in (places, means))
        return cls(rows, places, q[used] / q[used].sum(), means, *distances)


def _root(value: float) -> float:
    """Return the square root, NaN of a negative number beyond rounding."""
    return float(np.sqrt(max(value, 0.0))) if value >= -1e-12 else float("nan")


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0.0 else float("nan")
