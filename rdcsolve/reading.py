"""What people bring, read as plain NumPy arrays and Python values: lists, tensors, frames, masked arrays.

Every door of the library reads through this room, so that a number, a class or a message means the same whatever held
it. Values are never converted before they are compared: elements of a tensor become Python values, integers keep all
their digits, a masked or missing entry is an error that names its place, and text is never taken for a number.

Libraries are told apart by what their objects can do, so none of them has to be installed.
"""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set, ValuesView
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.errors import InvalidInput

EXACT_INTEGERS = 2**53
"""All integers up to here are floats; above, only some are."""

_MOST_DIGITS = 40  # of an integer in a message

_EPSILON = float(np.finfo(np.float64).eps)
_BFLOAT16 = 2.0**-7
TEXT = (str, bytes, bytearray)
"""Text is a value, not a collection of letters."""


class Reading(NamedTuple):
    """Entries as they were brought, and how fine the numbers were that they were brought in.

    Attributes
    ----------
    entries : numpy.ndarray
        A plain array of the original type, with no entry masked or missing.
    epsilon : float
        Distance from one to the next number of that type: 1.2e-7 for float32, 2.2e-16 for all that is exact.
    """

    entries: np.ndarray
    epsilon: float


class Column(NamedTuple):
    """One column of a table.

    Attributes
    ----------
    name : Hashable
        What the table calls it; None if nothing.
    values : Any
        Its entries, as the table holds them.
    """

    name: Hashable
    values: Any


# -------------------------------------------------------------------------------------------------- arrays


def read(value: Any, name: str) -> Reading:
    """Return the entries of anything that is like an array.

    Parameters
    ----------
    value : array_like
        Numbers nested in lists, arrays of NumPy (masked ones too), tensors of torch on any device, arrays of JAX,
        CuPy and xarray, columns and frames of pandas, polars and others, sparse matrices, or lists of any of them.
    name : str
        What to call it in an error message.

    Raises
    ------
    InvalidInput
        If an entry is masked or missing, rows differ in length, or the value is not like an array.
    """
    if type(value) is np.ndarray and value.dtype.names is None:
        return _checked(value, name)
    if isinstance(value, np.ma.MaskedArray):
        return _checked(_unmasked(value, name), name)
    columns = columns_of(value)
    if columns is not None:
        parts = [read(column.values, f"{name}[{column.name!r}]") for column in columns]
        return _joined(parts, name, axis=1)
    if isinstance(value, Set):
        raise InvalidInput(f"{name} is a {type(value).__name__}, which has no order; give a list or an array")
    if isinstance(value, (Sequence, Iterator, ValuesView)) and not isinstance(value, TEXT):
        return _read_list(value if isinstance(value, (list, tuple)) else list(value), name)
    if is_column(value):
        return _read_column(value, name)
    return _checked(_from_library(value, name), name, _epsilon_of(value))


def _checked(array: np.ndarray, name: str, epsilon: float = _EPSILON) -> Reading:
    """Return a reading of a plain array, in which an array of objects holds Python values."""
    if array.dtype.kind == "O":
        values = [python_value(entry, _place(name, index)) for index, entry in np.ndenumerate(array)]
        entries = np.empty(array.shape, dtype=object)
        entries.reshape(-1)[:] = values
        return Reading(entries, _EPSILON)
    if array.dtype.kind in "mM" and np.isnat(array).any():
        raise _missing(name, np.isnat(array), "NaT")
    own = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else _EPSILON
    return Reading(array, max(own, epsilon, _EPSILON))


def _unmasked(value: Any, name: str) -> np.ndarray:
    mask = np.ma.getmaskarray(value)
    if mask.dtype.names is not None:
        mask = np.array([any(fields) for fields in mask.ravel().tolist()]).reshape(mask.shape)
    if mask.any():
        raise _missing(name, mask, "masked")
    return np.asarray(np.ma.getdata(value))


def _missing(name: str, missing: np.ndarray, word: str) -> InvalidInput:
    index = np.argwhere(missing)[0]
    count = int(missing.sum())
    return InvalidInput(
        f"{_place(name, index)} is {word} (entries so affected: {count}); drop those samples, or fill in what they are"
    )


