"""What a universal code attains: each target's losses, beside codes for it alone and beside the certified limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.codes.audit_limits import LOSS, given_letters, losses_of, problem_over
from rdcsolve.codes.classes import class_masses
from rdcsolve.codes.code import Code
from rdcsolve.codes.report import Part
from rdcsolve.codes.samples import Classes, Samples, distinct_rows, read_labels, read_samples
from rdcsolve.errors import InvalidInput
from rdcsolve.information import UNITS, nats_to_bits
from rdcsolve.markup import html_table
from rdcsolve.problems.validation import one_of
from rdcsolve.universal import Universal, universal_rate


class Estimate(NamedTuple):
    """A number of the sample, with an interval of 95 % for the population; NaN where there is none."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class TargetMeasure:
    """What one decoder of a universal code attains.

    Its fields ``distortion`` and ``classifier_loss``, an `Estimate` each, are the mean squared error and the
    cross-entropy; NaN without a classifier.

    Attributes
    ----------
    name : str
    classifier_multiplier : float
        How much mean squared error a nat of the classifier's loss is worth to it.
    alone_distortion, alone_classifier_loss : Estimate
        Those of the code made for this target alone, with as many words at most; NaN where there is none.
    alone_rate : float
        Entropy of its messages.
    penalty : Estimate
        What reuse costs the target: distortion + classifier_multiplier classifier_loss, less the same of the code made
        for it alone, in units of the distortion. On other samples than those of the design it may be negative.
    limit : tuple of float
        Certified bounds on the least rate at this distortion and loss, for long blocks and a code of its own.
    """

    name: str
    classifier_multiplier: float
    distortion: Estimate
    classifier_loss: Estimate
    alone_distortion: Estimate
    alone_classifier_loss: Estimate
    alone_rate: float
    penalty: Estimate
    limit: tuple[float, float]


@dataclass(frozen=True, eq=False)
class UniversalMeasure:
    """What a universal code attains on samples, as `UniversalCode.measure` found it.

    Attributes
    ----------
    targets : tuple of TargetMeasure
        One per decoder, in order.
    n_words : int
        Number of messages.
    length : Estimate
        What a message takes with the frequencies of the design.
    rate : float
        Entropy of the messages, H(Z): exact for the sample.
    limit : Universal
        `universal_rate` at the losses of all decoders, over their words, the means of the samples of every message, and
        the letters given. `rate_lower` <= `rate`.
    unit : {"nat", "bit"}
        Of all information.
    """

    targets: tuple[TargetMeasure, ...]
    n_words: int
    length: Estimate
    rate: float
    limit: Universal
    unit: str

    @property
    def rate_parts(self) -> tuple[Part, ...]:
        """The rate above the dearest target: sending one sample at a time, and reuse, both by any code; none negative.

        The first is what long blocks would save one encoder for all targets, the second what one encoder for all costs
        in long blocks; their sum is H(Z) - max_j R(target j).
        """
        low, high = self.limit.rate_lower, min(self.limit.rate_upper, self.rate)
        one_shot = Part("one sample at a time", self.rate - high, self.rate - high, self.rate - low)
        dearest = max(target.limit[1] for target in self.targets)
        cost = (self.limit.penalty_lower, self.limit.penalty_upper)
        return one_shot, Part("reuse", max(0.0, high - dearest), *cost)

    def to_frame(self) -> Any:
        """Return a frame of pandas with one row per target; bounds of intervals have columns of their own."""
        import pandas as pd

        return pd.DataFrame([_columns(target) for target in self.targets], index=[one.name for one in self.targets])

    @public_call
    def plot(self, axes: Any = None) -> Any:
        """Draw the losses of all decoders beside those of codes made for one target, and the rates; returns the axes.

        Parameters
        ----------
        axes : pair of matplotlib.axes.Axes, optional
            By default two of a new figure.
        """
        if axes is None:
            from matplotlib import pyplot

            _, axes = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
        _draw_losses(self, axes[0])
        _draw_rates(self, axes[1])
        return axes

    def __str__(self) -> str:
        rows = [self._title()]
        for target in self.targets:
            rows.append(f"  {target.name}, multiplier {target.classifier_multiplier:.6g}:")
            rows += [f"    {name:<36s}{value}" for name, value in _numbers(target, self.unit)]
        return "\n".join([*rows, *(f"  {row}" for row in self._about_rates())])

    def _repr_html_(self) -> str:
        head = ("target", *(name for name, _ in _numbers(self.targets[0], self.unit)))
        rows = [(one.name, *(value for _, value in _numbers(one, self.unit))) for one in self.targets]
        return html_table(self._title(), head, rows, self._about_rates())

    def _title(self) -> str:
        return f"one encoder of {self.n_words} messages for {len(self.targets)} targets, information in {self.unit}"

    def _about_rates(self) -> list[str]:
        limit = self.limit
        return [
            f"length {_told(self.length)}, entropy of the messages {self.rate:.6g} (exact for the sample)",
            f"least rate of one encoder for all targets, long blocks: [{limit.rate_lower:.6g}, {limit.rate_upper:.6g}] "
            f"({limit.proof.name.lower()})",
            f"of it for reuse: [{limit.penalty_lower:.6g}, {limit.penalty_upper:.6g}] "
            f"({limit.penalty_proof.name.lower()})",
        ]


