"""What symbols, classes, labels and columns are called is kept with a problem, or left out; it is never changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Columns
from rdcsolve.problems.storage import arrays_of, problem_of

WORD = st.text("ab é,01\u200b", min_size=0, max_size=3)
VALUE = WORD | st.integers(-3, 12) | st.integers(2**62, 2**65) | st.floats(-1, 1)
NAME = VALUE | st.tuples(VALUE) | st.tuples(WORD, WORD) | st.dates()
KINDS = st.sampled_from(
    [
        WORD,
        st.integers(),
        st.tuples(WORD, st.integers(0, 3)),
        st.tuples(WORD, WORD),
        st.tuples(st.booleans(), st.booleans()),
        NAME,
    ]
)


def distinct(n):
    return KINDS.flatmap(lambda kind: st.lists(kind, min_size=n, max_size=n, unique_by=lambda one: hash(one)))


COLUMNS = st.builds(
    Columns,
    coordinates=st.lists(WORD, min_size=1).map(tuple),
    labels=st.lists(WORD).map(tuple),
    weight=st.none() | WORD,
    unused=st.lists(WORD).map(tuple),
    header=st.booleans(),
)


@given(distinct(3), distinct(2), st.none() | COLUMNS, st.lists(WORD, min_size=2, max_size=2))
def test_names_come_back_as_they_were_as_text_or_not_at_all(symbols, classes, columns, labels):
    halves = [[0.5, 0.5]] * 3
    stated = {"symbols": symbols, "classes": [classes, None], "columns": columns, "label_names": labels}
    source = rdc.Source(None, np.full(3, 1 / 3), [halves, halves], **stated)
    arrays = {key: np.asarray(value) for key, value in arrays_of(rdc.Problem(source, distortion=np.eye(3))).items()}
    assert all(value.dtype.kind != "O" for value in arrays.values())  # never pickled
    held = problem_of(arrays, "p.npz").source
    assert (held.columns, held.label_names, held.classes[1]) == (columns, tuple(labels), None)
    for ours, theirs in ((held.symbols, symbols), (held.classes[0], classes)):
        texts = tuple(str(name) for name in theirs)
        same = ours == tuple(theirs) and [type(one) for one in ours] == [type(one) for one in theirs]
        assert same or ours == texts or (ours is None and len(set(texts)) < len(texts))
        if len({type(name) for name in theirs}) == 1 and isinstance(theirs[0], str):
            assert same


def test_plain_names_keep_their_type(tmp_path):
    path = tmp_path / "s.npz"
    arrays = {"p_x": [0.5, 0.5], "labels_0": np.eye(2), "classes_0": [7, 5], "symbols": [["a", "x"], ["a", "y"]]}
    np.savez(path, label_names=["kind"], **arrays)
    source = rdc.sources.from_npz(path)
    assert source.symbols == (("a", "x"), ("a", "y"))
    assert (source.classes, source.label_names) == (((7, 5),), ("kind",))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"symbols": ["a"]}, "symbols is "),
        ({"symbols": 1j * np.ones(2)}, "symbols of p.npz has shape"),
        ({"classes_0": ["a", "b"]}, "p.npz holds classes_0 but no labels_0"),
        ({"classes_0": ["a"], "labels_0": np.eye(2)}, "label 0 has 2 columns but classes= names 1"),
        ({"label_names": ["a"]}, "label_names is "),
        ({"columns": "x"}, "the text columns of p.npz does not say how a table was read"),
        ({"columns": '{"coordinates": ["x"], "labels": [], "unused": [], "weight": 1, "header": true}'}, "columns of"),
        ({"columns": "[" * 100_000}, "columns of"),
    ],
)
def test_names_that_are_none_are_refused(extra, message):
    arrays = {key: np.asarray(value) for key, value in {"p_x": [0.5, 0.5], "distortion": np.eye(2), **extra}.items()}
    with pytest.raises(InvalidInput, match=message):
        problem_of(arrays, "p.npz")
