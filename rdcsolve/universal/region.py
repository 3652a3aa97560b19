"""`achievable_region`: all pairs of losses that can be decoded from the messages of a fixed encoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rdcsolve import deadline, options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import mutual_information
from rdcsolve.markup import html_table
from rdcsolve.problems import Problem
from rdcsolve.problems.statement import spelled_out
from rdcsolve.problems.validation import freeze, one_of
from rdcsolve.results import Status
from rdcsolve.results.result import StepRecord
from rdcsolve.results.units import in_unit_of
from rdcsolve.universal.boundary import Boundary, boundary_of
from rdcsolve.universal.edges import Edges
from rdcsolve.universal.encoder import Encoder, channel_of
from rdcsolve.universal.slack import limit_slack
from rdcsolve.universal.steps import Steps
from rdcsolve.universal.targets import check_no_perception

_LEVEL = "give a number between 0 and 1, such as 0.95"


@dataclass(frozen=True, eq=False)
class Region:
    """Omega(p_{Z|X}): the pairs of losses that decoders of Z attain, and all that are worse.

    Attributes
    ----------
    losses : tuple of str
        The two losses, the first to the right.
    kind : str
        ``"quadrant"`` (one decoder is best at both), ``"polygon"`` (two linear losses), or ``"curve"`` (fixed letters
        and a label's entropy).
    vertices : numpy.ndarray
        Shape (v, 2), from the least of the first loss to the least of the second: pairs that are attained, each by the
        symbols in `letters`. A quadrant has one, its corner. A polygon is bounded by the segments between them, which
        decoders that choose at random attain. On a curve they are the deterministic decoders that no other beats, and
        points between them; see `lowest` for all others.
    outer : numpy.ndarray
        Shape (w, 2): no decoder attains a pair outside the boundary through these, nor one that chooses at random; the
        same as `vertices` if exact, otherwise vertices of a convex set.
    letters : numpy.ndarray
        Shape (v, k): the symbol per message with which a vertex is attained; empty for free letters.
    others : numpy.ndarray
        Shape (v, k): on a curve, what is shown instead with chance `chances`; different from `letters` for one message
        at most. Otherwise `letters`.
    chances : numpy.ndarray
        Shape (v,): zero where a decoder is deterministic.
    rate : float
        I(X; Z), in `unit`.
    q : numpy.ndarray
        Masses of the messages, shape (k,), those without mass left out.
    intervals : tuple of pairs of float
        For each loss a bootstrap interval of the least value that can be decoded; empty unless asked for.
    slack : tuple of float
        What `contains` allows for rounding: 1e-12 of what each loss can range over.
    unit : {"nat", "bit"}
        Of the rate, and of the losses in `information_losses`: that of the problem.
    information_losses : tuple of str
        Which of the two losses are amounts of information; another has its own unit.
    status : Status
        ``OPTIMAL`` if the region is exact, ``STATIONARY`` if its inner boundary is that of a search; otherwise what
        ended the work before.
    message : str
        More about the status, where there is more to say.
    """

    losses: tuple[str, str]
    kind: str
    vertices: np.ndarray
    outer: np.ndarray
    letters: np.ndarray
    rate: float
    q: np.ndarray
    intervals: tuple[tuple[float, float], ...] = ()
    slack: tuple[float, float] = (0.0, 0.0)
    unit: str = "nat"
    information_losses: tuple[str, ...] = ()
    others: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.intp))
    chances: np.ndarray = field(default_factory=lambda: np.empty(0))
    status: Status = Status.OPTIMAL
    message: str = ""
    _edges: Edges | None = field(default=None, repr=False)
    _scale: tuple[float, float] = (1.0, 1.0)

    @property
    def is_exact(self) -> bool:
        """Whether the inner boundary is the boundary."""
        return np.array_equal(self.vertices, self.outer)

    def contains(self, point: Sequence[float], *, bound: str = "inner") -> bool:
        """Return whether a pair of losses is in the region, to rounding.

        Parameters
        ----------
        point : sequence of float
            In the order of `losses`.
        bound : {"inner", "outer"}, optional
            Where the region is not exact: whether the pair is known to be in it, or not excluded.
        """
        x, y = _pair(point, "point")
        return self.lowest(x, bound=bound) <= y + self._rounding(bound)[1]

    def lowest(self, first: float, *, bound: str = "inner") -> float:
        """Return the least second loss of decoders whose first loss is at most this, to rounding; inf if there is none.

        Parameters
        ----------
        first : float
            In the unit of the first of `losses`.
        bound : {"inner", "outer"}, optional
            Where the region is not exact: the least loss found, or a lower bound on what any decoder attains.

        Examples
        --------
        Two messages that are labels, which the symbols 0 and 2.5 can show: one message drawn at random is better than
        none.

        >>> import rdcsolve as rdc
        >>> bit = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[[[1, 0], [0, 1]]])
        >>> problem = rdc.Problem(bit, [[0.0], [2.5]], limits=[rdc.LabelEntropyLimit(math.inf)], letters="fixed")
        >>> round(rdc.achievable_region([[1, 0], [0, 1]], problem).lowest(1.3125), 4)
        0.4774
        """
        vertices = self._boundary(bound)
        x = _pair((first, 0.0), "first")[0] + self._rounding(bound)[0]
        if x < vertices[0, 0]:
            return math.inf
        if self._edges is not None and (bound == "inner" or self.is_exact):
            return self._edges.lowest(x / self._scale[0])[0] * self._scale[1]
        if self.kind == "quadrant":
            return float(vertices[0, 1])
        return float(np.interp(x, vertices[:, 0], vertices[:, 1]))

    def _boundary(self, bound: str) -> np.ndarray:
        return self.vertices if one_of(bound, ("inner", "outer"), "bound") == "inner" else self.outer

    def _rounding(self, bound: str) -> tuple[float, float]:
        size = self.slack + 4 * np.spacing(np.abs(self._boundary(bound)).max(axis=0))
        return float(size[0]), float(size[1])

    def least(self, weights: Sequence[float], *, bound: str = "inner") -> float:
        """Return the least weighted sum of the two losses over the region.

        Parameters
        ----------
        weights : sequence of float
            Two numbers >= 0.
        bound : {"inner", "outer"}, optional
            Where the region is not exact: the least sum found, or a lower bound on all of them.
        """
        first, second = _pair(weights, "weights")
        if min(first, second) < 0:
            raise InvalidInput(f"weights holds {min(first, second):.6g}; give two numbers >= 0")
        vertices = self._boundary(bound)
        return float((first * vertices[:, 0] + second * vertices[:, 1]).min())

    def to_dict(self) -> dict[str, Any]:
        """Return the region without its decoders as plain lists and numbers, which JSON can hold.

        Returns
        -------
        dict
            ``losses``, ``kind``, ``vertices``, ``outer``, ``rate``, ``n_messages``, ``intervals``, ``is_exact``,
            ``unit``, ``information_losses``, ``status`` (the name of the `Status`) and ``message``.
        """
        return {
            "losses": list(self.losses),
            "kind": self.kind,
            "vertices": self.vertices.tolist(),
            "outer": self.outer.tolist(),
            "rate": float(self.rate),
            "n_messages": int(self.q.size),
            "intervals": [list(ends) for ends in self.intervals],
            "is_exact": self.is_exact,
            "unit": self.unit,
            "information_losses": list(self.information_losses),
            "status": self.status.name,
            "message": self.message,
        }

    def _repr_html_(self) -> str:
        return html_table(repr(self).strip("<>"), self.losses, self.vertices.tolist())

    def __repr__(self) -> str:
        x, y = self.vertices[0, 0], self.vertices[-1, 1]
        ends = f"{self.losses[0]} >= {x:.6g}, {self.losses[1]} >= {y:.6g}"
        return f"<Region {self.kind}: {ends} at {self.rate:.6g} {self.unit}>"


@public_call
def achievable_region(  # noqa: PLR0913 - options, by keyword
    encoder: Any,
    problem: Problem,
    losses: Sequence[str] | None = None,
    *,
    n_bootstrap: int = 0,
    level: float = 0.95,
    rng: Any = 0,
    normalise: bool = False,
    time_limit: float = math.inf,
    max_steps: int | None = None,
    callback: Callable[[StepRecord], object] | None = None,
) -> Region:
    """Return Omega(p_{Z|X}), the pairs of losses that decoders of a fixed encoder attain.

    Parameters
    ----------
    encoder : array_like, Result, Universal or Encoder
        p(z | x), shape (n_x, k), or what holds it; see `encoder_from_samples` for an encoder that is only seen at work.
    problem : Problem
        Which losses count, and what may be decoded; its limits are not looked at.
    losses : sequence of str, optional
        Two of its losses; by default the first one and the only other.
    n_bootstrap : int, optional
        Resamples for intervals of the two least losses; for an `Encoder`.
    level : float, optional
        Of the intervals.
    rng : int or numpy.random.Generator, optional
        Of the resampling.
    normalise : bool, optional
        Rescale the rows of p(z | x) to sum to one, as for counts of messages.
    time_limit : float, optional
        Wall seconds. What is known then is returned with the status ``TIME_LIMIT``; an interrupt from the keyboard
        does the same, with the status ``INTERRUPTED``. The inner boundary is what was found by then, and the outer one
        bounds all decoders; intervals are those of the resamples drawn by then, as the message says.
    max_steps : int, optional
        How many steps: the boundary of two linear losses, a search at one weighting of the losses, a message whose
        symbol is changed in all maps found, a point of the boundary, or a resample. Beyond, the status is
        ``STEP_LIMIT``.
    callback : callable, optional
        Called with a `StepRecord` after every step, whose bounds are NaN. A true return value ends the search, with the
        status ``STOPPED_BY_CALLBACK``.

    Returns
    -------
    Region
        Exact to rounding, decoders that choose at random included, except for fixed letters and a label's entropy
        where maps from messages to symbols are too many to try them all. There the inner boundary is what decoders
        attain that a search found, and the outer one, H(S | Z) and the least of the other loss, bounds them all.

    Raises
    ------
    InvalidInput
        If the encoder is of another source, the losses are not named, the problem has perceptions, or no decoder has
        finite losses.

    Notes
    -----
    Source: Nguyen et al. (2025), Definition 3 and Theorem 4; proofs are in the docs, Universal representations.

    Examples
    --------
    >>> miss = [[0, 0], [1, 0]]
    >>> problem = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], losses={"miss": miss})
    >>> achievable_region([[0.9, 0.1], [0.2, 0.8]], problem).vertices.round(6).tolist()
    [[0.15, 0.1], [0.5, 0.0]]
    """
    options.instance(problem, Problem, "problem", "pass a Problem")
    check_no_perception(problem)
    n_bootstrap = options.whole(n_bootstrap, "n_bootstrap", 0)
    if options.positive(level, "level", _LEVEL) >= 1:
        raise InvalidInput(f"level is {level!r}; {_LEVEL}")
    time_limit = options.seconds(time_limit)
    most = math.inf if max_steps is None else options.whole(max_steps, "max_steps")
    steps = Steps(most, options.function_or_none(callback, "callback", "one StepRecord"), len(problem.loss_names))
    stated, problem = problem, problem.in_unit("nat")
    names = _two_losses(problem, losses)
    channel = channel_of(encoder, problem.n_x, normalise=normalise, masses=problem.p_x)
    if n_bootstrap:
        _check_resampling(encoder, n_bootstrap)
        rng = options.generator(rng)
    joint = channel * problem.p_x[:, None]
    joint = joint[:, joint.sum(axis=0) > 0]
    with deadline.within(time_limit):
        found = _found(problem, joint, names, steps)
        draws = _least_of_resamples(encoder, problem, joint, names, n_bootstrap, rng, steps) if n_bootstrap else []
    slack = limit_slack(problem)
    intervals = _intervals(draws, level) if len(draws) > 1 else ()
    message = f"intervals rest on {len(draws)} of {n_bootstrap} resamples" if len(draws) < n_bootstrap else ""
    one = np.array([in_unit_of(stated, name, 1.0) for name in names])  # what a nat is in the unit asked for
    return Region(
        losses=names,
        kind=found.kind,
        vertices=freeze(found.vertices * one),
        outer=freeze(found.outer * one),
        letters=found.letters,
        rate=in_unit_of(stated, "rate", mutual_information(problem.p_x, channel)),
        q=freeze(joint.sum(axis=0)),
        intervals=tuple((low * by, high * by) for (low, high), by in zip(intervals, one.tolist(), strict=False)),
        slack=(slack[names[0]] * float(one[0]), slack[names[1]] * float(one[1])),
        unit=stated.unit,
        information_losses=tuple(name for name in names if name in problem.information_losses),
        others=found.letters if found.others is None else found.others,
        chances=np.zeros(len(found.letters)) if found.chances is None else found.chances,
        _edges=found.edges,
        status=steps.ended or _status_of(found),
        message=message,
        _scale=(float(one[0]), float(one[1])),
    )


def _found(problem: Problem, joint: np.ndarray, names: tuple[str, str], steps: Steps) -> Boundary:
    """Return the boundary; an interrupt between two searches ends the next ones."""
    try:
        return boundary_of(problem, joint, names, steps)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        steps.end(stop)
    return boundary_of(problem, joint, names, steps)


def _status_of(found: Boundary) -> Status:
    """Return what to call a boundary of which all was done that can be."""
    if np.array_equal(found.vertices, found.outer):
        return Status.OPTIMAL
    return Status.STATIONARY if found.kind == "curve" else Status.STALLED


def _check_resampling(encoder: Any, count: int) -> None:
    """Raise unless pairs of symbol and message can be resampled."""
    if not isinstance(encoder, Encoder):
        raise InvalidInput(
            f"n_bootstrap is {count} but the encoder is a {type(encoder).__name__}, known exactly; intervals are for "
            "encoder_from_samples"
        )
    options.whole(count, "n_bootstrap", 2)


def _least_of_resamples(
    encoder: Encoder,
    problem: Problem,
    joint: np.ndarray,
    names: tuple[str, str],
    count: int,
    random: np.random.Generator,
    steps: Steps,
) -> list[tuple[float, float]]:
    """Return the two least losses under resampled pairs of symbol and message, as many as there is time for."""
    cells = np.flatnonzero(joint)
    masses = joint.ravel()[cells]

    def least() -> tuple[float, float]:
        deadline.look()
        drawn = np.zeros(joint.size)
        drawn[cells] = random.multinomial(encoder.n_samples, masses / masses.sum()) / encoder.n_samples
        again = drawn.reshape(joint.shape)
        outer = boundary_of(problem, again[:, again.sum(axis=0) > 0], names, Steps(), least_only=True).outer
        return float(outer[0, 0]), float(outer[-1, 1])

    return [] if steps.are_over() else steps.collected(least() for _ in range(count))


def _intervals(draws: list[tuple[float, float]], level: float) -> tuple[tuple[float, float], ...]:
    """Return percentile intervals of the two least losses."""
    ends = np.quantile(np.array(draws), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return tuple((float(ends[0, m]), float(ends[1, m])) for m in (0, 1))


def _two_losses(problem: Problem, losses: Sequence[str] | None) -> tuple[str, str]:
    have = problem.loss_names
    labels = [label.name for label in problem.label_entropies]
    if losses is None:
        if len(have) != 2:
            cure = "declare the label with LabelEntropyLimit(inf)" if len(have) == 1 else "pass losses="
            raise InvalidInput(f"a region is about two losses, this problem has {', '.join(have)}; {cure}")
        return have[0], have[1]
    is_pair = isinstance(losses, Sequence) and not isinstance(losses, str) and len(losses) == 2
    if not is_pair or not all(isinstance(name, str) for name in losses) or losses[0] == losses[1]:
        raise InvalidInput(f"losses is {options.shown(losses)}; name two losses, such as ({have[0]!r}, {have[-1]!r})")
    full = [spelled_out(name, labels) for name in losses]
    return one_of(full[0], have, "loss"), one_of(full[1], have, "loss")


def _pair(value: Any, name: str) -> tuple[float, float]:
    try:
        first, second = (float(one) for one in value)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name} is {value!r}; give two numbers") from None
    if math.isnan(first) or math.isnan(second):
        raise InvalidInput(f"{name} is {value!r}; give two numbers that are not NaN")
    return first, second
