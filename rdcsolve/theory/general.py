"""General sources under squared error: what Theorem 4 of arXiv:2504.09025 says of one source and one encoder.

With reproductions anywhere in R^dim the best decoder of Z is E[X|Z] for the distortion and p(s|Z) for the label, so the
closure of Omega(p_{Z|X}) is the quadrant D >= mmse(X|Z), C >= H(S|Z), whatever the source. The theorem describes it by
Wasserstein distances and a constraint on H(S|Xhat), which depends on more than the law of Xhat; this module works out
what the description gives under each reading. Proofs: docs/explanation/claims.md. Entropies are in nats.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.errors import InvalidInput
from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.problems import Problem, Source
from rdcsolve.problems.validation import mass_rows, point_array

from .arguments import Array
from .transport import squared_wasserstein

_SAME = 1e-9  # points nearer than this, as a part of the source's diameter, are one; nats that count as equal


class Reading(NamedTuple):
    """A quadrant D >= corner[0], C >= corner[1], and whether it contains, and is contained in, cl Omega(p_{Z|X})."""

    corner: tuple[float, float]
    contains_region: bool
    within_region: bool


@dataclass(frozen=True, eq=False)
class Theorem4:
    """What Theorem 4 says of one source and one encoder; see `theorem_4`.

    Entropies are in nats. What is equal to 1e-9 counts as equal.

    Attributes
    ----------
    rate : float
        I(X;Z).
    mmse : float
        E (X - E[X|Z])^2.
    estimates : numpy.ndarray
        The values of Xtilde = E[X|Z], shape (m, dim); values that coincide are one.
    estimate_masses : numpy.ndarray
        Shape (m,).
    label_entropy : float
        H(S|Z), what the best decoder leaves unknown.
    label_entropy_of_estimate : float
        H(S|Xtilde), at least H(S|Z).
    label_entropy_of_source : float
        H(S|X), the minimum of (11) over all joint laws of X and Xhat, which know neither a rate nor Z.
    least_label_entropy : float
        The minimum of (11): H(S|X) as it is printed, H(S|Z) where `theorem_4` was given the law of a decoder's output.
    transport : float
        W_2^2(p_Xtilde, p_Xhat) with the Xhat of (11): X itself as it is printed, or the law that was given.
    any_coupling : Reading
        If H(S|Xhat) is minimised over all joint laws of X and Xhat, as in (11).
    optimal_coupling : Reading
        If Xhat is joined to Xtilde by the coupling that attains W_2.
    """

    rate: float
    mmse: float
    estimates: Array
    estimate_masses: Array
    label_entropy: float
    label_entropy_of_estimate: float
    label_entropy_of_source: float
    least_label_entropy: float
    transport: float
    any_coupling: Reading
    optimal_coupling: Reading

    @property
    def corner(self) -> tuple[float, float]:
        """(mmse, H(S|Z)): the closure of Omega(p_{Z|X}) is the quadrant above it."""
        return self.mmse, self.label_entropy

    @property
    def printed_a(self) -> tuple[float, float]:
        """(D^(a), C^(a)) as printed: attained, by E[X|Z], and extreme if equal means have equal posteriors of S."""
        return self.mmse, self.label_entropy_of_estimate

    @property
    def printed_b(self) -> tuple[float, float]:
        """(D^(b), C^(b)) under the reading of (11) asked for; as printed Omega(p_{Z|X}) need not contain it."""
        return self.mmse + self.transport, self.least_label_entropy

    @property
    def a_is_extreme(self) -> bool:
        """Whether the printed (D^(a), C^(a)) is the corner."""
        return self.label_entropy_of_estimate <= self.label_entropy + _SAME

    @property
    def b_is_in_region(self) -> bool:
        """Whether the closure of Omega(p_{Z|X}) contains (D^(b), C^(b)).

        Always for a decoder's output. As (11) is printed, only if Z tells of S all that X does.
        """
        return self.least_label_entropy >= self.label_entropy - _SAME


class DistortionTerms(NamedTuple):
    """E (X - Xhat)^2 taken apart: `distortion` = `mmse` + `displacement`, and `displacement` >= `transport`."""

    distortion: float
    mmse: float
    displacement: float
    transport: float


def theorem_4(
    encoder: ArrayLike,
    source: Source | Problem,
    *,
    label: int = 0,
    reproduction: ArrayLike | None = None,
    masses: ArrayLike | None = None,
) -> Theorem4:
    """Evaluate Theorem 4 for one encoder: its region, the two printed extreme points, the two printed containments.

    Parameters
    ----------
    encoder : array_like
        p(z|x), shape (n_x, k).
    source : Source or Problem
        With points and a label.
    label : int, optional
        Which label of the source is S.
    reproduction, masses : array_like, optional
        The law of Xhat^Cmin, points (m, dim) and masses (m,), if (11) is read as a minimum over decoders of Z: it is
        H(S|Z), and any decoder that tells the messages apart attains it, so that minimisers are many and their laws
        have to be given. Without them (11) is a minimum over all joint laws of X and Xhat, as it is printed: H(S|X),
        attained by X itself, as in the proof of Theorem 5.

    Returns
    -------
    Theorem4

    Raises
    ------
    InvalidInput
        If the source has no points or no such label, the encoder is not a channel of its symbols, or only one of
        `reproduction` and `masses` is given.
    MissingExtra
        If POT is not installed.

    Notes
    -----
    Theorem 4 of arXiv:2504.09025, whose infimum is over p_Xhat under a limit on H(S|Xhat).

    Examples
    --------
    >>> source = Source([-1.0, 1.0], [0.5, 0.5], labels=[[[1, 0], [0, 1]]])
    >>> found = theorem_4([[0.9, 0.1], [0.1, 0.9]], source)
    >>> [round(number, 4) for number in (*found.corner, *found.printed_b)]
    [0.36, 0.3251, 0.4, 0.0]
    >>> found.b_is_in_region
    False
    >>> decoded = theorem_4(
    ...     [[0.9, 0.1], [0.1, 0.9]], source, reproduction=found.estimates, masses=found.estimate_masses
    ... )
    >>> [round(number, 4) for number in decoded.printed_b], decoded.b_is_in_region
    ([0.36, 0.3251], True)
    """
    source, points, conditionals = parts_of(source, label)
    rows = mass_rows(encoder, "encoder", source.n_x)
    if (reproduction is None) != (masses is None):
        raise InvalidInput("reproduction and masses are the law of Xhat together; give both, or neither")
    q, means = estimates(rows, source)
    group, values, value_masses = _merged(means, q, points)
    remaining = rows[:, q > 0]
    label_entropy = conditional_entropy(source.p_x, conditionals, remaining)
    of_estimate = conditional_entropy(source.p_x, conditionals, remaining @ group)
    of_source = conditional_entropy(source.p_x, conditionals, np.eye(source.n_x))
    mmse = mean_square(points, source.p_x, remaining, means)
    target = (points, source.p_x) if reproduction is None else (reproduction, masses)
    exact = (mmse, label_entropy)
    return Theorem4(
        rate=mutual_information(source.p_x, rows),
        mmse=mmse,
        estimates=values,
        estimate_masses=value_masses,
        label_entropy=label_entropy,
        label_entropy_of_estimate=of_estimate,
        label_entropy_of_source=of_source,
        least_label_entropy=of_source if reproduction is None else label_entropy,
        transport=squared_wasserstein(values, value_masses, *target),
        # A law next to p_Xtilde may be joined to X so as to tell X: infimum 0 for C >= H(S|X), none below.
        any_coupling=_reading((mmse, of_source), exact),
        # Xhat then depends on Xtilde alone and H(S|Xhat) >= H(S|Xtilde): infimum 0 from there on, none below.
        optimal_coupling=_reading((mmse, of_estimate), exact),
    )


def distortion_terms(
    encoder: ArrayLike, decoder: ArrayLike, reproduction: ArrayLike, source: Source | Problem
) -> DistortionTerms:
    """Take apart the squared error of an encoder and a decoder: mmse + E (Xtilde - Xhat)^2, at least mmse + W_2^2.

    Parameters
    ----------
    encoder : array_like
        p(z|x), shape (n_x, k).
    decoder : array_like
        p(xhat|z), shape (k, m).
    reproduction : array_like
        The values of Xhat, shape (m, dim).
    source : Source or Problem
        With points.

    Returns
    -------
    DistortionTerms

    Raises
    ------
    InvalidInput
        If the source has no points, or shapes disagree.
    MissingExtra
        If POT is not installed.
    """
    source, points, _ = parts_of(source, None)
    rows = mass_rows(encoder, "encoder", source.n_x)
    answers = mass_rows(decoder, "decoder", rows.shape[1])
    places = point_array(reproduction, "reproduction")
    if places.shape != (answers.shape[1], points.shape[1]):
        raise InvalidInput(
            f"reproduction has shape {places.shape}; give one point of dimension {points.shape[1]} for each of the "
            f"{answers.shape[1]} columns of decoder"
        )
    q, means = estimates(rows, source)
    remaining, kept = rows[:, q > 0], answers[q > 0]
    mmse = mean_square(points, source.p_x, remaining, means)
    used = q[q > 0]
    displacement = mean_square(means, used, kept, places)
    transport = squared_wasserstein(means, used / used.sum(), places, used @ kept / (used @ kept).sum())
    return DistortionTerms(mean_square(points, source.p_x, rows @ answers, places), mmse, displacement, transport)


def estimates(encoder: Array, source: Source) -> tuple[Array, Array]:
    """Return the masses of Z (k,), and E[X|z] for those that are positive, shape (m, dim)."""
    joint = source.p_x[:, None] * encoder
    q = joint.sum(axis=0)
    posterior = joint[:, q > 0] / q[q > 0]
    return q, posterior.T @ source.points


def parts_of(source: Source | Problem, label: int | None) -> tuple[Source, Array, Array]:
    """Return the source, its points, and the conditionals of the label (empty where none is asked for)."""
    stated = source.source if isinstance(source, Problem) else source
    if not isinstance(stated, Source):
        raise InvalidInput(f"source is {source!r}; pass a Source or a Problem")
    if stated.points is None:
        raise InvalidInput("the source has no points, and squared error needs them; state it with points")
    if label is None:
        return stated, stated.points, np.empty((stated.n_x, 0))
    if not isinstance(label, int) or not 0 <= label < len(stated.labels):
        raise InvalidInput(f"label is {label!r}, but the source has {len(stated.labels)}; count them from 0")
    return stated, stated.points, stated.labels[label]


def mean_square(points: Array, masses: Array, channel: Array, places: Array) -> float:
    """Return the mean squared distance between points and the places that the channel sends them to."""
    squares = ((points[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)
    return float(masses @ (channel * squares).sum(axis=1))


def _merged(means: Array, q: Array, points: Array) -> tuple[Array, Array, Array]:
    """Return which means coincide (k, m), their values (m, dim), and the masses of those (m,)."""
    from scipy.sparse.csgraph import connected_components

    reach = _SAME * float(np.ptp(points, axis=0).max())
    near = np.abs(means[:, None, :] - means[None, :, :]).max(axis=2) <= reach
    count, names = connected_components(near, directed=False)
    group = np.eye(count)[names]
    used = q[q > 0] / q.sum()
    masses = used @ group
    return group, (group * used[:, None]).T @ means / masses[:, None], masses


def _reading(corner: tuple[float, float], exact: tuple[float, float]) -> Reading:
    """Compare two quadrants."""
    slack = _SAME * max(1.0, exact[0])
    contains = corner[0] <= exact[0] + slack and corner[1] <= exact[1] + _SAME
    within = corner[0] >= exact[0] - slack and corner[1] >= exact[1] - _SAME
    return Reading(corner, contains, within)
