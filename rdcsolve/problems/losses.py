"""Losses with their matrices, and the table of them that all variants of a problem share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.problems.grid_points import GridTable
from rdcsolve.problems.structures import TABLE_BYTES, LossStructure, Selection, Table, row_blocks, structure_of
from rdcsolve.problems.validation import freeze

_RESERVED = ("rate", "lagrangian", "D", "C", "P")


def loss_name(name: Any) -> str:
    """Return a loss's name if it can be used as a keyword of `Problem.with_limits`."""
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidInput(f"a loss is named {name!r}; use a Python identifier, such as 'tail_loss'")
    if name in _RESERVED:
        raise InvalidInput(f"a loss is named {name!r}, which is reserved; choose another name")
    return name


class Loss:
    """A linear loss: what each letter costs each symbol.

    Parameters
    ----------
    name : str
        A Python identifier, used as a keyword in `Problem.with_limits` and `Problem.at_multipliers`.
    matrix : array_like or LossStructure
        Shape (n_x, n_y), real numbers; ``+inf`` forbids the pair. Kept read-only. Or an object that knows the
        losses without storing them all: `rdcsolve.problems.SeparableLoss`, `rdcsolve.problems.BlockLoss`, or one of
        your own, with ``shape`` and ``block(rows, letters)``.
    is_information : bool, optional
        Whether the losses are nats, as a cross-entropy is: where a problem's `unit` is the bit, so is that of the mean.

    Examples
    --------
    >>> Loss("error", [[0, 1], [1, 0]]).block(slice(0, 1)).tolist()
    [[0.0, 1.0]]
    """

    __slots__ = ("is_information", "name", "structure")

    name: str
    structure: LossStructure
    is_information: bool

    def __init__(self, name: str, matrix: Any, is_information: bool = False) -> None:
        object.__setattr__(self, "name", loss_name(name))
        object.__setattr__(self, "is_information", bool(is_information))
        object.__setattr__(self, "structure", structure_of(matrix, f"loss '{name}'"))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a loss cannot be changed: {name} stays as it is; make another Loss")

    def __reduce__(self) -> tuple[Any, ...]:
        losses = self.structure.matrix if type(self.structure) is Table else self.structure
        return Loss, (self.name, losses, self.is_information)

    @property
    def matrix(self) -> Any:
        """All losses as one array, shape (n_x, n_y); an error where they are not stored and too many for that."""
        return self.block()

    @property
    def shape(self) -> tuple[int, int]:
        """Number of symbols, and of letters."""
        return self.structure.shape

    @property
    def is_stored(self) -> bool:
        """Whether the loss is a matrix in memory."""
        return isinstance(self.structure, Table)

    @property
    def forbids(self) -> bool:
        """Whether any entry is +inf."""
        return self.structure.forbids

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the losses of some letters at some symbols, a dense array; not to be written to.

        Parameters
        ----------
        rows, letters : slice, numpy.ndarray or None, optional
            Which symbols and which letters; None for all.

        Raises
        ------
        InvalidInput
            If all letters are asked for, they are not stored, and would take more than 268 MB (2^28 bytes).
        """
        n_x, n_letters = self.shape
        if letters is None and not self.is_stored and 8 * _count(rows, n_x) * n_letters > TABLE_BYTES:
            raise InvalidInput(
                f"loss '{self.name}' is not stored, and this needs it as one table of {n_x} x {n_letters} entries, "
                f"{8e-6 * n_x * n_letters:.0f} MB, more than {1e-6 * TABLE_BYTES:.0f} MB; solve such problems with "
                "ColumnGeneration() or BlahutArimoto(), or use fewer symbols or letters"
            )
        return self.structure.block(rows, letters)

    def row_minima(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> np.ndarray:
        """Return min_a L(i, a) over the letters allowed, shape (n_x,), exact; inf where there is none.

        Parameters
        ----------
        rows : slice, numpy.ndarray or None, optional
            Which symbols; None for all.
        forbidden : numpy.ndarray, optional
            Mask (n_x, n_letters) of pairs that are not allowed, besides those of infinite loss.
        """
        return self.structure.row_minima(rows, forbidden)

    def spread(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> float:
        """Return the largest difference between two letters allowed to one symbol; parameters as of `row_minima`.

        The scale on which a limit is met: a constant added to all losses of a symbol does not change it.
        """
        return self.structure.spread(rows, forbidden)

    def __repr__(self) -> str:
        known = f"{self.shape[0]} x {self.shape[1]}" if self.is_stored else repr(self.structure)
        if isinstance(self.structure, GridTable):
            known += f", points on a grid of {self.structure.grid}"
        return f"Loss({self.name!r}, {known})"


@dataclass(frozen=True, eq=False, repr=False)
class LabelEntropy:
    """H(S | A) of a label: the log-loss of the best soft decision on each letter, so it depends on the channel.

    Parameters
    ----------
    name : str
        A Python identifier, as of a `Loss`.
    conditional : numpy.ndarray
        p(s | x), shape (n_x, n_s).
    label : int, optional
        Which of the source's labels it is.
    """

    name: str
    conditional: np.ndarray
    label: int = 0

    is_information: ClassVar[bool] = True

    def __post_init__(self) -> None:
        loss_name(self.name)

    def log_loss(self, decisions: np.ndarray) -> np.ndarray:
        """Return -sum_s p(s | x) log r_s for soft decisions r of shape (k, n_s): an (n_x, k) array, nats.

        A decision that excludes a class costs +inf where the class has mass.
        """
        return log_loss(self.conditional, decisions)

    def __repr__(self) -> str:
        return f"LabelEntropy({self.name!r}, {self.conditional.shape[0]} x {self.conditional.shape[1]})"


@dataclass(frozen=True, eq=False, repr=False)
class FreeDistortion:
    """Squared error to letters that may be any points: at its best E |X - E[X | A]|^2, so it depends on the channel.

    Parameters
    ----------
    name : str
        ``"distortion"``.
    points : numpy.ndarray
        The source's points, shape (n_x, dim).
    scale : float, optional
        1 for the squared error, 1 / dim for its mean over the coordinates.
    """

    name: str
    points: np.ndarray
    scale: float = 1.0

    is_information: ClassVar[bool] = False

    def matrix(self, letters: np.ndarray) -> np.ndarray:
        """Return the squared errors to letters at points of shape (k, dim), shape (n_x, k)."""
        from scipy.spatial.distance import cdist

        squares: np.ndarray = cdist(self.points, letters, "sqeuclidean")  # of differences: products would cancel
        return squares * self.scale

    def means(self, joint: np.ndarray) -> np.ndarray:
        """Return E[X | a] for joint masses of symbols and letters, shape (n_x, k): an array of shape (k, dim).

        Each is found as a deviation from the letter's heaviest point, so that a letter of one point is exactly there.
        """
        q = joint.sum(axis=0)
        origin = self.points[joint.argmax(axis=0)]
        means: np.ndarray = origin.astype(float)
        for d, coordinate in enumerate(self.points.T):
            deviation = (joint * (coordinate[:, None] - origin[:, d])).sum(axis=0)
            means[:, d] += np.divide(deviation, q, out=np.zeros(q.size), where=q > 0)
        return means

    def __repr__(self) -> str:
        return f"FreeDistortion({self.name!r}, {self.points.shape[0]} points in R^{self.points.shape[1]})"


@dataclass(frozen=True, eq=False, repr=False)
class PlaceLoss:
    """A loss of letters whose places come from a letter space of the user's own.

    Parameters
    ----------
    name : str
        A Python identifier, as of a `Loss`.
    """

    name: str

    is_information: ClassVar[bool] = False

    def __post_init__(self) -> None:
        loss_name(self.name)

    def __repr__(self) -> str:
        return f"PlaceLoss({self.name!r})"


def log_loss(conditional: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    """Return -sum_s w(s | x) log c(s | a): zero weights contribute nothing, excluded classes make it +inf."""
    excluded = decisions == 0
    log_decisions = np.log(decisions, out=np.zeros_like(decisions), where=~excluded)
    # Rows that sum to 1 + 1e-16 could give -1e-16.
    losses: np.ndarray = np.maximum(conditional @ -log_decisions.T, 0.0)
    if excluded.any():
        needs_excluded = (conditional > 0).astype(float) @ excluded.T.astype(float) > 0
        losses[needs_excluded] = np.inf
    return losses


class LossTable:
    """The losses of a problem, checked against one another and against the masses; immutable.

    Parameters
    ----------
    p_x : numpy.ndarray
        Masses, shape (n_x,).
    losses : sequence of Loss
        At least one; all of shape (n_x, n_y), with distinct names.
    labels : sequence of LabelEntropy, optional
        Each with n_x rows; they come after the losses in `names`.
    free : FreeDistortion, optional
        In place of losses, where letters are free; it comes first in `names`.
    own_letters : LetterSpace, optional
        In place of losses, where letters come from a space of the user's own; its losses come first in `names`.
    perceptions : sequence of Perception, optional
        Measures of the reproduction's law, which are no losses; their names are not in `names`.

    Raises
    ------
    InvalidInput
        If shapes disagree, a name occurs twice, or a symbol of positive mass has no letter that it may use.
    """

    def __init__(
        self,
        p_x: np.ndarray,
        losses: Sequence[Loss],
        labels: Sequence[LabelEntropy] = (),
        free: FreeDistortion | None = None,
        own_letters: Any = None,
        perceptions: Sequence[Any] = (),
    ) -> None:
        self.p_x = p_x
        self.losses = tuple(losses)
        self.labels = tuple(labels)
        self.free = free
        self.own_letters = own_letters
        self.perceptions = tuple(perceptions)
        own = () if own_letters is None else own_letters.loss_names
        self.of_places = (*(() if free is None else (free,)), *(PlaceLoss(name) for name in own))
        self.names = (
            *(loss.name for loss in self.of_places),
            *(loss.name for loss in losses),
            *(label.name for label in labels),
        )
        self._check_names()
        self._check_shapes()
        self.forbidden = self._forbidden_pairs()

    @property
    def n_letters(self) -> int:
        """Number of letters, the columns of every matrix; zero where they are not listed."""
        return int(self.losses[0].shape[1]) if self.losses else 0

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of masses, names and matrices.

        A loss that is not stored counts as the table it stands for, whose blocks are read in order; beyond the size of
        which tables are made, as its own ``digest``, if it has one.
        """
        digest = hashlib.sha256(b"rdcsolve losses 1")
        digest.update(f"|p_x{self.p_x.shape}|".encode())
        digest.update(np.ascontiguousarray(self.p_x, dtype="<f8").data)
        for loss in self.losses:
            digest.update(f"|{loss.name}{loss.shape}|".encode())
            for entries in _bytes_of(loss):
                digest.update(entries)
        if self.free is not None:
            digest.update(f"|free {self.free.name}{self.free.points.shape}{self.free.scale!r}|".encode())
            digest.update(np.ascontiguousarray(self.free.points, dtype="<f8").data)
        if self.own_letters is not None:
            digest.update(f"|own {self.own_letters.fingerprint()}|".encode())
        for perception in self.perceptions:
            digest.update(perception.digest())
        for label in self.labels:
            digest.update(f"|entropy of {label.name}{label.conditional.shape}|".encode())
            digest.update(np.ascontiguousarray(label.conditional, dtype="<f8").data)
        return digest.hexdigest()[:16]

    def row_minima(self, m: int) -> np.ndarray:
        """Return the least loss m of the letters allowed to each symbol, shape (n_x,); zero at symbols without mass."""
        return self._ranges[m][0]

    def spread(self, m: int) -> float:
        """Return the largest difference in loss m between two letters allowed to one symbol of positive mass."""
        return self._ranges[m][1]

    def origin(self, index: int) -> float:
        """Return what the size of a mean loss is counted from: its least mean if it has entries below zero, else 0."""
        m = index - len(self.of_places)
        if not 0 <= m < len(self.losses):
            return 0.0
        return self._ranges[m][3]

    def least_mean(self, m: int) -> float:
        """Return the least mean of loss m over all channels, rounded once."""
        return self._ranges[m][2]

    @cached_property
    def _ranges(self) -> _Ranges:
        return _Ranges(self)

    def with_losses(self, losses: Sequence[Loss], labels: Sequence[LabelEntropy] | None = None) -> LossTable:
        """Return the table of other linear losses for the same letters, without measures of the reproduction's law."""
        return LossTable(self.p_x, losses, self.labels if labels is None else labels)

    def perception_index(self, name: Any) -> int | None:
        """Return the position of the perception called `name`, or None if there is none."""
        names = [perception.name for perception in self.perceptions]
        return names.index(name) if name in names else None

    @property
    def families(self) -> dict[str, list[str]]:
        """Names of the measures of classes, by the name of the limit that stated them together."""
        found: dict[str, list[str]] = {}
        for perception in self.perceptions:
            if perception.members is not None:
                found.setdefault(perception.family, []).append(perception.name)
        return found

    def index(self, name: Any) -> int:
        """Return the position of the loss called `name`; the error lists the known names."""
        if name in self.names:
            return self.names.index(name)
        known = ", ".join(repr(known) for known in (*self.names, *(one.name for one in self.perceptions)))
        raise InvalidInput(f"unknown loss {name!r}; this problem has the losses {known}")

    def check_bounds(self, bounds: np.ndarray) -> None:
        """Raise if a bound, shape (M,), is below zero on a loss that never is: no channel could meet it.

        Where a loss has entries below zero such a bound may be meant, whether or not it can be met.
        """
        for m in np.flatnonzero(bounds < 0).tolist():
            row = m - len(self.of_places)
            is_linear = 0 <= row < len(self.losses)
            may_be_below = is_linear and self.row_minima(row).min() < 0
            if not may_be_below and (is_linear or self.free is not None or m >= len(self.names) - len(self.labels)):
                raise InvalidInput(
                    f"the bound on {self.names[m]} is {bounds[m]:.6g}; a bound must be >= 0, or inf for no limit, on a "
                    "loss that is never below zero"
                )

    def _check_names(self) -> None:
        names = [*self.names, *(perception.name for perception in self.perceptions)]
        for name in names:
            if names.count(name) > 1:
                kind = "losses" if self.names.count(name) > 1 else "limits"
                raise InvalidInput(f"{names.count(name)} {kind} are called {name!r}; give each its own name=")

    def _check_shapes(self) -> None:
        n_x = self.p_x.size
        for loss in self.losses:
            rows, columns = loss.shape
            if rows != n_x:
                raise InvalidInput(
                    f"loss '{loss.name}' has {rows} rows but the source has {n_x} symbols; give one row each"
                )
            if columns != self.n_letters:
                raise InvalidInput(
                    f"loss '{loss.name}' has {columns} columns but '{self.names[0]}' has {self.n_letters}; "
                    "give every loss one column per letter"
                )

    def _forbidden_pairs(self) -> np.ndarray | None:
        """Return the (n_x, n_y) mask of pairs that some loss forbids, or None if there is none."""
        forbidding = [loss for loss in self.losses if loss.forbids]
        if not forbidding:
            return None
        shape = forbidding[0].shape
        if shape[0] * shape[1] > TABLE_BYTES:
            raise InvalidInput(
                f"loss '{forbidding[0].name}' forbids pairs, and a mask of {shape[0]} x {shape[1]} pairs is more than "
                f"{1e-6 * TABLE_BYTES:.0f} MB; use finite losses, or fewer symbols or letters"
            )
        mask = np.zeros(shape, dtype=bool)
        for loss in forbidding:
            for rows in row_blocks(shape):
                mask[rows] |= np.isinf(loss.block(rows))
        stranded = np.flatnonzero(mask.all(axis=1) & (self.p_x > 0))
        if stranded.size:
            i = int(stranded[0])
            raise InvalidInput(
                f"symbol {i} has mass {self.p_x[i]:.6g} but every letter is forbidden to it by +inf losses "
                f"(symbols so affected: {stranded.size}); allow it a letter, or set its mass to zero"
            )
        return freeze(mask)


