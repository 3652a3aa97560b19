"""The information plane: bounds on complexity and relevance from sweeps of every kind."""

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.explore import information_plane
from rdcsolve.explore.plane import most_told
from rdcsolve.information import entropy, mutual_information

RNG = np.random.default_rng(5)
TABLE = RNG.dirichlet(np.full(12, 0.4)).reshape(6, 2)
OWN = entropy(TABLE.sum(axis=0))
SOURCE = rdc.Source.from_joint(TABLE)
MOST = mutual_information(SOURCE.p_x, SOURCE.labels[0])
BETAS = [1.0, 3.0, 8.0, 30.0]


def sweeps():
    priced = rdc.information_bottleneck(SOURCE, beta=1.0)
    by_beta = rdc.sweep(priced, C=BETAS)
    plane = information_plane(priced, by_beta)
    inside = plane.sel(point=plane.complexity_upper > 1e-6)
    rates = rdc.information_bottleneck(SOURCE, complexity=0.1)
    limits = rdc.information_bottleneck(SOURCE, relevance=0.1 * MOST)
    yield priced, by_beta
    yield rates, rdc.sweep(rates, rate=inside.complexity_upper.values)
    yield limits, rdc.sweep(limits, C=OWN - inside.relevance_lower.values)


def test_every_kind_of_sweep_tells_the_same():
    planes = [information_plane(problem, data) for problem, data in sweeps()]
    for plane in planes:
        assert (plane.proof == "CERTIFIED").all()
        assert (plane.complexity_upper - plane.complexity_lower).values.max() < 1e-8
        assert (plane.relevance_upper - plane.relevance_lower).values.max() < 1e-8
        assert (np.diff(plane.complexity_upper) >= -1e-9).all()
        assert (np.diff(plane.relevance_upper) >= -1e-9).all()
        assert (plane.relevance_lower <= plane.complexity_upper + 1e-9).all()
        assert (plane.relevance_upper <= MOST + 1e-9).all()
    inside = planes[0].sel(point=planes[0].complexity_upper > 1e-6)
    for other in planes[1:]:
        np.testing.assert_allclose(other.complexity_upper, inside.complexity_upper, atol=1e-7)
        np.testing.assert_allclose(other.relevance_lower, inside.relevance_lower, atol=1e-7)
        np.testing.assert_allclose(other.beta, inside.beta, rtol=1e-2)
    assert planes[0].attrs["most_relevance"] == pytest.approx(MOST)


def test_between_the_points_the_band_holds_what_is_best():
    """Chords of few points are below what a solution there attains, and their tangents are not below what it may."""
    for problem, data in sweeps():
        plane = information_plane(problem, data)
        cost, told = plane.complexity_upper.values, plane.relevance_lower.values
        for one in np.linspace(cost[0], cost[-1], 9)[1:-1]:
            best = rdc.solve(rdc.information_bottleneck(SOURCE, complexity=float(one)))
            low, high = OWN - best.objective_upper, OWN - best.objective_lower
            (most,) = most_told(plane, np.array([one]))
            assert low <= most + 1e-9
            assert np.interp(one, cost, told) <= high + 1e-9
        at_points = most_told(plane, cost)
        np.testing.assert_allclose(at_points, plane.relevance_upper, atol=1e-8)  # tangents touch where they are drawn


def test_bits_are_converted():
    problem = rdc.information_bottleneck(SOURCE, beta=1.0)
    data = rdc.sweep(problem, C=[5.0])
    in_bits = information_plane(problem, rdc.explore.in_unit(data, "bit"))
    nats = information_plane(problem, data)
    for name in ("complexity_upper", "complexity_lower", "relevance_lower"):
        assert in_bits[name].values == pytest.approx(nats[name].values / np.log(2), abs=1e-12)
        assert in_bits[name].attrs["units"] == "bit"
    assert in_bits.beta.values == pytest.approx(nats.beta.values)


def test_the_picture():
    pytest.importorskip("matplotlib")
    problem = rdc.information_bottleneck(SOURCE, beta=1.0)
    data = rdc.sweep(problem, C=BETAS)
    ax = rdc.plot.information_plane(problem, data, bits=True, label="table")
    assert ax.get_xlabel() == "complexity $I(X;T)$ [bit]"
    assert ax.get_ylabel() == "relevance $I(S;T)$ [bit]"
    told = information_plane(problem, data).relevance_lower.values / np.log(2)
    assert ax.lines[0].get_ydata() == pytest.approx(told)
    assert ax.lines[-1].get_ydata().max() == pytest.approx(MOST / np.log(2))
    data.proof[1] = "UNVERIFIED"
    ax = rdc.plot.information_plane(problem, data)
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert [len(line.get_xdata()) for line in hollow] == [1]
    rdc.plot.information_plane(problem, data, ax, color="k")


def test_what_has_no_plane():
    problem = rdc.information_bottleneck(SOURCE, beta=1.0)
    data = rdc.sweep(problem, C=[5.0])
    plain = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], np.eye(2), C=0.1)
    with pytest.raises(InvalidInput, match="no information bottleneck"):
        information_plane(plain, data)
    with pytest.raises(InvalidInput, match="not of a sweep over one axis of this problem"):
        information_plane(rdc.information_bottleneck(TABLE[:, ::-1], beta=1.0), data)
    with pytest.raises(InvalidInput, match="pass the dataset"):
        information_plane(problem, [1.0])
    limited = rdc.information_bottleneck(SOURCE, relevance=0.01)
    with pytest.raises(InvalidInput, match="the sweep is over rate"):
        information_plane(limited, rdc.sweep(limited, rate=[0.1, 0.2]))