def _place(name: str, index: Any) -> str:
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if len(index) else name


def _read_list(value: list[Any] | tuple[Any, ...], name: str) -> Reading:
    """Return the entries of a list: at once if it holds plain values, else element by element."""
    kinds = set(map(type, value))
    if all(issubclass(kind, (int, float, complex, *TEXT, np.generic)) for kind in kinds):
        array = np.asarray(value)
        if array.dtype.kind == "f" and any(issubclass(kind, (int, np.integer)) for kind in kinds):
            _refuse_inexact([v for v in value if isinstance(v, (int, np.integer))], name)
        if array.dtype.kind in "US" and not all(issubclass(kind, TEXT) for kind in kinds):
            array = np.array([*value, None], dtype=object)[:-1]  # text beside numbers: neither is turned into the other
        return _checked(array, name)
    nested = any(_has_length(entry) for entry in value)
    if not nested:
        entries = np.empty(len(value), dtype=object)
        entries[:] = [python_value(entry, f"{name}[{i}]") for i, entry in enumerate(value)]
        epsilons = [_epsilon_of(entry) for entry in value]
        if all(isinstance(entry, (int, float)) and not isinstance(entry, bool) for entry in entries):
            return Reading(_read_list(entries.tolist(), name).entries, max(epsilons, default=_EPSILON))
        return Reading(entries, max(epsilons, default=_EPSILON))
    return _joined([read(entry, f"{name}[{i}]") for i, entry in enumerate(value)], name, axis=0)


def _has_length(value: Any) -> bool:
    """Return whether a value holds others, rather than being one."""
    if isinstance(value, TEXT):
        return False
    if hasattr(value, "ndim"):
        return bool(value.ndim)
    return isinstance(value, (list, tuple, Mapping, Set)) or hasattr(value, "shape") or is_column(value)


def _joined(parts: list[Reading], name: str, axis: int) -> Reading:
    """Return readings side by side as one array, without rounding an integer on the way."""
    shapes = {part.entries.shape for part in parts}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise InvalidInput(
            f"{name} is not a regular array of numbers (parts of shapes {first} and {second}); make its rows equally "
            "long"
        )
    kinds = {part.entries.dtype.kind for part in parts}
    arrays = [part.entries for part in parts]
    if kinds & set("USOmM") and len(kinds) > 1:
        arrays = [array.astype(object) for array in arrays]
    elif kinds & set("iu") and (kinds & set("fc") or kinds >= set("iu")):
        for array in arrays:
            if array.dtype.kind in "iu":
                _refuse_inexact(array, name)
    if axis == 1 and any(array.ndim == 0 for array in arrays):
        raise InvalidInput(f"{name} has columns that are single values; give every column as many entries as symbols")
    joined = np.stack(arrays, axis=axis) if arrays else np.empty(0)
    return Reading(joined, max((part.epsilon for part in parts), default=_EPSILON))


def _from_library(value: Any, name: str) -> np.ndarray:
    """Return the array behind an object of another library, wherever it keeps it."""
    try:
        if hasattr(value, "detach") and hasattr(value, "cpu"):  # torch
            return _from_torch(value)
        for method in ("toarray", "todense"):  # sparse matrices
            if hasattr(value, method):
                return np.asarray(getattr(value, method)())
        if hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):  # CuPy refuses silent copies
            return np.asarray(value.get())
        array = np.asarray(value)
        if array.dtype.kind == "V" and array.dtype.names is None:  # bfloat16 and its like, which NumPy does not know
            array = array.astype(np.float32)
        return _unmasked(array, name)
    except InvalidInput:
        raise
    except Exception as error:  # whatever a library raises that cannot give its numbers
        raise InvalidInput(
            f"{name} is a {type(value).__name__} that cannot be read as an array ({error}); convert it to NumPy first"
        ) from error


def _from_torch(tensor: Any) -> np.ndarray:
    tensor = tensor.detach()
    if str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if tensor.is_floating_point() and tensor.element_size() <= 2:  # half types, of which NumPy knows one
        tensor = tensor.float()
    return np.asarray(tensor.numpy())


