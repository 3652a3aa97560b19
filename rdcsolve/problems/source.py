"""`Source`: the symbols, their masses, and the labels they carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.markup import html_table
from rdcsolve.problems.columns import Columns, listing
from rdcsolve.problems.distortions import distortion_matrix
from rdcsolve.problems.grid_points import with_grid
from rdcsolve.problems.line import LINE_DISTORTIONS, LineLoss, is_increasing
from rdcsolve.problems.samples import conditionals_of, merge_samples, stated_classes
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.problems.structures import is_structure, structure_of
from rdcsolve.problems.validation import freeze, mass_rows, mass_vector, point_array
from rdcsolve.reading import columns_of, read


@public_call
@dataclass(frozen=True, eq=False, repr=False)
class Source:
    """A source on a finite alphabet: a discretised density, a sample, or a table.

    Parameters
    ----------
    points : array_like or None
        Where the symbols sit, shape (n_x, dim) or (n_x,); None when only matrices of losses are used.
    p_x : array_like
        Masses, shape (n_x,). Zero masses and coinciding points are allowed.
    labels : sequence of array_like, optional
        Conditional distributions p(s | x) of the labels S_1, ..., S_K, each of shape (n_x, n_s). One bare
        matrix or frame is taken as one label; a mapping holds one by name. A symbol without mass needs no
        distribution: its row may be zeros or NaN.
    name : str, optional
        Shown in summaries and plots.
    normalise : bool, optional
        Rescale `p_x` and the rows of the labels to sum to one. Without it a sum further from one than rounding
        explains is an error: further than 1e-9 for doubles, a few 1e-7 for float32.
    axes : sequence of array_like, optional
        Coordinates along each axis of a product grid, in place of `points`: symbols are its points in C order, the
        last axis running fastest. Named distortions between them are then never stored as one matrix; see
        `SeparableLoss`.
    classes : sequence, optional
        What the n_s classes of the label are called, in the order of its columns; with several labels a list of
        such lists, or None where classes have no names. By default the columns of a frame.
    label_names : sequence of str, optional
        What the labels are called; by default the keys of a mapping.
    symbols : sequence, optional
        What the symbols are called, one name each. Without `points`, ``"hamming"`` is then the distortion between
        symbols: 1 wherever they differ.
    columns : Columns, optional
        What the columns of the table were taken for that the source was read from.

    Attributes
    ----------
    points : numpy.ndarray or None
        Shape (n_x, dim), read-only.
    p_x : numpy.ndarray
        Shape (n_x,), read-only, summing to one to rounding.
    labels : tuple of numpy.ndarray
        Each of shape (n_x, n_s), read-only.
    classes : tuple
        Per label the tuple of its classes, or None.
    label_names : tuple of str
        Per label its name, empty if it has none.

    Raises
    ------
    InvalidInput
        If shapes disagree, or masses are negative, not finite, or do not sum to one.

    Examples
    --------
    >>> Source([0.0, 1.0], [0.7, 0.3], labels=[[[0.9, 0.1], [0.1, 0.9]]], name="coin")
    Source('coin', n_x=2, dim=1, labels=(2,))
    """

    points: Any
    p_x: Any
    labels: Any = ()
    name: str = ""
    normalise: InitVar[bool] = False
    axes: Any = None
    classes: Any = None
    label_names: Any = None
    symbols: Any = None
    columns: Columns | None = None

    def __post_init__(self, normalise: bool) -> None:
        p_x = mass_vector(self.p_x, "p_x", normalise=normalise)
        object.__setattr__(self, "p_x", p_x)
        if self.axes is not None:
            object.__setattr__(self, "axes", _checked_axes(self.axes, self.points, p_x.size))
            object.__setattr__(self, "points", grid_points(self.axes))
        if self.points is not None:
            points = point_array(self.points, "points")
            if points.shape[0] != p_x.size:
                raise InvalidInput(
                    f"points has {points.shape[0]} rows but p_x has {p_x.size} masses; give one mass per point"
                )
            object.__setattr__(self, "points", points)
        self._set_labels(normalise)
        if not isinstance(self.name, str):
            raise InvalidInput(f"name is {self.name!r}; give a string")
        if self.symbols is not None:
            object.__setattr__(self, "symbols", _checked_symbols(self.symbols, p_x.size))

    def _set_labels(self, normalise: bool) -> None:
        stated = conditionals_of(self.labels)
        labels = tuple(
            mass_rows(label.matrix, f"label {k}", self.p_x.size, normalise=normalise, masses=self.p_x)
            for k, label in enumerate(stated)
        )
        classes = [
            label.classes if own is None else own
            for label, own in zip(stated, stated_classes(self.classes, len(stated)), strict=True)
        ]
        for k, (table, own) in enumerate(zip(labels, classes, strict=True)):
            if own is not None and len(own) != table.shape[1]:
                raise InvalidInput(
                    f"label {k} has {table.shape[1]} columns but classes= names {len(own)}; give one class per column"
                )
        names = [label.name for label in stated] if self.label_names is None else list(self.label_names)
        if len(names) != len(labels) or not all(isinstance(name, str) for name in names):
            raise InvalidInput(f"label_names is {self.label_names!r}; give one string for each of {len(labels)} labels")
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "classes", tuple(None if own is None else tuple(own) for own in classes))
        object.__setattr__(self, "label_names", tuple(names))

    @property
    def n_x(self) -> int:
        """Number of symbols."""
        return int(self.p_x.size)

    @property
    def dim(self) -> int | None:
        """Dimension of the points, or None without points."""
        return None if self.points is None else int(self.points.shape[1])

    @classmethod
    @public_call
    def from_samples(
        cls, samples: Any, labels: Any = None, weights: Any = None, name: str = "", classes: Any = None
    ) -> Source:
        """Return the empirical source of a sample.

        Equal samples become one symbol; the symbols are in increasing (lexicographic) order.

        Parameters
        ----------
        samples : array_like
            Shape (n,) or (n, dim), finite.
        labels : sequence, optional
            One label per sample: a sequence of n hashable values (integers, strings, tuples, ...). For
            several labels an array of shape (n, K), a frame or a mapping of K columns, whose names are kept, or a
            list of K columns, each a list or an array. The classes of a label are its distinct values in increasing
            order (of appearance if they cannot be compared).
        weights : array_like, optional
            Shape (n,), non-negative, with a positive sum; equal weights by default.
        name : str, optional
            Shown in summaries and plots.
        classes : sequence, optional
            The classes in the order wanted, those that no sample shows included; with several labels a list of
            such lists, or None for a label that may keep its own.

        Returns
        -------
        Source
            With masses proportional to the weights and labels p(s | x) as weighted frequencies. A symbol of
            zero weight keeps the unweighted frequencies.

        Raises
        ------
        InvalidInput
            If lengths disagree, samples or weights are not usable numbers, a value is masked or missing, or a class
            is not among those stated.

        Examples
        --------
        >>> source = Source.from_samples([3, 1, 1, 3], labels=["a", "b", "a", "a"])
        >>> source.points.ravel().tolist(), source.p_x.tolist(), source.labels[0].tolist()
        ([1.0, 3.0], [0.5, 0.5], [[0.5, 0.5], [1.0, 0.0]])
        """
        points, p_x, tables = merge_samples(samples, labels, weights, classes)
        return cls(
            points,
            p_x,
            labels=[table.frequencies for table in tables],
            name=name,
            normalise=True,
            classes=[list(table.classes) for table in tables],
            label_names=[table.name for table in tables],
        )

    @classmethod
    @public_call
    def from_joint(cls, p_xs: Any, *, normalise: bool = False, name: str = "", points: Any = None) -> Source:
        """Return the source of a table p(x, s): as a classifier's confusion matrix, or an information bottleneck's.

        Parameters
        ----------
        p_xs : array_like
            Shape (n_x, n_s): the masses of pairs of a symbol and a class. The names of a frame's columns are the
            classes'.
        normalise : bool, optional
            Rescale the table to sum to one, as for counts.
        name : str, optional
            Shown in summaries and plots.
        points : array_like, optional
            Where the symbols sit, shape (n_x, dim) or (n_x,).

        Returns
        -------
        Source
            With p(x) = sum_s p(x, s) and one label p(s | x); a row without mass stays a symbol without mass.

        Raises
        ------
        InvalidInput
            If the table is not two-dimensional, has an entry that is no mass, or does not sum to one.

        Examples
        --------
        >>> source = Source.from_joint([[0.4, 0.1], [0.2, 0.3]])
        >>> source.p_x.tolist(), source.labels[0].tolist()
        ([0.5, 0.5], [[0.8, 0.2], [0.4, 0.6]])
        """
        named = None if columns_of(p_xs) is None else conditionals_of([p_xs])[0]
        entries = read(p_xs if named is None else named.matrix, "p_xs").entries
        if entries.ndim != 2 or not entries.size:
            raise InvalidInput(f"p_xs has shape {entries.shape}; give one row per symbol and one column per class")
        joint = mass_vector(entries.ravel(), "p_xs (row by row)", normalise=normalise).reshape(entries.shape)
        p_x = joint.sum(axis=1)
        label = joint / np.where(p_x > 0, p_x, 1.0)[:, None]
        return cls(points, p_x, labels=[label], name=name, normalise=True, classes=[named and named.classes])

    def __repr__(self) -> str:
        parts = [repr(self.name)] if self.name else []
        parts.append(f"n_x={self.n_x}")
        parts.append("no points" if self.points is None else f"dim={self.dim}")
        parts += [] if self.symbols is None else [f"symbols=({listing([str(one) for one in self.symbols])})"]
        parts += [] if self.columns is None else self.columns.summary(with_labels=not any(self.label_names))
        if self.labels:
            parts.append(f"labels={tuple(label.shape[1] for label in self.labels)}")
        if any(self.label_names):
            parts.append(f"label_names={self.label_names}")
        return f"Source({', '.join(parts)})"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, Any]] = [("symbols", self.n_x), ("of positive mass", int((self.p_x > 0).sum()))]
        rows += [] if self.dim is None else [("dimension", self.dim)]
        rows.append(("H(X)", f"{entropy(self.p_x):.6g} nat"))
        for k, (label, classes) in enumerate(zip(self.labels, self.classes, strict=True)):
            name = (self.label_names[k] if self.label_names else "") or f"label {k}"
            own = "" if classes is None else f": {listing([str(one) for one in classes])}"
            rows.append((name, f"{label.shape[1]} classes{own}"))
        return html_table(f"Source {self.name}".strip(), ("", ""), rows)


def _checked_symbols(symbols: Any, n_x: int) -> tuple[Any, ...]:
    try:
        names = None if isinstance(symbols, (str, bytes)) else tuple(symbols)
        distinct = set(names or ())
    except TypeError as error:
        raise InvalidInput(f"symbols is {symbols!r}; give a list of names, one per symbol") from error
    if names is None or len(names) != n_x or len(distinct) != n_x:
        raise InvalidInput(f"symbols is {symbols!r}; give {n_x} distinct names, one per mass")
    return names


_ON_A_LINE = {"absolute": 2**18, "squared_error": 2**24}  # pairs from which on a grid's losses are not stored
_WITHOUT_AXES = 2**27


def grid_axes(axes: Any) -> tuple[np.ndarray, ...]:
    """Return the coordinates along each axis of a grid as arrays of shapes (n_1,), (n_2,), ..."""
    if not isinstance(axes, Sequence) or not axes:
        raise InvalidInput(f"axes is {axes!r}; give a list with one array of coordinates per axis of the grid")
    columns = [point_array(axis, f"axis {d}") for d, axis in enumerate(axes)]
    for d, column in enumerate(columns):
        if column.shape[1] != 1:
            raise InvalidInput(f"axis {d} has shape {column.shape}; give its coordinates as one array")
    return tuple(freeze(column[:, 0].copy()) for column in columns)


def grid_points(axes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the points of a product grid in C order, shape (n_1 n_2 ..., dim)."""
    return freeze(np.stack([place.ravel() for place in np.meshgrid(*axes, indexing="ij")], axis=1))