def _count(selection: Selection, size: int) -> int:
    if selection is None:
        return size
    return len(range(size)[selection]) if isinstance(selection, slice) else len(selection)


class _Ranges(dict[int, tuple[np.ndarray, float, float, float]]):
    """Row minima, spread, least mean and origin of each loss, worked out when first asked for."""

    def __init__(self, table: LossTable) -> None:
        super().__init__()
        self.table = table

    def __missing__(self, m: int) -> tuple[np.ndarray, float, float, float]:
        loss, used = self.table.losses[m], self.table.p_x > 0
        minima = np.where(used, loss.row_minima(None, self.table.forbidden), 0.0)
        spread = loss.spread(np.flatnonzero(used), self.table.forbidden)
        least = mean_excess(self.table.p_x, minima)
        self[m] = freeze(minima), spread, least, least if minima.min() < 0 else 0.0
        return self[m]


def _bytes_of(loss: Loss) -> Iterator[Any]:
    """Yield what a fingerprint reads of a loss: all entries in C order, or a digest of what is too large for that."""
    n_x, n_letters = loss.shape
    own = loss.structure.digest() if 8 * n_x * n_letters > TABLE_BYTES else None
    if own is not None:
        yield own
        return
    for rows in row_blocks(loss.shape) if not loss.is_stored else [slice(None)]:
        yield np.ascontiguousarray(loss.structure.block(rows), dtype="<f8").data
