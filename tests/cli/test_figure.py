"""Figures of the field by one command: what they draw is certified, and is what closed forms say."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rdcsolve.cli import figure, figure_bottleneck, figure_classification, figure_perception
from rdcsolve.cli.app import app
from rdcsolve.cli.drawing import not_certified

pytest.importorskip("matplotlib")


def run(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["figure", name])
    assert done.exit_code == 0, done.output
    assert Path(f"figure_{name}.png").stat().st_size > 10_000
    assert done.stdout.endswith(f"saved figure_{name}.png\n")
    return done.stdout


def test_perception(tmp_path, monkeypatch):
    monkeypatch.setattr(figure_perception, "_POINTS", 5)
    monkeypatch.setattr(figure_perception, "_RATES", (0.5,))
    told = run(tmp_path, monkeypatch, "perception")
    errors = [float(found) for found in re.findall(r"closed form (\S+) nat", told)]
    assert len(errors) == 4
    assert max(errors) < 1e-7
    (times,) = re.findall(r"(\S+) times", told)
    assert 1 < float(times) < 2  # perfect realism at most doubles the squared error


def test_classification(tmp_path, monkeypatch):
    monkeypatch.setattr(figure_classification, "_POINTS", 4)
    told = run(tmp_path, monkeypatch, "classification")
    assert float(re.search(r"closed form (\S+) nat", told)[1]) < 1e-7


def test_bottleneck(tmp_path, monkeypatch):
    monkeypatch.setattr(figure_bottleneck, "_BETAS", figure_bottleneck._BETAS[[0, 6, 15]])
    told = run(tmp_path, monkeypatch, "bottleneck")
    assert told.startswith("bit through noise 0.1: tells at most 0.368064 nat; 0.368064 at beta = 60")


def test_every_name_is_a_module_and_others_are_told():
    assert all(callable(import_module(f"rdcsolve.cli.{module}").draw) for module in figure.MODULES.values())
    done = CliRunner().invoke(app, ["figure", "99"])
    assert done.exit_code == 2
    assert "there is no figure '99'; choose one of 3, 4, perception, classification, bottleneck" in done.stderr


def test_what_is_not_certified_is_counted():
    import numpy as np
    import xarray

    data = xarray.Dataset({"proof": ("D", np.array(["CERTIFIED", "UNVERIFIED", "NONE"], dtype=object))})
    assert not_certified(data, "of it") == ("2 of 3 points of it",)
    assert not_certified(data.isel(D=[0]), "of it") == ()
