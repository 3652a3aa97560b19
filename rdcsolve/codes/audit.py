"""`audit`: how far a codec at hand is from the best possible, and what is to blame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.codes.audit_limits import LOSS, Limits, codec_problem, given_letters, limits_of
from rdcsolve.codes.audit_realism import MEASURES, Realism
from rdcsolve.codes.report import CERTIFIED, ESTIMATED, EXACT, Audit, AuditLine, Part
from rdcsolve.codes.samples import Classes, Samples, read_labels, read_lengths, read_samples, read_targets
from rdcsolve.codes.slices import squared_distances
from rdcsolve.codes.subsamples import Law, distances, median_distance, size_of_draws
from rdcsolve.errors import InvalidInput
from rdcsolve.information import UNITS, entropy
from rdcsolve.problems.validation import one_of

_FEW = 10  # times a message should be seen before entropies given it say much
_DIRECTIONS = 64


@public_call
def audit(  # noqa: PLR0913 - what may be stated
    x: Any,
    x_hat: Any,
    messages: Any = None,
    *,
    lengths: Any = None,
    labels: Any = None,
    classifier: Any = None,
    classifier_loss: str = "cross_entropy",
    letters: Any = None,
    targets: Sequence[Mapping[str, float]] = (),
    perception: str | None = None,
    weights: Any = None,
    dither: Any = None,
    unit: str = "nat",
    tolerance: float = 1e-4,
    time_limit: float = 60.0,
    n_bootstrap: int = 200,
    rng: Any = 0,
) -> Audit:
    """Return how far a codec is from the certified limits, and which of its parts take how much.

    Parameters
    ----------
    x : array_like
        What was encoded: n samples of any shape, (n, ...). Numbers, shape (n,), are samples of shape (1,).
    x_hat : array_like
        What was decoded, of the same shape.
    messages : sequence, optional
        What was sent for each sample: n hashable values, or an array of shape (n, ...), such as quantised latents. By
        default each distinct reconstruction is a message.
    lengths : float or array_like, optional
        What a message takes, in `unit`: one number, or one per sample. By default the logarithm of the number of
        messages.
    labels : sequence or array_like, optional
        The class of each sample, or a row of probabilities for each, shape (n, n_s). Equal samples are one symbol, with
        the shares of their classes.
    classifier : callable, estimator, module or array_like, optional
        What judges reconstructions, in batches of the shape (k, ...) of `x`: see `ClassifierLossLimit`. Or what it said
        of each x_hat, shape (n, n_s), and then only the codec's own reconstructions are letters. Needs `labels`.
    classifier_loss : {"cross_entropy", "error_rate"}, optional
    letters : array_like, optional
        More reconstructions that a better codec could use, shape (k, ...): best made on other data. The codec's own,
        and the mean of the samples of every message, are always among them.
    targets : sequence of mapping, optional
        What the encoder shall be reused for: limits by name, such as ``{"D": 0.1}`` or ``{"classifier_loss": 0.3}``.
    perception : {"w2", "w1", "mmd"}, optional
        Ask also what codecs attain whose reconstructions are, as a whole, no less realistic: the law of x_hat no
        further from that of x by this distance, see `PerceptionLimit`; the kernel of ``"mmd"`` is Gaussian, as wide as
        the median distance of two samples. Two more limits, which may take much longer than the others.
    weights : array_like, optional
        How much each sample counts, shape (n,), in any proportion; those of weight zero are left out.
    dither : sequence, optional
        What encoder and decoder shared beforehand for each sample: n hashable values, few of which differ. Every sample
        has to come with each of them (x repeated), so that samples and dither tell nothing of each other. Rates are
        then given the dither.
    unit : {"nat", "bit"}, optional
        Of all information, `lengths` included.
    tolerance : float, optional
        Gap of the certified limits, see `solve`.
    time_limit : float, optional
        Seconds for each of them.
    n_bootstrap : int, optional
        Resamples for intervals; 0 for none.
    rng : int or numpy.random.Generator, optional

    Returns
    -------
    Audit
        With the lines of a table, the parts of the distance in rate and in distortion, and notes.

    Raises
    ------
    InvalidInput
        If shapes or lengths disagree, one message is decoded in two ways, a classifier comes without labels, samples
        and dither depend on each other, or most messages were seen once.

    Notes
    -----
    Distortion is the mean squared error over the entries of a sample. The sample is taken as the source: what is
    certified is about it and the letters, and intervals say what another sample could change. See Is my codec any
    good?, in the docs.

    Examples
    --------
    >>> x = [0.0, 0.1, 0.9, 1.0, 2.0, 2.2, 2.9, 3.1]
    >>> x_hat = [0.05, 0.05, 0.95, 0.95, 2.1, 2.1, 3.0, 3.0]
    >>> found = audit(x, x_hat, lengths=2.5, unit="bit", n_bootstrap=0)
    >>> print(f"{found['messages'].value:.3f} bit, at best {found['least rate'].value:.3f} bit")
    2.000 bit, at best 2.000 bit
    >>> [part.name for part in found.rate_parts]
    ['coding redundancy', "encoder's randomness", 'information not decoded', 'shape of the channel']
    """
    one_of(unit, UNITS, "unit")
    options.tolerance(tolerance), options.seconds(time_limit)
    n_bootstrap = options.whole(n_bootstrap, "n_bootstrap", 0)
    generator = options.generator(rng)
    if classifier is not None and labels is None:
        raise InvalidInput("a classifier is judged by the true classes; give labels=, one per sample")
    targets = read_targets(targets)
    if perception is not None:
        one_of(perception, tuple(MEASURES), "perception")
    samples = read_samples(x, x_hat, messages, weights, dither)
    _check_often_enough(samples)
    classes = None if labels is None else read_labels(labels, samples)
    length = math.log(samples.n_sent)
    if lengths is not None:
        length = read_lengths(lengths, samples, math.log(2) if unit == "bit" else 1.0)
    length = max(length, samples.entropy_sent)  # which rounding alone could put below
    problem = codec_problem(samples, classes, classifier, classifier_loss, letters)
    informations = (samples.information_sent, samples.information_decoded)
    limits = limits_of(
        samples, problem, length, informations, targets, perception, tolerance=tolerance, time_limit=time_limit
    )
    rates = [length, samples.entropy_sent, *informations]
    report = _Report(samples, classes, limits, rates, generator, n_bootstrap)
    found = Audit(
        lines=tuple(report.lines()),
        rate_parts=report.rate_parts(),
        loss_parts=report.loss_parts(),
        notes=tuple(report.notes(letters)),
        problem=problem,
        results=limits.results,
        others=limits.others,
    )
    return found if unit == "nat" else found.in_bits()


def _check_often_enough(samples: Samples) -> None:
    if 2 * samples.n_messages > samples.n and samples.n_messages > 8 * samples.n_dithers:
        raise InvalidInput(
            f"{samples.n} samples were sent as {samples.n_messages} different messages, so that most "
            "of them were seen once or twice and the sample says nothing about rates; audit more samples, or blocks of "
            "them (patches, symbols of the latent) that repeat"
        )


class _Report:
    """The lines of an audit: numbers of the sample, intervals by resampling, certified limits."""

    def __init__(
        self,
        samples: Samples,
        classes: Classes | None,
        limits: Limits,
        rates: list[float],
        rng: np.random.Generator,
        n_bootstrap: int,
    ) -> None:
        self.samples, self.classes, self.limits, self.rates = samples, classes, limits, rates
        self.rng = rng
        self.group = samples.group
        n = int(self.group.max()) + 1
        self.draws = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)

    def lines(self) -> list[AuditLine]:
        """Return the table, from the rates to the losses to the limits."""
        samples, limits = self.samples, self.limits
        length, of_messages, sent, decoded = self.rates
        found = [
            AuditLine("length", length, length, length, EXACT, True),
            self._entropy("messages", of_messages, samples.message),
            AuditLine("messages, population", *self._corrected(of_messages), ESTIMATED, True),
            self._entropy("information sent", sent, samples.message if sent == of_messages else None),
            self._entropy("information decoded", decoded, samples.shown if sent == of_messages else None),
            AuditLine("least rate", limits.rate[1], *limits.rate, CERTIFIED, True),
        ]
        for name, values in limits.per_sample.items():
            found.append(self._mean(name, values, is_information=name == LOSS and limits.in_nats))
        found.append(
            AuditLine("distortion, best decoder", limits.decoded, limits.decoded, limits.decoded, EXACT, False)
        )
        for name, bounds in (("rate sent", limits.at_information), ("length", limits.at_length)):
            found.append(AuditLine(f"least distortion at the {name}", bounds[1], *bounds, CERTIFIED, False))
        if self.classes is not None:
            found += self._of_labels()
        found += self._of_law()
        if limits.realism is not None:
            found += self._of_realism(limits.realism)
        for name, bounds, is_served in limits.targets:
            found.append(AuditLine(f"least rate for {name}", bounds[1], *bounds, CERTIFIED, True))
            found.append(AuditLine(f"encoder serves {name}", float(is_served), is_served, is_served, EXACT, False))
        if limits.targets and all(is_served for _, _, is_served in limits.targets):
            lower = max(bounds[0] for _, bounds, _ in limits.targets)
            upper = max(bounds[1] for _, bounds, _ in limits.targets)
            found.append(AuditLine("rate penalty of reuse", sent - lower, sent - upper, sent - lower, CERTIFIED, True))
        return found

    def rate_parts(self) -> tuple[Part, ...]:
        """Return the distance of the length from the least rate, in parts that are never negative."""
        names = ["coding redundancy", "encoder's randomness", "information not decoded", "shape of the channel"]
        ends = [(rate, rate) for rate in self.rates] + [self.limits.rate]
        if self.limits.realism is not None:
            names.append("realism")
            ends.insert(-1, self.limits.realism.rate)
        return tuple(_part(name, *pair) for name, pair in zip(names, zip(ends, ends[1:], strict=False), strict=True))

    def loss_parts(self) -> tuple[Part, ...]:
        """Return the distance of the distortion from the least one at the length, in parts that are never negative."""
        names = ("decoder", "encoder", "unused rate")
        limits = self.limits
        ends = [(limits.distortion,) * 2, (limits.decoded,) * 2, limits.at_information, limits.at_length]
        return tuple(_part(name, *pair) for name, pair in zip(names, zip(ends, ends[1:], strict=False), strict=True))

    @staticmethod
    def _of_realism(realism: Realism) -> list[AuditLine]:
        name, rate, at_length = f"{realism.name} of all samples", realism.rate, realism.at_length
        return [
            AuditLine(name, realism.value, realism.value, realism.value, EXACT, False),
            AuditLine("least rate as realistic", rate[1], *rate, CERTIFIED, True),
            AuditLine("least distortion as realistic", at_length[1], *at_length, CERTIFIED, False),
        ]

    def notes(self, letters: Any) -> list[str]:
        """Return what the numbers do not say themselves."""
        counts = np.bincount(self.samples.message)
        rare = counts[counts < _FEW].sum() / self.samples.n
        found = list(self.limits.notes)
        found += [
            f"no decoder of the messages keeps {name}" for name, _, is_served in self.limits.targets if not is_served
        ]
        if rare > 0.01 and self.classes is not None:
            found.append(
                f"{100 * rare:.0f} % of the samples have messages that were seen fewer than {_FEW} times: for the "
                "population H(S|Z) and H(S|X^) are too low, take more samples"
            )
        if self.samples.n_dithers > 1:
            found.append(f"all rates of messages are given the dither, of {self.samples.n_dithers} values")
        return [*found, *self._of_scale(), self._of_letters(letters)]

    def _of_scale(self) -> list[str]:
        """Return a note where showing one and the same word, the mean of all samples, would be better."""
        samples = self.samples
        mean = samples.p @ samples.points
        spread = float(samples.p @ np.square(samples.points - mean).mean(axis=1))
        if self.limits.distortion <= spread * (1 + 1e-9):
            return []
        return [
            f"x_hat is further from x, {self.limits.distortion:.4g}, than the mean of all samples is, {spread:.4g}: "
            "are both on one scale, and in the same order?"
        ]

    def _of_letters(self, letters: Any) -> str:
        """Return over which letters the limits are."""
        if letters is None:
            return (
                "the limits are over the codec's own reconstructions and the means of its messages; letters= adds what "
                "a better codec could show"
            )
        given = given_letters(letters, self.samples)
        known = {row.tobytes() for row in given + 0.0}
        outside = sum(row.tobytes() not in known for row in self.samples.reconstructions + 0.0)
        return (
            f"{outside} of the codec's {self.samples.reconstructions.shape[0]} reconstructions are outside the "
            f"{given.shape[0]} letters given; the limits are over all of these, and the means of its messages"
        )

    # -------------------------------------------------------------------------------------------- of the sample

    def _interval(self, values: Any, about: float | None = None) -> tuple[float, float]:
        """Return where 95 % of resampled values lie, moved to have their mean at `about`.

        Entropies of a resample are too low once more by what those of the sample are too low, so that an interval of
        many messages would lie below the very number that it is of.
        """
        low, high = np.quantile(values, [0.025, 0.975])
        if about is None:
            return float(low), float(high)
        away = about - math.fsum(values) / len(values)
        return min(max(0.0, float(low) + away), about), max(about, float(high) + away)

    def _resampled(self) -> Iterator[np.ndarray]:
        """Yield the weights of the samples in every resample, of what was one before dither all at once."""
        for draw in self.draws:
            yield draw[self.group] * self.samples.weights

    def _mean(self, name: str, values: np.ndarray, *, is_information: bool) -> AuditLine:
        samples, ends = self.samples, (math.nan, math.nan)
        mean = samples.mean(values)
        if len(self.draws):
            sums = self.draws @ np.bincount(self.group, samples.weights * values)
            low, high = self._interval(sums / (self.draws @ np.bincount(self.group, samples.weights)))
            ends = (min(low, mean), max(high, mean))  # of few resamples all may be on one side
        return AuditLine(name, mean, *ends, EXACT, is_information)

    def _entropies(self, of: np.ndarray) -> list[float]:
        """Return the entropy of something in every resample, that of the dither taken off."""
        is_dithered = of is self.samples.message and self.samples.n_dithers > 1
        found = []
        for weights in self._resampled():
            found.append(entropy(_shares(np.bincount(of, weights))))
            if is_dithered:
                found[-1] -= entropy(_shares(np.bincount(self.samples.dither, weights)))
        return found

    def _entropy(self, name: str, value: float, of: np.ndarray | None) -> AuditLine:
        ends = (math.nan, math.nan)
        if len(self.draws) and of is not None:
            most = self.samples.n_sent if of is self.samples.message else int(of.max()) + 1
            low, high = self._interval(self._entropies(of), value)
            ends = (low, max(value, min(high, math.log(most))))  # no sample of these messages has more
        return AuditLine(name, value, *ends, EXACT, True)

    def _corrected(self, value: float) -> tuple[float, float, float]:
        """Return the entropy of the messages with Miller's and Madow's correction, and an interval around it."""
        value += (self.samples.n_messages - self.samples.n_dithers) / (2 * self.samples.n_alike)
        if not len(self.draws):
            return value, math.nan, math.nan
        return value, *self._interval(self._entropies(self.samples.message), value)

    def _of_labels(self) -> list[AuditLine]:
        assert self.classes is not None
        found = []
        for name, of in (("label given message", self.samples.message), ("label given x_hat", self.samples.shown)):
            values = [_left_unknown(self.classes.given(of, weights)) for weights in self._resampled()]
            value = _left_unknown(self.classes.given(of, self.samples.weights))
            ends = self._interval(values, value) if values else (math.nan, math.nan)
            found.append(AuditLine(name, value, *ends, EXACT, True))
        return found

    def _of_law(self) -> list[AuditLine]:
        """Return how far the law of x_hat is from that of x, by three distances, and how far two halves of x are.

        Squared Wasserstein distances are per entry: sliced, and of draws of a few hundred.
        """
        samples, weights = self.samples, self.samples.weights
        if samples.n < 4:
            return []
        x, shown = samples.points[samples.symbol], samples.reconstructions[samples.shown]
        directions = self.rng.normal(size=(x.shape[1], _DIRECTIONS))
        directions /= np.linalg.norm(directions, axis=0)
        order = self.rng.permutation(samples.n)
        half = samples.n // 2
        one, other = order[:half], order[half : 2 * half]
        away = squared_distances(x, shown, weights, weights, directions)
        halves = squared_distances(x[one], x[other], weights[one], weights[other], directions)
        lines = []
        for name, per_direction in (("sliced W2^2", away), ("sliced W2^2 of two halves of x", halves)):
            error = 1.96 * float(per_direction.std()) / math.sqrt(_DIRECTIONS)
            mean = float(per_direction.mean())
            lines.append(AuditLine(name, mean, max(0.0, mean - error), mean + error, ESTIMATED, False))
        law, shown_law, one_half, other_half = (
            Law(*pair) for pair in ((x, weights), (shown, weights), (x[one], weights[one]), (x[other], weights[other]))
        )
        width, m = median_distance(law, self.rng), size_of_draws(half)
        apart = distances(law, shown_law, width, self.rng, m)
        floor = distances(one_half, other_half, width, self.rng, m)
        for name, (value, lower, upper) in (
            ("W2^2", apart.w2),
            ("W2^2 of two halves of x", floor.w2),
            ("MMD^2", apart.mmd),
            ("MMD^2 of two halves of x", floor.mmd),
        ):
            lines.append(AuditLine(name, value, lower, upper, ESTIMATED, False))
        return lines


def _shares(masses: np.ndarray) -> np.ndarray:
    shares: np.ndarray = masses / masses.sum()
    return shares


def _left_unknown(joint: np.ndarray) -> float:
    """Return H(column | row) of masses, nats."""
    shares = _shares(joint)
    return max(0.0, entropy(shares.ravel()) - entropy(shares.sum(axis=1)))


def _part(name: str, larger: tuple[float, float], smaller: tuple[float, float]) -> Part:
    """Return the difference of two numbers known between bounds, the first of which is not below the second."""
    return Part(name, larger[1] - smaller[1], max(0.0, larger[0] - smaller[1]), max(0.0, larger[1] - smaller[0]))