def _epsilon_of(value: Any) -> float:
    """Return the distance from one to the next number of the type that a value came in."""
    kind = str(getattr(value, "dtype", "")).rpartition(".")[2].lower()
    if kind == "bfloat16":
        return _BFLOAT16
    if kind in ("float16", "float32"):
        return float(np.finfo(kind).eps)
    return _EPSILON


# -------------------------------------------------------------------------------------------------- columns


def columns_of(value: Any) -> list[Column] | None:
    """Return the columns of a table with their names, or None if the value is none.

    A table is a frame of pandas, polars or pyarrow, a data set of xarray, an array of NumPy with fields, or a mapping.
    """
    fields = getattr(getattr(value, "dtype", None), "names", None)
    if fields is not None and isinstance(value, np.ndarray):
        return [Column(field, value[field]) for field in fields]
    if isinstance(value, Mapping) or hasattr(value, "data_vars"):
        return [Column(key, value[key]) for key in value]
    if hasattr(value, "collect_schema") and hasattr(value, "collect") and not hasattr(value, "get_columns"):
        raise InvalidInput(f"a {type(value).__name__} has not been computed; collect() it first")
    for method in ("iter_columns", "itercolumns"):  # polars; pyarrow
        if hasattr(value, method):
            names = value.columns if method == "iter_columns" else value.column_names
            return [Column(key, column) for key, column in zip(names, getattr(value, method)(), strict=True)]
    if hasattr(value, "columns") and hasattr(value, "items"):  # pandas
        return [Column(key, column) for key, column in value.items()]
    return None


def is_column(value: Any) -> bool:
    """Return whether a value is a column of a frame: of pandas, polars or pyarrow."""
    return (hasattr(value, "isna") or (hasattr(value, "is_null") and not hasattr(value, "detach"))) and _lister(
        value
    ) is not None


def _lister(value: Any) -> Any:
    return next((getattr(value, m) for m in ("to_pylist", "to_list", "tolist") if hasattr(value, m)), None)


def _read_column(value: Any, name: str) -> Reading:
    values = _present(value, name)
    array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    if array.dtype.kind == "O" or array.ndim != 1:
        return _read_list(values, name)
    return _checked(array, name, _epsilon_of(value))


def _present(column: Any, name: str) -> list[Any]:
    """Return the values of a column, none of which is missing."""
    is_missing = column.isna() if hasattr(column, "isna") else column.is_null()
    missing = np.asarray(_lister(is_missing)(), dtype=bool)
    if missing.any():
        raise _missing(name, missing, "missing")
    return list(_lister(column)())


# -------------------------------------------------------------------------------------------------- numbers


def as_floats(reading: Reading, name: str) -> np.ndarray:
    """Return the entries as a new C-ordered float64 array.

    Booleans are 1 and 0. Decimals, fractions and wider floats are rounded; an integer that no float equals is an error,
    as two of them could become one.

    Raises
    ------
    InvalidInput
        If an entry is not a real number, or is an integer that is no float.
    """
    array = reading.entries
    if array.dtype.kind == "O":
        floats = [_float(entry, _place(name, index), name) for index, entry in np.ndenumerate(array)]
        return np.array(floats, dtype=np.float64).reshape(array.shape)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(f"{name} holds {array.dtype} entries; convert them to real numbers")
    if array.dtype.kind in "iu":
        _refuse_inexact(array, name)
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64, order="C", copy=True)


def _float(entry: Any, place: str, name: str) -> float:
    if isinstance(entry, TEXT) or not isinstance(entry, (numbers.Real, Decimal, np.bool_)):
        raise InvalidInput(f"{name} holds entries that are not real numbers ({place} is {entry!r}); convert them first")
    if isinstance(entry, numbers.Integral) and not isinstance(entry, (bool, np.bool_)):
        _refuse_inexact([entry], name)
    return float(entry)


