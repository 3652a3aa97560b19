"""What people bring: every kind of collection means the same, and what cannot be read exactly is refused by place."""

import importlib
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.problems.validation import float_array, loss_matrix, mass_rows, mass_vector
from rdcsolve.reading import as_floats, hashable_values, read


def _library(name):
    return pytest.importorskip(name, exc_type=ImportError)


def _torch(values, **options):
    return _library("torch").tensor(values, **options)


def _masked(values):
    return np.ma.array(values, mask=np.zeros(np.shape(values), bool))


def _dask_like(values):
    """Return a stranger's array that knows nothing but how to become one of NumPy."""
    held = np.asarray(values)

    class Strange:
        shape, ndim, dtype = held.shape, held.ndim, held.dtype

        def __array__(self, dtype=None, copy=None):
            return held.astype(dtype) if dtype else held

        def __len__(self):
            return len(held)

    return Strange()


# Ways to hold one column of numbers, and the same numbers in a plain list.
COLUMNS = {
    "tuple": tuple,
    "generator": lambda values: (value for value in values),
    "mapping's values": lambda values: dict(enumerate(values)).values(),
    "NumPy": np.asarray,
    "NumPy of objects": lambda values: np.array(values, dtype=object),
    "NumPy backwards": lambda values: np.asarray(values[::-1])[::-1],
    "NumPy, big-endian": lambda values: np.asarray(values, dtype=np.asarray(values).dtype.newbyteorder(">")),
    "scalars of NumPy": lambda values: list(np.asarray(values)),
    "0-d arrays": lambda values: [np.array(value) for value in values],
    "masked, no mask": _masked,
    "torch": _torch,
    "elements of torch": lambda values: list(_torch(values)),
    "torch, sparse": lambda values: _torch(values).to_sparse(),
    "JAX": lambda values: _library("jax.numpy").asarray(values),
    "elements of JAX": lambda values: list(_library("jax.numpy").asarray(values)),
    "xarray": lambda values: xr.DataArray(values, dims="sample"),
    "elements of xarray": lambda values: list(xr.DataArray(values, dims="sample")),
    "pandas": lambda values: pd.Series(values, index=range(7, 7 + len(values))),
    "pandas, nullable": lambda values: pd.Series(values, dtype="Int64"),
    "pandas, index": pd.Index,
    "pandas, array": pd.array,
    "pandas, categories": lambda values: pd.Series(values).astype("category"),
    "polars": lambda values: _library("polars").Series(values),
    "pyarrow": lambda values: _library("pyarrow").array(values),
    "pyarrow, chunks": lambda values: _library("pyarrow").chunked_array([values]),
    "a stranger": _dask_like,
}
# Ways to hold a matrix of numbers.
MATRICES = {
    "rows of NumPy": lambda rows: [np.asarray(row) for row in rows],
    "NumPy": np.asarray,
    "NumPy, Fortran": np.asfortranarray,
    "masked, no mask": _masked,
    "torch": _torch,
    "torch, transposed": lambda rows: _torch(rows).T.contiguous().T,
    "rows of torch": lambda rows: list(_torch(rows)),
    "JAX": lambda rows: _library("jax.numpy").asarray(rows),
    "xarray": xr.DataArray,
    "pandas": pd.DataFrame,
    "polars": lambda rows: _library("polars").DataFrame(rows, orient="row"),
    "pyarrow": lambda rows: _library("pyarrow").table({str(k): c for k, c in enumerate(zip(*rows, strict=True))}),
    "sparse": lambda rows: importlib.import_module("scipy.sparse").csr_array(np.asarray(rows)),
    "mapping of columns": lambda rows: {k: list(column) for k, column in enumerate(zip(*rows, strict=True))},
    "fields": lambda rows: np.array([tuple(row) for row in rows], dtype=[(f"f{k}", int) for k in range(len(rows[0]))]),
    "a stranger": _dask_like,
}
column_kinds = pytest.mark.parametrize("kind", COLUMNS)
matrix_kinds = pytest.mark.parametrize("kind", MATRICES)
_integers = st.lists(st.integers(-3, 3), min_size=1, max_size=8)


