"""CSV files: nothing is read as something else in silence; what was taken for what is told."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput, RdcError, UnreadableFile

from_csv = rdc.sources.from_csv


def stream(text):
    return io.BytesIO(text.encode())


def read(text, **how):
    return from_csv(stream(text), **how)


# ---------------------------------------------------------------------------------- whatever pandas writes

NUMBERS = st.floats(-1e6, 1e6).map(lambda x: round(x, 3)) | st.integers(-20, 2100)
CLASSES = st.sampled_from(["1", "01", "10", "1_0", "a", "b", "1.0", "nan", "NA", "é", "a,b", "x;y"])


@st.composite
def frames(draw):
    n, k = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    values = draw(st.lists(st.lists(NUMBERS, min_size=k, max_size=k), min_size=n, max_size=n))
    names = draw(
        st.sampled_from([list("xyz"), [str(j) for j in range(3)], ["2019", "2020", "2021"], ["é", "a b", "µ"]])
    )
    frame = pd.DataFrame(values, columns=names[:k])
    if draw(st.booleans()):
        frame["class"] = draw(st.lists(CLASSES, min_size=n, max_size=n))
    return frame


def right(frame):
    """Distinct points with their masses and the frequencies of classes, counted by pandas."""
    points = [column for column in frame if column != "class"]
    rows = frame.assign(**{name: frame[name].astype(float) for name in points})
    masses = rows.groupby(points).size() / len(rows)
    classes = (
        pd.crosstab([rows[name] for name in points], rows["class"], normalize="index") if "class" in rows else None
    )
    return masses, classes


def same(source, frame):
    masses, classes = right(frame)
    points = np.array([np.atleast_1d(point) for point in masses.index])
    assert source.points.tolist() == points.tolist()
    np.testing.assert_allclose(source.p_x, masses.to_numpy(), rtol=1e-12)
    if classes is not None:  # columns in any order: which class is which is not part of a source
        ours, theirs = (sorted(np.round(table.T, 9).tolist()) for table in (source.labels[0], classes.to_numpy()))
        assert ours == theirs


WRITTEN = st.fixed_dictionaries(
    {
        "index": st.booleans(),
        "header": st.booleans(),
        "sep": st.sampled_from([",", ";", "\t", "|"]),
        "decimal": st.sampled_from([".", ","]),
    }
)


@given(frames(), WRITTEN)
def test_what_pandas_writes_is_read_as_it_is_or_refused(frame, how):
    if how["sep"] == how["decimal"]:
        how["sep"] = ";"
    if not how["header"] and "class" in frame:  # without a name it would be a coordinate, and told
        frame = frame.drop(columns="class")
    written = frame.to_csv(**how)
    labels = {"labels": "class"} if "class" in frame else {}
    try:
        source = read(written, **labels)
    except RdcError:
        return
    # Without a header the index is a column like any other.
    same(source, frame.reset_index(names="index") if how["index"] and not how["header"] else frame)
    assert source.columns.header == how["header"]


@given(frames(), WRITTEN)
def test_what_pandas_writes_is_read_once_it_is_stated(frame, how):
    places = [k + how["index"] for k, name in enumerate(frame) if name != "class"]
    stated = {"columns": places, "labels": [len(places) + how["index"]] if "class" in frame else ()}
    how = how | {"sep": how["sep"] if how["sep"] != how["decimal"] else ";"}
    syntax = {"header": how["header"], "delimiter": how["sep"], "decimal": how["decimal"]}
    known = [cell for cell in frame.get("class", []) if cell not in ("nan", "NA")]
    if (
        "class" in frame
        and len(known) < len(frame)
        and all(cell in ("1", "01", "10", f"1{how['decimal']}0") for cell in known)
    ):
        with pytest.raises(UnreadableFile, match="among numbers"):  # a gap rather than a class
            read(frame.to_csv(**how), **syntax, **stated)
    else:
        same(read(frame.to_csv(**how), **syntax, **stated), frame)


# ------------------------------------------------------------------------------------------------- header


@pytest.mark.parametrize(
    ("text", "is_header"),
    [
        ("x\n1\n2\n", True),
        ("x,c\n1,a\n2,b\n", True),
        ("2019,c\n1,5\n", True),
        ("1.5\n2\n3\n", False),
        ("1.,a\n2,b\n", False),
        ("5,.5e3\n1,2\n", False),
        ("# x,y\n1,2\n", True),
    ],
)
def test_the_first_line_is_seen_for_what_it_is(text, is_header):
    source = read(text, columns=0)
    assert source.columns.header is is_header
    assert source.columns.coordinates == ((text.split(",")[0].split("\n")[0].lstrip("# ")) if is_header else "0",)


@pytest.mark.parametrize(
    "text",
    [
        "1\n2\n3\n",
        "0,1\n0.5,1.5\n",
        "red\ngreen\n",
        "-1,5\n",
        "0,0\n",
        "1,5e3\n",
        "nan\n1\n2\n",
        "1.5,x\n1,2\n",
        "3,a\n4,1\n5,b\n",
    ],
)
def test_a_first_line_that_can_be_either_is_asked_about(text):
    with pytest.raises(UnreadableFile, match="may name the columns or be the first sample; say header=True or"):
        read(text, columns=0)
    if text[0].isdigit():
        assert read(text, columns=0, header=False).n_x == len({line.split(",")[0] for line in text.split()})


def test_a_column_called_by_name_needs_a_header():
    assert read("1,c\n2,3\n", columns="1").points.tolist() == [[2]]
    assert read("red,blue\na,1\n", labels="red").columns.coordinates == ("blue",)
    with pytest.raises(InvalidInput, match=r"no column 'x'; its columns are '0', '1' \(without a header"):
        read("1,2\n3,4\n", columns="x", header=False)


# ------------------------------------------------------------------------------------------ what is told


def test_sources_and_problems_tell_what_was_taken_for_what():
    source = read(",x,y,c,w,id\n0,1,2,a,1,7\n1,3,4,b,3,8\n", columns=["x", "y"], labels="c", weight="w")
    told = "columns=(x, y), label columns=(c), weight column=w"
    assert "dim=2, columns=(x, y), weight column=w, labels=(2,), label_names=('c',)" in repr(source)
    assert f"n_x=2, dim=2, {told}, n_letters=2" in repr(rdc.Problem(source, limits=[rdc.DistortionLimit(0.1)]))
    assert str(source.columns) == (
        "line 1 names the columns; coordinates x, y; label c; weight w; not used (no name), id"
    )
    assert "no header" in str(read("1.5,2\n", name="n").columns)
    wide = read(",".join(f"p{k}" for k in range(784)) + "\n" + ",".join(["1"] * 784))
    assert "columns=(p0, p1, p2, ..., p783)" in repr(wide)


def test_a_column_without_name_is_no_coordinate():
    assert read(",x\n0,1.5\n1,1.5\n2,2.5\n").points.tolist() == [[1.5], [2.5]]
    assert read('"",x\n1,1.5\n2,2.5\n').columns.unused == ("",)  # as R writes it
    assert read("Unnamed: 0,x\n0,1.5\n1,2.5\n").columns.coordinates == ("x",)
    assert read("x,\n1.5,\n2.5,\n").columns.coordinates == ("x",)
    with pytest.raises(UnreadableFile, match="column 0 of .* has no name and does not count the lines; name it"):
        read(",x\n5,1.5\n2,1.5\n")
    assert read(",x\n5,1.5\n2,1.5\n", columns=0).points.tolist() == [[2], [5]]


# ----------------------------------------------------------------------------------------- separators


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("x;y\n1;2\n", "say delimiter=';'"),
        ("x;y\n1,5;2\n", "say delimiter=';' and decimal=','"),
        ("x;y\n1,5;2,5\n", "say delimiter=';' and decimal=','"),
        ("1.5;2\n3;4\n", "say delimiter=';'"),
        ("1.5 2\n3 4\n", "say delimiter=' '"),
        ("x\ty\n1\t2\n", r"say delimiter='\\t'"),
        ("x\n1,5\n2,5\n", "decimal comma, say decimal=','"),
        ("x,y\n1,5,2,5\n", "decimal comma, say decimal=','"),
        ('x,y\n"1,5",2\n', "decimal comma, say decimal=','"),
    ],
)
def test_another_separator_or_decimal_comma_is_named(text, cure):
    with pytest.raises(UnreadableFile, match=cure):
        read(text)


def test_separators_and_decimal_commas_as_stated():
    assert read("x;y\n1,5;-2\n", decimal=",").points.tolist() == [[1.5, -2]]  # then cells are separated by semicolons
    assert read(" 1.5   2\n 3 4 \n", delimiter=" ").points.tolist() == [[1.5, 2], [3, 4]]
    with pytest.raises(UnreadableFile, match=r"column 'x' is '1\.5', not a finite number; if that is a decimal point"):
        read("x\n1,5\n1.5\n", decimal=",", header=True)


def test_the_name_of_a_file_says_what_separates(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("x\ty\n1\t2\n")
    assert from_csv(path).points.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"decimal": ";"}, r"decimal is ';'; give '\.' or ','"),
        ({"decimal": ",", "delimiter": ","}, "delimiter is ',', which numbers or words hold"),
        ({"delimiter": "\n"}, r"delimiter is '\\n'; give one character"),
        ({"delimiter": ", "}, "delimiter is ', '; give one character"),
        ({"delimiter": "1"}, "delimiter is '1', which numbers or words hold"),
        ({"header": 0}, "header is 0; give True or False"),
        ({"header": "infer"}, "header is 'infer'; give True or False"),
        ({"columns": 2}, "no column 2; its 2 columns count from 0"),
        ({"columns": True}, "a column is called True; give its name, or its place"),
        ({"columns": [None]}, "a column is called None; give its name"),
        ({"labels": 1.0}, "a column is called 1.0; give its name"),
    ],
)
def test_senseless_arguments_are_named(how, message):
    with pytest.raises(InvalidInput, match=message):
        read("x,y\n1,2\n", **how)


# ---------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize(
    "cell", ["1_0", "0x10", "1d5", "１", "True", "1e400", "--1", "1 0", "$1", "1%", "∞", "9007199254740993"]
)
def test_what_is_no_plain_number_is_refused(cell):
    with pytest.raises(UnreadableFile, match="line 2 of .*: column 'x' is"):
        read(f"x,y\n{cell},1\n", columns="x")


def test_numbers_keep_every_digit():
    values = np.random.default_rng(0).standard_normal(200) * 10.0 ** np.random.default_rng(1).integers(-300, 300, 200)
    source = read("x\n" + "\n".join(map(repr, values.tolist())))
    assert source.points.ravel().tolist() == sorted(values.tolist())
    assert read("x\n9007199254740992\n").points.tolist() == [[2.0**53]]
    assert read("x\n1.\n.5\n+2E1\n").points.ravel().tolist() == [0.5, 1, 20]


@given(st.lists(st.sampled_from(["1", "01", "001", "1.0", "+1", "1_0", "10", "9", "-0", "0", "1e0"]), min_size=1))
def test_classes_are_as_many_as_ways_to_write_them(cells):
    source = read("x,c\n" + "\n".join(f"{k},{cell}" for k, cell in enumerate(cells)), labels="c")
    assert source.labels[0].shape[1] == len(set(cells))
    table = source.labels[0].argmax(axis=1).tolist()
    assert all((table[i] == table[j]) == (a == b) for i, a in enumerate(cells) for j, b in enumerate(cells))


def test_integer_classes_are_in_their_order():
    assert read("x,c\n1,10\n2,9\n", labels="c").labels[0].tolist() == [[0, 1], [1, 0]]


def test_labels_and_classes_keep_their_names():
    text = "x,c,d\n1,10,a\n1,9,b\n2,9,b\n"
    source = read(text, labels=["c", "d"])
    assert (source.label_names, source.classes) == (("c", "d"), ((9, 10), ("a", "b")))
    wider = read(text, columns="x", labels="c", classes=[10, 9, 8])
    assert wider.labels[0].tolist() == [[0.5, 0.5, 0], [0, 1, 0]]
    for wrong in (["10", "9"], [10]):
        with pytest.raises(InvalidInput, match="which classes= does not name"):
            read(text, columns="x", labels="c", classes=wrong)


# ----------------------------------------------------------------------------------------- words


def test_words_are_symbols():
    source = read("colour,c\nred,1\ngreen,2\nred,2\n", columns="colour", labels="c", words=True)
    assert source.symbols == ("green", "red")
    assert source.points is None
    np.testing.assert_allclose(source.p_x, [1 / 3, 2 / 3])
    assert source.labels[0].tolist() == [[0, 1], [0.5, 0.5]]
    assert "symbols=(green, red)" in repr(source)
    problem = rdc.Problem(source, distortion="hamming", limits=[rdc.DistortionLimit(0.1)])
    assert problem.losses[0].matrix.tolist() == [[0, 1], [1, 0]]
    with_more = rdc.Problem(source, distortion=[[0, 2], [1, 0]], limits=[rdc.LossLimit(0.1, "hamming", "miss")])
    assert with_more.losses[1].matrix.tolist() == [[0, 1], [1, 0]]
    with pytest.raises(InvalidInput, match=r"are names \(green, red\), for which distortion 'squared_error' is not"):
        rdc.Problem(source)


def test_words_are_asked_for():
    with pytest.raises(UnreadableFile, match="say words=True if these words are the symbols"):
        read("colour\nred\ngreen\n", header=True)
    with pytest.raises(UnreadableFile, match="'x' is 'two', not a finite number; fix or drop"):
        read("x,y\n1,1\ntwo,2\n", header=True)
    source = read("a,b\n1,01\n1,1\n", words=True, header=True)
    assert source.symbols == (("1", "01"), ("1", "1"))


def test_symbols_are_distinct_names():
    assert rdc.Source(None, [0.5, 0.5], symbols=["a", "b"]).symbols == ("a", "b")
    for wrong in (["a"], ["a", "a"], "ab", 5, [["a"], ["b"]]):
        with pytest.raises(InvalidInput, match="symbols is "):
            rdc.Source(None, [0.5, 0.5], symbols=wrong)


# ----------------------------------------------------------------------------------------- streams


def test_standard_input_and_open_files(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream("x\n1\n3\n")))
    source = from_csv("-")
    assert source.name == "standard input"
    assert source.points.tolist() == [[1], [3]]
    path = tmp_path / "a.csv"
    path.write_text("\ufeffx\n1\n")
    with path.open() as text, path.open("rb") as binary:
        assert from_csv(text).points.tolist() == from_csv(binary).points.tolist() == [[1]]


@pytest.mark.parametrize("content", [b"x\n1\n\0\n", "x\n1\n".encode("utf-16"), "x\né\n".encode("latin-1")])
def test_other_encodings_are_refused(content, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    for given_ in (path, io.BytesIO(content)):
        with pytest.raises(UnreadableFile, match="is not UTF-8 text"):
            from_csv(given_)
    with path.open(encoding="utf-8") as text, pytest.raises(UnreadableFile, match="is not UTF-8 text"):
        from_csv(text)


def test_a_path_that_is_none_is_named():
    with pytest.raises(InvalidInput, match="path is 5; give the path of a file, as a text"):
        from_csv(5)
    with pytest.raises(UnreadableFile, match="cannot be read"):
        from_csv("a\0b")