def measured(  # noqa: PLR0913 - what may be stated
    codes: tuple[Mapping[str, Code], Mapping[str, Code]],
    messages: np.ndarray,
    x: Any,
    *,
    labels: Any,
    letters: Any,
    unit: str,
    tolerance: float,
    n_bootstrap: int,
    rng: Any,
) -> UniversalMeasure:
    """Return what decoders of the same messages attain on samples.

    Parameters
    ----------
    codes : pair of mapping
        The decoders, and the codes made for one target alone, by name of the target.
    messages : numpy.ndarray
        What the samples are sent as, shape (n,).
    """
    one_of(unit, UNITS, "unit")
    options.tolerance(tolerance)
    decoders, alone = codes
    first = next(iter(decoders.values()))
    classifier = first.classifier
    if messages.size == 0:
        raise InvalidInput("x holds no samples; give some to measure the code on")
    generator, n_bootstrap = options.generator(rng), options.whole(n_bootstrap, "n_bootstrap", 0)
    if classifier is None and labels is not None:
        raise InvalidInput(
            "labels are for the classifier's loss; load or make the code with classifier=, or leave them out"
        )
    samples = read_samples(x, first.reconstruct(messages), messages)
    classes = None if classifier is None else _classes(labels, first, samples)
    resample = _Resamples(samples.n, n_bootstrap, generator)
    shown = {name: losses_of(samples, classes, classifier, code.words, messages) for name, code in decoders.items()}
    words = _letters(decoders, samples, given_letters(letters, samples))
    problem = problem_over(samples, classes, classifier, "cross_entropy", words)
    bounds = [{loss: samples.mean(values) for loss, values in losses.items()} for losses in shown.values()]
    if not all(math.isfinite(value) for bound in bounds for value in bound.values()):
        raise InvalidInput("the classifier excludes the class of some sample; smooth its output")
    limit = universal_rate(problem.with_limits(**bounds[0]), bounds, tolerance=tolerance)
    limit, scale = (limit.in_bits(), nats_to_bits(1.0)) if unit == "bit" else (limit, 1.0)
    targets = []
    for place, (name, code) in enumerate(decoders.items()):
        other, rate = None, math.nan
        if name in alone:
            sent = alone[name].messages(x)
            other = losses_of(samples, classes, classifier, alone[name].words, sent)
            rate = samples.entropy_of(sent) * scale
        targets.append(
            TargetMeasure(
                name,
                code.classifier_multiplier,
                *resample.losses(shown[name], scale),
                *resample.losses(other, scale),
                rate,
                resample.penalty(shown[name], other, code.classifier_multiplier),
                (limit.results[place].rate_lower, limit.results[place].rate_upper),
            )
        )
    length, rate = resample.mean(first.lengths[messages] * scale), samples.entropy_sent * scale
    return UniversalMeasure(tuple(targets), first.n_words, length, rate, limit, unit)


def _classes(labels: Any, code: Code, samples: Samples) -> Classes:
    """Return the classes as stated, or else what the classifier says of the samples."""
    if labels is not None:
        return read_labels(labels, samples)
    masses = class_masses(code.classifier, samples.points.reshape(-1, *code.shape))
    names = getattr(code.classifier, "classes_", range(masses.shape[1]))
    return Classes(masses[samples.symbol], list(names))


def _letters(decoders: Mapping[str, Code], samples: Samples, given: np.ndarray) -> np.ndarray:
    """Return all letters once: words of the decoders, means of the samples of every message, and those given."""
    joint = samples.channel(samples.message, samples.n_messages) * samples.p[:, None]
    means = (joint.T @ samples.points) / joint.sum(axis=0)[:, None]
    return distinct_rows(np.concatenate([*(code.words for code in decoders.values()), means, given]))[1]


