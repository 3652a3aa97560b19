"""The certified limits that an audit sets a codec beside: problems over its samples and letters, solved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve.codes.audit_realism import MEASURES, Realism, own_limit
from rdcsolve.codes.samples import Classes, Samples, check_finite
from rdcsolve.errors import InvalidInput, SolverFailed
from rdcsolve.problems import ClassifierLossLimit, Problem, Source
from rdcsolve.problems.classifiers import Classifier, decision_table, is_estimator
from rdcsolve.reading import as_floats, read
from rdcsolve.results import Result, Status
from rdcsolve.results.status import uninterrupted
from rdcsolve.solvers.solve import solve
from rdcsolve.universal import achievable_region

LOSS = "classifier_loss"
_MOST_LETTERS = 5000


@dataclass(frozen=True, eq=False)
class Limits:
    """Bounds as pairs, lower and upper: a codec of these samples and letters is between them and its own numbers.

    Attributes
    ----------
    per_sample : dict of str to numpy.ndarray
        The codec's losses, shape (n,) each.
    distortion : float
        Its mean distortion.
    decoded : float
        Least distortion of any decoder of its messages, whose other loss is not above the codec's.
    rate, at_information, at_length : tuple of float
        Bounds on the least rate at the codec's losses, and on the least distortion at the rate that it sends, and at
        its length.
    others : dict of str to float
        Means of its losses other than the distortion.
    targets : tuple
        Name, bounds on the least rate, and whether the encoder serves it.
    realism : Realism, optional
        Where it is asked for.
    """

    per_sample: dict[str, np.ndarray]
    distortion: float
    decoded: float
    rate: tuple[float, float]
    at_information: tuple[float, float]
    at_length: tuple[float, float]
    targets: tuple[tuple[str, tuple[float, float], bool], ...]
    notes: tuple[str, ...]
    results: dict[str, Any]
    others: dict[str, float]
    in_nats: bool
    realism: Realism | None


def codec_problem(samples: Samples, classes: Classes | None, classifier: Any, loss: str, letters: Any) -> Problem:
    """Return the problem whose symbols are the samples; its letters are the codec's, then means, then those given."""
    more = [samples.reconstructions]
    table = None
    if classifier is not None and not callable(classifier) and not is_estimator(classifier):
        table = _stated_decisions(samples, classifier)
        if letters is not None:
            raise InvalidInput(
                "classifier is a table for x_hat, so it cannot judge other letters; pass the classifier itself, or "
                "leave letters out"
            )
    else:
        joint = samples.channel(samples.message, samples.n_messages) * samples.p[:, None]
        more.append((joint.T @ samples.points) / joint.sum(axis=0)[:, None])
        more.append(given_letters(letters, samples))
    return problem_over(samples, classes, classifier, loss, np.concatenate(more), table)


def problem_over(
    samples: Samples,
    classes: Classes | None,
    classifier: Any,
    loss: str,
    reproduction: np.ndarray,
    table: np.ndarray | None = None,
) -> Problem:
    """Return the problem whose symbols are the samples, over letters of shape (n_a, dim).

    Parameters
    ----------
    table : numpy.ndarray, optional
        What the classifier says of the letters, shape (n_a, n_s); by default it is asked.
    """
    if reproduction.shape[0] > _MOST_LETTERS:
        raise InvalidInput(
            f"there are {reproduction.shape[0]} letters, more than {_MOST_LETTERS}; audit a codec of fewer messages, "
            "or give fewer letters"
        )
    decided = None
    if classifier is not None:
        assert classes is not None
        if table is None:
            own = Classifier(classifier, None, None, False, loss == "error_rate")
            shape = (-1,) if is_estimator(classifier) else samples.shape
            decided = own.at(reproduction.reshape(reproduction.shape[0], *shape))
            classes = _among_those_of(classes, decided.classes, decided.table)
        else:
            classes = _among_those_of(classes, None, table)
    labels, names = [], None
    if classes is not None:
        joint = classes.given(samples.symbol, samples.weights)
        labels, names = [joint / joint.sum(axis=1, keepdims=True)], [classes.names]
    source = Source(samples.points, samples.p, labels, normalise=True, classes=names)
    limits = []
    if classes is not None and classifier is not None:
        if decided is not None:
            table = decision_table(decided, source.classes[0], len(classes.names), 0)
        limits.append(ClassifierLossLimit(math.inf, table, loss, output="probabilities"))
    return Problem(source, reproduction, "mean_squared_error", limits)


def _among_those_of(classes: Classes, known: list[Any] | None, table: np.ndarray | None) -> Classes:
    """Return classes with those that the classifier has besides; columns without names are 0, 1, ..."""
    if known is None and table is not None:
        known = list(range(max(2, table.shape[1])))
    if known is None or not set(classes.names) < set(known):
        return classes
    masses = np.zeros((classes.masses.shape[0], len(known)))
    masses[:, [known.index(name) for name in classes.names]] = classes.masses
    return Classes(masses, known)


