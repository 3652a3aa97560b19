"""Limits on the law of the reproduction: how far it may be from the source's own (perception), and its geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.problems.discrepancy import centred_features, checked_kernel, features_by_points
from rdcsolve.problems.losses import loss_name
from rdcsolve.problems.source import Source, label_index
from rdcsolve.problems.structures import TABLE_BYTES
from rdcsolve.problems.validation import float_array, freeze, mass_vector, one_of, upper_bound

TRANSPORT = ("w2", "w1", "transport")
"""Measures that need a cost between symbols and reproductions, and nothing else."""

DIVERGENCES = ("kl", "reverse_kl", "chi2", "reverse_chi2", "hellinger", "js")
"""The f-divergences, sum_j p_j f(q_j / p_j)."""

MEASURES = (*TRANSPORT, "tv", *DIVERGENCES, "mmd", "exact")
"""All measures by name."""

_NEEDS_MASS = ("reverse_kl", "reverse_chi2")  # infinite where the target has mass and the law has none


@dataclass(frozen=True, eq=False)
class Perception:
    """A measure of how far the law of the reproduction is from a target, with all that it needs to know.

    A letter shows a *place*; the law of the reproduction is a law on places.

    Attributes
    ----------
    name : str
        A Python identifier, as of a `Loss`.
    measure : str
        One of `MEASURES`.
    target : numpy.ndarray
        Masses, shape (T,): on atoms of their own where there is a `cost` or there are `features`, else on the places,
        T = m.
    place : numpy.ndarray
        Shape (n_letters,), integers in 0..m-1: what each letter shows.
    cost : numpy.ndarray or None
        Shape (T, m), >= 0, finite: what it takes to move mass from atoms to places. None for measures that compare
        masses place by place.
    outside : float
        Mass of the target where there is no place.
    features : numpy.ndarray or None
        Shape (m, r), finite: of places, less the target's mean. The discrepancy is the squared length of their mean.
    members : numpy.ndarray or None
        Shape (n_x,), in [0, 1], some of it where the source has mass: p(class | symbol), where the law is that of a
        class alone, q_j = sum_i p_i members_i W_ij / sum_i p_i members_i. None for the law of all symbols.
    """

    name: str
    measure: str
    target: np.ndarray
    place: np.ndarray
    cost: np.ndarray | None = None
    outside: float = 0.0
    features: np.ndarray | None = None
    members: np.ndarray | None = None

    @property
    def n_places(self) -> int:
        """Number m of places."""
        if self.features is not None:
            return int(self.features.shape[0])
        return int(self.target.size if self.cost is None else self.cost.shape[1])

    @property
    def compares_masses(self) -> bool:
        """Whether masses are compared place by place, so that the target is a law on the places."""
        return self.cost is None and self.features is None

    @property
    def can_be_zero(self) -> bool:
        """Whether zero is a limit: a discrepancy may be zero for many laws, or for one alone, by its kernel."""
        return self.features is None

    @property
    def is_exact(self) -> bool:
        """Whether the limit can only be zero."""
        return self.measure == "exact"

    @property
    def scale(self) -> float:
        """The largest cost of a transport, the largest discrepancy, else one: distances are rounded on that scale."""
        if self.features is not None:
            return float((self.features**2).sum(axis=1).max())
        return 1.0 if self.cost is None else float(self.cost.max())

    def law(self, letters: np.ndarray, masses: np.ndarray) -> np.ndarray:
        """Return the law on places, shape (m,), of letters (k,) with output masses (k,), those of the class."""
        return np.bincount(self.place[letters], weights=masses, minlength=self.n_places)

    def masses_of(self, p_x: np.ndarray, channel: Any, q: np.ndarray) -> np.ndarray:
        """Return output masses, shape (k,), that sum to one: of the class if there is one, else those given, q (k,)."""
        if self.members is not None:
            q = (p_x * self.members) @ np.asarray(channel)
        return np.asarray(q / q.sum())

    @property
    def family(self) -> str:
        """The name of the limit that stated it together with those of other classes, else its own."""
        return self.name if self.members is None else self.name.rpartition("_")[0]

    def weights(self, p_x: np.ndarray) -> np.ndarray | None:
        """Return g, shape (n_x,), with which the law is q_j = sum_i p_i g_i W_ij / sum_i p_i; None for all ones."""
        if self.members is None:
            return None
        return np.asarray(self.members / (math.fsum(p_x * self.members) / math.fsum(p_x)))

    def of_letters(self, letters: np.ndarray) -> Perception:
        """Return the same measure for a list of letters, each shown as one of these."""
        return replace(self, place=freeze(np.ascontiguousarray(self.place[letters])))

    def seen_by(self, conditional: np.ndarray) -> Perception:
        """Return the same measure where symbols are others, by p(old symbol | new symbol), shape (n_new, n_x)."""
        if self.members is None:
            return self
        return replace(self, members=freeze(np.clip(conditional @ self.members, 0.0, 1.0)))

    def digest(self) -> bytes:
        """Return bytes that stand for all of it in a fingerprint."""
        cost = self.cost if self.cost is not None else np.zeros((0, 0))
        head = f"|perception {self.name} {self.measure}{self.target.shape}{self.place.shape}{cost.shape}"
        arrays: tuple[np.ndarray, ...] = (self.target.astype("<f8"), self.place.astype("<i8"), cost.astype("<f8"))
        if self.features is not None:
            head += f"{self.features.shape}"
            arrays = (*arrays, self.features.astype("<f8"))
        if self.members is not None:
            head += f"given{self.members.shape}"
            arrays = (*arrays, self.members.astype("<f8"))
        tail = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
        return head.encode() + tail + f"{self.outside!r}|".encode()

    def __repr__(self) -> str:
        return f"Perception({self.name!r}, {self.measure!r}, {self.n_places} places)"


@public_call
@dataclass(frozen=True, eq=False, repr=False)
class PerceptionLimit:
    """d(target, law of the reproduction) <= bound; ``"w2"`` and ``"mmd"`` bound *squared* distances, as papers do.

    Parameters
    ----------
    bound : float or sequence of float, optional
        In [0, inf]; inf declares the measure without limiting it. Zero asks for perfect realism, and is the only bound
        that ``"exact"`` takes. With `given`, one for every class, or a number for each of them.
    measure : str, optional
        With p the target and q the law of the reproduction:

        - ``"w2"``, ``"w1"``: least mean of the squared, or of the plain, Euclidean distance over all couplings of p and
          q; symbols and reproductions need points;
        - ``"transport"``: the same for a `cost` of your own;
        - ``"tv"``: half the sum of ``|p - q|``;
        - ``"kl"``: KL(q || p), ``"reverse_kl"``: KL(p || q), in nats whatever the `unit` of the problem;
        - ``"chi2"``: sum (q - p)^2 / p, ``"reverse_chi2"``: sum (q - p)^2 / q;
        - ``"hellinger"``: 1 - sum sqrt(p q), ``"js"``: the Jensen-Shannon divergence, in nats likewise;
        - ``"mmd"``: the squared maximum mean discrepancy sum_jk (q - p)_j k(x_j, x_k) (q - p)_k, for a `kernel`;
        - ``"exact"``: q = p.
    cost : array_like, optional
        Shape (n_x, n_y), finite and >= 0, for ``"transport"``: from the target's atoms to the reproductions.
    kernel : float, callable or array_like, optional
        Positive definite, for ``"mmd"``: the width s of the Gaussian kernel ``exp(-|x - y|^2 / 2 s^2)``, a function of
        points, (a, dim) and (b, dim), that returns (a, b), or a table (n_x, n_x) where reproductions are symbols.
    target : array_like or Source, optional
        The law to resemble: masses on the source's symbols, or a source with points of its own. By default the source's
        own law. With `given`, one row of masses for every class, by default p(x | s).
    name : str, optional
        By which the limit is known, as a loss is; several limits need different names. With `given`, the limit on
        class 0 is called ``NAME_0``, and so on; `Problem.with_limits` knows all of them together by ``NAME``.
    given : int or str, optional
        A label of the source, by number or name. The limit is then one for each of its classes s, d(p(x | s), law of
        the reproduction given s) <= bound: the reproductions of every class look like that class. Classes without mass
        have none.

    Notes
    -----
    Measures without a cost must know which reproduction is which symbol: by equal points where both have points, else
    by their order, which takes as many reproductions as symbols. Reproductions with equal points are one.

    Examples
    --------
    >>> PerceptionLimit(0.02, "tv")
    PerceptionLimit(0.02, 'tv')
    """

    bound: Any = 0.0
    measure: str = "w2"
    cost: Any = None
    target: Any = None
    name: str = "perception"
    kernel: Any = None
    given: int | str | None = None

    def __post_init__(self) -> None:
        loss_name(self.name)
        one_of(self.measure, MEASURES, "measure of perception")
        if self.given is None:
            object.__setattr__(self, "bound", upper_bound(self.bound, "the bound of PerceptionLimit"))
            check_exact(self.measure, self.bound, self.name)
        else:
            object.__setattr__(self, "bound", _bounds_of_classes(self.measure, self.bound, self.name))
        if (self.cost is not None) != (self.measure == "transport"):
            raise InvalidInput(
                f"a PerceptionLimit with measure {self.measure!r} "
                + ("needs cost=, shape (n_x, n_y)" if self.cost is None else "takes no cost=; use 'transport'")
            )
        if self.cost is not None:
            object.__setattr__(self, "cost", _checked_cost(self.cost))
        if (self.kernel is not None) != (self.measure == "mmd"):
            raise InvalidInput(
                f"a PerceptionLimit with measure {self.measure!r} "
                + (
                    "needs kernel=: the width of a Gaussian kernel, a function of points, or a table"
                    if self.kernel is None
                    else "takes no kernel=; use 'mmd'"
                )
            )
        if self.kernel is not None:
            object.__setattr__(self, "kernel", checked_kernel(self.kernel))

    def resolved(
        self, source: Source, reproduction: np.ndarray | None, n_letters: int
    ) -> list[tuple[Perception, float]]:
        """Return the measures that the limit is about with their bounds: one, or one for every class with mass."""
        if self.given is None:
            return [(self.resolve(source, reproduction, n_letters), self.bound)]
        label = source.labels[label_index(source, self.given, self.name)]
        n_classes = int(label.shape[1])
        bounds = list(self.bound) if isinstance(self.bound, tuple) else [self.bound] * n_classes
        if len(bounds) != n_classes:
            raise InvalidInput(
                f"'{self.name}' has {len(bounds)} bounds but label {self.given!r} has {n_classes} classes; give one "
                "each, or a single number"
            )
        targets = _targets_of_classes(self.target, source, label, self.name)
        found = []
        for s, bound in enumerate(bounds):
            members = label[:, s]
            if not float((source.p_x * members).sum()) > 0:
                continue
            own = replace(self, bound=bound, target=targets[s], name=f"{self.name}_{s}", given=None)
            measured = own.resolve(source, reproduction, n_letters)
            found.append((replace(measured, members=freeze(np.array(members))), bound))
        return found

    def resolve(self, source: Source, reproduction: np.ndarray | None, n_letters: int) -> Perception:
        """Return the measure with its target and its places, for letters at `reproduction` or at no points (None)."""
        masses, points = _target(self.target, source, self.name)
        if self.measure in TRANSPORT:
            cost = self._cost(points, reproduction, masses.size, n_letters)
            return Perception(self.name, self.measure, masses, freeze(np.arange(n_letters)), freeze(cost))
        if self.measure == "mmd":
            features = self._features(masses, points, reproduction, n_letters)
            return Perception(self.name, "mmd", masses, freeze(np.arange(n_letters)), features=features)
        place, on_places, outside = _matched(self.name, self.measure, masses, points, reproduction, n_letters)
        if outside > 0 and self.measure in _NEEDS_MASS:
            raise InvalidInput(
                f"'{self.name}' is infinite: mass {outside:.6g} of the target has no reproduction at its point; "
                f"give reproductions there, or another measure than {self.measure!r}"
            )
        if self.is_exact and outside > 0:
            raise InvalidInput(
                f"'{self.name}' cannot be exact: mass {outside:.6g} of the target has no reproduction at its point; "
                "give reproductions there, or limit a transport distance"
            )
        return Perception(self.name, self.measure, freeze(on_places), freeze(place), None, outside)

    @property
    def is_exact(self) -> bool:
        """Whether the law has to be the target itself."""
        return self.measure == "exact"

    def _features(
        self, masses: np.ndarray, points: np.ndarray | None, reproduction: np.ndarray | None, n_letters: int
    ) -> np.ndarray:
        if isinstance(self.kernel, np.ndarray):
            n = masses.size
            if self.kernel.shape != (n, n):
                raise InvalidInput(
                    f"kernel of '{self.name}' has shape {self.kernel.shape}; give ({n}, {n}), one row for each atom of "
                    "the target, or a function of points"
                )
            symbols = _symbols_shown(self.name, masses, points, reproduction, n_letters)
            return centred_features(self.kernel, masses, np.arange(n), symbols, self.name)
        shown = self._points(points, reproduction, "a kernel as a table")
        return features_by_points(self.kernel, masses, *shown, self.name)

    def _points(
        self, points: np.ndarray | None, reproduction: np.ndarray | None, instead: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the points of the target's atoms and of reproductions, of one dimension, or raise an error."""
        if points is None or reproduction is None:
            raise InvalidInput(
                f"'{self.name}' measures {self.measure!r} but "
                + ("the target has" if points is None else "reproductions have")
                + f" no points; give points, or {instead}"
            )
        if points.shape[1] != reproduction.shape[1]:
            raise InvalidInput(
                f"'{self.name}' compares points of dimension {points.shape[1]} with reproductions of dimension "
                f"{reproduction.shape[1]}; give both the same"
            )
        return points, reproduction

    def _cost(
        self, points: np.ndarray | None, reproduction: np.ndarray | None, n_atoms: int, n_letters: int
    ) -> np.ndarray:
        if self.cost is not None:
            if self.cost.shape != (n_atoms, n_letters):
                raise InvalidInput(
                    f"cost of '{self.name}' has shape {self.cost.shape}; give ({n_atoms}, {n_letters}): one row for "
                    "each atom of the target, one column for each reproduction"
                )
            checked: np.ndarray = self.cost
            return checked
        points, reproduction = self._points(points, reproduction, "measure 'transport' with cost=")
        if 8 * n_atoms * n_letters > TABLE_BYTES:
            raise InvalidInput(
                f"'{self.name}' needs a table of {n_atoms} x {n_letters} costs, {8e-6 * n_atoms * n_letters:.0f} MB, "
                f"more than {1e-6 * TABLE_BYTES:.0f} MB; use fewer symbols or letters"
            )
        from scipy.spatial.distance import cdist

        cost: np.ndarray = cdist(points, reproduction, "sqeuclidean" if self.measure == "w2" else "euclidean")
        return cost

    def __repr__(self) -> str:
        bounds = self.bound if isinstance(self.bound, tuple) else (self.bound,)
        shown = ", ".join(f"{bound:.6g}" for bound in bounds)
        parts = [f"[{shown}]" if isinstance(self.bound, tuple) else shown, repr(self.measure)]
        parts += [f"cost={self.cost.shape[0]} x {self.cost.shape[1]}"] if self.cost is not None else []
        parts += [f"kernel={_shown_kernel(self.kernel)}"] if self.kernel is not None else []
        parts += ["target=..."] if self.target is not None else []
        parts += [f"name={self.name!r}"] if self.name != "perception" else []
        parts += [f"given={self.given!r}"] if self.given is not None else []
        return f"PerceptionLimit({', '.join(parts)})"


