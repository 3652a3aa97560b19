"""No option is passed over in silence, and no file that a command reads is written over."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rdcsolve.cli import app

RUN = CliRunner(env={"COLUMNS": "10000"})


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("samples.csv").write_text("x,y\n0,a\n1,b\n2,b\n2,a\n")
    np.savez("coin.npz", p_x=[0.7, 0.3], distortion=[[0, 1], [1, 0]])
    np.savez("codec.npz", x=np.repeat([0.0, 1.0], 5), x_hat=np.repeat([0.0, 1.0], 5))
    Path("codec.csv").write_text("x,x_hat\n" + "0,0\n1,1\n" * 5)
    np.save("seen.npy", np.array([[0.8, 0.2], [0.2, 0.8]]))
    np.save("letters.npy", np.array([0.0, 2.0]))


def told(words, **more):
    return RUN.invoke(app, words.split(), **more)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("solve samples.csv --label y --D 0.1 --save samples.csv", "samples.csv"),
        ("solve samples.csv --label y --D 0.1 --save-problem samples.csv", "samples.csv"),
        ("solve samples.csv --label y --D 0.1 --save-problem ./samples.csv", "samples.csv"),
        ("solve samples.csv --label y --D 1 --reproduction letters.npy --save letters.npy", "letters.npy"),
        ("solve coin.npz --observation seen.npy --save seen.npy", "seen.npy"),
        ("sweep coin.npz --axis D=0.1 --save coin.npz", "coin.npz"),
        ("universal samples.csv --label y --target D=0.1 --save-problem samples.csv", "samples.csv"),
        ("audit codec.csv --html codec.csv", "codec.csv"),
        ("audit codec.npz --letters letters.npy --html letters.npy", "letters.npy"),
    ],
)
def test_what_is_read_is_not_written_over(words, file):
    before = Path(file).read_bytes()
    done = told(words)
    assert done.exit_code == 2
    assert "is read by this command, and would be written over; save to another file" in done.stderr
    assert Path(file).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("solve coin.npz --D 0.1 --D 0.2", "it is given more than once; give it once"),
        ("sweep coin.npz --axis D=0.1 --save a.nc --save b.nc", "it is given more than once; give it once"),
        ("solve samples.csv --label y --D 0.1 --seed 1", "--seed is of the k-means codebook"),
        ("solve samples.csv --label y --D 0.1 --classifier-loss error_rate", "--classifier-loss is of a classifier"),
        ("sweep coin.npz --axis D=0.1 --D 0.2", "the distortion is limited by --axis D and by an option"),
        ("sweep coin.npz --axis distortion=0.1 --limit D=0.2", "the distortion is limited by --axis distortion and by"),
        ("sweep coin.npz --axis rate=0.1 --minimise D --rate 0.2", "the rate is limited by --axis rate and by"),
        ("sweep samples.csv --label y --axis C=0.4 --C 0.5", "the label_entropy is limited by --axis C and by"),
        ("solve coin.npz --observation letters.npy", "observation has shape (2,)"),
    ],
)
def test_what_would_not_count_is_refused(words, said):
    done = told(words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_file_that_measures_the_law_is_not_measured_otherwise():
    assert told("solve coin.npz --D 0.1 --P 0.1 --perception tv --save-problem law.npz").exit_code == 0
    assert told("solve law.npz --P 0.2").exit_code == 0
    done = told("solve law.npz --perception kl=0.1")
    assert done.exit_code == 2
    assert "so --perception has no use" in done.stderr


def test_options_that_may_be_repeated_are():
    done = told("solve coin.npz --perception kl=0.1 --perception tv=0.2 --D 0.1")
    assert done.exit_code == 0
    assert "tv <= 0.2" in done.stdout


def test_a_curve_over_rates_needs_no_rate_of_its_own():
    done = told("sweep coin.npz --axis rate=0.1,0.2 --minimise D --save curve.nc")
    assert done.exit_code == 0, done.stderr
    assert "distortion" in done.stdout


def test_a_codec_comes_through_a_pipe():
    done = told("audit - --bits", input=Path("codec.csv").read_text())
    assert done.exit_code == 0, done.stderr
    assert done.stdout == told("audit codec.csv --bits").stdout


def test_a_delimiter_is_told_as_the_shell_takes_it():
    Path("semicolons.csv").write_text("x;y\n1,5;2\n2,5;3\n")
    assert "--delimiter ';'" in told("solve semicolons.csv --D 1").stderr


def test_one_shot_codes_tell_units_and_columns():
    done = told("one-shot samples.csv --column x --D 0.2 --bits")
    assert "bit, CERTIFIED" in done.stdout
    assert "coordinates x" in done.stderr