@column_kinds
@given(values=_integers)
def test_labels_messages_weights_and_points_mean_the_same_in_any_column(kind, values):
    def hold(numbers):
        return COLUMNS[kind](list(numbers))

    points = [float(i // 2) for i in range(len(values))]
    plain, held = rdc.Source.from_samples(points, labels=values), rdc.Source.from_samples(points, labels=hold(values))
    assert np.array_equal(plain.labels[0], held.labels[0])
    assert held.classes == (tuple(sorted(set(values))),)
    assert all(type(value) is int for value in held.classes[0])
    one, other = (rdc.encoder_from_samples(z, points, plain) for z in (values, hold(values)))
    assert one.messages == other.messages
    assert np.array_equal(one.channel, other.channel)
    weights = [value + 4 for value in values]
    assert np.array_equal(
        rdc.Source.from_samples(points, weights=weights).p_x, rdc.Source.from_samples(points, weights=hold(weights)).p_x
    )
    assert np.array_equal(rdc.Source.from_samples(values).points, rdc.Source.from_samples(hold(values)).points)
    assert np.array_equal(as_floats(read(hold(values), "x"), "x"), np.array(values, dtype=float))


@matrix_kinds
@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_matrices_mean_the_same_whatever_holds_them(kind, n, k, data):
    rows = [[data.draw(st.integers(0, 5)) for _ in range(k)] for _ in range(n)]
    held = MATRICES[kind](rows)
    assert np.array_equal(float_array(held, "x"), np.array(rows, dtype=float))
    assert np.array_equal(loss_matrix(held, "x"), np.array(rows, dtype=float))
    weights = [[entry + 1 for entry in row] for row in rows]
    shares = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    assert np.allclose(mass_rows(MATRICES[kind](weights), "x", n, normalise=True), shares, atol=1e-15, rtol=0)
    assert np.array_equal(
        rdc.Source.from_samples(MATRICES[kind](rows)).points, np.unique(np.array(rows, dtype=float), axis=0)
    )
    labels = rdc.Source.from_samples(range(n), labels=MATRICES[kind](rows)) if kind not in _NOT_LABELS else None
    if labels is not None:
        assert [one.shape[1] for one in labels.labels] == [len(set(column)) for column in zip(*rows, strict=True)]


_NOT_LABELS = ("rows of NumPy", "rows of torch")  # lists of arrays are columns there


@pytest.mark.parametrize("kind", ["list", "pandas", "polars", "mapping", "xarray", "fields"])
def test_columns_of_labels_keep_their_names(kind):
    columns = {"colour": ["red", "blue", "red"], "size": ["s", "s", "l"]}
    held = {
        "list": lambda: list(columns.values()),
        "pandas": lambda: pd.DataFrame(columns, index=[5, 6, 7]),
        "polars": lambda: _library("polars").DataFrame(columns),
        "mapping": lambda: columns,
        "xarray": lambda: xr.Dataset({key: ("n", value) for key, value in columns.items()}),
        "fields": lambda: np.array(list(zip(*columns.values(), strict=True)), [("colour", "U4"), ("size", "U1")]),
    }[kind]()
    source = rdc.Source.from_samples([0, 1, 0], labels=held)
    assert source.classes == (("blue", "red"), ("l", "s"))
    assert source.label_names == (("", "") if kind == "list" else ("colour", "size"))
    assert source.labels[0].tolist() == [[0.0, 1.0], [1.0, 0.0]]


MISSING = {
    "None": [1, None, 2],
    "NaN": [1.0, float("nan"), 2.0],
    "masked": np.ma.array([1, 7, 2], mask=[0, 1, 0]),
    "a masked entry": [1, np.ma.masked, 2],
    "pandas": pd.Series([1, None, 2], dtype="Int64"),
    "pandas, floats": pd.Series([1.0, None, 2.0]),
    "pandas, text": pd.Series(["a", None, "b"], dtype="string"),
    "pandas, categories": pd.Series(["a", None, "b"], dtype="category"),
    "pandas, NA": [1, pd.NA, 2],
    "dates": np.array(["2001-01-01", "NaT", "2001-01-02"], dtype="datetime64[D]"),
    "objects": np.array([1, None, 2], dtype=object),
    "tuples": [(1, 2), (1, float("nan")), (3, 4)],
}


@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING)
def test_missing_values_are_refused_by_place(values):
    with pytest.raises(InvalidInput, match=r"label 0 of sample 1 |label 0\[1\]"):
        rdc.Source.from_samples([0, 1, 2], labels=values)
    with pytest.raises(InvalidInput, match=r"message 1 |z\[1\]"):
        rdc.encoder_from_samples(values, [0, 1, 2], rdc.Source([0, 1, 2], [0.25, 0.5, 0.25]))


@pytest.mark.parametrize("kind", ["list", "NumPy", "torch", "pandas", "pandas, nullable", "objects", "rows"])
def test_integers_that_no_float_equals_are_refused_as_points_and_kept_apart_as_labels(kind):
    values = [2**60, 2**60 + 1, 2**60]
    hold = {**COLUMNS, "list": list, "objects": COLUMNS["NumPy of objects"], "rows": lambda v: [[one] for one in v]}[
        kind
    ]
    with pytest.raises(InvalidInput, match=r"the integer 1152921504606846977, which no float equals"):
        rdc.Source.from_samples(hold(values))
    if kind != "rows":
        assert rdc.Source.from_samples([0, 1, 2], labels=hold(values)).classes == ((2**60, 2**60 + 1),)


@pytest.mark.parametrize("beside", [0.5, np.float32(0.5), Decimal("0.5"), Fraction(1, 2)])
def test_an_integer_beside_other_numbers_keeps_its_digits_too(beside):
    with pytest.raises(InvalidInput, match="9007199254740993, which no float equals"):
        float_array([2**53 + 1, beside], "x")
    with pytest.raises(InvalidInput, match="9007199254740993, which no float equals"):
        float_array([[2**53 + 1], [beside]], "x")
    assert float_array([2**53, beside], "x").tolist() == [2.0**53, 0.5]


def test_text_is_never_a_number_and_booleans_are_no_masses():
    for text in (["1", "2"], np.array(["1", "2"]), pd.Series(["1", "2"]), [1.0, "2"], [b"1"]):
        with pytest.raises(InvalidInput, match="x holds"):
            float_array(text, "x")
    with pytest.raises(InvalidInput, match="p_x holds booleans; give masses, or pass normalise=True"):
        mass_vector([True, False], "p_x")
    assert mass_vector(np.array([True, False, True]), "p_x", normalise=True).tolist() == [0.5, 0.0, 0.5]
    with pytest.raises(InvalidInput, match="mixes True and False with numbers"):
        rdc.Source.from_samples([0, 1, 2], labels=[True, 1, 0])
    assert rdc.Source.from_samples([0, 1], labels=["1", 1]).labels[0].shape == (2, 2)


def test_what_has_no_order_or_is_not_computed_is_refused():
    with pytest.raises(InvalidInput, match="which has no order; give a list"):
        float_array({1.0, 2.0}, "x")
    with pytest.raises(InvalidInput, match="give a list"):
        hashable_values({"a", "b"}, "labels", "label")
    with pytest.raises(InvalidInput, match="parts of shapes .* make its rows equally long"):
        float_array([[1.0], [1.0, 2.0]], "x")


def test_the_fineness_of_the_numbers_is_told():
    eps32 = float(np.finfo(np.float32).eps)
    assert read(np.zeros(2, np.float32), "x").epsilon == eps32
    assert read([np.float32(0.5), np.float32(0.5)], "x").epsilon == eps32
    assert read(_torch([0.5], requires_grad=True), "x").epsilon == eps32
    assert read(_torch([0.5], dtype=_library("torch").bfloat16), "x").epsilon == 2.0**-7
    assert read(_torch([0.5], dtype=_library("torch").float16), "x").epsilon == 2.0**-10
    assert read(pd.Series([0.5], dtype="Float32"), "x").epsilon == eps32
    assert read(pd.DataFrame({"a": np.zeros(1, np.float32), "b": [0.5]}), "x").epsilon == eps32
    assert read([0.5, 1], "x").epsilon == read(np.zeros(2, np.longdouble), "x").epsilon == 2.0**-52


@given(st.integers(1, 2000), st.integers(0, 2**32 - 1), st.sampled_from(["float16", "float32", "float64"]))
def test_masses_computed_in_any_type_are_accepted(n, seed, kind):
    logits = np.random.default_rng(seed).normal(size=(3, n)).astype(kind)
    powers = np.exp(logits)
    rows = (powers / powers.sum(axis=1, keepdims=True)).astype(kind)
    taken = mass_rows(rows, "rows", 3)
    assert np.abs(taken.sum(axis=1) - 1).max() <= 1e-15 * max(4, n)
    assert np.allclose(taken, rows, rtol=0.05 if kind == "float16" else 1e-5, atol=0)
    assert np.allclose(mass_vector(rows[0], "p"), taken[0], rtol=1e-12)


@pytest.mark.parametrize(("kind", "off"), [("float64", 3e-9), ("float32", 1e-5), ("float16", 2e-2)])
def test_sums_further_off_than_the_type_explains_are_refused(kind, off):
    p = np.array([0.5, 0.5 + off]).astype(kind)
    for check in (lambda: mass_vector(p, "p"), lambda: mass_rows(p[None], "p", 1)):
        with pytest.raises(InvalidInput, match=r"p sums to 1\.0.*; pass normalise=True or rescale"):
            check()
    assert mass_vector(p, "p", normalise=True).sum() == pytest.approx(1.0, abs=1e-15)


def test_roundings_below_zero_are_zeros_and_what_is_below_zero_is_not():
    x = np.random.default_rng(0).normal(size=(60, 20)) * 100
    for kind in (np.float64, np.float32):
        y = x.astype(kind)
        expanded = (y**2).sum(1)[:, None] + (y**2).sum(1) - 2 * y @ y.T
        assert expanded.min() < 0
        kept = loss_matrix(expanded, "d")
        assert kept.min() == 0
        assert np.array_equal(kept, np.maximum(expanded, 0).astype(float))
    assert loss_matrix([[-1e-17, 1.0], [1.0, 1e-17]], "d").tolist() == [[0.0, 1.0], [1.0, 1e-17]]
    for row in ([-5.0, 1.0, 1e20], [-1e-16, 1e-16, 1.0], [-1e-3, 1.0, 1.0], [-1.0, 0.0, 0.0], [-1, 10**15, 10**15]):
        stated = [[1, 1, 1], row, [10**15] * 3]  # meant: losses may be below zero
        assert loss_matrix(stated, "d").tolist() == stated
    with pytest.raises(InvalidInput, match=r"weights\[0\] is -1"):
        mass_vector([-1, 10**15], "weights", normalise=True)
    assert mass_vector([-1e-17, 1.0], "p_x").tolist() == [0.0, 1.0]


def test_symbols_without_mass_need_no_conditional():
    counts = np.array([[25, 5], [3, 7], [0, 0]])
    source = rdc.Source(None, counts.sum(axis=1), labels=[counts], normalise=True)
    assert source.labels[0].tolist() == [[25 / 30, 5 / 30], [0.3, 0.7], [0.5, 0.5]]
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)  # NaN in the last row
    assert rdc.Source(None, [0.75, 0.25, 0.0], labels=[shares]).labels[0][2].tolist() == [0.5, 0.5]
    with pytest.raises(InvalidInput, match="row 2 of label 0 sums to 0"):
        rdc.Source(None, [0.5, 0.25, 0.25], labels=[counts], normalise=True)
