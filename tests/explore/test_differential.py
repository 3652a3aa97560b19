"""Entropies of labels on a grid, shown as differential entropies: the ticks move, the picture does not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.explore.differential import ticks_of

plt = pytest.importorskip("matplotlib.pyplot")
pytest.importorskip("xarray")
STEP = 0.5


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def pair():
    """Return a problem whose label stands for a number: two cells of width 0.5."""
    return rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8]], C=math.inf)


@pytest.fixture(scope="module")
def curve(pair):
    return rdc.sweep(pair, C=[0.45, 0.55, 0.65])


def said(axis):
    """Return what the ticks of an axis say, and where they are, within what is seen."""
    axis.figure.canvas.draw()
    low, high = sorted(axis.get_view_interval())
    pairs = [(label.get_text(), place) for label, place in zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)]
    return [(float(text.replace("\N{MINUS SIGN}", "-")), place) for text, place in pairs if low <= place <= high]


@pytest.mark.parametrize("bits", [False, True])
def test_ticks_say_the_entropy_plus_the_logarithm_of_the_step(curve, bits):
    ax = rdc.plot.curve(curve, bits=bits, label_steps={"C": STEP})
    plain = rdc.plot.curve(curve, bits=bits)
    shift = math.log2(STEP) if bits else math.log(STEP)
    assert ax.get_xlabel() == f"differential label entropy limit [{'bit' if bits else 'nat'}]"
    assert ax.get_ylabel() == plain.get_ylabel()
    assert [one.get_xydata().tolist() for one in ax.lines] == [one.get_xydata().tolist() for one in plain.lines]
    ticks = said(ax.xaxis)
    assert len(ticks) >= 3
    for number, place in ticks:
        assert abs(place + shift - number) < 1e-9
    assert [number for number, _ in said(plain.xaxis)] == [round(place, 9) for _, place in said(plain.xaxis)]


@given(st.floats(-8, 8), st.floats(-3, 3), st.floats(-4, 2))
def test_ticks_are_round_numbers_of_what_they_say(shift, low, log_width):
    locator, formatter = ticks_of(shift)
    high = low + 10**log_width
    places = np.asarray(locator.tick_values(low, high))
    inside = places[(low <= places) & (places <= high)]
    assert inside.size >= 1
    texts = formatter.format_ticks(inside)
    numbers = [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts]
    assert len({len(text.partition(".")[2]) for text in texts}) == 1
    gap = float(np.diff(places).min())
    assert np.abs(numbers - (inside + shift)).max() <= 1e-2 * gap


def test_the_value_and_its_bar_of_colours_follow(pair):
    steps = {"label_entropy": STEP}
    boundary = rdc.tradeoff(pair, 0.1, "D", [0.3, 0.5], minimise="C")
    ax = rdc.plot.tradeoff(boundary, label_steps=steps)
    assert ax.get_ylabel() == "differential label entropy [nat]"
    assert all(abs(place + math.log(STEP) - number) < 1e-9 for number, place in said(ax.yaxis))
    over = rdc.sweep(pair.minimising("label_entropy", rate=0.1), rate=[0.05, 0.1], D=[0.3, 0.5])
    bar = rdc.plot.surface(over, label_steps=steps).figure.axes[1]
    assert bar.get_ylabel() == "differential label entropy [nat]"
    ticks = said(bar.yaxis)
    assert ticks
    assert all(abs(place + math.log(STEP) - number) < 1e-3 for number, place in ticks)


def test_regions_follow(pair):
    region = rdc.achievable_region(np.eye(2), pair)
    ax = rdc.plot.region(region, label_steps={"label_entropy": STEP})
    assert ax.get_ylabel() == "differential label entropy [nat]"
    assert all(abs(place + math.log(STEP) - number) < 1e-9 for number, place in said(ax.yaxis))


def test_pictures_of_different_steps_do_not_share_axes(curve):
    ax = rdc.plot.curve(curve, label_steps={"C": STEP})
    rdc.plot.curve(curve, ax, label_steps={"C": STEP})
    for steps in (None, {"C": 0.25}):
        with pytest.raises(rdc.errors.InvalidInput, match="the same label_steps"):
            rdc.plot.curve(curve, ax, label_steps=steps)
    with pytest.raises(rdc.errors.InvalidInput, match="the same label_steps"):
        rdc.plot.curve(curve, rdc.plot.curve(curve), label_steps={"C": STEP})


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({"D": 0.5}, "label_steps names 'D'; steps are for losses that are information: label_entropy"),
        ({"C": 0.0}, "the step of C is 0"),
        ({"C": "fine"}, "the step of C is 'fine'"),
        (0.5, "label_steps is 0.5"),
        ({3: 0.5}, "label_steps names 3"),
    ],
)
def test_steps_that_cannot_be_meant_are_refused(curve, steps, words):
    with pytest.raises(rdc.errors.InvalidInput, match=words):
        rdc.plot.curve(curve, label_steps=steps)