class KnownPerceptionLimit(PerceptionLimit):
    """A limit whose measure is resolved already: read from a file, or of a list of letters."""

    known: Perception

    def __init__(self, bound: float, known: Perception) -> None:
        object.__setattr__(self, "known", known)
        fields = {"bound": bound, "measure": known.measure, "name": known.name}
        fields |= dict.fromkeys(("cost", "target", "kernel", "given"))
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        check_exact(known.measure, bound, known.name)

    def resolve(self, source: Source, reproduction: np.ndarray | None, n_letters: int) -> Perception:
        """Return the measure."""
        if self.known.place.size != n_letters:
            raise InvalidInput(f"'{self.name}' is about {self.known.place.size} letters, the losses about {n_letters}")
        return self.known


def check_exact(measure: str, bound: float, name: str) -> None:
    """Raise an error if a limit asks for an exact law within a positive bound, or for no discrepancy."""
    if measure == "exact" and 0 < bound < math.inf:
        raise InvalidInput(f"'{name}' is exact, within {bound:.6g}; its bound is 0, or choose a distance such as 'tv'")
    if measure == "mmd" and bound == 0:
        raise InvalidInput(
            f"'{name}' limits a discrepancy to zero, which many laws may have; measure 'exact', or give a small bound"
        )


def _bounds_of_classes(measure: str, bound: Any, name: str) -> float | tuple[float, ...]:
    """Return the bounds of a limit given a label: one number, or one for every class."""
    is_single = isinstance(bound, (int, float)) or not hasattr(bound, "__len__") or not np.ndim(bound)
    several = [bound] if is_single else list(bound)
    bounds = tuple(upper_bound(one, "the bound of PerceptionLimit") for one in several)
    for one in bounds:
        check_exact(measure, one, name)
    return bounds[0] if is_single else bounds