def _stated_decisions(samples: Samples, classifier: Any) -> np.ndarray:
    """Return what a table says of the distinct reconstructions, shape (n_a, n_s)."""
    table = as_floats(read(classifier, "classifier"), "classifier")
    if table.ndim != 2 or table.shape[0] != samples.n_stated:
        raise InvalidInput(
            f"classifier has shape {table.shape}; give what it says of each of the {samples.n_stated} reconstructions, "
            "one row each, or the classifier itself"
        )
    table = table[samples.kept]
    first = np.zeros(samples.reconstructions.shape[0], dtype=np.int64)
    first[samples.shown[::-1]] = np.arange(samples.n)[::-1]
    other = np.flatnonzero(np.abs(table - table[first[samples.shown]]).max(axis=1) > 1e-6)
    if other.size:
        k = int(other[0])
        raise InvalidInput(
            f"classifier says different things of one reconstruction (samples {int(first[samples.shown[k]])} and {k}); "
            "switch off what is random in it"
        )
    return table[first]


def given_letters(letters: Any, samples: Samples) -> np.ndarray:
    """Return letters that were stated, one per row; None is none."""
    if letters is None:
        return np.empty((0, samples.points.shape[1]))
    given = as_floats(read(letters, "letters"), "letters")
    size = samples.points.shape[1]
    if given.ndim == 1 and size == 1:
        given = given[:, None]
    if given.size == 0:
        raise InvalidInput(f"letters has shape {given.shape}, without an entry; give some, or leave letters out")
    if given.ndim < 2 or given.shape[1:] not in (samples.shape, (size,)):
        raise InvalidInput(
            f"letters has shape {given.shape}; give one per row, of the shape {samples.shape} of a sample"
        )
    check_finite(given, "letters")
    return given.reshape(given.shape[0], -1)


def limits_of(
    samples: Samples,
    problem: Problem,
    length: float,
    informations: tuple[float, ...],
    targets: Sequence[Mapping[str, float]],
    perception: str | None,
    *,
    tolerance: float,
    time_limit: float,
) -> Limits:
    """Return the codec's losses and all limits beside them; rates in nats."""
    per_sample = {loss.name: _entries(loss, samples, samples.shown) for loss in problem.linear_losses}
    means = {name: samples.mean(values) for name, values in per_sample.items()}
    if not all(map(math.isfinite, means.values())):
        raise InvalidInput(
            "the classifier excludes the true class of some sample, so the cross-entropy is infinite; smooth its "
            "output, or take classifier_loss='error_rate'"
        )
    stated_targets = [(target, _stated(problem, target)) for target in targets]
    run = _Runs(tolerance, time_limit)
    others = {name: mean for name, mean in means.items() if name != "distortion"}
    limited = problem.with_limits(**means)
    rate = run.bounds("least rate", limited, informations[1])
    decoded = min(_best_decoder(samples, problem, others), means["distortion"])
    at_rate = problem.with_limits(**others)
    at_information = run.bounds("rate sent", at_rate.minimising("distortion", informations[0]), decoded)
    at_length = at_information
    if length > informations[0]:
        at_length = run.bounds("length", at_rate.minimising("distortion", length), at_information[1])
        at_information = (max(at_information[0], at_length[0]), at_information[1])
    realism = None
    if perception is not None:
        realism = _realism(samples, problem.with_limits(**means), perception, run, (length, informations[1]))
        rate = (rate[0], min(rate[1], realism.rate[1]))
        at_length = (at_length[0], min(at_length[1], realism.at_length[1]))
        realism = realism._replace(
            rate=(max(realism.rate[0], rate[0]), realism.rate[1]),
            at_length=(max(realism.at_length[0], at_length[0]), realism.at_length[1]),
        )
    served = []
    for target, stated in stated_targets:
        name = ", ".join(f"{key} <= {value:.6g}" for key, value in target.items())
        bounds = run.bounds(f"target {name}", stated, math.inf)
        is_served = _serves(samples, stated)
        served.append((name, (bounds[0], min(bounds[1], informations[0] if is_served else math.inf)), is_served))
    return Limits(
        per_sample=per_sample,
        distortion=means["distortion"],
        decoded=decoded,
        rate=rate,
        at_information=at_information,
        at_length=at_length,
        targets=tuple(served),
        notes=tuple(run.notes),
        results=run.results,
        others=others,
        in_nats=LOSS in problem.information_losses,
        realism=realism,
    )