def _checked_axes(axes: Any, points: Any, n_x: int) -> tuple[np.ndarray, ...]:
    """Return the coordinates along each axis, or raise unless they span the grid of the masses."""
    if points is not None:
        raise InvalidInput(
            "points and axes are both given; the points of a grid follow from its axes: leave points out"
        )
    columns = grid_axes(axes)
    size = math.prod(column.size for column in columns)
    if size != n_x:
        sides = " x ".join(str(column.size) for column in columns)
        raise InvalidInput(f"the axes span a grid of {sides} = {size} points but there are {n_x} masses; give one each")
    return columns


def losses_between(distortion: Any, source: Source, reproduction: np.ndarray | None, name: str) -> Any:
    """Return a stated loss as `Loss` takes it: a structure as it is, else a matrix; on a grid, a sum over its axes.

    The matrix between listed points that turn out to be a grid knows that, see `GridTable`.

    Parameters
    ----------
    distortion : str, array_like, callable or LossStructure
    source : Source
    reproduction : numpy.ndarray or None
        Where letters sit, shape (n_y, dim).
    name : str
        For messages.
    """
    if is_structure(distortion):
        return structure_of(distortion, name)
    is_grid = source.axes is not None and len(source.axes) > 1 and reproduction is source.points
    if is_grid and isinstance(distortion, str):
        return SeparableLoss.between(distortion, source.axes)
    line = _line_between(distortion, source, reproduction)
    if line is not None:
        return line
    if source.symbols is not None and source.points is None and isinstance(distortion, str):
        if distortion == "hamming" and reproduction is None:
            return freeze(1.0 - np.eye(source.n_x))
        raise InvalidInput(
            f"the symbols of the source are names ({listing([str(one) for one in source.symbols])}), for which {name} "
            f"{distortion!r} is not defined; say distortion='hamming', or pass a matrix (n_x, n_y)"
        )
    matrix = distortion_matrix(distortion, source.points, reproduction, name=name)
    return with_grid(matrix, distortion, source.points, reproduction)