def _targets_of_classes(target: Any, source: Source, label: np.ndarray, name: str) -> np.ndarray:
    """Return the masses to resemble on the source's symbols, shape (n_classes, n_x): by default p(x | s)."""
    if target is None:
        joint = (source.p_x[:, None] * label).T
        sums = joint.sum(axis=1, keepdims=True)
        return np.asarray(joint / np.where(sums > 0, sums, 1.0))
    if isinstance(target, Source):
        raise InvalidInput(
            f"target of '{name}' is a Source, which is one law; give one row of masses for each of "
            f"{label.shape[1]} classes"
        )
    table = float_array(target, f"target of '{name}'")
    if table.shape != (label.shape[1], source.n_x):
        raise InvalidInput(
            f"target of '{name}' has shape {table.shape}; give ({label.shape[1]}, {source.n_x}), one row of masses for "
            "each class"
        )
    return table


def _shown_kernel(kernel: Any) -> str:
    if isinstance(kernel, np.ndarray):
        return f"{kernel.shape[0]} x {kernel.shape[1]}"
    return f"{kernel:.6g}" if isinstance(kernel, float) else getattr(kernel, "__name__", "...")


def _symbols_shown(
    name: str, masses: np.ndarray, points: np.ndarray | None, reproduction: np.ndarray | None, n_letters: int
) -> np.ndarray:
    """Return which atom of the target each letter is, shape (n_letters,), for a kernel that is a table."""
    if points is None or reproduction is None:
        return _matched(name, "mmd", masses, points, reproduction, n_letters)[0]
    known = {(row + 0.0).tobytes(): i for i, row in enumerate(points)}
    found = [known.get((row + 0.0).tobytes()) for row in reproduction]
    if None in found:
        raise InvalidInput(
            f"'{name}' has a kernel by table, but reproduction {found.index(None)} is at the point of no atom of the "
            "target; give a function of points, or a Gaussian's width"
        )
    return np.array(found)


