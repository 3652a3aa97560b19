"""What pictures are told to look like: keywords for Matplotlib, without marks, and for papers."""

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.explore.marks import IMPOSSIBLE, SLACK, SOLVED

plt = pytest.importorskip("matplotlib.pyplot")
pytest.importorskip("xarray")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def problem():
    x = np.linspace(-2, 2, 9)
    seen = 1 / (1 + np.exp(2 * x))
    label = np.stack([x < 0, x >= 0], axis=1)
    source = rdc.Source(x, np.full(9, 1 / 9), labels=[label])
    return rdc.Problem(
        source, limits=[rdc.DistortionLimit(1.0), rdc.ClassifierLossLimit(1.0, np.stack([seen, 1 - seen], axis=1))]
    )


@pytest.fixture(scope="module")
def curve(problem):
    return rdc.sweep(problem, D=[0.3, 0.6, 1.0])


@pytest.fixture(scope="module")
def surface(problem):
    return rdc.sweep(problem, D=[0.3, 1.0], classifier_loss=[0.01, 0.3, 0.6])


def test_keywords_go_to_the_line(curve):
    ax = rdc.plot.curve(curve, lw=2.5, linestyle="--", color="red")
    line = ax.lines[0]
    assert (line.get_linewidth(), line.get_linestyle(), line.get_color()) == (2.5, "--", "red")


def test_marks_can_be_left_out_and_the_label_stays(curve, surface):
    with_marks, without = rdc.plot.curve(curve, label="R(D)"), rdc.plot.curve(curve, label="R(D)", marks=False)
    assert [line.get_marker() for line in with_marks.lines].count("o") == 1
    assert [line.get_marker() for line in without.lines] == ["None"]
    assert with_marks.get_legend_handles_labels()[1] == without.get_legend_handles_labels()[1] == ["R(D)"]
    assert rdc.plot.surface(surface).lines
    assert not rdc.plot.surface(surface, marks=False).lines


def test_marks_of_what_is_not_proved_are_always_drawn(curve):
    doubtful = curve.copy(deep=True)
    doubtful["proof"][:] = "UNVERIFIED"
    ax = rdc.plot.curve(doubtful, marks=False)
    assert [line.get_marker() for line in ax.lines].count("s") == 1


def test_a_legend_explains_the_marks_of_a_surface(surface):
    ax = rdc.plot.surface(surface)
    words = ax.get_legend_handles_labels()[1]
    assert SOLVED in words
    assert set(words) & set(SLACK)
    assert (IMPOSSIBLE in words) == bool((surface.status == "INFEASIBLE").any())
    assert len(words) == len(set(words))


def test_keywords_go_to_the_contours(surface):
    ax = rdc.plot.surface(surface, alpha=0.5)
    assert ax.collections[0].get_alpha() == 0.5


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda c, s: rdc.plot.curve(c, linewidht=2),
            r"curve\(\) got an unexpected .* 'linewidht'; did you mean 'linewidth'",
        ),
        (lambda c, s: rdc.plot.curve(c, lw=1, linewidth=2), r"curve\(\): "),
        (
            lambda c, s: rdc.plot.surface(s, anitaliased=True),
            r"surface\(\) got .* 'anitaliased'; did you mean 'antialiased'",
        ),
        (lambda c, s: rdc.plot.surface(s, qqqq=True), r"'qqqq'; it is no property of contours"),
    ],
)
def test_keywords_that_nobody_knows_are_told(curve, surface, call, told):
    with pytest.raises(rdc.UnknownOption, match=told):
        call(curve, surface)


def test_a_picture_for_a_paper_is_a_vector_file_with_text(curve, tmp_path):
    before = dict(plt.rcParams)
    with rdc.plot.paper(width=3.0):
        ax = rdc.plot.curve(curve, bits=True, marks=False)
        ax.figure.savefig(tmp_path / "figure")
    written = (tmp_path / "figure.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert b"/FontFile2" in written  # TrueType, which is text
    assert b"/Type3" not in written
    assert ax.figure.get_size_inches()[0] == 3.0
    assert "bit" in ax.get_ylabel()
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("bad", [{"width": 0}, {"height": -1}, {"usetex": "yes"}])
def test_sizes_of_nothing_are_told(bad):
    with pytest.raises(rdc.InvalidInput, match=next(iter(bad))), rdc.plot.paper(**bad):
        pass
