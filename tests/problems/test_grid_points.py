"""Lists of points that are full grids: which are, and what losses between them are."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.problems import Loss, distortion_matrix, grid_points
from rdcsolve.problems.grid_points import GridTable, grid_of, recognised_grid


@st.composite
def shuffled_grids(draw, most=6):
    """Axes of a grid in two or three dimensions, its points in some order."""
    sides = draw(st.lists(st.integers(1, most), min_size=2, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    axes = [np.sort(rng.standard_normal(side)) for side in sides]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    return axes, points[rng.permutation(points.shape[0])]


@given(shuffled_grids())
def test_a_grid_is_recognised_in_any_order(drawn):
    axes, points = drawn
    found = grid_of(points)
    for mine, theirs in zip(found.axes, axes, strict=True):
        assert np.array_equal(mine, theirs)
    listed = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(points.shape)
    assert np.array_equal(listed if found.places is None else listed[found.places], points)


@given(shuffled_grids(), st.data())
def test_what_is_no_full_grid_is_not_taken_for_one(drawn, data):
    axes, points = drawn
    place = data.draw(st.integers(0, points.shape[0] - 1))
    if min(axis.size for axis in axes) > 1:
        assert grid_of(np.delete(points, place, axis=0)) is None
        twice = points.copy()
        twice[place] = points[place - 1]
        assert grid_of(twice) is None
        moved = points.copy()
        moved[place, 0] = np.nextafter(moved[place, 0], 9.0)
        assert grid_of(moved) is None


@pytest.mark.parametrize("distortion", ["squared_error", "mean_squared_error", "absolute", "hamming"])
@pytest.mark.parametrize("own_letters", [False, True])
def test_the_loss_is_the_table_bit_for_bit(distortion, own_letters):
    rng = np.random.default_rng(3)
    sides = [(12, 9, 11), (3, 5, 4) if own_letters else (12, 9, 11)]
    axes = [[np.sort(rng.standard_normal(side)) for side in one] for one in sides]
    lists = [np.stack(np.meshgrid(*one, indexing="ij"), axis=-1).reshape(-1, 3) for one in axes]
    points, letters = (one[rng.permutation(len(one))] for one in lists)
    source = rdc.Source(points, np.full(len(points), 1 / len(points)))
    problem = rdc.Problem(source, letters if own_letters else None, distortion)
    loss = problem.losses[0].structure
    table = distortion_matrix(distortion, points, letters if own_letters else points)
    assert isinstance(loss, GridTable) == (table.size >= 2**20)
    assert np.array_equal(problem.losses[0].matrix, table)
    assert problem.fingerprint() == rdc.Problem(source, letters if own_letters else None, table).fingerprint()


def test_places_of_rows_and_letters(monkeypatch):
    monkeypatch.setattr(grid_points, "_FEWEST_PAIRS", 1)
    rng = np.random.default_rng(4)
    points = np.stack(np.meshgrid([0.0, 0.5, 2.0], [1.0, 4.0]), axis=-1).reshape(-1, 2)[rng.permutation(6)]
    loss = rdc.Problem(rdc.Source(points, np.full(6, 1 / 6))).losses[0].structure
    whole = loss.separable.block()
    assert np.allclose(whole[np.ix_(loss.rows, loss.letters)], loss.matrix, rtol=1e-15)
    some = loss.at_rows(np.array([4, 1]))
    assert np.allclose(whole[np.ix_(some.rows, some.letters)], loss.matrix[[4, 1]], rtol=1e-15)
    assert loss.at_rows(np.arange(6)) is loss


def test_a_loss_keeps_its_grid_in_another_process(monkeypatch):
    monkeypatch.setattr(grid_points, "_FEWEST_PAIRS", 1)
    points = np.stack(np.meshgrid([0.0, 0.5, 2.0], [1.0, 4.0]), axis=-1).reshape(-1, 2)
    loss = rdc.Problem(rdc.Source(points, np.full(6, 1 / 6))).losses[0]
    again = pickle.loads(pickle.dumps(loss))
    assert isinstance(again, Loss)
    assert again.structure.grid == loss.structure.grid == "3 x 2"
    assert np.array_equal(again.matrix, loss.matrix)
    assert "points on a grid of 3 x 2" in repr(again)


def test_it_is_told_only_where_it_is_used(monkeypatch):
    monkeypatch.setattr(grid_points, "_FEWEST_PAIRS", 1)
    points = np.stack(np.meshgrid([0.0, 0.5, 2.0], [1.0, 4.0]), axis=-1).reshape(-1, 2)
    source = rdc.Source(points, np.full(6, 1 / 6))
    problem = rdc.Problem(source)
    assert recognised_grid(problem.with_limits(D=1.0)) == "3 x 2"
    assert recognised_grid(problem.at_multipliers(distortion=1.0)) == "3 x 2"
    assert recognised_grid(problem.with_limits(rate=0.3).minimising("distortion")) == "3 x 2"
    other = rdc.LossLimit(1.0, np.ones((6, 6)), "other")
    assert recognised_grid(rdc.Problem(source, limits=[rdc.DistortionLimit(1.0), other])) is None
    banned = rdc.LossLimit(1.0, np.where(np.eye(6, k=3) > 0, np.inf, 1.0), "banned")
    assert recognised_grid(rdc.Problem(source, limits=[rdc.DistortionLimit(1.0), banned])) is None
    assert recognised_grid(rdc.Problem(source, distortion=problem.losses[0].matrix).with_limits(D=1.0)) is None
