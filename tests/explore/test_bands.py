"""Bands between the points of a curve: they hold the truth, are as narrow as asked, and go on from their file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.explore.band import intervals
from rdcsolve.explore.envelope import Envelope

COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]])
H = rdc.information.binary_entropy


def test_the_band_of_a_coin_holds_the_curve_and_is_as_narrow_as_asked():
    curve = rdc.sweep(COIN, D=[0.02, 0.29], band=1e-3)
    assert 5 < curve.sizes["D"] < 60
    assert curve.attrs["band"] <= 1e-3
    between = Envelope(curve)
    at = np.linspace(0.02, 0.29, 997)
    lower, upper = between.lower_at(at[:, None]), between.upper_at(at[:, None])
    right = np.array([float(H(0.3) - H(D)) for D in at])
    assert (lower <= right + 1e-12).all()
    assert (right <= upper + 1e-12).all()
    assert (upper - lower).max() <= curve.attrs["band"] * (1 + 1e-9)
    assert (upper - lower).max() >= 0.5 * curve.attrs["band"], "the width told is not what the band has"


def test_a_band_from_the_least_loss_to_beyond_the_last_rate():
    """At the least loss no slope is known, and beyond the largest loss the curve is flat."""
    curve = rdc.sweep(COIN, D=[0.0, 0.5], band=5e-3)
    assert curve.attrs["band"] <= 5e-3
    at = np.linspace(0, 0.5, 301)
    right = np.array([float(H(0.3) - H(D)) if D < 0.3 else 0.0 for D in at])
    between = Envelope(curve)
    assert (between.lower_at(at[:, None]) <= right + 1e-12).all()
    assert (between.upper_at(at[:, None]) >= right - 1e-12).all()


def test_the_points_of_an_earlier_run_are_used_again(tmp_path):
    path = tmp_path / "curve.nc"
    rdc.sweep(COIN, D=[0.05, 0.25], band=1e-2, save=path)
    before = rdc.explore.record.read_dataset(path)
    told = []
    after = rdc.sweep(COIN, D=[0.05, 0.25], band=1e-3, save=path, progress=lambda *point: told.append(point[2]["D"]))
    assert not set(told) & set(before["D"].values.tolist())
    assert set(before["D"].values.tolist()) < set(after["D"].values.tolist())
    assert after.attrs["band"] <= 1e-3
    assert rdc.explore.record.read_dataset(path).attrs["band"] == after.attrs["band"]


def test_a_band_that_is_cut_short_says_how_wide_it_is():
    curve = rdc.sweep(COIN, D=[0.05, 0.25], band=1e-3, time_limit=1e-6)
    assert (curve["status"] == "").any()
    assert not curve.attrs["band"] <= 1e-3


@given(st.integers(0, 2**32 - 1))
def test_bands_hold_what_is_solved_between_points(seed):
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 6, size=2)
    p = rng.dirichlet(np.ones(n))
    loss = rng.random((n, k))
    least, most = float(p @ loss.min(axis=1)), float((p @ loss).min())
    problem = rdc.Problem.from_arrays(p, loss)
    if most - least < 1e-3:
        return
    ends = least + np.array([0.05, 0.95]) * (most - least)
    curve = rdc.sweep(problem, D=ends, band=5e-3, tolerance=1e-7)
    assert curve.attrs["band"] <= 5e-3
    assert (intervals(curve).widths <= 5e-3).all()
    between = Envelope(curve)
    for D in rng.uniform(*ends, 3):
        alone = rdc.solve(problem.with_limits(D=D), tolerance=1e-8)
        assert float(between.lower_at([D])) <= alone.rate_upper + 1e-12
        assert alone.rate_lower <= float(between.upper_at([D])) + 1e-12


@pytest.mark.parametrize(
    ("problem", "options", "message"),
    [
        (COIN, {"D": [0.1], "band": 1e-3}, "name one, with the two ends"),
        (COIN, {"D": [0.1, 0.2], "band": 0.0}, "band is 0"),
        (COIN, {"D": [0.1, np.inf], "band": 1e-3}, "the axis D ends at inf"),
        (COIN, {"D": [0.1, 0.2], "band": "narrow"}, "band is 'narrow'"),
        (COIN, {"D": [0.1, 0.2], "band": 1e-9}, "leaves no room in a band of 1e-09"),
        (COIN.at_multipliers(distortion=1.0), {"distortion": [1.0, 2.0], "band": 1e-3}, "band= is about limits"),
    ],
)
def test_what_has_no_band_is_refused(problem, options, message):
    with pytest.raises(rdc.errors.InvalidInput, match=message):
        rdc.sweep(problem, **options)


def test_a_band_that_takes_too_many_points_is_refused(monkeypatch):
    monkeypatch.setattr("rdcsolve.explore.band.MOST_POINTS", 10)
    with pytest.raises(rdc.errors.InvalidInput, match="takes more than 10 points"):
        rdc.sweep(COIN, D=[0.05, 0.25], band=1e-6)


def test_points_that_cannot_be_solved_any_better_do_not_multiply():
    """Where the ends' own gaps are wider than the band, points between them are of no use."""
    bell, loose = rdc.Problem(rdc.sources.gaussian(n_x=15)), rdc.BlahutArimoto()
    curve = rdc.sweep(bell, D=[0.3, 0.5], band=1e-6, tolerance=1e-7, solver=loose, max_steps=2)
    assert (curve["gap"] > 1e-6).all(), "the example is none"
    assert curve.sizes["D"] == 2
    assert curve.attrs["band"] > 1e-6
