"""From a sample to an alphabet: equal samples merge, their labels become conditional frequencies."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.validation import mass_vector, point_array
from rdcsolve.reading import Column, columns_of, distinct, hashable_values, is_column, read


class LabelTable(NamedTuple):
    """A label as counted from samples: frequencies (n_x, n_s), the classes of the columns, and what it is called."""

    frequencies: np.ndarray
    classes: tuple[Any, ...]
    name: str


def merge_samples(
    samples: Any, labels: Any, weights: Any, classes: Any = None
) -> tuple[np.ndarray, np.ndarray, list[LabelTable]]:
    """Return distinct points (n_x, dim), their weights (n_x,), and a table per label."""
    samples = point_array(samples, "samples")
    n = samples.shape[0]
    if weights is None:
        weights = np.full(n, 1.0)
    else:
        weights = mass_vector(weights, "weights", normalise=True)
        if weights.size != n:
            raise InvalidInput(f"weights has {weights.size} entries for {n} samples; give one weight per sample")
    points, symbol = np.unique(samples, axis=0, return_inverse=True)
    symbol = symbol.reshape(-1)
    masses = np.bincount(symbol, weights=weights)
    label_weights = np.where(masses[symbol] > 0, weights, 1.0)
    columns = _columns(labels, n)
    tables = []
    for k, (column, stated) in enumerate(zip(columns, stated_classes(classes, len(columns)), strict=True)):
        codes, found = _coded(column.values, stated, k)
        frequencies = _frequencies(codes, len(found), symbol, label_weights)
        tables.append(LabelTable(frequencies, tuple(found), column.name if isinstance(column.name, str) else ""))
    return points, masses, tables


class Conditional(NamedTuple):
    """A label as stated: its matrix p(s | x), what its columns are called, None if nothing, and its own name."""

    matrix: Any
    classes: list[Any] | None
    name: str


def conditionals_of(labels: Any) -> list[Conditional]:
    """Return what the user passed as labels as one matrix each; a bare matrix or frame is one label.

    A mapping of matrices is several labels by name. The columns of a frame are classes.
    """
    if labels is None:
        return []
    columns = columns_of(labels)
    if columns is not None and columns and all(_ndim(column.values) == 2 for column in columns):
        return [_conditional(column.values, column.name) for column in columns]
    if columns is not None:
        return [_conditional(labels, None)]
    if hasattr(labels, "ndim") and not isinstance(labels, (list, tuple)):
        return [_conditional(labels, None)] if labels.ndim == 2 else [_conditional(part, None) for part in labels]
    if isinstance(labels, (str, bytes, Set)):
        raise InvalidInput(f"labels is {labels!r}; give a list of matrices p(s | x), each (n_x, n_s)")
    try:
        parts = list(labels)
    except TypeError as error:
        raise InvalidInput(f"labels is {labels!r}; give a list of matrices p(s | x), each (n_x, n_s)") from error
    is_matrix = len(parts) > 0 and all(_ndim(part) == 1 for part in parts)
    return [_conditional(parts, None)] if is_matrix else [_conditional(part, None) for part in parts]


def _conditional(matrix: Any, name: Any) -> Conditional:
    return Conditional(matrix, column_names(matrix), name if isinstance(name, str) else "")


def column_names(matrix: Any) -> list[Any] | None:
    """Return what the columns of a frame, or of an array of xarray, are called; None if nothing."""
    columns = columns_of(matrix)
    if columns is not None:
        return [column.name for column in columns]
    found = _coordinates(matrix, 1) if getattr(matrix, "ndim", 0) == 2 else [None]
    return None if None in found else found


def _ndim(value: Any) -> int:
    """Return how deep a value is nested, judged by its first entries."""
    if columns_of(value) is not None:
        return 2
    if hasattr(value, "ndim"):
        return int(value.ndim)
    if is_column(value):
        return 1
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return 1 + (_ndim(value[0]) if len(value) else 0)
    return 0


def stated_classes(classes: Any, n_labels: int) -> list[list[Any] | None]:
    """Return the classes of each label as the user states them, None for a label whose classes are not stated.

    One list of classes will do for one label; several labels take a list with one entry each, or None in its place.

    Raises
    ------
    InvalidInput
        If there is not one list per label, or a list names a class twice.
    """
    if classes is None:
        return [None] * n_labels
    if isinstance(classes, (str, bytes, Set)):
        raise InvalidInput(f"classes is {classes!r}; give a list of the values that the label may take")
    listed = list(classes)
    if n_labels == 1 and not (len(listed) == 1 and _is_list(listed[0])):
        listed = [classes]
    if len(listed) != n_labels:
        raise InvalidInput(f"classes is given for {len(listed)} labels but there are {n_labels}; give one list each")
    return [None if one is None else _checked_classes(one, k) for k, one in enumerate(listed)]


def _is_list(value: Any) -> bool:
    return value is None or (isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes)))


def _checked_classes(classes: Any, k: int) -> list[Any]:
    values = hashable_values(classes, f"classes of label {k}", f"class {k}, number")
    for value in values:
        if values.count(value) > 1:
            raise InvalidInput(f"the classes of label {k} name {value!r} twice; keep one")
    if not values:
        raise InvalidInput(f"the classes of label {k} are empty; name at least one")
    return values


def _columns(labels: Any, n: int) -> list[Column]:
    """Split the user's labels into columns of n values.

    Lists and arrays inside a list are columns; tuples and strings are values, so tuples may serve as labels.
    """
    if labels is None:
        return []
    columns = columns_of(labels)
    if columns is None:
        columns = _unnamed_columns(labels)
    for k, column in enumerate(columns):
        values = hashable_values(column.values, f"label {k}", f"label {k} of sample")
        if len(values) != n:
            raise InvalidInput(f"label {k} has {len(values)} values for {n} samples; give one value per sample")
        columns[k] = Column(column.name, values)
    return columns


def _unnamed_columns(labels: Any) -> list[Column]:
    if isinstance(labels, (str, bytes, Set)) or np.isscalar(labels):
        raise InvalidInput(f"labels is {labels!r}; give one label per sample, in a list or an array")
    if not isinstance(labels, (list, tuple)) and (hasattr(labels, "ndim") or hasattr(labels, "__array__")):
        ndim = getattr(labels, "ndim", 1)
        if ndim == 1:
            return [Column(getattr(labels, "name", None), labels)]
        if ndim != 2:
            raise InvalidInput(f"labels has shape {tuple(labels.shape)}; give (n,), or (n, K) for K labels")
        entries = read(labels, "labels").entries
        return [Column(name, column) for name, column in zip(_coordinates(labels, 1), entries.T, strict=True)]
    if isinstance(labels, (list, tuple)) and labels and all(_is_column_of_many(value) for value in labels):
        return [Column(getattr(value, "name", None), value) for value in labels]
    return [Column(None, labels)]


def _coordinates(array: Any, axis: int) -> list[Any]:
    """Return what an array of xarray calls the places along an axis, None for each where it says nothing."""
    coordinates = getattr(array, "coords", {})
    axes = getattr(array, "dims", ())
    if len(axes) > axis and axes[axis] in coordinates:
        return list(coordinates[axes[axis]].values.tolist())
    return [None] * int(array.shape[axis])


def _is_column_of_many(value: Any) -> bool:
    return isinstance(value, list) or is_column(value) or bool(getattr(value, "ndim", 0))


def _coded(values: list[Any], stated: list[Any] | None, k: int) -> tuple[np.ndarray, list[Any]]:
    """Return the number of each value's class, and the classes."""
    classes = distinct(values) if stated is None else stated
    code = {value: number for number, value in enumerate(classes)}
    for i, value in enumerate(values):
        if value not in code:
            raise InvalidInput(
                f"label {k} of sample {i} is {value!r}, which classes= does not name ({_few(classes)}); add it there, "
                "or drop the sample"
            )
    return np.array([code[value] for value in values]), list(classes)


def _few(values: list[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[:6])
    return shown if len(values) <= 6 else f"{shown}, ... {len(values)} in all"


def _frequencies(codes: np.ndarray, n_classes: int, symbol: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the (n_x, n_s) weighted frequencies of a label's classes within each symbol."""
    n_x = int(symbol.max()) + 1
    table = np.bincount(symbol * n_classes + codes, weights=weights, minlength=n_x * n_classes)
    table = table.reshape(n_x, n_classes)
    rows: np.ndarray = table / table.sum(axis=1, keepdims=True)
    return rows
