"""``rdcsolve region``: from a column of messages, and from encoders in files."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc

testing = pytest.importorskip("typer.testing")


def ran(*words):
    from rdcsolve.cli.app import app

    return testing.CliRunner().invoke(app, ["region", *map(str, words)])


def told(*words):
    done = ran(*words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "coded.csv"
    rows = [(1, "cat", "a"), (2, "cat", "a"), (2, "dog", "b"), (3, "dog", "b"), (3, "cat", "b"), (5, "dog", "c")]
    path.write_text("x,kind,code\n" + "".join(f"{x},{kind},{code}\n" for x, kind, code in rows))
    return path


@given(st.integers(0, 2**32))
def test_a_column_of_messages_is_counted_as_samples_are(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 30))
    x, kind, code = rng.integers(0, 5, n), rng.integers(0, 2, n), rng.integers(0, 4, n)
    path = tmp_path_factory.mktemp("region") / "coded.csv"
    np.savetxt(path, np.c_[x, kind, code], "%d", delimiter=",", header="x,kind,code", comments="")
    source = rdc.Source.from_samples(x.astype(float)[:, None], labels=kind)
    problem = rdc.Problem(source, limits=[rdc.LabelEntropyLimit(np.inf)])
    region = rdc.achievable_region(rdc.encoder_from_samples(code, x.astype(float)[:, None], source), problem)
    found = told(path, "--label", "kind", "--message", "code")
    assert np.allclose(found["vertices"], region.vertices, rtol=0, atol=1e-12)
    assert abs(found["rate"] - region.rate) < 1e-12
    assert found["n_messages"] == region.q.size


def test_a_table_is_printed_and_a_picture_drawn(table, tmp_path):
    picture = tmp_path / "region.png"
    done = ran(table, "--label", "kind", "--message", "code", "--bits", "--plot", picture)
    assert done.exit_code == 0, done.stderr
    assert "3 messages of code, I(X;Z) = " in done.stdout
    assert "label entropy [bit]" in done.stdout
    assert done.stderr == "coded.csv: line 1 names the columns; coordinates x; label kind\n"
    assert picture.stat().st_size > 1000


def test_encoders_come_from_tables_and_from_results(table, tmp_path):
    by_column = told(table, "--column", "x", "--label", "kind", "--message", "code")
    counts = tmp_path / "counts.csv"
    counts.write_text("1,0,0\n1,1,0\n0,2,0\n0,0,1\n")
    by_table = told(table, "--column", "x", "--label", "kind", "--encoder", counts, "--normalise")
    assert np.allclose(by_table["vertices"], by_column["vertices"], rtol=0, atol=1e-12)

    source = rdc.sources.from_csv(table, "x", "kind")
    problem = rdc.Problem(source, limits=[rdc.DistortionLimit(0.3), rdc.LabelEntropyLimit(0.55)])
    result = rdc.solve(problem)
    saved = tmp_path / "encoder.npz"
    result.save(saved)
    by_result = told(table, "--column", "x", "--label", "kind", "--encoder", saved)
    assert np.allclose(by_result["vertices"], rdc.achievable_region(result, problem).vertices, rtol=0, atol=1e-12)


def test_a_classifier_makes_a_polygon(table, tmp_path):
    classifier = tmp_path / "classifier.csv"
    classifier.write_text("0.9,0.1\n0.8,0.2\n0.3,0.7\n0.1,0.9\n")
    found = told(table, "--label", "kind", "--message", "code", "--classifier", classifier)
    assert (found["kind"], found["losses"]) == ("polygon", ["distortion", "classifier_loss"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "by --message or by --encoder, and neither is"),
        (("--message", "code", "--encoder", "x.npy"), "both are given"),
        (("--message", "codes"), "has no column 'codes'"),
        (("--message", "code", "--D", "0.1"), "leave out --D"),
        (("--message", "code", "--rate", "0.1"), "leave out --rate"),
        (("--column", "x", "--encoder", "none.npz"), "none.npz"),
        (("--message", "code", "--loss", "D"), "name two losses"),
    ],
)
def test_bad_input_is_told_in_a_line(table, words, message):
    done = ran(table, "--label", "kind", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_one_loss_makes_no_region(table):
    done = ran(table, "--message", "code", "--column", "x")
    assert done.exit_code == 2
    assert "--label" in done.stderr
