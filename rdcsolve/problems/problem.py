"""`Problem`: what is minimised, over which letters, under which limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import UNITS, bits_to_nats, bound_in_nats
from rdcsolve.problems.description import description, key_of, table_of
from rdcsolve.problems.limits import Limit
from rdcsolve.problems.losses import FreeDistortion, LabelEntropy, Loss, LossTable, PlaceLoss
from rdcsolve.problems.objective import Lagrangian, LossAtRate, Objective, PerceptionAtRate, Rate
from rdcsolve.problems.perception import Perception, PerceptionLimit, check_exact
from rdcsolve.problems.source import Source
from rdcsolve.problems.statement import by_name, check_listed, check_objective, from_arrays, resolve, spelled_out
from rdcsolve.problems.validation import freeze, loss_bound, one_of, rate_bound, real_number, upper_bound


@public_call
@dataclass(frozen=True, eq=False, repr=False, init=False)
class Problem:
    """Minimise I(X; A), or a loss, over channels from symbols to letters, under limits on losses.

    Everything is checked here, before any work; `with_limits`, `at_multipliers` and `minimising` return
    variants that share the loss matrices.

    Parameters
    ----------
    source : Source
    reproduction : array_like, "free" or LetterSpace, optional
        Where the letters sit, shape (n_y, dim) or (n_y,); by default the source's points. Only named
        distortions and functions look at them. ``"free"`` for anywhere in R^dim under squared error, or on the line
        under absolute error, for which the source's points are letters enough. A space of your own brings its losses
        with it, see `SearchedSpace`.
    distortion : str, array_like or callable, optional
        See `distortion_matrix`.
    limits : sequence of limits, optional
        `DistortionLimit`, `LabelEntropyLimit`, `ClassifierLossLimit`, `LossLimit`, `PerceptionLimit`, `RateLimit`. A
        limit with bound inf declares a loss, so that it is reported and can be limited later.
    minimise : str, optional
        ``"rate"``, or the name of a loss or perception, which then needs a `RateLimit`. A rate limit beside
        ``"rate"`` is a budget: the problem is infeasible if the least rate exceeds it.
    letters : {"split", "fixed"}, optional
        What a letter is where a label's entropy counts: a reproduction symbol with any number of soft decisions
        beside it, so that H(S | A) is a convex matter and the answer certified, or the symbol alone.
    unit : {"nat", "bit"}, optional
        Of all information that enters with this problem and leaves with its answers: limits on the rate, on label
        entropies and on cross-entropies, multipliers (per unit of a loss), axes of sweeps, targets, and every number
        of a result, a sweep or a region that is a rate or such a loss. Other losses keep their own unit.

    Attributes
    ----------
    reproduction : numpy.ndarray or None
        Shape (n_letters, dim); None where letters are free, or losses are given as matrices.
    distortion : str
        Name of the problem's distortion, ``"custom"`` for a matrix or a function.
    bounds : numpy.ndarray
        Shape (M,), aligned with `losses`; inf where a loss is not limited. Label entropies come last. Information in
        nats whatever the unit, as in `rate_bound` and `multipliers`: `with_limits` and `at_multipliers` convert.
    equal : numpy.ndarray
        Shape (M,), bool: losses whose limits, if they have any, are equalities.
    rate_bound : float or None
        In nats.
    minimise : str
        ``"rate"`` or the name of a loss.
    multipliers : numpy.ndarray or None
        Shape (M,): the problem is to minimise I(X; A) + sum_m multipliers[m] E L_m, without limits.
    perception_bounds : numpy.ndarray
        Shape (J,), aligned with `perceptions`; inf where the law of the reproduction is only reported.
    perception_multipliers : numpy.ndarray or None
        Shape (J,), with `multipliers`: what they add to the objective.

    Raises
    ------
    InvalidInput
        If shapes disagree, names are unknown or not distinct, bounds are NaN, or below zero on what never is, a loss
        is to be minimised without a rate limit, or a symbol of positive mass has no letter that it may use.

    Examples
    --------
    >>> from rdcsolve.problems import DistortionLimit
    >>> coin = Source([0.0, 1.0], [0.7, 0.3])
    >>> problem = Problem(coin, distortion="hamming", limits=[DistortionLimit(0.1)])
    >>> problem
    Problem(n_x=2, n_letters=2, minimise='rate', distortion <= 0.1)
    >>> problem.with_limits(D=0.2)
    Problem(n_x=2, n_letters=2, minimise='rate', distortion <= 0.2)
    >>> problem.at_multipliers(distortion=2.5)
    Problem(n_x=2, n_letters=2, minimise='lagrangian', 2.5 * distortion)
    """

    source: Source
    reproduction: np.ndarray | None
    distortion: str
    bounds: np.ndarray
    equal: np.ndarray
    rate_bound: float | None
    minimise: str
    multipliers: np.ndarray | None
    letters: str
    unit: str
    perception_bounds: np.ndarray
    perception_multipliers: np.ndarray | None
    _table: LossTable

    def __init__(  # noqa: PLR0913 - what may be stated
        self,
        source: Source,
        reproduction: Any = None,
        distortion: Any = "squared_error",
        limits: Sequence[Limit] = (),
        minimise: str = "rate",
        letters: str = "split",
        unit: str = "nat",
    ) -> None:
        if not isinstance(source, Source):
            raise InvalidInput(f"source is {source!r}; pass a Source, or use Problem.from_arrays")
        one_of(unit, UNITS, "unit")
        if one_of(letters, ("split", "fixed"), "kind of letters") == "fixed":
            check_listed(reproduction)
        reproduction, table, bounds, rate, equal, of_laws = resolve(source, reproduction, distortion, limits, unit)
        pairs = zip((*table.of_places, *table.losses, *table.labels), bounds, strict=True)
        bounds = freeze(np.array([bound_in_nats(b, unit) if loss.is_information else b for loss, b in pairs]))
        table.check_bounds(bounds)
        self._set(
            source=source,
            reproduction=reproduction,
            distortion=distortion if isinstance(distortion, str) else "custom",
            bounds=bounds,
            equal=equal,
            rate_bound=None if rate is None else bound_in_nats(rate, unit),
            minimise=spelled_out(minimise, tuple(label.name for label in table.labels)),
            multipliers=None,
            unit=unit,
            perception_bounds=of_laws,
            perception_multipliers=None,
            letters=letters,
            _table=table,
        )
        check_objective(self.minimise, self._bounds_by_name(), self.rate_bound)

    from_arrays: ClassVar[Callable[..., Problem]] = classmethod(from_arrays)  # type: ignore[assignment]

    @property
    def p_x(self) -> np.ndarray:
        """Masses of the symbols, shape (n_x,)."""
        masses: np.ndarray = self.source.p_x
        return masses

    @property
    def n_x(self) -> int:
        """Number of symbols."""
        return self.source.n_x

    @property
    def n_letters(self) -> int:
        """Number of letters; of reproduction symbols where letters are split, zero where they are not listed."""
        return self._table.n_letters

    @property
    def losses(self) -> tuple[Loss | FreeDistortion | PlaceLoss | LabelEntropy, ...]:
        """The M losses: the problem's distortion, those of the limits in order, then the label entropies."""
        return (*self._table.of_places, *self._table.losses, *self._table.labels)

    @property
    def free(self) -> FreeDistortion | None:
        """The distortion to letters that are any points, or None where letters are listed."""
        return self._table.free

    @property
    def own_letters(self) -> Any:
        """The letter space of the user's own that letters come from, or None."""
        return self._table.own_letters

    @property
    def is_finite(self) -> bool:
        """Whether there are finitely many letters: no label entropy counts, and letters are listed."""
        return not self._table.of_places and not self.label_entropies

    @property
    def linear_losses(self) -> tuple[Loss, ...]:
        """The losses that are linear in the channel, which come first in `losses`; none where no letters are listed."""
        return self._table.losses

    @property
    def label_entropies(self) -> tuple[LabelEntropy, ...]:
        """The label entropies, which come last in `losses`."""
        return self._table.labels

    @property
    def _label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self._table.labels)

    @property
    def information_losses(self) -> tuple[str, ...]:
        """Names of the losses that are amounts of information: label entropies, cross-entropies of classifiers."""
        return tuple(loss.name for loss in self.losses if loss.is_information)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Names of the losses, in order."""
        return self._table.names

    @property
    def perceptions(self) -> tuple[Perception, ...]:
        """The J measures of how far the law of the reproduction is from a target; they are no losses."""
        return self._table.perceptions

    @property
    def perception_names(self) -> tuple[str, ...]:
        """Names of the perceptions, in order."""
        return tuple(perception.name for perception in self._table.perceptions)

    @property
    def families(self) -> dict[str, list[str]]:
        """Names of the perceptions that are about classes, by the name of the limit that stated them together."""
        return self._table.families

    @property
    def limit_names(self) -> tuple[str, ...]:
        """Names of the losses, then of the perceptions: all that has a bound and a multiplier."""
        return (*self.loss_names, *self.perception_names)

    @property
    def forbidden(self) -> np.ndarray | None:
        """Mask (n_x, n_letters) of the pairs that some loss forbids, or None if no loss does."""
        return self._table.forbidden

    def row_minima(self, m: int) -> np.ndarray:
        """Return min_a L_m(i, a) of a linear loss over the letters allowed, shape (n_x,); zero at symbols without mass.

        Parameters
        ----------
        m : int
            Index into `linear_losses`.
        """
        return self._table.row_minima(m)

    def spread(self, m: int) -> float:
        """Return the largest difference in linear loss m between two letters allowed to one symbol of positive mass.

        The scale on which its limit is met: a constant added to all losses of a symbol does not change it.
        """
        return self._table.spread(m)

    def origin(self, m: int) -> float:
        """Return what the size of mean loss m is counted from: its least mean if it has entries below zero, else 0."""
        return self._table.origin(m)

    def least_mean(self, m: int) -> float:
        """Return the least mean of linear loss m over all channels: sum_i p_i min_a L_m(i, a), rounded once."""
        return self._table.least_mean(m)

    @property
    def objective(self) -> str:
        """``"lagrangian"`` at fixed multipliers, else `minimise`."""
        return self.goal.name

    @property
    def goal(self) -> Objective:
        """The objective as a record, which answers what depends on it."""
        if self.multipliers is not None:
            return Lagrangian(self.multipliers)
        if self.minimise == Rate.name:
            return Rate(self.rate_bound)
        assert self.rate_bound is not None  # checked where the problem was stated
        perception = self._table.perception_index(self.minimise)
        if perception is not None:
            return PerceptionAtRate(self.minimise, perception, self.rate_bound)
        index = self._table.index(self.minimise)
        return LossAtRate(self.minimise, index, self.rate_bound, self.origin(index))

    @property
    def held(self) -> np.ndarray:
        """Mask (M,) of the losses whose limit is an equality, so that multipliers may have either sign."""
        return np.asarray(self.equal & np.isfinite(self.bounds))

    def fingerprint(self) -> str:
        """Return sixteen hexadecimal digits that identify the masses and the losses, whatever the limits."""
        return self._table.fingerprint

    @public_call
    def with_limits(self, **bounds: Any) -> Problem:
        """Return the problem with other limits; those not mentioned stay.

        Parameters
        ----------
        **bounds : float or None
            By name of the loss or perception (``D`` is ``distortion``, ``P`` is ``perception``, ``C`` the label's
            entropy, or a list where there are several), and ``rate``; rates and entropies in the problem's unit. The
            name of a limit given a label stands for all of its classes. None lifts a limit.

        Returns
        -------
        Problem
            Sharing this problem's losses. Fixed multipliers are dropped. A limit stated with ``equal=True`` stays an
            equality.
        """
        new_bounds, new_rate = self.bounds.copy(), self.rate_bound
        of_laws = self.perception_bounds.copy()
        for name, bound in by_name(bounds.items(), self._label_names, self.families).items():
            if name == "rate":
                new_rate = None if bound is None else bound_in_nats(rate_bound(bound), self.unit)
            else:
                perception = self._table.perception_index(name)
                check = loss_bound if perception is None else upper_bound
                value = math.inf if bound is None else check(bound, f"the bound on {name}")
                if perception is None:
                    index = self._table.index(name)
                    new_bounds[index] = bound_in_nats(value, self.unit) if self.losses[index].is_information else value
                else:
                    measured = self.perceptions[perception]
                    check_exact(measured.measure, value, name)
                    of_laws[perception] = value
        self._table.check_bounds(new_bounds)
        return self._variant(
            bounds=freeze(new_bounds),
            perception_bounds=freeze(of_laws),
            rate_bound=new_rate,
            multipliers=None,
            perception_multipliers=None,
        )

    @public_call
    def at_multipliers(self, **multipliers: Any) -> Problem:
        """Return the problem of minimising I(X; A) + sum_m multiplier_m E L_m, without limits.

        Parameters
        ----------
        **multipliers : float or sequence of float
            Finite and >= 0, by name of the loss or perception as in `with_limits`, in the problem's unit (nats) per
            unit of loss: a plain number where the loss is an entropy. Those not mentioned have multiplier zero.

        Returns
        -------
        Problem
            Sharing this problem's losses; every limit is dropped.
        """
        if not multipliers:
            raise InvalidInput(f"no multiplier is given; name one, such as at_multipliers({self.loss_names[0]}=1.0)")
        values, of_laws = np.zeros(len(self.losses)), np.zeros(len(self.perceptions))
        for name, multiplier in by_name(multipliers.items(), self._label_names, self.families, "multiplier").items():
            value = real_number(multiplier, f"the multiplier of {name}")
            if not 0 <= value < math.inf:
                raise InvalidInput(f"the multiplier of {name} is {value:.6g}; it must be finite and >= 0")
            perception = self._table.perception_index(name)
            if perception is None:
                index = self._table.index(name)
                in_bits = self.unit == "bit" and not self.losses[index].is_information
                values[index] = bits_to_nats(value) if in_bits else value
            elif self.perceptions[perception].is_exact:
                raise InvalidInput(f"'{name}' is exact and has no multiplier; use with_limits, or a distance as 'tv'")
            else:
                of_laws[perception] = bits_to_nats(value) if self.unit == "bit" else value
        return self._variant(
            bounds=freeze(np.full(values.size, math.inf)),
            perception_bounds=freeze(np.full(of_laws.size, math.inf)),
            rate_bound=None,
            minimise="rate",
            multipliers=freeze(values),
            perception_multipliers=freeze(of_laws),
        )

    @public_call
    def minimising(self, name: str, rate: float | None = None) -> Problem:
        """Return the problem of minimising the rate, or a loss under the rate limit.

        Parameters
        ----------
        name : str
            ``"rate"`` or the name of a loss, whose own limit is then dropped.
        rate : float, optional
            A new rate limit, in the problem's unit; by default the problem's own.

        Returns
        -------
        Problem
            Sharing this problem's losses. Fixed multipliers are dropped.
        """
        name = one_of(spelled_out(name, self._label_names), ("rate", *self.limit_names), "objective")
        bounds, of_laws = self.bounds.copy(), self.perception_bounds.copy()
        perception = self._table.perception_index(name)
        if perception is not None:
            of_laws[perception] = math.inf
        elif name != "rate":
            bounds[self._table.index(name)] = math.inf
        return self._variant(
            bounds=freeze(bounds),
            perception_bounds=freeze(of_laws),
            rate_bound=self.rate_bound if rate is None else bound_in_nats(rate_bound(rate), self.unit),
            minimise=name,
            multipliers=None,
            perception_multipliers=None,
        )

    @public_call
    def with_perception(self, limit: PerceptionLimit) -> Problem:
        """Return the problem with one more limit on the law of the reproduction.

        Parameters
        ----------
        limit : PerceptionLimit
        """
        if self._table.of_places:
            raise InvalidInput(f"{limit!r} needs listed letters; give points, or list letters")
        more = limit.resolved(self.source, self.reproduction, self.n_letters)
        known = [*self._table.perceptions, *(measured for measured, _ in more)]
        table = LossTable(self.p_x, self._table.losses, self._table.labels, perceptions=known)
        given = self.perception_multipliers
        bounds = [bound if given is None else math.inf for _, bound in more]
        return self._variant(
            _table=table,
            perception_bounds=freeze(np.append(self.perception_bounds, bounds)),
            perception_multipliers=None if given is None else freeze(np.append(given, np.zeros(len(more)))),
        )

    def with_table(self, table: LossTable, bounds: np.ndarray) -> Problem:
        """Return the same question about other losses of the same names, with these bounds, shape (M,)."""
        return self._variant(_table=table, bounds=bounds)

    def without_perceptions(self) -> Problem:
        """Return the problem without any measure of the reproduction's law."""
        return self._variant(
            _table=self._table.with_losses(self._table.losses),
            minimise=self.minimise if self.minimise in self.loss_names else Rate.name,
            perception_bounds=freeze(np.zeros(0)),
            perception_multipliers=None,
        )

    def in_unit(self, unit: str) -> Problem:
        """Return the same problem, limits and all, with another unit of information.

        Parameters
        ----------
        unit : {"nat", "bit"}
            What is stated from now on, and what answers say.
        """
        return self if unit == self.unit else self._variant(unit=one_of(unit, UNITS, "unit"))

    def listed(self, letters: Any, decisions: Sequence[np.ndarray]) -> Problem:
        """Return the problem whose letters are these pairs of symbol and soft decisions, and no others.

        Its losses are linear: a label's entropy turns into the log-loss of the decisions listed, which is no smaller.

        Parameters
        ----------
        letters : array_like
            Reproduction symbols, shape (k,), repeated at will; points, shape (k, dim), where letters are not listed.
        decisions : sequence of numpy.ndarray
            One of shape (k, n_s) per label entropy, with rows that sum to one.
        """
        points: Any
        if self.free is not None:
            points = freeze(np.array(letters, dtype=float))
            losses = [Loss(self.free.name, self.free.matrix(points))]
        elif self.own_letters is not None:
            points = freeze(np.array(letters, dtype=float))
            pairs = zip(self.own_letters.loss_names, self.own_letters.place_losses(points), strict=True)
            losses = [Loss(name, matrix) for name, matrix in pairs]
        else:
            letters = np.asarray(letters, dtype=np.intp)
            points = None if self.reproduction is None else self.reproduction[letters]
            losses = [Loss(loss.name, loss.block(None, letters), loss.is_information) for loss in self._table.losses]
        pairs = zip(self._table.labels, decisions, strict=True)
        losses += [Loss(label.name, label.log_loss(soft), is_information=True) for label, soft in pairs]
        perceptions = [perception.of_letters(np.asarray(letters)) for perception in self._table.perceptions]
        return self._variant(_table=LossTable(self.p_x, losses, perceptions=perceptions), reproduction=points)

    def _variant(self, **changes: Any) -> Problem:
        variant = object.__new__(Problem)
        variant._set(**{**self.__dict__, **changes})
        check_objective(variant.minimise, variant._bounds_by_name(), variant.rate_bound)
        return variant

    def _bounds_by_name(self) -> dict[str, float]:
        """Return the bound on every loss and perception."""
        names = (*self.loss_names, *self.perception_names)
        return dict(zip(names, [*self.bounds.tolist(), *self.perception_bounds.tolist()], strict=True))

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return key_of(self) == key_of(other) if isinstance(other, Problem) else NotImplemented

    def __hash__(self) -> int:
        return hash(key_of(self))

    def __repr__(self) -> str:
        return description(self)

    def _repr_html_(self) -> str:
        return table_of(self)