def _stated(problem: Problem, target: Mapping[str, float]) -> Problem:
    stated = problem.with_limits(**target)
    if stated.rate_bound is not None:
        raise InvalidInput(f"a target is {dict(target)!r}; it limits the rate, which is minimised; name losses only")
    return stated


def _realism(samples: Samples, limited: Problem, measure: str, run: _Runs, rates: tuple[float, float]) -> Realism:
    """Return what codecs attain that are as realistic as this one.

    Parameters
    ----------
    limited : Problem
        With the codec's losses as limits.
    rates : tuple of float
        The codec's length, and the information that it decodes.
    """
    limit, value = own_limit(samples, limited, measure)
    run.last = None  # which knew of no perception
    stated = limited.with_perception(limit)
    rate = run.bounds("least rate as realistic", stated, rates[1])
    distortion = limited.bounds[0]
    at_length = run.bounds("length, as realistic", stated.minimising("distortion", rates[0]), distortion)
    run.last = None
    return Realism(MEASURES[measure], value, rate, at_length)


class _Runs:
    """Solved limits, each with what has to be said about it."""

    def __init__(self, tolerance: float, time_limit: float) -> None:
        self.tolerance, self.time_limit = tolerance, time_limit
        self.notes: list[str] = []
        self.results: dict[str, Any] = {}
        self.last: Result | None = None  # limits of one codec lie near each other: each begins where the last ended

    def bounds(self, name: str, problem: Problem, attained: float) -> tuple[float, float]:
        """Return proved bounds on the objective; `attained` is what the codec itself shows to be possible."""
        try:
            found = solve(problem, tolerance=self.tolerance, time_limit=self.time_limit, start=self.last)
        except SolverFailed as error:
            self.notes.append(f"{name}: no limit was found ({error})")
            return 0.0, attained
        self.results[name] = found
        if found.status is Status.INFEASIBLE and math.isfinite(attained):  # by roundings, as the codec keeps the limits
            self.notes.append(f"{name}: the limits are at their least values, to rounding, and no bound is proved")
            return 0.0, attained
        if found.status is Status.INFEASIBLE:
            self.notes.append(f"{name}: no codec meets these limits with these letters")
            return math.inf, math.inf
        if found.status is Status.OPTIMAL:
            self.last = found
        else:
            self.notes.append(f"{name}: {found.status.name}, {found.status.value}")
        lower = found.proved_lower
        lower = 0.0 if math.isnan(lower) else max(0.0, lower)
        upper = attained if math.isnan(found.objective_upper) else min(attained, found.objective_upper)
        return min(lower, upper), upper


def losses_of(
    samples: Samples, classes: Classes | None, classifier: Any, words: np.ndarray, messages: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what every sample loses by the word of its message, shape (n,), by name of the loss."""
    problem = problem_over(samples, classes, classifier, "cross_entropy", words)
    return {loss.name: _entries(loss, samples, messages) for loss in problem.linear_losses}


def _entries(loss: Any, samples: Samples, shown: np.ndarray) -> np.ndarray:
    """Return the loss of every sample by a letter of its own, shape (n,)."""
    letters, own = np.unique(shown, return_inverse=True)
    values = np.empty(samples.n)
    for start in range(0, samples.n, 4096):
        part = slice(start, start + 4096)
        symbols, places = np.unique(samples.symbol[part], return_inverse=True)
        values[part] = loss.block(symbols, letters)[places, own[part]]
    return values


def _best_decoder(samples: Samples, problem: Problem, others: dict[str, float]) -> float:
    """Return the least distortion of decoders of the messages whose other losses are within these bounds."""
    channel = samples.channel(samples.message, samples.n_messages)
    if not others:
        joint = channel * samples.p[:, None]
        table = problem.linear_losses[0].block()
        return math.fsum((joint.T @ table).min(axis=1).tolist())
    (bound,) = others.values()
    region = uninterrupted(achievable_region(channel, problem, ("distortion", *others)))
    corners = region.vertices
    if bound >= corners[0, 1]:
        return float(corners[0, 0])
    return float(np.interp(bound, corners[::-1, 1], corners[::-1, 0]))


def _serves(samples: Samples, stated: Problem) -> bool:
    """Return whether some decoder of the messages keeps a target's limits."""
    channel = samples.channel(samples.message, samples.n_messages)
    if len(stated.losses) == 1:
        joint = channel * samples.p[:, None]
        least = math.fsum((joint.T @ stated.linear_losses[0].block()).min(axis=1).tolist())
        return bool(least <= stated.bounds[0] + 1e-12 * stated.spread(0))
    region = uninterrupted(achievable_region(channel, stated, stated.loss_names[:2]))
    corner = np.minimum(stated.bounds, region.vertices.max(axis=0))  # no limit is none that the region could miss
    return region.contains([float(value) for value in corner])