def _refuse_inexact(integers: Any, name: str) -> None:
    """Raise if one of these integers is no float."""
    array = np.asarray(integers)
    if array.dtype.kind in "iu":
        large = array[(array > EXACT_INTEGERS) | (array < -EXACT_INTEGERS)].tolist()
    else:
        large = [int(value) for value in np.ravel(array) if abs(int(value)) > EXACT_INTEGERS]
    for value in large:
        if not _is_float(value):
            digits = str(value)
            told = digits if len(digits) <= _MOST_DIGITS else f"{digits[:_MOST_DIGITS]}... ({len(digits)} digits)"
            raise InvalidInput(
                f"{name} holds the integer {told}, which no float equals (they are exact up to 2^53); subtract a "
                "common start, or use a coarser unit"
            )


def _is_float(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


# -------------------------------------------------------------------------------------------------- values


def python_value(value: Any, place: str) -> Any:
    """Return an element of a list as a Python value that can be compared: what a 0-d array or tensor holds.

    Raises
    ------
    InvalidInput
        If the element is masked or missing.
    """
    if value is np.ma.masked:
        raise InvalidInput(f"{place} is masked; drop that sample, or fill in what it is")
    if isinstance(value, tuple):
        return tuple(python_value(entry, place) for entry in value)
    if not isinstance(value, np.generic) and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, np.generic) and value.dtype.kind not in "mM":
        value = value.item()
    if is_missing(value):
        raise InvalidInput(f"{place} is {value!r}; drop the sample, or fill in what it is")
    return value


def is_missing(value: Any) -> bool:
    """Return whether a value stands for none: None, NaN, NaT or pandas' NA, none of which equals itself."""
    if value is None:
        return True
    if isinstance(value, (list, Mapping, Set, np.ndarray)):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError, RuntimeError):  # NA has no truth value; an array of several has none either
        return not hasattr(value, "shape")


def hashable_values(value: Any, name: str, item: str) -> list[Any]:
    """Return a one-dimensional collection as Python values that are told apart by ``==``: classes, or messages.

    Parameters
    ----------
    value : sequence
        Numbers, strings, booleans, dates, tuples of them, or 0-d arrays; a row of a 1-d array counts as a tuple.
    name, item : str
        What to call the collection, and an entry of it, in error messages: `item` is followed by its index.

    Raises
    ------
    InvalidInput
        If an entry is masked, missing or cannot be hashed, or booleans are mixed with numbers.
    """
    if isinstance(value, (*TEXT, Set)) or np.isscalar(value):
        raise InvalidInput(f"{name} is {value!r}; give a list or an array with one value per sample")
    values = _listed(value, name)
    values = [python_value(_row(entry), f"{item} {i}") for i, entry in enumerate(values)]
    for i, entry in enumerate(values):
        try:
            hash(entry)
        except TypeError:
            raise InvalidInput(f"{item} {i} is {entry!r}; use hashable values such as integers or strings") from None
    is_truth = [isinstance(entry, bool) for entry in values]
    if any(is_truth) and any(isinstance(v, numbers.Number) and not t for v, t in zip(values, is_truth, strict=True)):
        raise InvalidInput(
            f"{name} mixes True and False with numbers, where True would count as 1; make all of them booleans, "
            "numbers or strings"
        )
    return values


def _listed(value: Any, name: str) -> list[Any]:
    """Return the entries of a one-dimensional collection, as they are held."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if is_column(value):
        return _present(value, name)
    if hasattr(value, "ndim") or hasattr(value, "__array__"):
        entries = read(value, name).entries
        if entries.ndim != 1:
            raise InvalidInput(f"{name} has shape {entries.shape}; give one value per sample, shape (n,)")
        return list(entries) if entries.dtype.kind in "mM" else entries.tolist()
    try:
        return list(value)
    except TypeError:
        raise InvalidInput(f"{name} is {value!r}; give one value per sample") from None


def _row(entry: Any) -> Any:
    """Return a 1-d array or tensor as the tuple of its values, anything else as it is."""
    if getattr(entry, "ndim", None) == 1 and not isinstance(entry, np.generic):
        return tuple(read(entry, "a row").entries.tolist())
    return entry


def distinct(values: list[Any]) -> list[Any]:
    """Return the distinct values in increasing order, or of appearance if they cannot be compared."""
    found = list(dict.fromkeys(values))
    try:
        return sorted(found)
    except TypeError:
        return found