def label_index(source: Source, label: Any, name: str) -> int:
    """Return the number of a label that is stated by number or name."""
    known = len(source.labels)
    if isinstance(label, str) and source.label_names.count(label) == 1:
        place: int = source.label_names.index(label)
        return place
    is_index = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
    if not is_index or not 0 <= label < known:
        have = f"labels 0 to {known - 1}" if known else "no labels; pass labels= to Source"
        called = ", ".join(repr(one) for one in source.label_names if one)
        raise InvalidInput(
            f"'{name}' is about label {label!r} but the source has {have}{f' ({called})' * bool(called)}"
        )
    return int(label)


def _line_between(distortion: Any, source: Source, reproduction: np.ndarray | None) -> LineLoss | None:
    """Return a loss between points of a line without its table, where that would be large, or None.

    On a grid of one axis from 512 points on under absolute error, for which there is no other fast method, and from
    4096 on under squared error; elsewhere where the table would take more than a gigabyte.
    """
    points = source.points
    if not isinstance(distortion, str) or points is None or reproduction is None:
        return None
    name = "squared_error" if distortion == "mean_squared_error" else distortion  # of one coordinate
    if name not in LINE_DISTORTIONS:
        return None
    if points.shape[1] != 1 or reproduction.shape[1] != 1:
        return None
    fewest = _ON_A_LINE[name] if source.axes is not None and reproduction is points else _WITHOUT_AXES
    if points.shape[0] * reproduction.shape[0] < fewest:
        return None
    if not (is_increasing(points[:, 0]) and is_increasing(reproduction[:, 0])):
        return None
    return LineLoss(name, points, None if reproduction is points else reproduction)