def _checked_cost(cost: Any) -> np.ndarray:
    table = float_array(cost, "cost")
    if table.ndim != 2 or not table.size:
        raise InvalidInput(f"cost has shape {table.shape}; give (n_x, n_y)")
    if not (np.isfinite(table) & (table >= 0)).all():
        bad = table[~(np.isfinite(table) & (table >= 0))][0]
        raise InvalidInput(
            f"cost has the entry {bad:.6g}; costs must be finite and >= 0, since equal laws are at distance zero: a "
            "constant that is added to all of them is added to every distance"
        )
    return table


def _target(target: Any, source: Source, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the masses of the target and the points of its atoms."""
    if target is None:
        return source.p_x, source.points
    if isinstance(target, Source):
        return target.p_x, target.points
    masses = mass_vector(target, f"target of '{name}'")
    if masses.size != source.n_x:
        raise InvalidInput(
            f"target of '{name}' has {masses.size} masses but the source has {source.n_x} symbols; give one each, or a "
            "Source with points of its own"
        )
    return masses, source.points


def _matched(
    name: str,
    measure: str,
    masses: np.ndarray,
    points: np.ndarray | None,
    reproduction: np.ndarray | None,
    n_letters: int,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the place of every letter, the target's masses on places, and its mass elsewhere."""
    if points is None or reproduction is None:
        if masses.size != n_letters:
            raise InvalidInput(
                f"'{name}' measures {measure!r}, which has to know which of {n_letters} reproductions is which of "
                f"{masses.size} atoms of the target; give points to both, or as many reproductions in the same order"
            )
        return np.arange(n_letters), np.array(masses), 0.0
    if points.shape[1] != reproduction.shape[1]:
        raise InvalidInput(
            f"'{name}' compares points of dimension {points.shape[1]} with reproductions of dimension "
            f"{reproduction.shape[1]}; give both the same"
        )
    known: dict[bytes, int] = {}
    place = np.array([known.setdefault((row + 0.0).tobytes(), len(known)) for row in reproduction])
    on_places, outside = np.zeros(len(known)), []
    for row, mass in zip(points, masses.tolist(), strict=True):
        at = known.get((row + 0.0).tobytes())
        if at is None:
            outside.append(mass)
        else:
            on_places[at] += mass
    return place, on_places, math.fsum(outside)