class _Resamples:
    """Means of what samples have, with intervals by resampling."""

    def __init__(self, n: int, n_bootstrap: int, rng: np.random.Generator) -> None:
        self.draws = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap) / n

    def mean(self, values: np.ndarray) -> Estimate:
        mean = math.fsum(values.tolist()) / values.size
        if not len(self.draws):
            return Estimate(mean, math.nan, math.nan)
        low, high = np.quantile(self.draws @ values, [0.025, 0.975])
        return Estimate(mean, min(float(low), mean), max(float(high), mean))

    def losses(self, losses: dict[str, np.ndarray] | None, scale: float) -> tuple[Estimate, Estimate]:
        unknown = Estimate(math.nan, math.nan, math.nan)
        if losses is None:
            return unknown, unknown
        return self.mean(losses["distortion"]), self.mean(losses[LOSS] * scale) if LOSS in losses else unknown

    def penalty(self, ours: dict[str, np.ndarray], alone: dict[str, np.ndarray] | None, multiplier: float) -> Estimate:
        if alone is None:
            return Estimate(math.nan, math.nan, math.nan)
        away = ours["distortion"] - alone["distortion"]
        return self.mean(away + multiplier * (ours[LOSS] - alone[LOSS]) if LOSS in ours else away)


def _numbers(target: TargetMeasure, unit: str) -> list[tuple[str, str]]:
    """Return what a table says of a target: name and value of each number that is known."""
    found = [
        ("distortion", _told(target.distortion)),
        ("made for it alone", _told(target.alone_distortion)),
        ("classifier_loss", _told(target.classifier_loss)),
        ("made for it alone, classifier_loss", _told(target.alone_classifier_loss)),
        ("penalty of reuse, both losses", _told(target.penalty)),
        ("rate of the code for it alone", f"{target.alone_rate:.6g}"),
        (f"least rate alone [{unit}]", f"[{target.limit[0]:.6g}, {target.limit[1]:.6g}]"),
    ]
    return [(name, value) for name, value in found if not value.startswith("nan")]


def _told(estimate: Estimate) -> str:
    if math.isnan(estimate.lower):
        return f"{estimate.value:.6g}"
    return f"{estimate.value:.6g} [{estimate.lower:.6g}, {estimate.upper:.6g}]"


def _columns(target: TargetMeasure) -> dict[str, float]:
    columns: dict[str, float] = {}
    for name, value in vars(target).items():
        if isinstance(value, Estimate):
            columns |= {name: value.value, f"{name}_lower": value.lower, f"{name}_upper": value.upper}
        elif isinstance(value, tuple):
            columns |= {f"{name}_lower": value[0], f"{name}_upper": value[1]}
        elif name != "name":
            columns[name] = value
    return columns


def _draw_losses(measure: UniversalMeasure, axis: Any) -> None:
    for place, target in enumerate(measure.targets):
        color = f"C{place}"
        pairs = [
            (target.distortion, target.classifier_loss),
            (target.alone_distortion, target.alone_classifier_loss),
        ]
        places = [(one.value, place if math.isnan(other.value) else other.value) for one, other in pairs]
        axis.plot(*zip(*places, strict=True), "-", color=color, lw=0.8)
        axis.plot(*places[0], "o", color=color, label=f"{target.name}: common encoder")
        axis.plot(*places[1], "s", color=color, mfc="none", label=f"{target.name}: code of its own")
    axis.set_xlabel("distortion")
    axis.set_ylabel(f"classifier loss [{measure.unit}]")
    axis.legend(frameon=False, fontsize="small")


def _draw_rates(measure: UniversalMeasure, axis: Any) -> None:
    names = [*(f"{one.name} alone, limit" for one in measure.targets), "all, limit", "all, this code"]
    limit = measure.limit
    bounds = [*(one.limit for one in measure.targets), (limit.rate_lower, limit.rate_upper), (measure.rate,) * 2]
    for place, (low, high) in enumerate(bounds):
        axis.barh(place, high, color="0.85" if place < len(bounds) - 1 else "C7")
        axis.plot([low, high], [place, place], "-", color="black", lw=2)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylabel("targets served")
    axis.set_xlabel(f"rate [{measure.unit}]")
    axis.set_xlim(left=0)
