"""The gallery is checked while it is built: what is wrong with a figure is seen."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sphinx_gallery")
plt = pytest.importorskip("matplotlib.pyplot")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def check():
    """Return the module beside the configuration of the site."""
    spec = importlib.util.spec_from_file_location("figure_check", ROOT / "docs" / "figure_check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    plt.close("all")


def test_empty_and_unlabelled_axes_are_seen(check):
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([0, 1], [0, 1])
    left.set_xlabel("x")
    figure.canvas.draw()
    assert check.faults(figure) == [
        "the y axis of axes 0 has numbers and no label",
        "axes 1 are empty",
        "the x axis of axes 1 has numbers and no label",
        "the y axis of axes 1 has numbers and no label",
    ]
    assert check.faults(plt.figure()) == ["the figure has no axes"]
    with pytest.raises(ValueError, match="figure 1 of here: the y axis of axes 0 has numbers and no label; axes 1"):
        check.checked(None, {"src_file": "here"}, {})


def test_figures_in_order_pass(check):
    figure, axes = plt.subplots(2, 2, sharey="row")
    for row in axes:
        row[0].plot([0, 1])
        row[1].scatter([0, 1], [0, 1])
        row[0].set_ylabel("y")
        for one in row:
            one.set_xlabel("x")
    figure.canvas.draw()
    assert check.faults(figure) == []
    picture, ax = plt.subplots()
    picture.colorbar(ax.imshow([[0, 1]]))
    ax.set_axis_off()
    picture.canvas.draw()
    assert check.faults(picture) == ["the colour bar 1 has no label"]
